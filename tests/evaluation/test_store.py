"""Finished tracks are kept whole, and found only by what decides them."""

from pathlib import Path

from stemsplit.evaluation.memory import peak_memory, reset_peak_memory
from stemsplit.evaluation.options import MetricOptions
from stemsplit.evaluation.store import ResultStore, track_key

SAME = {
    "candidate": "c",
    "device": "cpu",
    "metrics": MetricOptions(),
    "stems": {"vocals": ("vocals",)},
    "files": {"mix": [["a.wav", 1, 2]]},
    "is_judged": False,
}


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "new")
    store.keep("k" * 64, {"result": {"a": 1}})
    assert ResultStore(tmp_path / "new").find("k" * 64) == {"key": "k" * 64, "result": {"a": 1}}
    assert store.find("j" * 64) is None
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".json"]


def test_a_torn_or_foreign_file_counts_for_nothing(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.keep("k" * 64, {})
    path = next(tmp_path.iterdir())
    for text in ('{"key": "', "[1]", '{"key": "other"}'):
        path.write_text(text)
        assert store.find("k" * 64) is None


def test_everything_that_decides_a_score_is_in_its_key() -> None:
    others = {
        "candidate": "d",
        "device": "cuda",
        "metrics": MetricOptions(window_seconds=2.0),
        "stems": {"vocals": ("vocals", "backing")},
        "files": {"mix": [["a.wav", 1, 3]]},
        "is_judged": True,
    }
    keys = {track_key(**SAME)} | {  # type: ignore[arg-type]
        track_key(**{**SAME, name: value})  # type: ignore[arg-type]
        for name, value in others.items()
    }
    assert len(keys) == 1 + len(others)
    assert track_key(**SAME) == track_key(**SAME)  # type: ignore[arg-type]


def test_peak_memory_is_that_since_the_reset() -> None:
    reset_peak_memory()
    before = peak_memory()
    assert before is not None
    held = bytearray(200_000_000)
    held[::4096] = b"x" * len(held[::4096])
    after = peak_memory()
    assert after is not None
    assert after - before > 150_000_000
