"""What a preview writes is what a training hears."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemsplit.errors import ConfigError, DatasetError
from stemsplit.training.learner import Batch, Learner
from stemsplit.training.preview import preview
from tests.audio.material import read_samples
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
    prepare = Learner.prepare

    def note(learner: Learner, excerpts: Tensor, step: int) -> Batch:
        heard[step] = prepare(learner, excerpts, step)
        return heard[step]

    monkeypatch.setattr(Learner, "prepare", note)
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
