"""Published sizes of the waveform U-Net.

The sizes were checked against those of the published files. A file's own constructor arguments
rule when it is loaded.
"""

from dataclasses import replace

from stemsplit.layers.levels import Level, Residual
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

VARIANTS = {
    # Members of repro_mdx_a.
    "repro_mdx_a_time": _REPRO,
    # Members of mdx: no rewriting convolutions.
    "mdx_time": replace(_REPRO, levels=tuple(replace(row, rewrite=False) for row in _REPRO.levels)),
}
