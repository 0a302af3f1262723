"""Models that are each best at some stems become one."""

from pathlib import Path

import pytest

from stemsplit.checkpoints.describe import describe_model
from stemsplit.checkpoints.load import load_model
from stemsplit.checkpoints.specialists import join_specialists
from stemsplit.errors import CheckpointError, ConfigError, UnknownModelError
from tests.checkpoints import tiny
from tests.checkpoints.test_load import assert_seed


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Three models, of which the last is a bag of two."""
    for seed, name in enumerate(("a", "b", "c", "d")):
        tiny.write_own(tmp_path / f"{name}.safetensors", seed=seed)
    (tmp_path / "pair.yaml").write_text("models: [c, d]\nweights: [[1, 1, 3, 0], [0, 1, 1, 2]]\n")
    return [str(tmp_path / name) for name in ("a.safetensors", "b.safetensors", "pair.yaml")]


def test_every_stem_comes_from_the_model_named_for_it(runs: list[str], tmp_path: Path) -> None:
    first, second, _ = runs
    named = [("vocals", first), ("drums", second), ("bass", second), ("other", first)]
    written = join_specialists(tmp_path / "bag", named)
    assert sorted(file.name for file in written.files) == [
        "bag.yaml",
        "drums-bass.safetensors",
        "other-vocals.safetensors",
    ]
    model = load_model(str(tmp_path / "bag"), offline=True)
    assert model.stem_weights == ((0.0, 0.0, 1.0, 1.0), (1.0, 1.0, 0.0, 0.0))
    assert_seed(model, 0, seed=0)
    assert_seed(model, 1, seed=1)
    assert describe_model(str(tmp_path / "bag")).name == "bag"


def test_the_rest_comes_from_one_model(runs: list[str], tmp_path: Path) -> None:
    join_specialists(tmp_path / "bag", [("vocals", runs[1])], others=runs[0])
    model = load_model(str(tmp_path / "bag"), offline=True)
    assert model.stem_weights == ((0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0, 0.0))
    assert_seed(model, 0, seed=1)


def test_of_a_bag_only_what_has_a_say_is_taken(runs: list[str], tmp_path: Path) -> None:
    join_specialists(tmp_path / "bag", [("vocals", runs[2]), ("other", runs[2])], others=runs[0])
    model = load_model(str(tmp_path / "bag"), offline=True)
    assert model.stem_weights == (
        (0.0, 0.0, 0.75, 0.0),
        (0.0, 0.0, 0.25, 1.0),
        (1.0, 1.0, 0.0, 0.0),
    )
    assert_seed(model, 0, seed=2)


def test_models_for_the_same_stem_are_averaged(runs: list[str], tmp_path: Path) -> None:
    named = [("vocals", runs[0]), ("vocals", runs[1])]
    join_specialists(tmp_path / "bag", named, others=runs[0])
    model = load_model(str(tmp_path / "bag"), offline=True)
    assert model.stem_weights == ((1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stems": ["vocals", "other"]}, r"differ in their stems: drums, bass, other, vocals, and"),
        ({"samplerate": 48_000}, "differ in their sample rate: 44100, and 48000"),
        ({"audio_channels": 1}, "differ in their channels: 2, and 1"),
    ],
)
def test_models_that_do_not_fit_together_are_refused(
    runs: list[str], tmp_path: Path, change: dict[str, object], message: str
) -> None:
    other = tiny.write_own(tmp_path / "o.safetensors", kwargs=tiny.options(**change))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        join_specialists(tmp_path / "bag", [("vocals", runs[0])], others=str(other))
    assert not (tmp_path / "bag").exists()


def test_what_is_asked_for_must_make_sense(runs: list[str], tmp_path: Path) -> None:
    everything = [(stem, runs[0]) for stem in tiny.STEMS]
    for named, others, message in (
        ([("vocal", runs[0])], runs[1], r"no stem 'vocal'.*Did you mean vocals"),
        ([("vocals", runs[0])], None, "No model was named for drums, bass, other: add --stem"),
        (everything, runs[1], "nothing is left for"),
    ):
        with pytest.raises(ConfigError, match=message):
            join_specialists(tmp_path / "bag", named, others=others)
    with pytest.raises(UnknownModelError, match="There is no file"):
        join_specialists(tmp_path / "bag", [("vocals", "runs/nowhere")])
    assert not (tmp_path / "bag").exists()


def test_a_folder_with_a_model_is_left_alone(runs: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "bag"
    join_specialists(folder, [("vocals", runs[0])], others=runs[1])
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(CheckpointError, match="is there already"):
        join_specialists(folder, [("drums", runs[1])], others=runs[0])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_faulty_model_leaves_nothing_behind(runs: list[str], tmp_path: Path) -> None:
    faulty = Path(runs[1])
    faulty.write_bytes(faulty.read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        join_specialists(tmp_path / "bag", [("vocals", runs[0])], others=str(faulty))
    assert list((tmp_path / "bag").glob("*")) == []
