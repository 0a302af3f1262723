"""Sets of generated songs on disk, laid out as MUSDB18-HQ.

    OUT/train/NAME/{mixture,drums,bass,other,vocals}.wav    16 bits, 44.1 kHz, stereo
    OUT/train/NAME/song.json                                what it is, and what it was made with

A song appears whole or not at all. One that is there already is left as it is, so a stopped run
goes on where it was.
"""

import json
import multiprocessing
import wave
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stemsplit.audio.staging import StagedFiles, writing
from stemsplit.errors import ConfigError, DatasetError
from stemsplit.separation.estimate import free_disk_bytes
from stemsplit.training.synth.mixdown import STEMS
from stemsplit.training.synth.signals import SAMPLE_RATE, Signal
from stemsplit.training.synth.song import LONGEST, render_song
from stemsplit.training.synth.tables import check_split

_VERSION = 4  # of the songs: it changes with what comes out
_FULL_SCALE = 32_767
_FACTS = "song.json"
_MIXTURE = "mixture"


@dataclass(frozen=True)
class SynthOptions:
    """Which songs to make."""

    out: Path
    num_songs: int
    seed: int = 1
    split: str = "train"
    seconds: float = 30.0
    workers: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be made.

        Raises:
            ConfigError: a value is out of range.
        """
        check_split(self.split)
        for name, value, least in (
            ("--songs", self.num_songs, 1),
            ("--seed", self.seed, 0),
            ("--workers", self.workers, 1),
        ):
            if value < least:
                raise ConfigError(f"{name} {value} is too small: give {least} or more.")
        if not 0.5 <= self.seconds <= LONGEST:
            raise ConfigError(f"--seconds {self.seconds:g}: give 0.5 to {LONGEST:.0f}.")

    @property
    def song_bytes(self) -> int:
        """Size of the files of a song."""
        return (len(STEMS) + 1) * round(self.seconds * SAMPLE_RATE) * 4


@dataclass(frozen=True)
class MadeSong:
    """A song of the set."""

    name: str
    folder: Path
    was_there: bool
    facts: dict[str, object]


def make_set(options: SynthOptions) -> Iterator[MadeSong]:
    """Make the songs that are not there yet.

    Yields:
        Every song, in their order.

    Raises:
        DatasetError: the folder holds other songs under the same names, or the disk is too small.
        EncodeError: a file cannot be written.
    """
    missing = [i for i in range(options.num_songs) if not _is_there(options, i)]
    _check_space(options, len(missing))
    if options.workers == 1 or len(missing) < 2:
        yield from (_make(options, index) for index in range(options.num_songs))
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(options.workers, len(missing)), initializer=_one_thread) as pool:
        tasks = ((options, index) for index in range(options.num_songs))
        yield from pool.imap(_make_of, tasks)


def _one_thread() -> None:
    """The workers share the cores by songs."""
    import torch

    torch.set_num_threads(1)


def _make_of(task: tuple[SynthOptions, int]) -> MadeSong:
    return _make(*task)


def _folder(options: SynthOptions, index: int) -> Path:
    return options.out / options.split / f"synth {options.split} {options.seed}-{index:05}"


def _request(options: SynthOptions, index: int) -> dict[str, object]:
    """What decides the samples of a song, besides the sources that are installed."""
    wanted = {**asdict(options), "index": index, "version": _VERSION}
    kept = ("seed", "split", "seconds", "index", "version")
    return {name: wanted[name] for name in kept}


def _is_there(options: SynthOptions, index: int) -> bool:
    path = _folder(options, index) / _FACTS
    if not path.is_file():
        return False
    try:
        made = json.loads(path.read_text())["request"]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"Cannot use {path}: {error}. Remove its folder.") from error
    if made != _request(options, index):
        raise DatasetError(
            f"{path.parent} holds another song than was asked for (made with {made}). Choose"
            " another folder, or remove this one."
        )
    return True


def _check_space(options: SynthOptions, num_missing: int) -> None:
    free = free_disk_bytes(options.out)
    needed = num_missing * options.song_bytes
    if needed > free:
        raise DatasetError(
            f"{num_missing} songs of {options.seconds:g} s take {needed / 1e9:.1f} GB, and "
            f"{options.out} has {free / 1e9:.1f} GB free. Ask for fewer or shorter songs, or choose"
            " a folder on another disk."
        )


def _make(options: SynthOptions, index: int) -> MadeSong:
    folder = _folder(options, index)
    if _is_there(options, index):
        facts = json.loads((folder / _FACTS).read_text())
        return MadeSong(folder.name, folder, True, facts)
    song = render_song(options.seed, index, split=options.split, seconds=options.seconds)
    facts = {"request": _request(options, index), **song.facts}
    staged = StagedFiles()
    try:
        whole = {name: _as_integers(stem) for name, stem in song.stems.items()}
        total = np.sum([stem.astype(np.int32) for stem in whole.values()], axis=0)
        whole[_MIXTURE] = np.clip(total, -_FULL_SCALE - 1, _FULL_SCALE).astype(np.int16)
        for name, signal in whole.items():
            _write_wav(staged, folder / f"{name}.wav", signal)
        text = staged.add(folder / _FACTS)
        with writing(folder / _FACTS):
            text.write_text(json.dumps(facts, indent=1) + "\n")
        staged.publish()
    finally:
        staged.discard()
    return MadeSong(folder.name, folder, False, facts)


def _as_integers(stem: Signal) -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    return np.round(stem * np.float32(_FULL_SCALE)).astype(np.int16)


def _write_wav(
    staged: StagedFiles, path: Path, signal: "np.ndarray[tuple[int, ...], np.dtype[np.int16]]"
) -> None:
    temporary = staged.add(path)
    with writing(path), wave.open(str(temporary), "wb") as file:
        file.setnchannels(signal.shape[0])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.ascontiguousarray(signal.T).astype("<i2").tobytes())
