"""Published sizes of Hybrid Demucs.

The numbers of parameters are those of the published files. A file's own constructor arguments
rule when it is loaded; the borders of the bands and the framing of the mdx members are not known
from their sizes.
"""

from dataclasses import replace

from stemsplit.layers.levels import Level, Residual
from stemsplit.models.base import Variant
from stemsplit.models.hdemucs.config import HDemucsConfig
from stemsplit.models.hybrid import Resolution

_SHALLOW = Residual(compress=4.0, init=1e-3)
_DEEP = replace(_SHALLOW, lstm=True, attention=True)

_OUTER = (
    Level(channels=48, encoder_residual=_SHALLOW),
    Level(channels=96, encoder_residual=_SHALLOW),
    Level(channels=192, encoder_residual=_SHALLOW),
    Level(channels=384, encoder_residual=_SHALLOW),
)
_MERGE = Level(channels=768, padding=0, norm_groups=4, encoder_residual=_DEEP)
_INNER = Level(channels=1536, kernel=4, stride=2, padding=1, norm_groups=4, encoder_residual=_DEEP)

_MMI = HDemucsConfig(
    levels=(*_OUTER, _MERGE, _INNER),
    time_levels=(*_OUTER, Level(channels=768, norm_groups=4, bare=True)),
)
_MDX = replace(
    _MMI,
    levels=tuple(replace(level, norm_groups=0) for level in _MMI.levels),
    time_levels=(*_OUTER, Level(channels=768, bare=True)),
)

# torchaudio starts the residual branches ten times closer to nothing.
_TA_SHALLOW = Residual(compress=4.0, init=1e-4)
_TA_DEEP = replace(_TA_SHALLOW, lstm=True, attention=True)
_TA_OUTER = tuple(replace(level, encoder_residual=_TA_SHALLOW) for level in _OUTER)
_TA_MERGE = replace(_MERGE, encoder_residual=_TA_DEEP)
_TA_INNER = replace(_INNER, encoder_residual=_TA_DEEP)

_SOURCE = "Défossez 2021, arXiv:2111.03600; demucs/hdemucs.py 4.1.0"
_TA_SOURCE = "Défossez 2021, arXiv:2111.03600; torchaudio/models/_hdemucs.py 2.11"

VARIANTS = {
    "hdemucs_mmi": Variant(
        config=_MMI,
        summary="Waveform and spectrogram U-Nets that meet where one bin is left.",
        source=f"{_SOURCE}; the network of hdemucs_mmi",
    ),
    "mdx_extra_magnitude": Variant(
        config=replace(_MMI, spectrum="wiener"),
        summary="As hdemucs_mmi, on magnitudes, with the phase of the mix.",
        source=f"{_SOURCE}; two members of mdx_extra, of which the other two are hdemucs_mmi",
    ),
    "mdx_hybrid_magnitude": Variant(
        config=replace(_MDX, spectrum="wiener", legacy_framing=True),
        summary="As mdx_extra_magnitude without norms, with the borders of the first networks.",
        source=f"{_SOURCE}; member of mdx",
    ),
    "mdx_hybrid_bands": Variant(
        config=replace(
            _MDX,
            levels=(
                replace(_MDX.levels[0], bands=(0.25, 0.5)),
                replace(_MDX.levels[1], bands=(0.25, 0.5)),
                *_MDX.levels[2:],
            ),
        ),
        summary="As hdemucs_mmi without norms, with weights per band in the outer two levels.",
        source=f"{_SOURCE}; member of mdx",
    ),
    "hdemucs_high": Variant(
        config=replace(
            _MMI,
            levels=(*_TA_OUTER, _TA_MERGE, _TA_INNER),
            time_levels=(*_TA_OUTER, Level(channels=768, norm_groups=4, bare=True)),
        ),
        summary="hdemucs_mmi as torchaudio builds it for 44.1 kHz.",
        source=f"{_TA_SOURCE}, hdemucs_high",
    ),
    "hdemucs_medium": Variant(
        config=HDemucsConfig(
            sample_rate=16_000,
            segment_samples=640_000,
            resolutions=(Resolution(n_fft=2048, hop_length=512),),
            levels=(*_TA_OUTER, replace(_TA_MERGE, kernel=4), _TA_INNER),
            time_levels=(
                *_TA_OUTER,
                Level(channels=768, kernel=4, stride=2, padding=1, norm_groups=4, bare=True),
            ),
        ),
        summary="Hybrid Demucs with six levels for audio at 16 kHz.",
        source=f"{_TA_SOURCE}, hdemucs_medium",
    ),
    "hdemucs_low": Variant(
        config=HDemucsConfig(
            sample_rate=8_000,
            segment_samples=320_000,
            resolutions=(Resolution(n_fft=1024, hop_length=256),),
            levels=(
                *_TA_OUTER[:3],
                Level(channels=384, padding=0, encoder_residual=_TA_SHALLOW),
                replace(_TA_INNER, channels=768),
            ),
            time_levels=(*_TA_OUTER[:3], Level(channels=384, bare=True)),
        ),
        summary="Hybrid Demucs with five levels for audio at 8 kHz.",
        source=f"{_TA_SOURCE}, hdemucs_low",
    ),
}
