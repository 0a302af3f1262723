"""All scores of one track.

Shapes: S stems, C audio channels, N samples.
"""

import math
import statistics
from collections.abc import Mapping

import torch
from torch import Tensor

from stemsplit.errors import DatasetError
from stemsplit.evaluation import metrics
from stemsplit.evaluation.bss_eval import bss_eval
from stemsplit.evaluation.options import BSS_EVAL, MetricOptions
from stemsplit.evaluation.reference_engine import bss_eval_by_museval
from stemsplit.evaluation.scores import StemScores, TrackScores

_CSDR_SECONDS = 1.0


def score_track(
    references: Mapping[str, Tensor],
    estimates: Mapping[str, Tensor],
    *,
    sample_rate: int,
    track: str = "",
    options: MetricOptions | None = None,
) -> TrackScores:
    """Score the stems of one track.

    Stems that have a reference but no estimate are not scored, and do not count as interference.

    Args:
        references: stem name to (C, N), the truth.
        estimates: stem name to (C, N) of the same length and channels.
        sample_rate: of all of them, in Hz.
        track: its name, for the result.
        options: what to compute.

    Returns:
        The scores of every stem in `estimates`, in that order.

    Raises:
        DatasetError: an estimate has no reference, or another shape than it.
    """
    options = options or MetricOptions()
    _check_shapes(references, estimates, track)
    truth = torch.stack([references[stem] for stem in estimates])  # (S, C, N)
    guess = torch.stack(list(estimates.values())).to(truth.device)
    windows = _windowed(truth, guess, sample_rate, options)
    whole = {
        "usdr": metrics.usdr(truth, guess) if "usdr" in options.metrics else None,
        "si_sdr": metrics.si_sdr(truth, guess) if "si_sdr" in options.metrics else None,
    }
    rows = {name: values.cpu().tolist() for name, values in windows.items()}
    songs = {name: value.cpu().tolist() for name, value in whole.items() if value is not None}
    window = round(options.window_seconds * sample_rate)
    hop = round(options.hop_seconds * sample_rate)
    silent = metrics.silent_windows(
        torch.cat([truth, guess]), window_samples=window, hop_samples=hop
    )
    return TrackScores(
        track=track,
        stems={
            stem: StemScores(
                values={
                    name: _median(rows[name][place]) if name in rows else songs[name][place]
                    for name in options.metrics
                },
                windows={name: tuple(values[place]) for name, values in rows.items()},
            )
            for place, stem in enumerate(estimates)
        },
        num_windows=silent.numel(),
        silent_windows=int(silent.sum()),
        window_seconds=options.window_seconds,
        hop_seconds=options.hop_seconds,
    )


def _windowed(
    truth: Tensor, guess: Tensor, sample_rate: int, options: MetricOptions
) -> dict[str, Tensor]:
    window = round(options.window_seconds * sample_rate)
    hop = round(options.hop_seconds * sample_rate)
    rows: dict[str, Tensor] = {}
    if options.engine == "museval" and not BSS_EVAL.isdisjoint(options.metrics):
        rows = bss_eval_by_museval(
            truth,
            guess,
            window_samples=window,
            hop_samples=hop,
            filter_taps=options.filter_taps,
        )
    elif options.needs_filters:
        rows = bss_eval(
            truth,
            guess,
            window_samples=window,
            hop_samples=hop,
            filter_taps=options.filter_taps,
        )
    elif "sdr" in options.metrics:
        rows = {"sdr": _window_sdr(truth, guess, window, hop)}
    if "csdr" in options.metrics:
        second = round(_CSDR_SECONDS * sample_rate)
        rows["csdr"] = _window_sdr(truth, guess, second, second)
    return {name: rows[name] for name in options.metrics if name in rows}


def _window_sdr(truth: Tensor, guess: Tensor, window: int, hop: int) -> Tensor:
    """SDR per stem and window (S, W), without the windows that museval leaves out."""
    values = metrics.windowed_sdr(truth, guess, window_samples=window, hop_samples=hop)
    silent = metrics.silent_windows(
        torch.cat([truth, guess]), window_samples=window, hop_samples=hop
    )
    values[:, silent] = torch.nan
    return values


def _median(values: list[float]) -> float:
    """Median of the values that exist; museval drops infinite ones too when it stores them."""
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        return statistics.median(finite)
    return next((value for value in values if not math.isnan(value)), math.nan)


def _check_shapes(
    references: Mapping[str, Tensor], estimates: Mapping[str, Tensor], track: str
) -> None:
    where = f" of {track}" if track else ""
    if not estimates:
        raise DatasetError(f"Cannot score{where or ' anything'}: there are no estimates.")
    for stem, estimate in estimates.items():
        if stem not in references:
            raise DatasetError(
                f"Cannot score {stem}{where}: there is no such reference, only "
                f"{', '.join(references) or 'none'}. Leave it out, or rename it."
            )
        if estimate.shape != references[stem].shape:
            raise DatasetError(
                f"Cannot score {stem}{where}: the estimate has {_shape(estimate)}, the reference "
                f"{_shape(references[stem])}. Separate the track again, or convert the files."
            )


def _shape(signal: Tensor) -> str:
    return f"{signal.shape[0]} channels of {signal.shape[-1]:,} samples"
