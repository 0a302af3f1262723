"""Published sizes of the waveform U-Net.

The sizes were checked against those of the published files. A file's own constructor arguments
rule when it is loaded.
"""

from dataclasses import replace

from stemsplit.layers.levels import Level, Residual
from stemsplit.models.base import Variant
from stemsplit.models.demucs.config import DemucsConfig

_SHALLOW = Residual(compress=4.0, init=1e-4)
_DEEP = replace(_SHALLOW, lstm=True, attention=True)

_REPRO = DemucsConfig(
    levels=(
        Level(channels=64, padding=0, encoder_residual=_SHALLOW),
        Level(channels=128, padding=0, encoder_residual=_SHALLOW),
        Level(channels=256, padding=0, encoder_residual=_SHALLOW),
        Level(channels=512, padding=0, encoder_residual=_SHALLOW),
        Level(channels=1024, padding=0, encoder_residual=_DEEP, norm_groups=4),
        Level(channels=2048, padding=0, encoder_residual=_DEEP, norm_groups=4),
    ),
)

_WITHOUT_REWRITING = tuple(replace(level, rewrite=False) for level in _REPRO.levels)
_SOURCE = "Défossez et al. 2019, arXiv:1911.13254; demucs/demucs.py 4.1.0"

VARIANTS = {
    "repro_mdx_a_time": Variant(
        config=_REPRO,
        summary="Waveform U-Net with LSTM and local attention in its two deepest levels.",
        source=f"{_SOURCE}; members of repro_mdx_a",
    ),
    "mdx_time": Variant(
        config=replace(_REPRO, levels=_WITHOUT_REWRITING),
        summary="As repro_mdx_a_time, without rewriting convolutions.",
        source=f"{_SOURCE}; members of mdx",
    ),
}
