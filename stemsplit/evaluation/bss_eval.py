"""BSS Eval v4: SDR, ISR, SIR and SAR with distortion filters that hold for a whole track.

An estimate is split into its reference, a filtered version of the reference (spatial distortion),
filtered versions of all references (interference) and the rest (artifacts). The filters are the
least squares fit over the whole track; the four ratios are then taken window by window.

Shapes: S stems, C audio channels, N samples, P = S * C reference channels, Q channels of references
and estimates, L filter taps, W windows, F frequency bins, K blocks.

Source: F.-R. Stöter, A. Liutkus, N. Ito, "The 2018 Signal Separation Evaluation Campaign", LVA/ICA
2018, section 3; E. Vincent, R. Gribonval, C. Févotte, "Performance measurement in blind audio
source separation", IEEE TASLP 14 (2006), section III. Equal to museval 0.4.1, `metrics.bss_eval`.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from stemsplit.evaluation.metrics import decibels, energy, silent_windows, window_starts

_FFT_SAMPLES = 1 << 14  # for correlations: far more than the taps, small enough for the cache
_BATCH_BLOCKS = 16
_BATCH_SAMPLES = 1 << 19  # of windows that are transformed at once: 12 s at 44.1 kHz
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
    if references.device.type == "mps":  # it has no float64
        references, estimates = references.cpu(), estimates.cpu()
    hop = hop_samples or window_samples
    both, own = _distortion_filters(references, estimates, filter_taps)
    starts = window_starts(references.shape[-1], window_samples, hop)
    length = min(window_samples, references.shape[-1])
    batch = max(_BATCH_SAMPLES // length, 1)
    parts = [
        _ratios(
            torch.stack([references[..., s : s + length] for s in starts[first : first + batch]]),
            torch.stack([estimates[..., s : s + length] for s in starts[first : first + batch]]),
            both,
            own,
        )
        for first in range(0, len(starts), batch)
    ]
    ratios = torch.cat(parts, dim=-1)  # (4, S, W)
    silent = silent_windows(
        torch.cat([references, estimates]), window_samples=window_samples, hop_samples=hop
    )
    ratios[:, :, silent] = torch.nan
    return dict(zip(("sdr", "isr", "sir", "sar"), ratios, strict=True))


def _ratios(references: Tensor, estimates: Tensor, both: Tensor, own: Tensor) -> Tensor:
    """The ratios of windows (W, S, C, n), as (4, S, W); see `_distortion_filters`."""
    references, estimates = references.double(), estimates.double()
    _, stems, channels, length = references.shape
    taps = own.shape[-1]
    n_fft = fast_length(length + taps - 1)
    spectra = torch.fft.rfft(references.flatten(1, 2), n_fft)  # (W, P, F)
    answer = torch.fft.rfft(both, n_fft)  # (P, P, F): from each reference channel to each estimate
    projected = torch.zeros_like(spectra)
    for channel in range(stems * channels):
        projected.addcmul_(spectra[:, channel, None], answer[channel])
    by_stem = spectra.view(-1, stems, channels, spectra.shape[-1])  # (W, S, C, F)
    projected = projected.view_as(by_stem)
    answer = torch.fft.rfft(own, n_fft)  # (S, C, C, F)
    image = torch.zeros_like(by_stem)
    for channel in range(channels):
        image.addcmul_(by_stem[:, :, channel, None], answer[:, channel])
    target = energy(references)
    pairs = (
        (target, energy(references, estimates)),
        (target, _spectral_energy(image - by_stem, n_fft)),
        (_spectral_energy(image, n_fft), _spectral_energy(projected - image, n_fft)),
        (
            _spectral_energy(projected, n_fft),
            _spectral_energy(torch.fft.rfft(estimates, n_fft) - projected, n_fft),
        ),
    )
    return torch.stack([decibels(signal, noise).mT for signal, noise in pairs])


def _spectral_energy(spectrum: Tensor, n_fft: int) -> Tensor:
    """Sum of squares over channels and samples of (..., C, F) spectra of real signals."""
    power = torch.view_as_real(spectrum).square().sum((-3, -1))  # (..., F)
    last = power[..., -1] if n_fft % 2 == 0 else 0
    return (2 * power.sum(-1) - power[..., 0] - last) / n_fft


def _distortion_filters(references: Tensor, estimates: Tensor, taps: int) -> tuple[Tensor, Tensor]:
    """The filters that bring the references nearest to the estimates over the whole signals.

    Returns:
        (P, P, L) from every reference channel to every estimate channel, and (S, C, C, L) from the
        channels of each reference to those of its own estimate alone.
    """
    stems, channels, _ = references.shape
    num = stems * channels
    lags = correlations(references.flatten(0, 1), estimates.flatten(0, 1), taps)  # (P, Q, L)
    gram = _gram_matrix(lags[:, :num])  # (P, L, P, L)
    inner = lags[:, num:].transpose(1, 2).contiguous()  # (P, L, P)
    size = num * taps
    both = _solve(gram.reshape(size, size), inner.reshape(size, num))
    own = []
    for stem in range(stems):
        mine = slice(stem * channels, (stem + 1) * channels)
        size = channels * taps
        system = gram[mine, :, mine].reshape(size, size)
        own.append(_solve(system, inner[mine, :, mine].reshape(size, channels)))
    return (
        both.view(num, taps, num).transpose(1, 2),
        torch.stack(own).view(stems, channels, taps, channels).transpose(2, 3),
    )


def correlations(references: Tensor, estimates: Tensor, taps: int) -> Tensor:
    """Inner products of delayed references with references and estimates.

    Works through the signals block by block, so that memory does not grow with their length.

    Args:
        references: (P, N).
        estimates: (Q - P, N).
        taps: number L of delays, from 0.

    Returns:
        (P, Q, L) float64: sum over n of x_p[n - lag] x_q[n]; q counts references, then estimates.
    """
    signals = torch.cat([references, estimates])
    n_fft = max(_FFT_SAMPLES, fast_length(4 * taps))
    block = n_fft - taps + 1
    span = block * _BATCH_BLOCKS
    total: Tensor | None = None
    for start in range(0, signals.shape[-1], span):
        begin, stop = max(start - taps + 1, 0), start + span
        stretch = signals[:, begin:stop].double()
        missing = begin - (start - taps + 1)
        blocks = -(-(stretch.shape[-1] + missing - taps + 1) // block)
        short = blocks * block + taps - 1 - missing - stretch.shape[-1]
        stretch = pad(stretch, (missing, short))
        late = stretch[:, taps - 1 :].unfold(-1, block, block)  # (Q, K, block)
        early = stretch[: len(references)].unfold(-1, n_fft, block)  # with what went before
        product = torch.matmul(
            torch.fft.rfft(early, n_fft).permute(2, 0, 1),  # (F, P, K)
            torch.fft.rfft(late, n_fft).conj().permute(2, 1, 0),  # (F, K, Q)
        )
        total = product if total is None else total.add_(product)
    if total is None:
        raise ValueError("signals without samples have no correlations")
    lags: Tensor = torch.fft.irfft(total.permute(1, 2, 0), n_fft)
    return lags[..., :taps].flip(-1)


def _gram_matrix(lags: Tensor) -> Tensor:
    """Inner products (P, L, P, L) of all delayed references, from (P, P, L) of `correlations`."""
    num, _, taps = lags.shape
    both_ways = torch.cat([lags.transpose(0, 1)[..., 1:].flip(-1), lags], dim=-1)  # from 1 - L
    delays = torch.arange(taps, device=lags.device)
    place = delays[:, None] - delays + taps - 1  # (L, L)
    gram = lags.new_empty(num, taps, num, taps)
    for row in range(num):
        gram[row] = both_ways[row][:, place].transpose(0, 1)
    return gram


def _solve(gram: Tensor, inner: Tensor) -> Tensor:
    """Solve a symmetric system; where it is singular, in the way museval does."""
    gram.diagonal().add_(_EPSILON)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if not failed:
        return torch.cholesky_solve(inner, factor)
    filters: Tensor
    filters, failed = torch.linalg.solve_ex(gram, inner)
    if failed:
        driver = "gelsd" if gram.device.type == "cpu" else "gels"
        filters = torch.linalg.lstsq(gram, inner, driver=driver).solution
    return filters


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
