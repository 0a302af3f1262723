"""Configuration of the hybrid U-Net without a transformer."""

from dataclasses import dataclass
from typing import Literal

from stemsplit.errors import ConfigError
from stemsplit.models.hybrid import HybridConfig


@dataclass(frozen=True, kw_only=True)
class HDemucsConfig(HybridConfig):
    """Hybrid Demucs."""

    segment_samples: int = 1_764_000  # 40 s at 44.1 kHz

    spectrum: Literal["complex", "magnitude", "wiener"] = "complex"
    """What the spectrogram branch sees and predicts: real and imaginary parts, or magnitudes that
    get the phase of the mix, or magnitudes that go through a Wiener filter."""

    wiener_iterations: int = 0
    """Rounds of the Wiener filter; 0 gives the phase of the mix."""

    wiener_residual: bool = False
    """Whether what the stems leave of the mix takes part in the Wiener filter."""

    legacy_framing: bool = False
    """Whether the STFT has the borders of the first hybrid networks, see `stemsplit.dsp.stft`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.resolutions) != 1 or not self.time_levels:
            raise ConfigError("Hybrid Demucs has one resolution and a waveform branch.")
        if self.wiener_iterations < 0:
            raise ConfigError(f"wiener_iterations must not be below 0: {self.wiener_iterations}.")
        if self.wiener_iterations and (self.spectrum != "wiener" or self.channels > 2):
            raise ConfigError("wiener_iterations need spectrum 'wiener' and at most 2 channels.")
