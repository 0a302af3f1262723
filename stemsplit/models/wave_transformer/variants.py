"""The sizes of the waveform transformer."""

from stemsplit.models.base import Variant
from stemsplit.models.wave_transformer.config import WaveTransformerConfig

VARIANTS = {
    "wave_transformer": Variant(
        config=WaveTransformerConfig(widths=(48, 96, 192, 384, 768, 1536)),
        summary=(
            "Waveform alone: six levels that double from 48 to 1536 features (the steps chosen "
            "here), and a transformer of 6 layers and 8 heads in the middle."
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
        summary=(
            "As wave_transformer with a tenth of its parameters: five levels, 4 layers of width "
            "512, and tokens of 1024 samples instead of 4096."
        ),
        source="own reduction of wave_transformer",
    ),
}
