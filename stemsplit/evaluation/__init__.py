"""Scores of separated stems, and the data sets they are measured on.

```python
from stemsplit.evaluation import MetricOptions, aggregate, open_dataset, score_track, usdr

scores = []
for track in open_dataset("musdb"):  # or a folder of any known layout
    references = {stem: source.read() for stem, source in track.stems.items()}  # (C, N) each
    estimates = separate(track.mix.read())  # yours: stem name to (C, N)
    scores.append(
        score_track(references, estimates, sample_rate=track.sample_rate, track=track.name)
    )
for stem, metrics in aggregate(scores).items():
    print(stem, metrics["sdr"].median, metrics["usdr"].mean)

loss = -usdr(references["vocals"], estimates["vocals"]).mean()  # (..., C, N), on any device
```

What a metric means, and where it was defined, is said at `bss_eval`, `windowed_sdr` (the SDR of
BSS Eval v4, and cSDR), `usdr` and `si_sdr`; `MetricOptions` chooses metrics and windows.
`score_sources` scores files without holding songs in memory.

`evaluate` does what `stemsplit eval` does, and `summary_rows` makes its table; `QualityMeter`
judges stems without the true ones.

The public names are resolved on first use, so that nothing is imported that is not needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stemsplit.evaluation.aggregation import MetricSummary as MetricSummary
    from stemsplit.evaluation.aggregation import aggregate as aggregate
    from stemsplit.evaluation.bss import bss_eval as bss_eval
    from stemsplit.evaluation.candidates import ModelCandidate as ModelCandidate
    from stemsplit.evaluation.data.dataset import Dataset as Dataset
    from stemsplit.evaluation.data.dataset import Track as Track
    from stemsplit.evaluation.data.find import open_dataset as open_dataset
    from stemsplit.evaluation.metrics import si_sdr as si_sdr
    from stemsplit.evaluation.metrics import usdr as usdr
    from stemsplit.evaluation.metrics import windowed_sdr as windowed_sdr
    from stemsplit.evaluation.options import MetricOptions as MetricOptions
    from stemsplit.evaluation.quality import QualityMeter as QualityMeter
    from stemsplit.evaluation.run_options import EvaluationOptions as EvaluationOptions
    from stemsplit.evaluation.runner import evaluate as evaluate
    from stemsplit.evaluation.scores import StemScores as StemScores
    from stemsplit.evaluation.scores import TrackScores as TrackScores
    from stemsplit.evaluation.scoring import score_sources as score_sources
    from stemsplit.evaluation.scoring import score_track as score_track
    from stemsplit.evaluation.summary import summary_rows as summary_rows

_HOMES = {
    "Dataset": "stemsplit.evaluation.data.dataset",
    "EvaluationOptions": "stemsplit.evaluation.run_options",
    "MetricOptions": "stemsplit.evaluation.options",
    "MetricSummary": "stemsplit.evaluation.aggregation",
    "ModelCandidate": "stemsplit.evaluation.candidates",
    "QualityMeter": "stemsplit.evaluation.quality",
    "StemScores": "stemsplit.evaluation.scores",
    "Track": "stemsplit.evaluation.data.dataset",
    "TrackScores": "stemsplit.evaluation.scores",
    "bss_eval": "stemsplit.evaluation.bss",
    "aggregate": "stemsplit.evaluation.aggregation",
    "evaluate": "stemsplit.evaluation.runner",
    "open_dataset": "stemsplit.evaluation.data.find",
    "score_sources": "stemsplit.evaluation.scoring",
    "score_track": "stemsplit.evaluation.scoring",
    "summary_rows": "stemsplit.evaluation.summary",
    "si_sdr": "stemsplit.evaluation.metrics",
    "usdr": "stemsplit.evaluation.metrics",
    "windowed_sdr": "stemsplit.evaluation.metrics",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stemsplit.evaluation' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
