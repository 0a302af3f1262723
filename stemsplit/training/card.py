"""The model card of a run: what was trained on what, how it was scored, how to use it."""

from stemsplit.training.corpus import Corpus
from stemsplit.training.recipe_files import recipe_hash
from stemsplit.training.run_folder import RunFolder
from stemsplit.training.setup import TrainingPlan
from stemsplit.training.state import Ancestor
from stemsplit.training.trainer import Progress

NO_TERMS = "State the licence of these weights here. It depends on that of the music."
USE = "## Use"

_HOLES = (
    "The network was trained to fill holes in spectrograms: a start for trainings, and no use to "
    "separate with. Its SDR is that of logarithms of magnitudes inside the holes, 0 dB for a "
    "network that knows nothing."
)


def write_card(
    folder: RunFolder,
    plan: TrainingPlan,
    corpus: Corpus,
    progress: Progress,
    ancestor: Ancestor | None = None,
) -> None:
    """Write the model card of a run that has ended or was stopped."""
    folder.write_card("\n".join(_lines(folder, plan, corpus, progress, ancestor)) + "\n")


def _lines(
    folder: RunFolder,
    plan: TrainingPlan,
    corpus: Corpus,
    progress: Progress,
    ancestor: Ancestor | None,
) -> list[str]:
    config, name = plan.config, folder.path.resolve().name
    is_start = plan.recipe.task == "reconstruct"
    songs = sum(len(part.songs) for part in corpus.training)
    hours = corpus.training_samples / config.sample_rate / 3600
    lines = [
        f"# {name}",
        "",
        f"{plan.network.name} ({plan.architecture}) for {', '.join(config.stems)}, "
        f"{config.channels} channels at {config.sample_rate} Hz. {plan.network.summary}",
        "",
        "## Trained on",
        "",
        f"{', '.join(corpus.names)}: {songs} songs, {hours:.2f} hours. "
        f"Validated with {len(corpus.validation)} songs that were kept apart.",
        "",
        *(line for text in corpus.about for line in (text, "")),
        f"{progress.step} of {plan.total_steps} steps, {progress.audio_seconds / 3600:.2f} hours "
        f"of music heard, in {progress.seconds / 3600:.2f} hours. The recipe is recipe.toml, "
        f"hash {recipe_hash(plan.recipe)}.",
        "",
        "## Scores",
        "",
    ]
    if progress.best:
        lines += [
            f"| step | SDR, mean over {'' if is_start else 'stems and '}songs (dB) |",
            "|---|---|",
        ]
        lines += [f"| {one.step} | {one.sdr_db:.2f} |" for one in progress.best]
    else:
        lines.append("None yet.")
    lines += [
        "",
        _HOLES if is_start else _about_sdr(plan),
        "",
        "## Terms",
        "",
        NO_TERMS,
        *_inherited(ancestor),
        "",
        USE,
        "",
        "```sh",
        *(_fine_tune(folder) if is_start else _separate(folder, name)),
        "```",
    ]
    return lines


def _about_sdr(plan: TrainingPlan) -> str:
    seconds = plan.recipe.validation.max_seconds
    what = "whole validation songs"
    if seconds is not None:
        what = f"the middle {seconds:g} s of each validation song"
    text = f"SDR is that of {what} (uSDR); `stemsplit eval` measures all others."
    weights = plan.recipe.loss.stem_weights
    if weights:
        pairs = zip(plan.config.stems, weights, strict=True)
        counts = ", ".join(f"{stem} {weight:g}" for stem, weight in pairs)
        text += f" In the mean, stems count as in the loss: {counts}."
    return text


def _separate(folder: RunFolder, name: str) -> list[str]:
    return [
        f"stemsplit models add {folder.path} --name {name}",
        f"stemsplit song.mp3 --model {name}",
    ]


def _fine_tune(folder: RunFolder) -> list[str]:
    return [f"stemsplit train --from {folder.path} --data musdb --out runs/fine-tuned"]


def _inherited(ancestor: Ancestor | None) -> list[str]:
    if ancestor is None:
        return []
    terms = ancestor.licence or "not stated"
    return ["", f"The weights were at first those of {ancestor.name}, whose terms are: {terms}"]
