"""The TFSWA networks.

All of them have two stems by default, and take any others (``stems`` of the configuration): with
the four of MUSDB18 one network learns them jointly.
"""

from dataclasses import replace

from stemsplit.models.base import Variant
from stemsplit.models.tfswa.config import Stage, TfswaConfig

_UNET = TfswaConfig(
    stages=(
        Stage(channels=32, blocks=2),
        Stage(channels=64, blocks=2),
        Stage(channels=128, blocks=6),
        Stage(channels=256, blocks=2),
    ),
)

_RESUNET = TfswaConfig(
    segment_samples=140_679,  # 320 frames of 441
    n_fft=2048,
    hop_length=441,
    spectrum="magnitude",
    bands=4,
    output="magnitude",
    tower="pooled",
    stages=(
        *(Stage(channels=channels, convs=4) for channels in (32, 64, 128, 256, 384)),
        Stage(channels=384, blocks=4),
    ),
    block="serial",
    heads=4,
    window=(5, 4),
    window_positions=False,
    mlp_ratio=2.0,
)

_SOURCE = "Yao et al. 2025, doi 10.1186/s13634-025-01249-0"

VARIANTS = {
    "tfswa_unet": Variant(
        config=_UNET,
        summary=(
            "Masks from attention along time, along frequency and in windows at all four "
            "resolutions, in 15 million parameters; by far the slowest."
        ),
        source=f"after {_SOURCE}",
    ),
    "tfswa_resunet": Variant(
        config=_RESUNET,
        summary=(
            "The published network: residual convolutions, attention in the bottleneck only, and "
            "magnitudes without a mask; the paper trains one per stem."
        ),
        source=f"{_SOURCE}, section 3",
    ),
    "tfswa_resunet_15m": Variant(
        config=replace(
            _RESUNET,
            stages=(
                *(Stage(channels=channels, convs=4) for channels in (32, 64, 96, 144, 208)),
                Stage(channels=208, blocks=4),
            ),
        ),
        summary=(
            "As tfswa_resunet with narrower inner stages, for a third of its parameters and less "
            "than 60 MB."
        ),
        source=f"after {_SOURCE}",
    ),
    "tfswa_multiscale": Variant(
        config=replace(
            _UNET,
            stages=(
                Stage(channels=48, blocks=2),
                Stage(channels=96, blocks=2),
                Stage(channels=192, blocks=6),
                Stage(channels=384, blocks=2),
            ),
            scales=(1, 2, 4),
            heads=2,  # of 8 to 64 features, as a path has a third of the channels
        ),
        summary=(
            "As tfswa_unet, but every block looks at full, half and quarter resolution side by "
            "side, on a third of the features each."
        ),
        source=f"after {_SOURCE}",
    ),
    "tfswa_lite": Variant(
        config=replace(
            _UNET,
            segment_samples=134_656,  # 264 frames of 512
            n_fft=2048,
            hop_length=512,
            tower="separable",
            stages=(
                Stage(channels=16, convs=1),
                Stage(channels=32, convs=1),
                Stage(channels=64, blocks=1),
                Stage(channels=128, blocks=2),
            ),
            heads=4,
            window=(4, 4),
            mlp_ratio=2.0,
        ),
        summary=(
            "For small devices, below 10 MB: separable convolutions between the resolutions, and "
            "attention only from a quarter of the resolution down."
        ),
        source=f"after {_SOURCE}",
    ),
}
