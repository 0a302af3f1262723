"""Encoder and decoder levels of the U-Nets.

A level works along samples or frames, (B, D, T), or along bins, (B, D, F, T) with kernels that are
one frame wide.

Shapes: B batch, D features, F bins, T frames or samples.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stemsplit.layers.dconv import ResidualStack
from stemsplit.layers.levels import Level, Residual
from stemsplit.layers.norms import GroupNorm
from stemsplit.layers.pieces import expand_bins, map_bins

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "relu": F.relu}


class EncoderLevel(nn.Module):
    """Strided convolution, residual branches, gated rewriting."""

    def __init__(
        self, in_channels: int, level: Level, *, over_bins: bool, pad_to_stride: bool = True
    ) -> None:
        """Build the encoder side of `level`.

        Args:
            in_channels: features coming in.
            level: the row.
            over_bins: work along bins, (B, D, F, T), and not along time, (B, D, T).
            pad_to_stride: along time, add zeros on the right until the stride leaves nothing over,
                instead of dropping what it leaves over.
        """
        super().__init__()
        self.level = level
        self.over_bins = over_bins
        self.pad_to_stride = pad_to_stride and not over_bins
        channels = level.channels
        self.conv = _strided(in_channels, channels, level, over_bins=over_bins)
        if level.bare:
            return
        self.norm1 = _norm(level, channels)
        self.dconv = _residual(channels, level.encoder_residual)
        if level.rewrite:
            wide = _gated(level, channels)
            self.rewrite = _rewriting(
                channels, wide, level.encoder_context, over_bins=over_bins, square=True
            )
            self.norm2 = _norm(level, wide)

    def forward(self, x: Tensor, inject: Tensor | None = None) -> Tensor:
        """Encode.

        Args:
            x: (B, D, F, T) or (B, D, N).
            inject: features of the other branch, added after the strided convolution.

        Returns:
            (B, channels, ~F / stride, T) or (B, channels, ~N / stride).
        """
        level = self.level
        if self.pad_to_stride:
            surplus = x.shape[-1] + 2 * level.padding - level.kernel
            x = F.pad(x, (0, max(-surplus, -surplus % level.stride)))  # at least one kernel
        y: Tensor = self.conv(x)
        if level.bare:
            return y
        if inject is not None:
            y = y + (inject[:, :, None] if self.over_bins else inject)
        if not self.over_bins:
            return self._refine(y)
        whole = level.norm_groups > 0  # the statistics of a norm are over all bins
        return map_bins(self._refine, y, context=level.encoder_context, whole=whole)

    def _refine(self, x: Tensor) -> Tensor:
        level = self.level
        y = ACTIVATIONS[level.activation](self.norm1(x))
        y = _along_time(self.dconv, y)
        if level.rewrite:
            y = _gate(level, self.norm2(self.rewrite(y)))
        return y


class DecoderLevel(nn.Module):
    """Gated rewriting, residual branches, strided transposed convolution."""

    def __init__(
        self,
        level: Level,
        out_channels: int,
        *,
        over_bins: bool,
        is_last: bool,
        norm_out: bool = True,
        is_band: bool = False,
    ) -> None:
        """Build the decoder side of `level`.

        Args:
            level: the row.
            out_channels: features going out.
            over_bins: work along bins, (B, D, F, T), and not along time, (B, D, T).
            is_last: nothing follows, so there is no activation at the end.
            norm_out: normalise after the transposed convolution, if the level normalises at all.
            is_band: the bins are a band of more, so that no bin looks at others before the
                transposed convolution.
        """
        super().__init__()
        self.level = level
        self.over_bins = over_bins
        self.is_last = is_last
        self._context = 0 if is_band else level.decoder_context
        channels = level.channels
        self.conv_tr = _transposed(channels, out_channels, level, over_bins=over_bins)
        self.norm2 = _norm(level, out_channels) if norm_out else nn.Identity()
        if level.bare:
            return
        self.dconv = _residual(channels, level.decoder_residual)
        if level.rewrite:
            wide = _gated(level, channels)
            self.rewrite = _rewriting(
                channels,
                wide,
                level.decoder_context,
                over_bins=over_bins,
                square=not is_band,
            )
            self.norm1 = _norm(level, wide)

    def forward(
        self, x: Tensor | None, skip: Tensor | None, length: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Decode.

        Args:
            x: (B, channels, F, T) or (B, channels, N) from the level below, or None for nothing.
            skip: what the encoder put out at this level; None for a bare level.
            length: positions to keep along time, None for all.

        Returns:
            The output (B, out_channels, ~F * stride, T) or (B, out_channels, length), and what
            went into the transposed convolution.
        """
        y = add_skip(x, skip)
        if not self.over_bins:
            y = y if self.level.bare else self._refine(y)
            z = self._expand(y)[..., self.level.padding :]
            return z[..., : z.shape[-1] - self.level.padding if length is None else length], y
        whole = self.level.norm_groups > 0  # the statistics of a norm are over all bins
        y = map_bins(self._refine, y, context=self._context, whole=whole)
        return expand_bins(self._expand, y, self.level, whole=whole), y

    def _refine(self, x: Tensor) -> Tensor:
        if self.level.rewrite:
            x = _gate(self.level, self.norm1(self.rewrite(x)))
        return _along_time(self.dconv, x)

    def _expand(self, y: Tensor) -> Tensor:
        z: Tensor = self.norm2(self.conv_tr(y))
        return z if self.is_last else ACTIVATIONS[self.level.activation](z)


