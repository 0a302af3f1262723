"""BSS Eval v4: SDR, ISR, SIR and SAR with distortion filters that hold for a whole track.

An estimate is split into its reference, a filtered version of the reference (spatial distortion),
filtered versions of all references (interference) and the rest (artifacts). The filters are the
least squares fit over the whole track; the four ratios are then taken window by window. Energies
are summed over the spectra of the windows, which saves the way back to samples.

Shapes: S stems, C audio channels, N samples, P = S * C channels of all references, L filter taps,
W windows, F frequency bins.

Source: F.-R. Stöter, A. Liutkus, N. Ito, "The 2018 Signal Separation Evaluation Campaign", LVA/ICA
2018, section 3; E. Vincent, R. Gribonval, C. Févotte, "Performance measurement in blind audio
source separation", IEEE TASLP 14 (2006), section III. Equal to museval 0.4.1, `metrics.bss_eval`,
within 1e-6 dB, and 1e-4 dB for references from lossy codecs; where the filters are loose (see
`DistortionFilters`) both depend on rounding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stemsplit.evaluation.correlation import Correlator, fast_length, gram_matrix
from stemsplit.evaluation.metrics import any_silent, decibels, energy
from stemsplit.evaluation.passes import Signals, SignalsInMemory, cut_windows

RATIOS = ("sdr", "isr", "sir", "sar")

_SAMPLES_AT_ONCE = 1 << 17  # of windows that are transformed together: 3 s at 44.1 kHz
_KEPT_SAMPLES = 3 << 24  # of filter responses: 400 MB
_POWER_STEPS = 6  # enough for the order of magnitude
_LOOSE = 1e-13  # below it ISR, SIR and SAR move by whole decibels with the codec of the references
_EPSILON = torch.finfo(torch.float64).eps  # added to the diagonal, as museval does


def bss_eval(
    references: Tensor,
    estimates: Tensor,
    *,
    window_samples: int,
    hop_samples: int | None = None,
    filter_taps: int = 512,
) -> dict[str, Tensor]:
    """The four ratios of every stem in every window.

    Args:
        references: (S, C, N) true stems, none of them silent throughout.
        estimates: (S, C, N), in the same order.
        window_samples: length of a window.
        hop_samples: distance between windows; None takes the length of a window.
        filter_taps: length L of the distortion filters.

    Returns:
        ``sdr``, ``isr``, ``sir`` and ``sar``, each (S, W) in dB, float64. NaN in windows in which
        any reference or estimate is silent.
    """
    signals = SignalsInMemory(list(references), list(estimates))
    filters = fit_filters(signals, filter_taps)
    hop = hop_samples or window_samples
    return windowed_ratios(signals, filters, window_samples=window_samples, hop_samples=hop)


@dataclass(frozen=True)
class DistortionFilters:
    """What turns references into the part of the estimates that they explain."""

    of_all: Tensor
    """(P, P, L) from every channel of all references to every channel of the estimates."""

    of_own: Tensor
    """(S, C, C, L) from the channels of each reference to those of its own estimate alone."""

    reciprocal_condition: float
    """Least eigenvalue of the system of all references over the largest, estimated; 0 if singular.

    16-bit music has 1e-11. Where frequencies are missing, as from a lossy codec with a steep
    filter, it approaches 1e-15: the filters are then free to amplify there, the edges of windows
    excite them, and ISR, SIR and SAR say more about that than about the estimates.
    """

    @property
    def are_loose(self) -> bool:
        """Whether the filters are hardly determined."""
        return self.reciprocal_condition < _LOOSE


def fit_filters(signals: Signals, taps: int) -> DistortionFilters:
    """The filters that bring the references nearest to the estimates over a whole track.

    Args:
        signals: the track.
        taps: length L of the filters.
    """
    correlator: Correlator | None = None
    stems = channels = 0
    for block in map(_on_device_with_float64, signals):
        if correlator is None:
            _, stems, channels, _ = block.shape
            correlator = Correlator(stems * channels, taps)
        correlator.add(block.flatten(0, 2))
    if correlator is None:
        raise ValueError("signals without samples have no filters")
    lags = correlator.finish()
    num = stems * channels
    gram = gram_matrix(lags[:, :num])  # (P, L, P, L)
    inner = lags[:, num:].transpose(1, 2).contiguous()  # (P, L, P)
    own = []
    for stem in range(stems):
        mine = slice(stem * channels, (stem + 1) * channels)
        own.append(_solve(gram[mine, :, mine], inner[mine, :, mine])[0])
    of_all, condition = _solve(gram, inner)
    return DistortionFilters(of_all, torch.stack(own), condition)


def _solve(gram: Tensor, inner: Tensor) -> tuple[Tensor, float]:
    """Filters (p, q, L) from (p, L, p, L) and (p, L, q), and the reciprocal condition.

    A singular system is solved as museval does it.
    """
    num, taps, others = inner.shape
    system = gram.reshape(num * taps, num * taps)
    system.diagonal().add_(_EPSILON)
    wanted = inner.reshape(num * taps, others)
    factor, failed = torch.linalg.cholesky_ex(system)
    filters: Tensor
    condition = 0.0
    if not failed:
        filters = torch.cholesky_solve(wanted, factor)
        condition = _reciprocal_condition(system, factor)
    else:
        filters, failed = torch.linalg.solve_ex(system, wanted)
        if failed:
            driver = "gelsd" if system.device.type == "cpu" else "gels"
            filters = torch.linalg.lstsq(system, wanted, driver=driver).solution
    return filters.view(num, taps, others).transpose(1, 2), condition


def _reciprocal_condition(system: Tensor, factor: Tensor) -> float:
    """Least over largest eigenvalue, by some steps of power iteration and of its inverse."""
    start = torch.arange(len(system), device=system.device)[:, None] % 7  # without symmetry
    highest = lowest = start.to(system)
    for _ in range(_POWER_STEPS):
        highest = system @ (highest / highest.norm())
        lowest = torch.cholesky_solve(lowest / lowest.norm(), factor)
    return float(1 / (highest.norm() * lowest.norm()))


def windowed_ratios(
    signals: Signals, filters: DistortionFilters, *, window_samples: int, hop_samples: int
) -> dict[str, Tensor]:
    """The four ratios of every stem in every window, with filters that are known.

    Args:
        signals: the track that the filters were fitted to.
        filters: from `fit_filters`.
        window_samples: length of a window.
        hop_samples: distance between windows.

    Returns:
        As `bss_eval`.
    """
    windows = cut_windows(
        map(_on_device_with_float64, signals),
        window_samples=window_samples,
        hop_samples=hop_samples,
        at_once=max(_SAMPLES_AT_ONCE // window_samples, 1),
    )
    responses: _Responses | None = None
    parts = []
    for batch in windows:
        responses = responses or _Responses(filters, batch.shape[-1])
        parts.append(_ratios(batch, responses))
    return dict(zip(RATIOS, torch.cat(parts, -1), strict=True))  # each (S, W)


class _Responses:
    """The spectra of the filters, for windows of one length.

    There are more filters than signals, so that their spectra are kept: 24 MB for four stereo stems
    in windows of a second. Where that would be much, they are computed every time.
    """

    def __init__(self, filters: DistortionFilters, window_samples: int) -> None:
        self._filters = filters
        self.n_fft = fast_length(window_samples + filters.of_own.shape[-1] - 1)
        num_spectra = filters.of_all[..., 0].numel() + filters.of_own[..., 0].numel()
        is_small = num_spectra * self.n_fft <= _KEPT_SAMPLES
        self._kept = [self._compute(stem) for stem in range(self.stems)] if is_small else []

    @property
    def stems(self) -> int:
        return len(self._filters.of_own)

    def of_stem(self, stem: int) -> tuple[Tensor, Tensor]:
        """Spectra (P, C, F) of the filters from all references, (C, C, F) from its own."""
        return self._kept[stem] if self._kept else self._compute(stem)

    def _compute(self, stem: int) -> tuple[Tensor, Tensor]:
        own = self._filters.of_own[stem]
        mine = self._filters.of_all[:, stem * len(own) : (stem + 1) * len(own)]
        return torch.fft.rfft(mine, self.n_fft), torch.fft.rfft(own, self.n_fft)


def _ratios(windows: Tensor, responses: _Responses) -> Tensor:
    """The ratios of some windows (W, 2, S, C, n), as (4, S, W)."""
    references, estimates = windows.double().unbind(1)  # (W, S, C, n)
    n_fft, channels = responses.n_fft, references.shape[2]
    spectra = torch.fft.rfft(references, n_fft).flatten(1, 2)  # (W, P, F)
    rows = []
    for stem in range(responses.stems):
        from_all, from_own = responses.of_stem(stem)
        true = spectra[:, stem * channels : (stem + 1) * channels]
        image = _filtered(true, from_own)
        explained = _filtered(spectra, from_all)
        estimate = torch.fft.rfft(estimates[:, stem], n_fft)
        target = energy(references[:, stem])
        pairs = (
            (target, energy(references[:, stem], estimates[:, stem])),
            (target, _spectral_energy(image - true, n_fft)),
            (_spectral_energy(image, n_fft), _spectral_energy(explained - image, n_fft)),
            (_spectral_energy(explained, n_fft), _spectral_energy(estimate - explained, n_fft)),
        )
        rows.append(torch.stack([decibels(signal, noise) for signal, noise in pairs]))
    ratios = torch.stack(rows, 1)
    ratios[:, :, any_silent(windows.flatten(1, 2))] = torch.nan
    return ratios


def _filtered(spectra: Tensor, responses: Tensor) -> Tensor:
    """Signals (W, p, F) through filters (p, C, F) that end in the same channels: (W, C, F)."""
    result: Tensor = spectra[:, 0, None] * responses[0]
    for channel in range(1, len(responses)):
        result.addcmul_(spectra[:, channel, None], responses[channel])
    return result


def _spectral_energy(spectrum: Tensor, n_fft: int) -> Tensor:
    """Sum of squares over channels and samples, of the (..., C, F) spectra of real signals."""
    parts = torch.view_as_real(spectrum)  # (..., C, F, 2)
    once = energy(parts[..., 0, :])  # the only frequencies without a negative twin
    if n_fft % 2 == 0:
        once = once + energy(parts[..., -1, :])
    return (2 * energy(parts.flatten(-2)) - once) / n_fft


def _on_device_with_float64(block: Tensor) -> Tensor:
    return block.cpu() if block.device.type == "mps" else block
