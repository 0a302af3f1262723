"""Published sizes of Hybrid Transformer Demucs.

The numbers of parameters are those of the published files. A file's own constructor arguments
rule when it is loaded.
"""

from dataclasses import replace

from stemsplit.layers.levels import Level, Residual
from stemsplit.models.base import STEMS_6, Variant
from stemsplit.models.htdemucs.config import CrossTransformerConfig, HTDemucsConfig

_RESIDUAL = Residual(compress=8.0, init=1e-3)
_LEVELS = (
    Level(channels=48, encoder_residual=_RESIDUAL, decoder_residual=_RESIDUAL),
    Level(channels=96, encoder_residual=_RESIDUAL, decoder_residual=_RESIDUAL),
    Level(channels=192, encoder_residual=_RESIDUAL, decoder_residual=_RESIDUAL),
    Level(channels=384, encoder_residual=_RESIDUAL, decoder_residual=_RESIDUAL),
)

_HTDEMUCS = HTDemucsConfig(
    levels=_LEVELS,
    time_levels=_LEVELS,
    bottom_channels=512,
    transformer=CrossTransformerConfig(hidden=2048, dropout=0.02),
)

_SOURCE = "Rouard et al. 2023, arXiv:2211.08553; demucs/htdemucs.py 4.1.0"

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
}
