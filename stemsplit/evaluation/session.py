"""One evaluation from what a user named to files: what `stemsplit eval` does."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stemsplit.checkpoints.describe import ModelDescription, describe_model
from stemsplit.checkpoints.export import numbered
from stemsplit.errors import ConfigError, DatasetError, suggest
from stemsplit.evaluation.calibration import calibrate
from stemsplit.evaluation.candidates import (
    Candidate,
    EstimatesCandidate,
    LoadSeparator,
    ModelCandidate,
)
from stemsplit.evaluation.comparison import (
    check_comparable,
    check_floor_names,
    check_floors,
    compare_results,
)
from stemsplit.evaluation.data.dataset import Dataset
from stemsplit.evaluation.data.derived import WITHOUT_VOCALS, left_out_of
from stemsplit.evaluation.data.find import open_dataset
from stemsplit.evaluation.estimates import find_estimates
from stemsplit.evaluation.events import EvaluationSink
from stemsplit.evaluation.output import Findings, check_folder, write_files
from stemsplit.evaluation.results import EvaluationResult, read_result
from stemsplit.evaluation.run_options import TRACKS_NAME, EvaluationOptions
from stemsplit.evaluation.runner import Evaluation, evaluate
from stemsplit.evaluation.stem_plan import REMAINDER, plan_stems
from stemsplit.evaluation.store import ResultStore
from stemsplit.separation.options import SeparationOptions


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user wants to know."""

    data: str
    """Folder or name of a data set."""
    split: str | None
    models: tuple[str, ...]
    """Names, as `--model` takes them."""
    estimates: tuple[Path, ...]
    """Folders of finished stems."""
    separation: SeparationOptions
    evaluation: EvaluationOptions
    floors: Mapping[str, float]
    """Stem to the least value that is good enough."""
    compare: Path | None
    """JSON of an earlier evaluation."""
    repo: Path | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        if not self.models and not self.estimates:
            raise ConfigError(
                "There is nothing to evaluate: give --model NAME, or --estimates DIR with finished"
                " stems."
            )


@dataclass(frozen=True, kw_only=True)
class Session:
    """An evaluation that has been checked and can begin."""

    request: Request
    dataset: Dataset
    models: tuple[ModelDescription, ...]
    estimates: tuple[EstimatesCandidate, ...]
    old: EvaluationResult | None = None
    """The earlier evaluation to compare with."""

    def candidates(self, load: LoadSeparator) -> tuple[Candidate, ...]:
        """What is evaluated.

        Args:
            load: loads the model of a name with options.
        """
        names = _distinct([model.name for model in self.models])
        models = [
            ModelCandidate(name, model, _options(self.request, model), _named(load, given))
            for name, model, given in zip(names, self.models, self.request.models, strict=True)
        ]
        return (*models, *self.estimates)


def prepare(request: Request) -> Session:
    """Check everything that can be checked before any work.

    Raises:
        StemsplitError: a model, the data set, the finished stems, the earlier evaluation, a floor
            or the output folder cannot be used.
    """
    models = tuple(
        describe_model(name, repo=request.repo, offline=request.offline) for name in request.models
    )
    for model in models:
        _options(request, model).output_stems(model.name, model.stems)
    old = None if request.compare is None else read_result(request.compare)
    check_folder(request.evaluation.folder)
    dataset = open_dataset(request.data, request.split)
    if not dataset.tracks:
        raise DatasetError(f"{dataset.path} holds no tracks.")
    session = Session(
        request=request,
        dataset=dataset,
        models=models,
        estimates=tuple(_estimates(request.estimates, dataset)),
        old=old,
    )
    _check_baseline(request.evaluation.baseline, session)
    _check_judgements(session)
    return session


def run(
    session: Session, load: LoadSeparator, *, on_event: EvaluationSink, cancel: threading.Event
) -> tuple[Findings, list[Path]]:
    """Evaluate, judge and write the files.

    Args:
        session: what was prepared.
        load: loads the model of a name with options.
        on_event: told everything that happens.
        cancel: set it from another thread to stop.

    Returns:
        What was found, and the files.

    Raises:
        StemsplitError: see `stemsplit.evaluation.runner.evaluate`; or a file cannot be written.
    """
    candidates = session.candidates(load)
    options = session.request.evaluation
    store = ResultStore(options.folder / TRACKS_NAME)
    done = evaluate(
        session.dataset, candidates, options, store=store, on_event=on_event, cancel=cancel
    )
    findings = Findings(
        result=done.result,
        comparison=None if session.old is None else compare_results(done.result, session.old),
        shortfalls=check_floors(done.result, session.request.floors),
        calibration=calibrate(done.result) if options.is_judging else (),
    )
    return findings, write_files(findings, options.folder, _excerpts(done, store))


def _excerpts(
    done: Evaluation, store: ResultStore
) -> Callable[[str, str], Mapping[str, Any] | None]:
    def find(candidate: str, track: str) -> Mapping[str, Any] | None:
        facts = store.find(done.keys[candidate, track])
        return None if facts is None else facts["excerpt"]

    return find


def _estimates(folders: Iterable[Path], dataset: Dataset) -> Iterable[EstimatesCandidate]:
    tracks = [track.name for track in dataset]
    sums = (*WITHOUT_VOCALS, *(f"no_{stem}" for stem in dataset.stems))
    stems = tuple(dict.fromkeys((*dataset.stems, REMAINDER, *sums)))
    found = [
        (name, folder, files)
        for folder in folders
        for name, files in find_estimates(folder, tracks=tracks, stems=stems).items()
    ]
    names = _distinct([name for name, _, _ in found])
    for name, (_, folder, files) in zip(names, found, strict=True):
        yield EstimatesCandidate(name, folder, files)


def _options(request: Request, model: ModelDescription) -> SeparationOptions:
    """How a model is run: what is left of the mix is not asked of one that says it by itself."""
    two_stems = request.evaluation.two_stems
    if any(left_out_of(stem) == two_stems for stem in model.stems):
        two_stems = None
    return replace(request.separation, two_stems=two_stems)


def _check_judgements(session: Session) -> None:
    """Find out now what could not be compared or held against a floor after hours of work."""
    request, dataset = session.request, session.dataset
    options = request.evaluation
    have = {
        one.name: _options(request, one).output_stems(one.name, one.stems) for one in session.models
    }
    plans = plan_stems(
        dataset.stems,
        {**have, **{one.name: one.stems for one in session.estimates}},
        wanted=options.stems,
        two_stems=options.two_stems,
    )
    check_floor_names(request.floors, next(iter(plans.values())).stems)
    if session.old is not None:
        check_comparable(
            session.old,
            data=dataset.key,
            metric=options.metric,
            metric_options=asdict(options.metrics),
        )


def _check_baseline(baseline: str | None, session: Session) -> None:
    models = _distinct([model.name for model in session.models])
    names = [*models, *(one.name for one in session.estimates)]
    if len(set(names)) < len(names):
        raise ConfigError(f"Two candidates have one name: {', '.join(names)}.")
    if baseline is not None and baseline not in names:
        raise ConfigError(
            f"--baseline {baseline!r} is not among {', '.join(names)}.{suggest(baseline, names)}"
        )


def _distinct(names: Sequence[str]) -> list[str]:
    return numbered(names, " (", ")")


def _named(load: LoadSeparator, given: str) -> LoadSeparator:
    """Loads by what the user typed, which may be a path."""
    return lambda _, options: load(given, options)
