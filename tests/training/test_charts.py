"""What is drawn of a run while it runs, and what happens when it cannot be."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from stemsplit.errors import CheckpointError, ConfigError
from stemsplit.training import charts
from stemsplit.training.curves import Curves
from stemsplit.training.event_file import EventFile
from stemsplit.training.events import Event, Notice, Validated
from stemsplit.training.run import RunOptions, train
from stemsplit.training.run_folder import RunFolder
from tests.evaluation.test_pictures import read_png
from tests.training.runs import run, tiny_recipe


def curves_of(out: Path) -> Curves:
    curves = Curves(out / "log.jsonl")
    curves.update()
    return curves


def test_curves_of_a_run_that_went_on_are_whole(tmp_path: Path) -> None:
    out, pictures = tmp_path / "out", []

    def watch(event: Event) -> None:
        if isinstance(event, Validated):
            pictures.append((out / "curves.png").exists())

    run(tiny_recipe(tmp_path), out, watch=watch)
    assert pictures == [False, True]  # the second validation finds the curves of the first
    first = (out / "curves.png").read_bytes()
    run(tiny_recipe(tmp_path, "epochs=3"), out)
    second = (out / "curves.png").read_bytes()
    assert first != second
    assert read_png(second).shape == (860, 1200, 3)
    curves = curves_of(out)
    assert [step for step, _ in curves.loss["vocals"]] == [3, 6, 9]
    assert [step for step, _ in curves.sdr_db["vocals"]] == [3, 6, 9]
    assert len(curves.learning_rate) == len(curves.gradient_norm) == 3
    assert len(list((out / "tensorboard").iterdir())) == 2


def test_a_log_is_json_whatever_is_in_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.log("x", a=float("nan"), b={"c": [float("-inf"), 1.5]}, d=Path("e"))

    def refuse(word: str) -> None:
        raise AssertionError(word)

    read = json.loads(folder.log_file.read_text(), parse_constant=refuse)
    assert (read["a"], read["b"], read["d"]) == (None, {"c": [None, 1.5]}, "e")


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(CheckpointError, match=r"log\.jsonl cannot be written: Is a directory"):
        RunFolder(tmp_path).log("x")


def test_what_cannot_be_drawn_is_said_once_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EventFile, "add", fail)
    monkeypatch.setattr(charts, "write_bytes", fail)
    finished, events = run(tiny_recipe(tmp_path), tmp_path / "out")
    assert finished.is_complete
    warnings = [event.message for event in events if isinstance(event, Notice)]
    assert len(warnings) == 2
    assert any("curves of this run cannot be written" in text for text in warnings)
    assert all("No space left on device" in text for text in warnings)


class FakeWandb(types.ModuleType):
    """Keeps what it is given."""

    Error = type("Error", (Exception,), {})

    def __init__(self) -> None:
        super().__init__("wandb")
        self.settings: list[dict[str, Any]] = []
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.id = "abc"

    def init(self, **settings: Any) -> "FakeWandb":
        self.settings.append(settings)
        return self

    def log(self, values: dict[str, float], *, step: int) -> None:
        self.logged.append((step, values))


def test_numbers_go_to_wandb_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    options = RunOptions(out=tmp_path / "nn", device="cpu", wandb="music", offline=True)
    train(tiny_recipe(tmp_path), options)
    train(tiny_recipe(tmp_path, "epochs=3"), options)
    first, second = fake.settings
    assert (first["project"], first["name"], first["id"]) == ("music", "nn", None)
    assert (first["mode"], second["id"]) == ("offline", "abc")
    assert first["config"]["batch_size"] == 2
    assert [step for step, _ in fake.logged] == [3, 3, 6, 6, 9, 9]
    assert {"loss/all", "loss/vocals", "learning rate", "gradient norm"} <= set(fake.logged[0][1])
    assert set(fake.logged[1][1]) == {
        f"SDR/{n}" for n in ("all", "drums", "bass", "other", "vocals")
    }


def test_a_missing_wandb_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    options = RunOptions(out=tmp_path / "nn", device="cpu", wandb="music")
    with pytest.raises(ConfigError, match="pip install wandb"):
        train(tiny_recipe(tmp_path), options)
    assert not (tmp_path / "nn").exists()
