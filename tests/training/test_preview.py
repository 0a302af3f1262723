"""What a preview writes is what a training hears."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemsplit.errors import ConfigError, DatasetError
from stemsplit.training.events import Event, SongLabelled
from stemsplit.training.hearing import Batch, Hearing
from stemsplit.training.preview import preview
from tests.audio.material import read_samples
from tests.cli.tiny import write_song as write_noise
from tests.cli.tiny import write_tiny_model
from tests.training.runs import run, tiny_recipe

AUGMENTED = (
    *("augment.gain.probability=1", "augment.remix=1", "augment.flip_sign=0.5"),
    *("augment.shift.seconds=0.1", "network.stems=vocals,drums"),
)


def test_a_preview_is_what_a_training_hears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(tmp_path, *AUGMENTED, "epochs=1")
    heard: dict[int, Batch] = {}
    make = Hearing.batch

    def note(hearing: Hearing, excerpts: Tensor, step: int) -> Batch:
        heard[step] = make(hearing, excerpts, step)
        return heard[step]

    monkeypatch.setattr(Hearing, "batch", note)
    run(recipe, tmp_path / "out")
    trained = dict(heard)
    written = list(preview(recipe, tmp_path / "heard", num_excerpts=5))
    assert [(one.step, one.place) for one in written] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    for one in written:
        files = {file.stem: read_samples(file) for file in one.files}
        assert list(files) == ["mix", "vocals", "drums", "rest"]
        gain = 10 ** (one.gain_db / 20)
        # The gain is rounded to a float of 32 bits once more.
        torch.testing.assert_close(
            files["mix"], gain * trained[one.step].mix[one.place], rtol=1e-6, atol=1e-7
        )
        assert max(signal.abs().max() for signal in files.values()) <= 1
        mix = files.pop("mix")
        torch.testing.assert_close(torch.stack(list(files.values())).sum(0), mix, rtol=0, atol=1e-6)


def test_songs_that_a_teacher_labels_are_heard_too(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "wise.safetensors")
    write_noise(tmp_path / "loose" / "tune.wav", 1.5)
    recipe = tiny_recipe(
        tmp_path,
        *(f"teacher.model={model}", f"teacher.sources={tmp_path}/loose", "teacher.weight=1e6"),
        *("network.stems=vocals,drums", "data.segment_seconds=1.5"),
    )
    events: list[Event] = []
    (one,) = preview(recipe, tmp_path / "heard", num_excerpts=1, on_event=events.append)
    assert [event.name for event in events if isinstance(event, SongLabelled)] == ["tune"]
    mix = read_samples(one.files[0]) / 10 ** (one.gain_db / 20)
    tune = read_samples(tmp_path / "loose" / "tune.wav")
    level = tune.mean(0).std(correction=0)
    torch.testing.assert_close(level * mix, tune, rtol=0, atol=1e-4)  # of 16 bits, three signals
    again: list[Event] = []
    list(preview(recipe, tmp_path / "again", num_excerpts=1, on_event=again.append))
    assert not [event for event in again if isinstance(event, SongLabelled)]


def test_a_song_that_is_all_stems_has_no_rest(tmp_path: Path) -> None:
    (one,) = preview(tiny_recipe(tmp_path), tmp_path / "heard", num_excerpts=1)
    assert [file.name for file in one.files] == [
        *("mix.wav", "drums.wav", "bass.wav", "other.wav", "vocals.wav")
    ]


def test_nothing_is_written_into_a_folder_with_other_things(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    with pytest.raises(ConfigError, match="not empty"):
        list(preview(recipe, tmp_path / "music"))
    empty = tiny_recipe(tmp_path, "data.sources=[]")
    with pytest.raises(DatasetError, match="nothing to train with"):
        list(preview(empty, tmp_path / "heard"))
    assert not (tmp_path / "heard").exists()
