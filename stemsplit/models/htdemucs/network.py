"""Hybrid Transformer Demucs (version 4) and its variants.

One class for networks with no, one or several spectrograms, with or without a waveform branch:
U-Nets, a transformer between encoders and decoders and perhaps more of them between levels, and a
fusion of the waveforms that come from the spectrograms.

Shapes: B batch, S stems, C audio channels, N samples, D features, F bins, T frames, R resolutions.

Source: Rouard et al. 2023, arXiv:2211.08553; demucs/htdemucs.py 4.1.0. A spectrogram branch always
sees and predicts real and imaginary parts.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.dsp.stft import channels_to_signal, complex_to_channels, stft
from stemsplit.dsp.wiener import wiener_refine
from stemsplit.layers.conv import rescale_convolutions
from stemsplit.layers.hybrid import HybridUNet, Side
from stemsplit.layers.norms import standardize
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.htdemucs.cross_transformer import CrossTransformer
from stemsplit.models.htdemucs.fusion import FUSIONS, ResolutionMixer


class HTDemucs(nn.Module):
    """The hybrid network with transformers."""

    def __init__(self, config: HTDemucsConfig) -> None:
        super().__init__()
        self.config = config
        num_stems, num_resolutions = len(config.stems), len(config.resolutions)
        self.unet = HybridUNet(
            config.levels,
            config.time_levels,
            num_bins=config.num_bins,
            spectrum_channels=(2 * config.channels, 2 * config.channels * num_stems),
            wave_channels=(
                config.channels,
                config.channels * num_stems if config.time_output else None,
            ),
            embedding_weight=config.embedding_weight,
            embedding_scale=config.embedding_scale,
            embedding_smooth=config.embedding_smooth,
            checkpointing=config.checkpointing,
        )
        if config.rescale:
            rescale_convolutions(self, config.rescale)
        # What follows keeps its initial weights: the rescaling is for the U-Net.
        if config.bottom_channels:
            bottom, width = config.levels[-1].channels, config.bottom_channels
            self.upsampler = nn.Conv1d(bottom, width, 1)
            self.downsampler = nn.Conv1d(width, bottom, 1)
            self.time_upsampler = nn.Conv1d(bottom, width, 1)
            self.time_downsampler = nn.Conv1d(width, bottom, 1)
        if config.transformer is not None:
            self.transformer = CrossTransformer(
                config.width,
                config.transformer,
                has_time_output=config.time_output,
                checkpointing=config.checkpointing,
            )
            if num_resolutions > 1:
                self.mixer = ResolutionMixer(num_resolutions)
        self.sites = nn.ModuleDict()
        self._site_names: dict[tuple[Side, int], str] = {}
        for site in config.sites:
            for side in site.places:
                name = f"{site.sides if site.sides == 'shared' else side}_{site.level}"
                if name not in self.sites:
                    width = config.levels[site.level].channels
                    self.sites[name] = CrossTransformer(
                        width, site.transformer, checkpointing=config.checkpointing
                    )
                self._site_names[side, site.level] = name
        if config.fusion is not None:
            fusion = FUSIONS[config.fusion.kind]
            self.fusion = fusion(num_stems, config.channels, num_resolutions, config.fusion)

    def forward(self, mix: Tensor) -> Tensor:
        """Stems (B, S, C, N) of a mix (B, C, N), for every N from 1 up.

        With `pad_to_segment`, outside of training, N is at most `segment_samples`.

        Raises:
            ValueError: the mix is longer than the network can take.
        """
        num_samples = mix.shape[-1]
        padded = self._pad(mix.float())
        grids = self.config.resolutions
        features = [
            standardize(
                complex_to_channels(stft(padded, grid.n_fft, grid.hop_length)).to(mix.device)
            )
            for grid in grids
        ]
        wave, wave_mean, wave_deviation = standardize(padded)

        spectra, wave, trails = self.unet.encode([x for x, _, _ in features], wave, self._exchange)
        spectra, wave = self._transform(spectra, wave)
        spectra, wave = self.unet.decode(spectra, wave, trails, self._exchange)

        levels = [(mean, deviation) for _, mean, deviation in features]
        stems = self._signals(spectra, levels, padded.shape[-1])
        if self.config.time_output and self.config.time_levels:
            wave = wave.float() * wave_deviation + wave_mean
            wave = torch.unflatten(wave, 1, (len(self.config.stems), -1))
            stems = wave if stems is None else stems + wave
        assert stems is not None
        stems = stems[..., :num_samples]
        if self.config.wiener_share and not self.training:
            stems = self._filtered(stems.float(), mix.float())
        return stems.to(mix.dtype)

    def _filtered(self, stems: Tensor, mix: Tensor) -> Tensor:
        """Stems (B, S, C, N) that a Wiener filter has had its share in."""
        refined = [wiener_refine(*item) for item in zip(stems, mix, strict=True)]
        return torch.lerp(stems, torch.stack(refined), self.config.wiener_share)

    def _pad(self, mix: Tensor) -> Tensor:
        if self.training or not self.config.pad_to_segment:
            return mix
        missing = self.config.segment_samples - mix.shape[-1]
        if missing < 0:
            raise ValueError(
                f"the mix has {mix.shape[-1]} samples, the network takes at most "
                f"{self.config.segment_samples}."
            )
        return F.pad(mix, (0, missing))

    def _exchange(
        self, side: Side, level: int, spectra: list[Tensor], wave: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """Run the transformer between levels, where there is one."""
        name = self._site_names.get((side, level))
        if name is None:
            return spectra, wave
        x, wave = self.sites[name](spectra[0], wave)
        return [x], wave

    def _transform(self, spectra: list[Tensor], wave: Tensor) -> tuple[list[Tensor], Tensor]:
        """Run the transformer between encoders and decoders, where there is one."""
        if self.config.transformer is None:
            return spectra, wave
        if len(spectra) > 1:
            x, wave = self._widened(self.mixer.join(spectra), wave)
            return self.mixer.split(x, spectra), wave
        x, wave = self._widened(spectra[0], wave)
        return [x], wave

    def _widened(self, x: Tensor, wave: Tensor) -> tuple[Tensor, Tensor]:
        """The transformer, at its own width."""
        if not self.config.bottom_channels:
            x, wave = self.transformer(x, wave)
            return x, wave
        bins = x.shape[2:]
        x = torch.unflatten(self.upsampler(x.flatten(2)), 2, bins)
        x, wave = self.transformer(x, self.time_upsampler(wave))
        x = torch.unflatten(self.downsampler(x.flatten(2)), 2, bins)
        return x, self.time_downsampler(wave)

    def _signals(
        self, spectra: list[Tensor], levels: list[tuple[Tensor, Tensor]], num_samples: int
    ) -> Tensor | None:
        """Stems (B, S, C, N) of the predictions (B, D, F, T), None if there are none.

        Args:
            spectra: one per resolution.
            levels: mean and deviation that were taken off the mix.
            num_samples: N.
        """
        waves = []
        for x, (mean, deviation), grid in zip(
            spectra, levels, self.config.resolutions, strict=True
        ):
            # One stem at a time: the inverse transform takes several times the memory of its input.
            parts = [
                channels_to_signal(part.float() * deviation + mean, grid.hop_length, num_samples)
                for part in x.chunk(len(self.config.stems), dim=1)
            ]
            waves.append(torch.stack(parts, dim=1))
        if self.config.fusion is None:
            return waves[0] if waves else None
        fused: Tensor = self.fusion(torch.stack(waves, dim=1))
        return fused
