"""The cache keeps what is whole, notices what is not, and survives being stopped anywhere."""

import threading
import time
from pathlib import Path

import pytest

from stemsplit.checkpoints.cache import Cache, StoredModel, StoredWeights, default_root
from stemsplit.errors import CheckpointError, ChecksumError


def keep(cache: Cache, name: str = "abc", data: bytes = b"weights") -> StoredWeights:
    return cache.store(
        name, lambda path: _write(path, data), origin="here", origin_sha256="00" * 32
    )


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def test_the_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSPLIT_CACHE", str(tmp_path / "mine"))
    assert default_root() == tmp_path / "mine"
    assert Cache().root == tmp_path / "mine"
    monkeypatch.setenv("STEMSPLIT_CACHE", "~/models")
    assert default_root() == Path.home() / "models"
    monkeypatch.delenv("STEMSPLIT_CACHE")
    assert default_root().name == "stemsplit"


def test_looking_makes_nothing(cache: Cache) -> None:
    assert cache.find("abc") is None
    assert cache.find_model("abc") is None
    assert cache.all_weights() == ()
    assert cache.all_models() == ()
    assert not cache.root.exists()


def test_what_is_stored_is_found_and_whole(cache: Cache) -> None:
    stored = keep(cache)
    assert cache.find("abc") == stored
    assert cache.all_weights() == (stored,)
    stored.check()
    assert stored.path.read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"weight", r"has 6 bytes instead of 7"),
        (b"weights!", r"has 8 bytes instead of 7"),
        (b"Weights", "has other contents than when it was stored"),
    ],
)
def test_a_changed_file_is_noticed(cache: Cache, data: bytes, message: str) -> None:
    stored = keep(cache)
    stored.path.write_bytes(data)
    with pytest.raises(
        ChecksumError, match=f"{message}, so it is not used. Remove it with"
    ) as caught:
        stored.check()
    assert "`stemsplit models remove abc`" in str(caught.value)


def test_a_file_without_its_record_counts_as_absent(cache: Cache) -> None:
    stored = keep(cache)
    stored.path.with_suffix(".json").unlink()
    assert cache.find("abc") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"sha256": "x", "bytes": "many"}', "[" * 10**5]
)
def test_a_damaged_record_counts_as_absent(cache: Cache, text: str) -> None:
    stored = keep(cache)
    stored.path.with_suffix(".json").write_text(text)
    assert cache.find("abc") is None


def test_a_record_without_its_file_counts_as_absent(cache: Cache) -> None:
    keep(cache).path.unlink()
    assert cache.find("abc") is None


def test_being_stopped_while_storing_leaves_nothing_that_counts(cache: Cache) -> None:
    keep(cache)

    def stop(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.store("abc", stop, origin="", origin_sha256="")
    assert cache.find("abc") is None
    assert keep(cache, data=b"again").bytes == 5


def test_removing_frees_everything(cache: Cache) -> None:
    keep(cache, "abc")
    keep(cache, "abcd")
    cache.part("abc", "x").write_bytes(b"1234")
    cache.part("abc-d", "x").write_bytes(b"1234")
    record = (cache.root / "weights" / "abc.json").stat().st_size
    assert cache.remove("abc") == 7 + 4 + record
    assert cache.remove("abc") == 0
    assert cache.find("abcd") is not None
    assert len(list(cache.incoming.iterdir())) == 1


def test_any_name_is_a_file_name_and_no_two_are_the_same(cache: Cache) -> None:
    names = [
        "a",
        "A",
        "hf:o/r@main",
        "hf:o/r-main",
        "../../etc",
        "ä",
        "é",
        ".x",
        "x" * 300,
        "a b",
        "a-b",
    ]
    paths = {keep(cache, name).path for name in names}
    assert len({path.name.lower() for path in paths}) == len(names)
    assert {path.parent for path in paths} == {cache.root / "weights"}
    for name in names:
        assert cache.find(name) is not None


def test_models_are_kept_by_name(cache: Cache) -> None:
    model = StoredModel(
        name="hf:owner/repo@v1",
        kind="hub",
        members=("a", "b"),
        files=({"format": "reference", "hub": "owner/repo", "path": "a.safetensors"}, {}),
        stem_weights=((1.0, 0.0), (0.5, 1.0)),
        stems=("voice", "rest"),
        sample_rate=48_000,
        channels=1,
        architectures=("demucs", "hdemucs"),
        segment_seconds=7.8,
        licence="mit",
        origin="there",
    )
    cache.store_model(model)
    assert cache.find_model("hf:owner/repo@v1") == model
    assert cache.all_models() == (model,)
    cache.remove_model(model.name)
    assert cache.all_models() == ()


def test_a_damaged_model_is_ignored_with_a_warning(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    folder = cache.make(cache.root / "models")
    (folder / "mine.json").write_text('{"name": "mine", "members": 5}')
    assert cache.find_model("mine") is None
    assert "Ignoring the damaged description" in caplog.text


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file" / "cache")
    with pytest.raises(
        CheckpointError, match=r"cannot be written: Not a directory.*STEMSPLIT_CACHE"
    ):
        keep(cache)
    with pytest.raises(CheckpointError, match="cannot be written"), cache.lock("abc"):
        pass


def test_one_at_a_time_makes_a_file(cache: Cache) -> None:
    order: list[str] = []
    inside = threading.Event()

    def first() -> None:
        with cache.lock("abc"):
            inside.set()
            time.sleep(0.1)
            order.append("first")

    worker = threading.Thread(target=first)
    worker.start()
    inside.wait()
    with cache.lock("other"):
        order.append("another file")
    with cache.lock("abc"):
        order.append("second")
    worker.join()
    assert order == ["another file", "first", "second"]
