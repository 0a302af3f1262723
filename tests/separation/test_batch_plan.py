import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stemsplit.errors import (
    AudioError,
    ConfigError,
    EncodeError,
    OutputConflictError,
    StemsplitError,
    UnknownModelError,
)
from stemsplit.models.base import STEMS_6
from stemsplit.separation.batch_plan import BatchPlan, plan_batch, remainder_stem
from stemsplit.separation.ledger import LEDGER_NAME, Ledger, mark_input
from stemsplit.separation.options import OutputOptions, SeparationOptions
from tests.separation.described import described

Plan = Callable[..., BatchPlan]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "song.mp3").write_bytes(b"music")
    return tmp_path


@pytest.fixture
def plan(folder: Path) -> Plan:
    def build(
        *inputs: str, model: str = "htdemucs", fingerprint: str = "f", **settings: Any
    ) -> Any:
        names = set(vars(OutputOptions()))
        return plan_batch(
            inputs or ("song.mp3",),
            model=described(model, fingerprint),
            options=SeparationOptions(**{k: v for k, v in settings.items() if k not in names}),
            output=OutputOptions(**{k: v for k, v in settings.items() if k in names}),
        )

    return build


def finish(plan: BatchPlan) -> None:
    """Make the files of a plan as a run would."""
    for job in plan.jobs:
        for path in job.files.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"stem")
        Ledger(plan.output.folder).record(
            set(job.files.values()),
            source=job.source,
            mark=mark_input(job.source),
            settings=plan.settings,
            start_seconds=plan.output.start_seconds,
            stop_seconds=plan.output.stop_seconds,
        )


def test_planning_writes_nothing(plan: Plan, folder: Path) -> None:
    assert plan().jobs[0].files["vocals"] == Path("separated/htdemucs/song/vocals.wav")
    assert [path.name for path in folder.iterdir()] == ["song.mp3"]


def test_a_finished_run_is_skipped_when_asked(plan: Plan, folder: Path) -> None:
    finish(plan(skip_existing=True))
    again = plan(skip_existing=True)
    assert (len(again.jobs), len(again.skipped)) == (0, 1)
    assert len(plan().jobs) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "other weights"},
        {"shifts": 2},
        {"overlap": 0.5},
        {"bit_depth": 24},
        {"clip": "clamp"},
        {"exact_sum": "other"},
    ],
)
def test_other_weights_or_settings_are_done_again(plan: Plan, change: dict[str, Any]) -> None:
    finish(plan())
    again = plan(skip_existing=True, **change)
    assert (len(again.jobs), len(again.skipped)) == (1, 0)


def test_another_input_of_the_same_name_is_done_again(plan: Plan, folder: Path) -> None:
    finish(plan())
    (folder / "song.mp3").write_bytes(b"a better take")
    assert len(plan(skip_existing=True).jobs) == 1


def test_a_half_finished_folder_goes_on_where_it_stopped(plan: Plan, folder: Path) -> None:
    (folder / "other.mp3").write_bytes(b"more music")
    finish(plan("song.mp3"))
    again = plan(".", skip_existing=True)
    assert [job.source.name for job in again.jobs] == ["other.mp3"]
    assert [job.source.name for job in again.skipped] == ["song.mp3"]


def test_our_own_results_are_replaced(plan: Plan, folder: Path) -> None:
    finish(plan())
    assert len(plan(shifts=3).jobs) == 1
    (folder / "song.mp3").rename(folder / "renamed.mp3")
    assert len(plan("renamed.mp3", template="htdemucs/song/{stem}.{ext}").jobs) == 1


def foreign(folder: Path) -> None:
    path = folder / "separated/htdemucs/song/vocals.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"of another program")


def edited(folder: Path) -> None:
    (folder / "separated/htdemucs/song/vocals.wav").write_bytes(b"edited by hand")


def no_ledger(folder: Path) -> None:
    (folder / "separated" / LEDGER_NAME).unlink()


@pytest.mark.parametrize("change", [foreign, edited, no_ledger])
@pytest.mark.parametrize("skip_existing", [False, True])
def test_files_that_are_not_ours_are_not_replaced(
    plan: Plan, folder: Path, change: Callable[[Path], None], skip_existing: bool
) -> None:
    if change is not foreign:
        finish(plan())
    change(folder)
    with pytest.raises(OutputConflictError, match=r"is in the way.*--overwrite"):
        plan(skip_existing=skip_existing)
    assert len(plan(overwrite=True).jobs) == 1


