"""Inner products of delayed signals, gathered block by block.

Shapes: N samples, P references, Q references and estimates, L delays, F frequency bins, K blocks.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

_FFT_SAMPLES = 1 << 14  # far more than the delays, small enough for a processor's cache
_BLOCKS_AT_ONCE = 8


class Correlator:
    """Sums x_p[n - delay] x_q[n] over a signal of any length; memory does not grow with it.

    Args:
        num_references: P; the first rows of what is added.
        num_delays: L; delays count from 0.
    """

    def __init__(self, num_references: int, num_delays: int) -> None:
        self._num_references = num_references
        self._num_delays = num_delays
        self._n_fft = max(_FFT_SAMPLES, fast_length(4 * num_delays))
        self._block = self._n_fft - num_delays + 1
        self._waiting: Tensor | None = None  # begins with the L - 1 samples before what is new
        self._sum: Tensor | None = None

    def add(self, signals: Tensor) -> None:
        """Take the next stretch (Q, n) of references and estimates."""
        signals = signals.double()
        if self._waiting is None:
            self._waiting = pad(signals, (self._num_delays - 1, 0))
        else:
            self._waiting = torch.cat([self._waiting, signals], -1)
        span = self._block * _BLOCKS_AT_ONCE
        while self._waiting.shape[-1] - self._num_delays + 1 >= span:
            self._count(self._waiting[:, : span + self._num_delays - 1])
            self._waiting = self._waiting[:, span:]

    def _count(self, stretch: Tensor) -> None:
        """Add the products of whole blocks (Q, L - 1 + K * block)."""
        late = stretch[:, self._num_delays - 1 :].unfold(-1, self._block, self._block)
        early = stretch[: self._num_references].unfold(-1, self._n_fft, self._block)
        # A product of views takes ten times as long as copies and their product.
        product = torch.matmul(
            torch.fft.rfft(early, self._n_fft).permute(2, 0, 1).contiguous(),  # (F, P, K)
            torch.fft.rfft(late, self._n_fft).conj_physical_().permute(2, 1, 0).contiguous(),
        )
        self._sum = product if self._sum is None else self._sum.add_(product)

    def finish(self) -> Tensor:
        """The products of everything that was added, (P, Q, L) float64.

        Raises:
            ValueError: nothing was added.
        """
        if self._waiting is None:
            raise ValueError("signals without samples have no correlations")
        left = self._waiting.shape[-1] - self._num_delays + 1
        blocks = -(-left // self._block)
        if blocks:
            self._count(pad(self._waiting, (0, blocks * self._block - left)))
        self._waiting = None
        if self._sum is None:
            raise ValueError("signals without samples have no correlations")
        lags: Tensor = torch.fft.irfft(self._sum.permute(1, 2, 0), self._n_fft)
        return lags[..., : self._num_delays].flip(-1)


def gram_matrix(lags: Tensor) -> Tensor:
    """Inner products (P, L, P, L) of all delayed references, from the (P, P, L) of a `Correlator`.

    The element [p, a, q, b] is the product of p delayed by a and q delayed by b.
    """
    num, _, delays = lags.shape
    both_ways = torch.cat([lags.transpose(0, 1)[..., 1:].flip(-1), lags], dim=-1)  # from 1 - L
    delay = torch.arange(delays, device=lags.device)
    place = delay[:, None] - delay + delays - 1  # (L, L)
    gram = lags.new_empty(num, delays, num, delays)
    for row in range(num):
        gram[row] = both_ways[row][:, place].transpose(0, 1)
    return gram


def fast_length(num_samples: int) -> int:
    """The smallest length from `num_samples` on that has no prime factor above 5."""
    length = num_samples
    while _rest(length) != 1:
        length += 1
    return length


def _rest(number: int) -> int:
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number
