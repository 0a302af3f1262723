"""Published sizes of Hybrid Transformer Demucs, and the research variants.

A file's own constructor arguments rule when it is loaded. Of the variants no weights were ever
published; their numbers are those of the research code's constructors, except htdemucs_nf, which is
the earlier network that its published figures describe.
"""

from dataclasses import replace

from stemsplit.layers.levels import Level, Residual
from stemsplit.models.base import STEMS_6, Variant
from stemsplit.models.htdemucs.config import (
    AttentionSite,
    CrossTransformerConfig,
    FusionConfig,
    HTDemucsConfig,
)
from stemsplit.models.hybrid import Resolution


def _tower(
    *rows: tuple[int, int, int],
    residual: Residual | None,
    norm_from: int | None = None,
) -> tuple[Level, ...]:
    """Levels of (channels, kernel, stride), with group norms from level `norm_from` on."""
    return tuple(
        Level(
            channels=channels,
            kernel=kernel,
            stride=stride,
            padding=(kernel - stride) // 2,
            norm_groups=4 if norm_from is not None and index >= norm_from else 0,
            encoder_residual=residual,
        )
        for index, (channels, kernel, stride) in enumerate(rows)
    )


def _resolutions(*n_ffts: int) -> tuple[Resolution, ...]:
    """Grids of which four frames overlap everywhere."""
    return tuple(Resolution(n_fft=n_fft, hop_length=n_fft // 4) for n_fft in n_ffts)


_TEN_SECONDS = 441_000  # samples
_RESIDUAL = Residual(compress=8.0, init=1e-3)

_PUBLISHED_LEVELS = tuple(
    replace(level, decoder_residual=_RESIDUAL)
    for level in _tower((48, 8, 4), (96, 8, 4), (192, 8, 4), (384, 8, 4), residual=_RESIDUAL)
)
_HTDEMUCS = HTDemucsConfig(
    levels=_PUBLISHED_LEVELS,
    time_levels=_PUBLISHED_LEVELS,
    bottom_channels=512,
    transformer=CrossTransformerConfig(hidden=2048, dropout=0.02),
)

_P_OUTER = _tower((40, 8, 4), (80, 8, 4), (160, 8, 4), (320, 8, 4), residual=_RESIDUAL)
_P = HTDemucsConfig(
    segment_samples=352_800,  # 8 s
    levels=(
        *_P_OUTER,
        Level(channels=640, padding=0, norm_groups=4, encoder_residual=_RESIDUAL),
        Level(
            channels=1280, kernel=4, stride=2, padding=1, norm_groups=4, encoder_residual=_RESIDUAL
        ),
    ),
    time_levels=(*_P_OUTER, Level(channels=640, norm_groups=4, bare=True)),
    transformer=None,
    sites=(
        AttentionSite(
            level=2,
            sides="shared",
            transformer=CrossTransformerConfig(kind="cross", layers=1, hidden=640),
        ),
        AttentionSite(
            level=4,
            sides="shared",
            transformer=CrossTransformerConfig(kind="self", layers=3, hidden=2560),
        ),
    ),
)

_I_RESIDUAL = Residual(depth=3, compress=8.0, init=5e-2)
_I_OUTER = _tower((148, 16, 8), (296, 16, 8), (592, 16, 8), residual=_I_RESIDUAL, norm_from=2)
_I_MERGE = Level(channels=592, kernel=8, stride=8, padding=0, norm_groups=4)
_I_INNER = Level(
    channels=592,
    kernel=4,
    stride=1,
    padding=1,
    norm_groups=4,
    encoder_residual=replace(_I_RESIDUAL, depth=5),
)
_I_CROSS = CrossTransformerConfig(kind="cross", layers=2, hidden=1184, gated=True)
_I = HTDemucsConfig(
    segment_samples=176_400,  # 4 s
    resolutions=(Resolution(n_fft=8192, hop_length=4096),),
    levels=(*_I_OUTER, replace(_I_MERGE, encoder_residual=_I_RESIDUAL), _I_INNER, _I_INNER),
    time_levels=(*_I_OUTER, replace(_I_MERGE, bare=True)),
    rescale=0.2,
    transformer=None,
    sites=(
        AttentionSite(level=2, sides="both", transformer=_I_CROSS),
        AttentionSite(level=4, sides="both", transformer=replace(_I_CROSS, kind="self", heads=16)),
    ),
)

_C_OUTER = _tower((38, 16, 4), (76, 16, 4), (152, 16, 4), (304, 16, 4), residual=_RESIDUAL)
_C = HTDemucsConfig(
    segment_samples=_TEN_SECONDS,
    resolutions=(Resolution(n_fft=8192, hop_length=1024),),
    levels=(
        *_C_OUTER,
        Level(channels=608, kernel=16, padding=0, norm_groups=4, encoder_residual=_RESIDUAL),
        Level(
            channels=1216, kernel=4, stride=2, padding=1, norm_groups=4, encoder_residual=_RESIDUAL
        ),
    ),
    time_levels=(
        *_C_OUTER,
        Level(channels=608, kernel=16, padding=6, norm_groups=4, bare=True),
    ),
    transformer=None,
)


def _parallel(levels: tuple[Level, ...], hop_length: int, **changes: object) -> HTDemucsConfig:
    """Equal towers over the waveform and over frames of 8192 samples."""
    base = HTDemucsConfig(
        segment_samples=_TEN_SECONDS,
        resolutions=(Resolution(n_fft=8192, hop_length=hop_length),),
        levels=levels,
        time_levels=levels,
        transformer=None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


_S = _parallel(
    _tower((96, 16, 8), (192, 16, 8), (384, 16, 8), residual=_RESIDUAL),
    1024,
    transformer=CrossTransformerConfig(layers=3, hidden=3840, gated=True),
)
_D = _parallel(
    _tower(
        (128, 16, 8),
        (256, 8, 4),
        (256, 8, 4),
        (256, 4, 2),
        (256, 4, 2),
        (512, 2, 1),
        residual=replace(_RESIDUAL, init=1e-2),
        norm_from=4,
    ),
    2048,
    segment_samples=176_400,  # 4 s
    rescale=0.2,
    transformer=CrossTransformerConfig(layers=3, heads=4, hidden=1024, gated=True),
)
_D2 = _parallel(
    _tower(
        (108, 16, 8),
        (216, 8, 4),
        (216, 8, 4),
        (432, 4, 2),
        (432, 4, 2),
        (864, 4, 2),
        residual=replace(_RESIDUAL, init=3e-3),
        norm_from=4,
    ),
    2048,
    rescale=0.15,
    transformer=CrossTransformerConfig(layers=3, hidden=864, gated=True),
)
_D3 = _parallel(
    _tower(
        (24, 32, 4),
        (60, 32, 4),
        (120, 16, 2),
        (240, 16, 2),
        (360, 8, 2),
        residual=replace(_RESIDUAL, init=3e-3),
    ),
    1024,
    rescale=0.15,
)
_D4 = _parallel(
    _tower((64, 8, 4), (96, 8, 4), (144, 16, 4), (216, 16, 4), (432, 32, 4), residual=_RESIDUAL),
    1024,
    transformer=CrossTransformerConfig(layers=3, hidden=432, gated=True),
)

_N_LEVELS = _tower((24, 8, 4), (48, 8, 4), (96, 8, 4), (192, 8, 4), residual=_RESIDUAL)
_NN = HTDemucsConfig(
    segment_samples=_TEN_SECONDS,
    resolutions=_resolutions(2048, 4096, 8192),
    levels=_N_LEVELS,
    time_levels=_N_LEVELS,
    embedding_weight=0.3,
    transformer=CrossTransformerConfig(hidden=768, attention="linear"),
    fusion=FusionConfig(kind="softmax"),
)
_DN_LEVELS = (*_N_LEVELS[:3], replace(_N_LEVELS[3], norm_groups=4))
_NF = HTDemucsConfig(
    segment_samples=_TEN_SECONDS,
    resolutions=_resolutions(1024, 2048, 4096, 8192, 16_384),
    levels=_tower((48, 8, 4), (96, 8, 4), (192, 8, 4), (384, 8, 4), residual=None),
    time_levels=(),
    embedding_weight=0.5,
    transformer=None,
    fusion=FusionConfig(kind="convolution"),
)
_NC = HTDemucsConfig(
    segment_samples=_TEN_SECONDS,
    resolutions=(),
    levels=(),
    time_levels=tuple(
        replace(level, rewrite=False, decoder_residual=_RESIDUAL)
        for level in _tower(
            *((24 * 2**index, 8, 2) for index in range(7)), residual=_RESIDUAL, norm_from=4
        )
    ),
    transformer=None,
)

_SOURCE = "Rouard et al. 2023, arXiv:2211.08553; demucs/htdemucs.py 4.1.0"


def _research(name: str) -> str:
    return f"github.com/piusssss/demucs_learn at c738da8, demucs/{name}.py"


VARIANTS = {
    "htdemucs": Variant(
        config=_HTDEMUCS,
        summary="Waveform and spectrogram U-Nets with a transformer of width 512 between them.",
        source=_SOURCE,
    ),
    "htdemucs_6s": Variant(
        config=replace(
            _HTDEMUCS,
            stems=STEMS_6,
            bottom_channels=0,
            transformer=CrossTransformerConfig(hidden=1536, dropout=0.02),
        ),
        summary="As htdemucs for six stems, with a transformer as wide as the deepest level.",
        source=_SOURCE,
    ),
    "htdemucs_p": Variant(
        config=_P,
        summary=(
            "The branches merge as in Hybrid Demucs; cross attention before and self attention "
            "after it, each used again by the decoder. The self attention has no norm for the "
            "waveform it never sees."
        ),
        source=_research("htdemucs_p"),
    ),
    "htdemucs_i": Variant(
        config=_I,
        summary=(
            "As htdemucs_p but wider, with attention of its own in the decoder, gated. Frames are "
            "centred between hops here, so that both branches meet at the same instant; without "
            "norms for the waveform in self attention."
        ),
        source=_research("htdemucs_i"),
    ),
    "htdemucs_c": Variant(
        config=_C,
        summary="Merging branches without any attention, over long frames with a short hop.",
        source=_research("htdemucs_c"),
    ),
    "htdemucs_s": Variant(
        config=_S,
        summary="Three wide levels with long kernels, and a gated transformer of three layers.",
        source=_research("htdemucs_s"),
    ),
    "htdemucs_d": Variant(
        config=_D,
        summary=(
            "Six levels whose kernels shrink with depth, and a gated transformer. Without the four "
            "gates of transformers that are off, and without prints."
        ),
        source=_research("htdemucs_d"),
    ),
    "htdemucs_d2": Variant(
        config=_D2,
        summary=(
            "As htdemucs_d, wider towards the bottom. Without the four gates of transformers that "
            "are off, and without prints."
        ),
        source=_research("htdemucs_d2"),
    ),
    "htdemucs_d3": Variant(
        config=_D3,
        summary=(
            "Narrow levels with kernels of 32 down to 8 and no attention, so that the branches "
            "only meet in the sum. Without the six gates, as there is nothing for them to mix."
        ),
        source=_research("htdemucs_d3"),
    ),
    "htdemucs_d4": Variant(
        config=_D4,
        summary=(
            "Kernels that grow with depth, and a gated transformer. Without the four gates of "
            "transformers that are off."
        ),
        source=_research("htdemucs_d4"),
    ),
    "htdemucs_n": Variant(
        config=replace(_NN, fusion=FusionConfig(kind="convolution")),
        summary=(
            "Spectrograms at three resolutions, half as wide as htdemucs, joined for a transformer "
            "with linear attention and fused by filters per stem. The filters start as a mean and "
            "not as noise; fusion weights have no moving average, which evaluation never used."
        ),
        source=_research("htdemucs_n"),
    ),
    "htdemucs_nn": Variant(
        config=_NN,
        summary=(
            "As htdemucs_n, fused by one weight per stem and resolution. Weights have no moving "
            "average, which evaluation never used."
        ),
        source=_research("htdemucs_nn"),
    ),
    "htdemucs_nc": Variant(
        config=_NC,
        summary="Waveform alone: seven levels of stride 2 with residual branches, no attention.",
        source=_research("htdemucs_nc"),
    ),
    "htdemucs_nf": Variant(
        config=_NF,
        summary=(
            "Spectrograms alone, at five resolutions, fused by filters per stem. This is the "
            "network of the published figures; the filters start as a mean and not as noise."
        ),
        source=f"{_research('htdemucs_nf')}, as the published figures describe it",
    ),
    "htdemucs_dnf": Variant(
        config=replace(
            _NF,
            levels=_tower((16, 8, 4), (32, 8, 4), (64, 8, 4), (128, 8, 4), residual=None),
            embedding_weight=0.3,
            fusion=FusionConfig(kind="network", taps=17, widths=(64, 128)),
        ),
        summary=(
            "As htdemucs_nf but narrower, with a small network that corrects the mean over "
            "resolutions. It has GELU between its convolutions, where the original is linear, and "
            "does not add its innermost features to themselves."
        ),
        source=_research("htdemucs_dnf"),
    ),
    "htdemucs_dn": Variant(
        config=replace(
            _NN,
            levels=_DN_LEVELS,
            time_levels=_DN_LEVELS,
            fusion=FusionConfig(kind="network", taps=17, widths=(24, 48)),
            time_output=False,
        ),
        summary=(
            "As htdemucs_n with the small network of htdemucs_dnf, without GELU on the waveform "
            "that comes out. The waveform branch has no decoder, as its output was thrown away, "
            "and only the layers of the transformer that the spectrograms look at."
        ),
        source=_research("htdemucs_dn"),
    ),
}
