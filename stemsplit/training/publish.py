"""Makes a folder for the hub out of a run, or out of any other model."""

from dataclasses import replace
from pathlib import Path

from stemsplit.checkpoints.export import write_text
from stemsplit.checkpoints.obtain import ProgressSink
from stemsplit.checkpoints.publish import Card, PublishedFolder, Scores, publish, use_lines
from stemsplit.errors import CheckpointError
from stemsplit.training.card import NO_TERMS, USE
from stemsplit.training.recipe import SourceSection, TrainingRecipe
from stemsplit.training.recipe_files import load_recipe, recipe_to_toml
from stemsplit.training.run_folder import RunFolder
from stemsplit.training.run_log import log_entries


def publish_model(
    name: str,
    folder: Path,
    *,
    repository: str,
    licence: str | None = None,
    offline: bool = False,
    progress: ProgressSink | None = None,
) -> PublishedFolder:
    """Write a folder that is ready for a repository of the hub.

    Of a run, the card is that of its folder, with whatever the user wrote into it, and the recipe
    comes along, without the paths of this machine.

    Args:
        name: folder of a run, or a model as `--model` takes it.
        folder: where to write; new or empty.
        repository: `owner/name` on the hub.
        licence: terms of the weights, if they do not state any.
        offline: whether fetching is forbidden.
        progress: told about every piece of a download that arrives.

    Raises:
        UnknownModelError: nothing has this name.
        ConfigError: no terms are stated, or the repository cannot be called so.
        CheckpointError: the folder is not empty or cannot be written, the run has no weights or no
            card yet, or weights cannot be had.
    """
    run = RunFolder(Path(name))
    if not run.is_begun:
        return publish(
            name,
            folder,
            repository=repository,
            licence=licence,
            offline=offline,
            progress=progress,
        )
    if not run.best.is_file():
        raise CheckpointError(f"{name} has no weights yet: they come with the first validation.")
    recipe = load_recipe(run.recipe)
    written = publish(
        str(run.best),
        folder,
        repository=repository,
        licence=licence,
        card=lambda terms: Card(text=_card(run, repository, terms), scores=_scores(run, recipe)),
        offline=offline,
    )
    file = folder / "recipe.toml"
    write_text(file, recipe_to_toml(_without_paths(recipe)))
    return replace(written, files=(*written.files, file))


def _card(run: RunFolder, repository: str, terms: str) -> str:
    """The card of a run, for people who have it from the hub."""
    path = run.path / "README.md"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} cannot be read: {error}. It is written when the run ends or is stopped."
        ) from error
    before, _, _ = text.replace(NO_TERMS, terms).partition(f"{USE}\n")
    return before + "\n".join(use_lines(repository)) + "\n"


def _scores(run: RunFolder, recipe: TrainingRecipe) -> Scores | None:
    """The best of the log."""
    text = run.log_file.read_bytes() if run.log_file.exists() else b""
    validated = [event for event in log_entries(text) if event["kind"] == "Validated"]
    scored = [event for event in validated if isinstance(event["sdr_db"], float)]
    if not scored:
        return None
    best = max(scored, key=lambda event: (event["sdr_db"], event["step"]))
    sources = recipe.validation.sources or recipe.data.sources
    names = " and ".join(Path(source.path).name for source in sources)
    return Scores(
        data=f"validation songs of {names}", sdr_db=best["sdr_db"], stems_db=best["stems_db"]
    )


def _without_paths(recipe: TrainingRecipe) -> TrainingRecipe:
    """The recipe with names in place of the paths of this machine."""

    def named(sources: tuple[SourceSection, ...]) -> tuple[SourceSection, ...]:
        return tuple(replace(source, path=Path(source.path).name) for source in sources)

    start, teacher, validation = recipe.start, recipe.teacher, recipe.validation
    loss, pretrain = recipe.loss, recipe.pretrain
    return replace(
        recipe,
        data=replace(recipe.data, sources=named(recipe.data.sources), cache_dir=None),
        validation=replace(validation, sources=named(validation.sources)),
        start=replace(start, model=_model_name(start.model)),
        loss=replace(loss, perceptual_model=_model_name(loss.perceptual_model)),
        teacher=replace(
            teacher,
            model=_model_name(teacher.model),
            sources=tuple(Path(path).name for path in teacher.sources),
        ),
        pretrain=replace(pretrain, sources=tuple(Path(path).name for path in pretrain.sources)),
        network=replace(recipe.network, name=Path(recipe.network.name).name),
    )


def _model_name(model: str | None) -> str | None:
    """What a model is called elsewhere: names of the catalogue and of the hub stay as they are."""
    return model if model is None or model.startswith("hf:") else Path(model).name
