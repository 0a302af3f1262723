"""Time to score a song, beside museval alone.

Run with ``python -m tests.benchmarks.metrics`` (about two minutes; needs the dev extra). One run of
each, on signals in memory: four stereo stems at 44.1 kHz, noise with a little of each other.
"""

import argparse
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from stemsplit.evaluation.options import Metric, MetricOptions
from stemsplit.evaluation.scoring import score_track
from tests.benchmarks.material import SAMPLE_RATE, STEMS

Row = tuple[str, float]

_RATIOS: tuple[Metric, ...] = ("sdr", "isr", "sir", "sar")
_TASKS: dict[str, MetricOptions] = {
    "museval, four ratios": MetricOptions(metrics=_RATIOS, engine="museval"),
    "four ratios, 1 s windows": MetricOptions(metrics=_RATIOS),
    "four ratios, 10 s windows": MetricOptions(
        metrics=_RATIOS, window_seconds=10.0, hop_seconds=10.0
    ),
    "SDR alone": MetricOptions(metrics=("sdr",)),
    "cSDR": MetricOptions(metrics=("csdr",)),
    "uSDR": MetricOptions(metrics=("usdr",)),
    "SI-SDR": MetricOptions(metrics=("si_sdr",)),
    "everything": MetricOptions(),
}


def song(seconds: float) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """References, and estimates in which every stem leaks into every other."""
    generator = torch.Generator().manual_seed(0)
    num_samples = round(seconds * SAMPLE_RATE)
    references = {stem: 0.1 * torch.randn(2, num_samples, generator=generator) for stem in STEMS}
    mix = torch.stack(list(references.values())).sum(0)
    return references, {stem: signal + 0.1 * mix for stem, signal in references.items()}


def main(seconds: float = 60, tasks: Sequence[str] = tuple(_TASKS)) -> list[Row]:
    """Print a table of times.

    Args:
        seconds: length of the song.
        tasks: which rows to measure; museval first, for the ratios.

    Returns:
        A row per task: its name, and seconds for a minute of audio.
    """
    references, estimates = song(seconds)
    rows: list[Row] = []
    print(f"{seconds:g} s of audio            per minute   museval takes")
    for task in tasks:
        began = time.perf_counter()
        score_track(references, estimates, sample_rate=SAMPLE_RATE, options=_TASKS[task])
        rows.append((task, (time.perf_counter() - began) * 60 / seconds))
        times = f"{rows[0][1] / rows[-1][1]:8.1f} times" if len(rows) > 1 else ""
        print(f"{task:26}  {rows[-1][1]:7.2f} s {times}")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    main(parser.parse_args().seconds)
