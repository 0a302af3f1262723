"""Learning from what another model makes of music without stems."""

import shutil
import threading
from collections import namedtuple
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stemsplit.checkpoints.load import load_model
from stemsplit.checkpoints.weights import read_info
from stemsplit.errors import AudioError, Cancelled, ConfigError, DatasetError
from stemsplit.evaluation.data.musdb import TEST_TRACKS
from stemsplit.evaluation.inspection import SongInspector
from stemsplit.models.base import ModelConfig
from stemsplit.separation.separator import Separator
from stemsplit.training import teacher as teaching
from stemsplit.training.events import Event, Notice, Preflight, SongLabelled
from stemsplit.training.excerpts import Excerpts, SongSet
from stemsplit.training.pcm_cache import CachedSong, PcmCache
from stemsplit.training.recipe import (
    SourceSection,
    TeacherSection,
    TrainingRecipe,
    ValidationSection,
)
from stemsplit.training.run import RunOptions, train
from stemsplit.training.songs import FileSong
from stemsplit.training.teacher import Teacher, plan_labels
from tests.audio.material import write_wav
from tests.cli.tiny import write_song, write_tiny_model
from tests.training.runs import run, tiny_recipe
from tests.training.sets import RATE, STEMS
from tests.training.sets import write_song as write_set_song

