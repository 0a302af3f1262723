"""Resampling block by block, equal to resampling the whole signal.

A signal at the old rate is convolved with a windowed sinc, evaluated at the positions of the new
samples. With both rates divided by their common divisor, the kernel repeats every `new` samples: a
table of `new` kernels (phases) serves the whole signal. Phases are gathered into small groups that
share one stretch of input, which keeps the table small even for rates without a common divisor
(44,056 to 44,100 Hz: 17 MB, where one dense table for all phases would take 500 MB).

Shapes: C rows (channels, or anything else to be resampled alike), N samples.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

_ZEROS = 128  # zero crossings of the sinc on either side
_ROLLOFF = 0.98  # cutoff as a share of the lower Nyquist frequency
_BETA = 13.37  # of the Kaiser window: 130 dB down beyond 1.01, flat below 0.945 of that frequency
_GROUP_PHASES = 128  # phases that share one stretch of input


@dataclass(frozen=True)
class _Group:
    first_tap: int
    """Input sample that the first tap falls on, for the period that starts at input sample 0."""

    kernel: Tensor
    """(taps, phases) float32."""


@dataclass(frozen=True)
class _FilterBank:
    old: int
    """Input samples in a period."""

    new: int
    """Output samples in a period."""

    reach: int
    """Input samples on either side that an output sample depends on."""

    groups: tuple[_Group, ...]


class Resampler:
    """Resamples a stream of blocks.

    The joined output has `ceil(num_samples * new_rate / old_rate)` samples and stays in place: it
    has no delay. It is linear in phase and flat up to 0.945 of the lower Nyquist frequency; there
    and back again leaves a difference 125 dB below the signal within that band. How the signal is
    cut into blocks matters only to the last bit of float32.

    Args:
        old_rate: of what comes in, in Hz.
        new_rate: of what goes out, in Hz.

    Source: J. O. Smith, "Digital Audio Resampling Home Page"; the kernel is that of
    `torchaudio.functional.resample` (method sinc_interp_kaiser) with a narrower transition band.
    """

    def __init__(self, old_rate: int, new_rate: int) -> None:
        if old_rate < 1 or new_rate < 1:
            raise ValueError(f"sample rates must be positive, got {old_rate} and {new_rate}")
        self._old_rate = old_rate
        self._new_rate = new_rate
        self._bank = None if old_rate == new_rate else _filter_bank(old_rate, new_rate)
        self._num_in = 0
        self._num_out = 0
        self._pending: Tensor | None = None  # input that later output still depends on

    def process(self, block: Tensor) -> Tensor:
        """Take the next block (C, N) and return what can be said by now, (C, n) with n from 0."""
        if self._bank is None:
            self._pending = block[:, :0]
            return block
        self._num_in += block.shape[-1]
        reach = self._bank.reach
        if self._pending is None:
            self._pending = block.new_zeros(block.shape[0], reach)
        self._pending = torch.cat([self._pending, block], dim=-1)
        # Output is made in whole periods: the last tap of the last period must have arrived.
        period_span = self._bank.old + 2 * reach
        periods = (self._pending.shape[-1] - period_span) // self._bank.old + 1
        return self._take(max(periods, 0))

    def flush(self) -> Tensor:
        """Return the rest, (C, n); the signal ends here and the resampler starts anew."""
        if self._bank is None or self._pending is None:
            return torch.empty(0, 0) if self._pending is None else self._pending
        remaining = self.output_length(self._num_in) - self._num_out
        periods = -(-remaining // self._bank.new)
        span = periods * self._bank.old + 2 * self._bank.reach
        missing = max(span - self._pending.shape[-1], 0)
        self._pending = torch.nn.functional.pad(self._pending, (0, missing))
        rest = self._take(periods)[:, :remaining]
        self._num_in = self._num_out = 0
        self._pending = None
        return rest

    def output_length(self, num_samples: int) -> int:
        """Samples that `num_samples` of input give in all."""
        return -(-num_samples * self._new_rate // self._old_rate)

    def _take(self, periods: int) -> Tensor:
        bank, pending = self._bank, self._pending
        if bank is None or pending is None:
            raise RuntimeError("nothing to resample")
        rows = pending.shape[0]
        if periods == 0:
            return pending.new_empty(rows, 0)
        output = pending.new_empty(rows, periods, bank.new)
        phase = 0
        for group in bank.groups:
            taps, phases = group.kernel.shape
            start = group.first_tap + bank.reach
            stop = start + (periods - 1) * bank.old + taps
            stretches = pending[:, start:stop].unfold(-1, taps, bank.old)  # (C, periods, taps)
            output[:, :, phase : phase + phases] = stretches @ group.kernel
            phase += phases
        self._pending = pending[:, periods * bank.old :]
        self._num_out += periods * bank.new
        return output.view(rows, periods * bank.new)


def resample(signal: Tensor, old_rate: int, new_rate: int) -> Tensor:
    """Resample a whole signal (C, N) to (C, ceil(N * new_rate / old_rate)); see `Resampler`."""
    resampler = Resampler(old_rate, new_rate)
    return torch.cat([resampler.process(signal), resampler.flush().view(signal.shape[0], -1)], -1)


@lru_cache(maxsize=8)
def _filter_bank(old_rate: int, new_rate: int) -> _FilterBank:
    divisor = math.gcd(old_rate, new_rate)
    old, new = old_rate // divisor, new_rate // divisor
    # Where the ratio is simple, several periods are taken at once: larger, fewer products.
    periods = max(_GROUP_PHASES // max(old, new), 1)
    old, new = old * periods, new * periods
    cutoff = min(new / old, 1.0) * _ROLLOFF  # as a share of the old Nyquist frequency
    reach = math.ceil(_ZEROS / cutoff)
    groups = tuple(
        _group(range(first, min(first + _GROUP_PHASES, new)), old, new, cutoff, reach)
        for first in range(0, new, _GROUP_PHASES)
    )
    return _FilterBank(old, new, reach, groups)


def _group(phases: range, old: int, new: int, cutoff: float, reach: int) -> _Group:
    first_tap = phases[0] * old // new - reach
    last_tap = phases[-1] * old // new + reach
    taps = torch.arange(first_tap, last_tap + 1, dtype=torch.float64)[:, None]
    centres = torch.tensor(phases, dtype=torch.float64) * old / new
    crossings = ((taps - centres) * cutoff).clamp(-_ZEROS, _ZEROS)  # the window is zero there
    window = torch.special.i0(_BETA * (1 - (crossings / _ZEROS) ** 2).sqrt())
    window = window / torch.special.i0(torch.tensor(_BETA, dtype=torch.float64))
    kernel = torch.sinc(crossings) * window * cutoff
    return _Group(first_tap, kernel.to(torch.float32))