def test_the_stems_of_another_song_are_not_replaced(plan: Plan, folder: Path) -> None:
    finish(plan())
    (folder / "b").mkdir()
    (folder / "b" / "song.mp3").write_bytes(b"another song")
    with pytest.raises(OutputConflictError, match=r"and so are 3 more"):
        plan("b/song.mp3")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({}, {"start_seconds": 70.0, "stop_seconds": 100.0}),
        ({}, {"stop_seconds": 100.0, "skip_existing": True}),
        ({"start_seconds": 10.0}, {"start_seconds": 20.0}),
        ({"stop_seconds": 90.0}, {"start_seconds": 20.0, "stop_seconds": 90.0}),
    ],
)
def test_a_part_does_not_replace_more_of_the_song(
    plan: Plan, before: dict[str, Any], now: dict[str, Any]
) -> None:
    finish(plan(**before))
    with pytest.raises(OutputConflictError, match=r"holds more of song\.mp3 .*--overwrite"):
        plan(**now)
    assert len(plan(**{**now, "skip_existing": False}, overwrite=True).jobs) == 1


@pytest.mark.parametrize("shifts", [0, 1])
def test_a_part_is_replaced_by_itself_or_more_of_the_song(plan: Plan, shifts: int) -> None:
    finish(plan(start_seconds=70.0, stop_seconds=100.0))
    assert len(plan(start_seconds=70.0, stop_seconds=100.0, shifts=shifts).jobs) == 1
    assert len(plan(start_seconds=60.0, stop_seconds=100.0, shifts=shifts).jobs) == 1
    assert len(plan(shifts=shifts).jobs) == 1


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"device": "cdua"}, ConfigError, "use auto, cpu, cuda"),
        ({"format": "wave"}, ConfigError, "Did you mean wav"),
        ({"format": "mp3", "bit_depth": 24}, ConfigError, "has no bit depth"),
        ({"format": "stems", "stems": ("vocals",)}, ConfigError, "needs exactly 4 stems"),
        ({"format": "stems", "two_stems": "vocals"}, ConfigError, "needs exactly 4 stems"),
        ({"stems": ("vocal",)}, UnknownModelError, "Did you mean vocals"),
        ({"two_stems": "piano"}, UnknownModelError, "has no stem 'piano'"),
        ({"exact_sum": "rest"}, UnknownModelError, "has no stem 'rest'"),
        ({"template": "{trak}"}, ConfigError, "Did you mean track"),
        ({"folder": Path("song.mp3")}, EncodeError, "is a file"),
        ({"folder": Path("song.mp3/deep/er")}, EncodeError, "is a file"),
    ],
)
def test_what_cannot_be_is_refused(
    plan: Plan, settings: dict[str, Any], error: type[StemsplitError], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan(**settings)


def test_a_missing_input_is_refused(plan: Plan) -> None:
    with pytest.raises(AudioError, match=r"no such file or folder\. Did you mean song\.mp3\?"):
        plan("sung.mp3")


def test_an_unwritable_folder_is_refused(
    plan: Plan, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).absolute() != folder)
    with pytest.raises(EncodeError, match="may not be written there"):
        plan()


def test_the_terms_of_a_model_are_told_before_its_first_use(plan: Plan) -> None:
    (notice,) = plan().notices
    assert "scientific use" in notice.message
    assert not notice.is_warning


def test_a_deprecated_model_names_its_successor() -> None:
    model = replace(described("old"), deprecated_by="new", licence=None)
    planned = plan_batch(["-"], model=model, options=SeparationOptions(), output=OutputOptions())
    assert [notice.message for notice in planned.notices] == [
        "The model old is deprecated: use new."
    ]


def test_stems_come_in_the_order_of_the_model() -> None:
    base = SeparationOptions()
    assert base.output_stems("m", STEMS_6) == STEMS_6
    chosen = replace(base, stems=("vocals", "drums"))
    assert chosen.output_stems("m", STEMS_6) == ("drums", "vocals")
    two = replace(base, two_stems="piano")
    assert two.output_stems("m", STEMS_6) == ("piano", "no_piano")


def test_what_is_left_over_goes_to_other_or_the_last() -> None:
    assert remainder_stem(STEMS_6) == "other"
    assert remainder_stem(("vocals", "backing")) == "backing"