def rescale_convolutions(module: nn.Module, reference: float) -> None:
    """Bring the initial weights of all convolutions closer to a standard deviation.

    Args:
        module: searched through and through.
        reference: deviation to go half of the way to, on a logarithmic scale.
    """
    kinds = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, kinds):
                scale = (layer.weight.std() / reference) ** 0.5
                layer.weight /= scale
                if layer.bias is not None:
                    layer.bias /= scale


def _strided(
    in_channels: int, out_channels: int, level: Level, *, over_bins: bool
) -> nn.Conv1d | nn.Conv2d:
    if over_bins:
        return nn.Conv2d(
            in_channels,
            out_channels,
            (level.kernel, 1),
            (level.stride, 1),
            (level.padding, 0),
        )
    return nn.Conv1d(in_channels, out_channels, level.kernel, level.stride, level.padding)


def _transposed(
    in_channels: int, out_channels: int, level: Level, *, over_bins: bool
) -> nn.ConvTranspose1d | nn.ConvTranspose2d:
    if over_bins:
        return nn.ConvTranspose2d(in_channels, out_channels, (level.kernel, 1), (level.stride, 1))
    return nn.ConvTranspose1d(in_channels, out_channels, level.kernel, level.stride)


def _rewriting(
    in_channels: int, out_channels: int, context: int, *, over_bins: bool, square: bool
) -> nn.Conv1d | nn.Conv2d:
    width = 1 + 2 * context
    if not over_bins:
        return nn.Conv1d(in_channels, out_channels, width, padding=context)
    height, rows = (width, context) if square else (1, 0)
    return nn.Conv2d(in_channels, out_channels, (height, width), padding=(rows, context))


def _norm(level: Level, channels: int) -> nn.Module:
    return GroupNorm(level.norm_groups, channels) if level.norm_groups else nn.Identity()


def _residual(channels: int, residual: Residual | None) -> nn.Module:
    return nn.Identity() if residual is None else ResidualStack(channels, residual)


def _gated(level: Level, channels: int) -> int:
    return 2 * channels if level.gate == "glu" else channels


def _gate(level: Level, values: Tensor) -> Tensor:
    return F.glu(values, dim=1) if level.gate == "glu" else F.relu(values)


def add_skip(x: Tensor | None, skip: Tensor | None) -> Tensor:
    """The sum of what is there, at least one of them."""
    if x is None or skip is None:
        values = skip if x is None else x
        if values is None:
            raise ValueError("a decoder level needs an input or a skip connection.")
        return values
    return x + skip


def _along_time(layer: nn.Module, x: Tensor) -> Tensor:
    """Apply a layer for (B, D, T), to every bin by itself where there are bins."""
    if isinstance(layer, nn.Identity):
        return x
    if x.dim() == 3:
        y: Tensor = layer(x)
        return y
    y = layer(x.transpose(1, 2).flatten(0, 1))
    return torch.unflatten(y, 0, (-1, x.shape[2])).transpose(1, 2)
