"""How much a separation can be trusted, judged without the true stems.

Four things are looked at: whether a second run, shifted against the first, gives the same stem;
what of the song no stem explains; how much a stem sounds like a louder one, band by band; and
silence and clipping. One number from 0 to 100 per stem comes out, with the reasons in words.

It is a hint where to listen, not a measurement: how well it follows the true SDR differs from model
to model, and `stemsplit eval --calibrate` tells.

At most `_MAX_WINDOWS` windows of a song are transformed, spread evenly, so that neither memory nor
time grow with its length beyond that. Shapes: S stems, C audio channels, N samples, F frequency
bins, T frames, G bands.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from stemsplit.evaluation.verdict import Evidence, judge
from stemsplit.separation.events import StemQuality

_WINDOW_SECONDS = 4.0
_MAX_WINDOWS = 32
_N_FFT = 2048
_BAND_EDGES_HZ = (0, 60, 120, 200, 300, 450, 650, 900, 1250, 1750, 2500, 3500, 5000, 8000, 16_000)
_FULL_SCALE = 1.0
_SILENT_DB = -60.0  # of a stem against the song: what lies below is not heard beside the rest
_FLOOR = 1e-12  # of energies, so that silence can be divided by


class WindowCutter:
    """Cuts some stretches out of a signal that comes in blocks, and keeps nothing else."""

    def __init__(self, starts: Sequence[int], window_samples: int) -> None:
        """Cut windows of one length.

        Args:
            starts: first sample of every window; ascending, at least a window apart.
            window_samples: their length.
        """
        self._starts = list(starts)
        self._window = window_samples
        self._held: Tensor | None = None
        self._end = 0

    def push(self, block: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Take in the next block (..., n).

        Yields:
            The windows that it completes, each with its first sample.
        """
        held = block if self._held is None else torch.cat([self._held, block], dim=-1)
        self._end += block.shape[-1]
        begin = self._end - held.shape[-1]
        while self._starts and self._starts[0] + self._window <= self._end:
            start = self._starts.pop(0)
            yield start, held[..., start - begin : start - begin + self._window]
        wanted = self._starts[0] if self._starts else self._end
        first = min(max(0, wanted - begin), held.shape[-1])
        self._held = held[..., first:].clone()

    @property
    def num_held(self) -> int:
        """Samples that are kept for windows to come."""
        return 0 if self._held is None else self._held.shape[-1]


