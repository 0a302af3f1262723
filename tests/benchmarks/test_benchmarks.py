"""The benchmarks still run: one short round of each. What they print is not judged here."""

from importlib.util import find_spec

import pytest

from tests.benchmarks import memory, metrics, networks, speed, startup, synth, training
from tests.benchmarks.material import TINY

pytestmark = [pytest.mark.bench, pytest.mark.slow]

pytest.importorskip("demucs", reason="the reference is not installed")


def test_memory_is_measured_for_both() -> None:
    ((minutes, ours, theirs),) = memory.main([0.1])
    assert minutes == 0.1
    assert 0 < ours < 8e9
    assert 0 < theirs < 8e9


def test_speed_is_measured_for_both() -> None:
    rows = speed.main(seconds=2, repeats=1, settings=TINY)
    assert len(rows) == 2
    assert all(ours > 0 and theirs > 0 for _, ours, theirs in rows)


def test_start_up_is_measured_for_both() -> None:
    rows = startup.main(repeats=1)
    assert set(rows) == {"--help", "command to first segment"}
    assert all(ours > 0 and theirs > 0 for ours, theirs in rows.values())


def test_networks_are_measured_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    profiles = networks.main(["htdemucs_n", "wave_transformer_small"], seconds=0.5, device="cpu")
    assert [profile.name for profile in profiles] == ["htdemucs_n", "wave_transformer_small"]
    assert all(profile.seconds is not None and profile.seconds > 0 for profile in profiles)
    head, rule, *rows = capsys.readouterr().out.splitlines()[:4]
    assert {line.count("|") for line in (head, rule, *rows)} == {10}
    assert rows[0].endswith("| 9.61 M | 86.27 G |")
    assert rows[1].endswith("|  |  |")


@pytest.mark.skipif(find_spec("museval") is None, reason="museval is not installed")
def test_scores_are_timed_beside_museval() -> None:
    tasks = ("museval, four ratios", "four ratios, 1 s windows", "cSDR")
    rows = metrics.main(seconds=1.5, tasks=tasks)
    assert tuple(name for name, _ in rows) == tasks
    assert all(seconds > 0 for _, seconds in rows)


def test_songs_are_made_and_timed() -> None:
    rates = synth.main(seconds=1, songs=1, excerpts=1)
    assert set(rates) == {"songs", "excerpts"}
    assert all(rate > 0 for rate in rates.values())


def test_steps_of_training_are_measured_for_both() -> None:
    rows = training.main(["htdemucs_n"], seconds=0.5, repeats=1, device="cpu", settings=TINY)
    ((name, ours, theirs),) = rows
    assert name == "htdemucs_n"
    assert ours > 0
    assert theirs > 0


def test_the_loader_is_measured_with_and_without_a_cache() -> None:
    rows = training.loader(song_seconds=9, excerpts=4, workers=(0,))
    assert [name for name, _ in rows] == ["wav, 0 workers", "cached, 0 workers"]
    assert all(speed > 0 for _, speed in rows)
