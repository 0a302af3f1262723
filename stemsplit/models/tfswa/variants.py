"""The TFSWA networks.

All of them have two stems by default, and take any others (``stems`` of the configuration): with
the four of MUSDB18 one network learns them jointly.

- `tfswa_unet` has attention at every resolution: stages of 2, 2, 6 and 2 blocks, windows of 8, 8
  heads everywhere. Blocks without projections around them and a feed-forward ratio of 3.5 keep it
  below 15 million parameters. Its 8 heads of 4 features at full resolution make it by far the
  slowest.
- `tfswa_resunet` is the network of Yao et al. 2025, doi 10.1186/s13634-025-01249-0: attention in
  the bottleneck only, and magnitudes predicted directly, without a mask (3.1). The paper trains one
  network per stem, which is ``stems=("vocals",)``.
- `tfswa_resunet_15m` is the same plan with narrower stages.
- `tfswa_multiscale` is `tfswa_unet` with every block at three resolutions, on a third of the
  features each, and wider stages to make up for it.
- `tfswa_lite` is for small devices: no attention above a quarter of the resolution, separable
  convolutions between the stages.
"""

from dataclasses import replace

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

VARIANTS = {
    "tfswa_unet": _UNET,
    "tfswa_resunet": _RESUNET,
    "tfswa_resunet_15m": replace(
        _RESUNET,
        stages=(
            *(Stage(channels=channels, convs=4) for channels in (32, 64, 96, 144, 208)),
            Stage(channels=208, blocks=4),
        ),
    ),
    "tfswa_multiscale": replace(
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
    "tfswa_lite": replace(
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
}
