"""The sizes of the waveform transformer."""

from stemsplit.models.base import Variant
from stemsplit.models.wave_transformer.config import WaveTransformerConfig

VARIANTS = {
    "wave_transformer": Variant(
        config=WaveTransformerConfig(widths=(48, 96, 192, 384, 768, 1536)),
        summary=(
            "Waveform alone, with 6 transformer layers of width 1536 and 8 heads in the middle. "
            "Not described there, and chosen here: six levels that double from 48 to that width, "
            "and 2048 features between the linear maps."
        ),
        source="described as the from-scratch HTDemucs core of a separation exercise",
    ),
    "wave_transformer_small": Variant(
        config=WaveTransformerConfig(
            segment_samples=221_184,  # 216 tokens of 1024 samples, about 5 s
            widths=(32, 64, 128, 256, 512),
            layers=4,
            hidden=1024,
            positions=216,
        ),
        summary="As wave_transformer with a tenth of its parameters and tokens of 1024 samples.",
        source="own reduction of wave_transformer",
    ),
}