ALL = slice(None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    return write_tiny_model(folder / "wise.safetensors", trained_sets=("musdb:test",))


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for number in range(3):
        write_song(tmp_path / "loose" / f"tune {number}.wav", 1.5 + number / 4)
    return tmp_path / "loose"


def teacher_of(
    model: Path, music: Path, cache: Path, *, stems: Sequence[str] = STEMS, **section: Any
) -> Teacher:
    return Teacher(
        TeacherSection(model=str(model), sources=(str(music),), **section),
        ModelConfig(sample_rate=RATE, stems=tuple(stems)),
        cache,
        torch.device("cpu"),
    )


def recipe_of(folder: Path, model: Path, *sources: Path, **changes: Any) -> TrainingRecipe:
    section = TeacherSection(model=str(model), sources=tuple(map(str, sources)), **changes)
    return replace(tiny_recipe(folder), teacher=section)


def scores_of(teacher: Teacher) -> dict[str, float]:
    found: dict[str, float] = {}

    def note(done: int, total: int, name: str, score: float) -> None:
        found[name] = score

    teacher.label(ALL, on_labelled=note)
    return found


def count_separations(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The songs that are separated from now on."""
    separated: list[Path] = []
    prepare = Separator.prepare

    def count(self: Separator, path: Path, **options: Any) -> Any:
        separated.append(path)
        return prepare(self, path, **options)

    monkeypatch.setattr(Separator, "prepare", count)
    return separated


def test_labels_are_what_the_model_separates(model: Path, music: Path, tmp_path: Path) -> None:
    teacher = teacher_of(model, music, tmp_path / "cache")
    teacher.label(ALL)
    songs = teacher.labelled().songs.songs
    assert [song.name for song in songs] == ["tune 0", "tune 1", "tune 2"]
    mix = torch.cat(list(Separator(str(model)).prepare(music / "tune 1.wav").open_blocks()), -1)
    separated = Separator(str(model)).separate(mix, RATE).stems
    read = songs[1].read(0, mix.shape[-1])
    expected = torch.stack([separated[stem] for stem in STEMS])
    assert isinstance(songs[1], CachedSong)
    step = songs[1].facts["scale"] / 32_767  # of 16 bits
    torch.testing.assert_close(read[:-1], expected, rtol=0, atol=0.51 * step)
    # The network hears the song itself; five signals are rounded.
    torch.testing.assert_close(read.sum(0), mix, rtol=0, atol=5 * 0.51 * step)
    assert songs[1].num_samples == mix.shape[-1]
    assert songs[1].level == pytest.approx(mix.mean(0).std().item(), rel=1e-3)


def test_songs_come_at_the_rate_and_with_the_channels_of_the_network(
    model: Path, tmp_path: Path
) -> None:
    tone = 0.3 * torch.sin(torch.arange(24_000) / 20)[None]
    (tmp_path / "loose").mkdir()
    write_wav(tmp_path / "loose" / "a.wav", tone, 16_000)
    teacher = teacher_of(model, tmp_path / "loose", tmp_path / "cache")
    teacher.label(ALL)
    (song,) = teacher.labelled().songs.songs
    assert song.num_samples == 12_000
    assert song.read(0, 100).shape == (5, 2, 100)
    inside = song.read(1000, 10_000).sum(0)
    expected = tone[:, 2000:22_000:2].expand(2, -1)
    torch.testing.assert_close(inside, expected, rtol=0, atol=1e-3)  # of the resampling


def test_labels_are_made_once_whatever_score_is_asked_for(
    model: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    separated = count_separations(monkeypatch)
    teacher = teacher_of(model, music, tmp_path / "cache")
    teacher.label(slice(0, None, 2))
    assert teacher.labelled().num_missing == 1
    teacher.label(slice(1, None, 2))
    assert len(separated) == 3
    strict = teacher_of(model, music, tmp_path / "cache", min_score=1, weight=3.0)
    strict.label(ALL)
    assert len(separated) == 3
    # Another stem, another model and a changed song are other labels.
    teacher_of(model, music, tmp_path / "cache", stems=("vocals",)).label(ALL, most=1)
    other = write_tiny_model(tmp_path / "other.safetensors", seed=1)
    teacher_of(other, music, tmp_path / "cache").label(ALL, most=1)
    write_song(music / "tune 0.wav", 1.25)
    teacher_of(model, music, tmp_path / "cache").label(ALL)
    assert len(separated) == 6


def test_songs_below_the_least_score_are_left_out_by_name(
    model: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = iter([40, 70, 90])

    class Inspector(SongInspector):
        def finish(self) -> Any:
            worst = next(judged)
            quality = super().finish()
            scores = dict.fromkeys(quality, 95) | {"bass": worst}
            return {name: replace(one, score=scores[name]) for name, one in quality.items()}

    monkeypatch.setattr(teaching, "SongInspector", Inspector)
    teacher = teacher_of(model, music, tmp_path / "cache", min_score=70, weight=2.5)
    assert scores_of(teacher) == {"tune 0": 40, "tune 1": 70, "tune 2": 90}
    found = teacher.labelled()
    assert [song.name for song in found.songs.songs] == ["tune 1", "tune 2"]
    assert found.left_out == ("tune 0 (40)",)
    assert found.songs.weight == 2.5
    with pytest.raises(DatasetError, match=r"None of 3 songs .*min_score=91; the best has 90"):
        teacher_of(model, music, tmp_path / "cache", min_score=91).labelled()


@pytest.mark.parametrize(
    ("available", "wanted", "parts", "leftover", "needed"),
    [
        (("a", "b"), ("a",), (("a",), ("b",)), 1, {"a"}),
        (STEMS, ("vocals", "instrumental"), None, 1, {"vocals"}),
        (STEMS, ("instrumental",), None, 0, {"vocals"}),
        (("vocals",), ("no_vocals", "vocals"), None, 0, {"vocals"}),
        (("vocals", "drums"), ("vocals", "other"), None, 1, {"vocals", "drums"}),
        (STEMS, STEMS, None, 4, set(STEMS)),
    ],
)
def test_stems_that_the_model_lacks_are_what_others_leave(
    available: tuple[str, ...],
    wanted: tuple[str, ...],
    parts: object,
    leftover: int,
    needed: set[str],
) -> None:
    plan = plan_labels(available, wanted)
    assert (plan.leftover, plan.needed) == (leftover, needed)
    if parts is not None:
        assert plan.parts == parts
    stems = {name: torch.full((1, 2), 10.0**place) for place, name in enumerate(available)}
    mix = torch.full((1, 2), 5e5)
    rows = plan.signals(stems, mix)
    assert rows.shape == (len(wanted) + 1, 1, 2)
    assert torch.equal(rows.sum(0), mix)
    for row, name in zip(rows, wanted, strict=False):
        if name in available:
            assert torch.equal(row, stems[name])
    if "vocals" in stems and leftover < len(wanted) and wanted[leftover] != "other":
        assert torch.equal(rows[leftover], mix - stems["vocals"])


def test_a_model_without_a_stem_cannot_teach_it(model: Path, music: Path, tmp_path: Path) -> None:
    teacher = teacher_of(model, music, tmp_path / "cache", stems=("vocals", "piano"))
    with pytest.raises(ConfigError, match="wise cannot be the teacher: it has no stem piano"):
        _ = teacher.plan


def test_a_broken_file_is_fatal_or_left_out_by_name(
    model: Path, music: Path, tmp_path: Path
) -> None:
    whole = (music / "tune 1.wav").read_bytes()
    (music / "tune 1.wav").write_bytes(whole[:9000])
    (music / "tune 2.wav").write_bytes(b"RIFF")
    teacher = teacher_of(model, music, tmp_path / "cache")
    with pytest.raises(AudioError, match=r"tune 1\.wav.*ends early"):
        teacher.label(ALL)
    teacher.skip_broken = True
    teacher.label(ALL)
    found = teacher.labelled()
    assert [song.name for song in found.songs.songs] == ["tune 0"]
    assert sorted(message[-60:] for message in teacher.broken) != []
    assert {
        name for name in ("tune 1", "tune 2") if any(name in one for one in teacher.broken)
    } == {
        "tune 1",
        "tune 2",
    }
    assert len(list((tmp_path / "cache").iterdir())) == 1  # nothing half made


def test_a_folder_without_music_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="no audio files in this folder"):
        _ = teacher_of(model, tmp_path / "empty", tmp_path / "cache").music.tracks


def test_a_disk_without_room_is_named_before_the_work(
    model: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(DatasetError, match=r"labels of 3 songs need 0\.0 GB more"):
        teacher_of(model, music, tmp_path / "cache").label(ALL)


def test_labelling_can_be_stopped_between_blocks(model: Path, music: Path, tmp_path: Path) -> None:
    teacher = teacher_of(model, music, tmp_path / "cache")

    def stop(done: int, total: int, name: str, score: float) -> None:
        teacher.cancel.set()

    with pytest.raises(Cancelled):
        teacher.label(ALL, on_labelled=stop)
    teacher.cancel = threading.Event()
    assert [song.name for song in teacher.labelled().songs.songs] == ["tune 0"]
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_sets_are_drawn_by_their_weights(model: Path, music: Path, tmp_path: Path) -> None:
    teacher = teacher_of(model, music, tmp_path / "cache", weight=3.0)
    teacher.label(ALL)
    track = write_set_song(tmp_path / "real", {"bass": torch.ones(2, 12_000)})
    song = PcmCache(tmp_path / "cache").get(FileSong(track, STEMS, 2, RATE))
    sets = [SongSet((song,), weight=1.0), teacher.labelled().songs]
    excerpts = Excerpts(sets, seed=0, num_samples=50)
    drawn = [bool((excerpts[number][1] > 0.999).all()) for number in range(400)]
    # 100 of 400 are expected; four deviations of sqrt(400 * 0.25 * 0.75) = 8.7.
    assert sum(drawn) == pytest.approx(100, abs=35)


@pytest.mark.parametrize("place", ["{name}.wav", "{name}/mixture.wav", "{name}/a/b.wav"])
@pytest.mark.parametrize("name", ["judge", sorted(TEST_TRACKS)[0].upper()])
def test_songs_to_judge_by_cannot_be_learnt_from_this_way(
    model: Path, tmp_path: Path, place: str, name: str
) -> None:
    write_song(tmp_path / "loose" / place.format(name=name))
    recipe = recipe_of(tmp_path, model, tmp_path / "loose")
    line = "would be learnt and validated with" if name == "judge" else "belongs to the test part"
    with pytest.raises(DatasetError, match=f"{name} {line}"):
        run(recipe, tmp_path / "out")
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").glob("*/song.json"))


def test_files_to_judge_by_cannot_be_learnt_from_under_another_name(
    model: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(tmp_path, model, tmp_path / "loose")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "mine.wav").symlink_to(
        tmp_path / "music" / "valid" / "judge" / "bass.wav"
    )
    with pytest.raises(DatasetError, match="mine would be learnt and validated with"):
        run(recipe, tmp_path / "out")


def test_a_run_learns_from_labelled_songs_and_says_so(
    model: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    separated = count_separations(monkeypatch)
    recipe, out = recipe_of(tmp_path, model, music, weight=2.0), tmp_path / "out"
    finished, events = run(recipe, out)
    assert finished.is_complete
    labelled = [event for event in events if isinstance(event, SongLabelled)]
    assert [(event.done, event.total, event.name) for event in labelled] == [
        (1, 3, "tune 0"),
        (2, 3, "tune 1"),
        (3, 3, "tune 2"),
    ]
    (found,) = [event for event in events if isinstance(event, Preflight)]
    assert (found.training_songs, found.validation_songs) == (6, 1)
    assert found.training_hours == pytest.approx((3 * 2 + 1.5 + 1.75 + 2) / 3600)
    card = (out / "README.md").read_text()
    assert "music:train, 3 songs labelled by wise: 6 songs" in card
    assert "The stems of 3 songs are those that wise separated" in card
    assert "wise was trained on: noise; its terms are: MIT." in card
    info = read_info(out / "best.safetensors")
    assert str(info.trained_on).endswith("music:train, 3 songs labelled by wise")
    assert info.trained_sets == ("musdb:test",)
    assert load_model(str(out)).stems == STEMS
    run(recipe_of(tmp_path, model, music, weight=2.0), out)  # goes on, at its end
    assert len(separated) == 3


def test_a_dry_run_labels_one_song(model: Path, music: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    options = RunOptions(out=tmp_path / "out", device="cpu", dry_run=True)
    train(recipe_of(tmp_path, model, music), options, on_event=events.append)
    told = [event.message for event in events if isinstance(event, Notice)]
    assert told == ["2 songs have no labels yet: a dry run makes those of one."]
    (found,) = [event for event in events if isinstance(event, Preflight)]
    assert found.training_songs == 4


def test_a_network_can_learn_from_a_teacher_alone(model: Path, music: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, model, music)
    judged = SourceSection(path=str(tmp_path / "music"), split="valid")
    recipe = replace(
        recipe,
        data=replace(recipe.data, sources=()),
        validation=ValidationSection(sources=(judged,)),
    )
    finished, events = run(recipe, tmp_path / "out")
    assert finished.is_complete
    (found,) = [event for event in events if isinstance(event, Preflight)]
    assert found.training_songs == 3
