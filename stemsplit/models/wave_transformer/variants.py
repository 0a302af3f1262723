"""The sizes of the waveform transformer.

`wave_transformer` has the transformer of its description (width 1536, 8 heads, 6 layers, dropout
0.1). The levels are not described: six that double from 48 arrive at this width, as in Demucs. The
feed-forward width is not described either: 2048 is what torch's own layers have by default.
`wave_transformer_small` has tokens of 1024 samples and a tenth of the parameters.
"""

from stemsplit.models.wave_transformer.config import WaveTransformerConfig

VARIANTS = {
    "wave_transformer": WaveTransformerConfig(widths=(48, 96, 192, 384, 768, 1536)),
    "wave_transformer_small": WaveTransformerConfig(
        segment_samples=221_184,  # 216 tokens of 1024 samples, about 5 s
        widths=(32, 64, 128, 256, 512),
        layers=4,
        hidden=1024,
        positions=216,
    ),
}