class QualityMeter:
    """Listens to the stems of one song as they are made.

    ```python
    meter = QualityMeter(("vocals", "drums"), sample_rate=44_100, num_samples=song.num_samples)
    for block in separator.stream_prepared(song, with_mix=True):
        meter.update(block.stems, block.mix)
    quality = meter.result()
    ```
    """

    def __init__(
        self,
        stems: Sequence[str],
        *,
        sample_rate: int,
        num_samples: int,
        explains_all: bool = True,
    ) -> None:
        """Listen to one song.

        Args:
            stems: their names, in order.
            sample_rate: of the blocks, in Hz.
            num_samples: length of the song, known beforehand.
            explains_all: whether the stems claim to be the whole song, so that what is left over
                is a fault.
        """
        self.stems = tuple(stems)
        self._explains_all = explains_all
        window = min(round(_WINDOW_SECONDS * sample_rate), num_samples)
        self._cutter = WindowCutter(spread(num_samples, window, _MAX_WINDOWS), window)
        self._bands = _band_slices(sample_rate)
        rows, bands = len(self.stems), len(self._bands)
        self._energy = torch.zeros(rows, bands, dtype=torch.float64)
        self._alike = torch.zeros(rows, rows, bands, dtype=torch.float64)
        self._unexplained = torch.zeros(rows, dtype=torch.float64)
        self._over = dict.fromkeys(self.stems, 0)
        self._num_values = 0
        self._agreement = {name: [0.0, 0.0] for name in self.stems}

    def update(self, stems: Mapping[str, Tensor], mix: Tensor) -> None:
        """Take in the next stretch.

        Args:
            stems: each (C, n), float32.
            mix: the same stretch (C, n) of the song.
        """
        block = torch.stack([*(stems[name] for name in self.stems), mix])  # (S + 1, C, n)
        over = (block[:-1].abs() > _FULL_SCALE).sum(dim=(1, 2))
        for name, count in zip(self.stems, over.tolist(), strict=True):
            self._over[name] += count
        self._num_values += mix.numel()
        for _, window in self._cutter.push(block):
            self._measure(window)

    def compare(self, first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
        """Take in the same excerpt as two runs separated it.

        Args:
            first: stem name to (C, n).
            second: of a run that was shifted against the first.
        """
        for name, sums in self._agreement.items():
            sums[0] += float(first[name].double().square().sum())
            sums[1] += float((first[name].double() - second[name].double()).square().sum())

    def result(self) -> dict[str, StemQuality]:
        """The verdict on every stem, from what has been heard so far."""
        return {name: judge(name, self._evidence(row)) for row, name in enumerate(self.stems)}

    @property
    def num_held(self) -> int:
        """Samples of every signal that wait for their window to be complete."""
        return self._cutter.num_held

    def _measure(self, window: Tensor) -> None:
        """Add a window (S + 1, C, n) to the sums."""
        window = window - window.mean(dim=-1, keepdim=True)  # a constant is not heard
        window = torch.nn.functional.pad(window, (0, max(0, _N_FFT - window.shape[-1])))
        rest = window[-1:] - window[:-1].sum(dim=0, keepdim=True)
        spectra = _spectra(torch.cat([window[:-1], rest]))  # (S + 1, C, T, F)
        for band, (bins, _) in enumerate(self._bands):
            rows = spectra[..., bins].flatten(1)
            self._add_band(band, (rows @ rows.mH).abs().double())

    def _add_band(self, band: int, products: Tensor) -> None:
        """Add one band of one window.

        That two stems are alike does not tell which of them leaks into the other, but it is most of
        all the louder one that does.

        Args:
            band: its number.
            products: (S + 1, S + 1) of the stems and the rest.
        """
        energy = products.diagonal()
        stems, rest = energy[:-1], float(energy[-1])
        scale = (stems[:, None] * stems[None]).sqrt() + _FLOOR
        coherence = (products[:-1, :-1] / scale).fill_diagonal_(0.0)
        self._energy[:, band] += stems
        louder = stems[None] / (stems[:, None] + stems[None] + _FLOOR)
        self._alike[..., band] += coherence * louder * stems[:, None]
        self._unexplained += rest * stems / (stems.sum() + _FLOOR)

    def _evidence(self, row: int) -> Evidence:
        own = float(self._energy[row].sum())
        level = _decibels(own, float(self._energy.sum()))
        other, band, leak = self._most_alike(row)
        unexplained = _decibels(float(self._unexplained[row]), own)
        signal, apart = self._agreement[self.stems[row]]
        return Evidence(
            level_db=level,
            is_silent=level < _SILENT_DB or own <= _FLOOR,
            agreement_db=_decibels(signal, apart) if signal > _FLOOR else None,
            unexplained_db=unexplained if self._explains_all else None,
            leak_db=None if other is None else 2 * _decibels(leak, 1.0),
            most_like=other,
            most_like_band_hz=band,
            clipped_share=self._over[self.stems[row]] / max(1, self._num_values),
        )

    def _most_alike(self, row: int) -> tuple[str | None, tuple[int, int] | None, float]:
        """The stem that this one sounds like most, in which band, and how much, from 0 to 1."""
        if len(self.stems) < 2:
            return None, None, 0.0
        alike = self._alike[row]  # (S, G)
        total = float(alike.amax(dim=0).sum() / (self._energy[row].sum() + _FLOOR))
        other = int(alike.sum(dim=1).argmax())
        band = int(alike[other].argmax())
        return self.stems[other], self._bands[band][1], min(1.0, total)


def spread(num_samples: int, window_samples: int, most: int) -> list[int]:
    """First samples of at most `most` windows, evenly spread over a signal without overlap."""
    count = max(1, num_samples // max(1, window_samples))
    used = min(count, most)
    return [i * count // used * window_samples for i in range(used)]


def _decibels(energy: float, against: float) -> float:
    """Between -120 and 120 dB, so that silence has a value too."""
    return min(120.0, max(-120.0, 10 * math.log10((energy + _FLOOR) / (against + _FLOOR))))


def _band_slices(sample_rate: int) -> list[tuple[slice, tuple[int, int]]]:
    """The bands that the sample rate and the transform tell apart: their bins, and their edges."""
    last = _N_FFT // 2 + 1
    found = []
    for low, high in itertools.pairwise(_BAND_EDGES_HZ):
        first, stop = (min(last, round(hz * _N_FFT / sample_rate)) for hz in (low, high))
        if first < stop:
            found.append((slice(first, stop), (low, high)))
    return found


def _spectra(signals: Tensor) -> Tensor:
    """Spectra (rows, C, T, F) of signals (rows, C, N): neighbouring frames do not overlap."""
    frames = signals.unfold(-1, _N_FFT, _N_FFT)
    window = torch.hann_window(_N_FFT, dtype=signals.dtype)
    spectra: Tensor = torch.fft.rfft(frames * window)
    return spectra
