"""Songs give the stems of the network, and a rest that completes the mix."""

from pathlib import Path

import pytest
import torch

from stemsplit.errors import DatasetError
from stemsplit.training.songs import FileSong, parts_of
from tests.training.sets import RATE, STEMS, tones, write_song

ONE_BIT = 2.0**-15  # a float wav is exact, the cache is good to half of this


@pytest.mark.parametrize(
    ("available", "wanted", "expected"),
    [
        (STEMS, STEMS, (("drums",), ("bass",), ("other",), ("vocals",), ())),
        (STEMS, ("vocals",), (("vocals",), ("drums", "bass", "other"))),
        (STEMS, ("instrumental",), (("drums", "bass", "other"), ("vocals",))),
        (STEMS, ("vocals", "accompaniment"), (("vocals",), ("drums", "bass", "other"), ())),
        (("vocals", "instrumental"), ("instrumental",), (("instrumental",), ("vocals",))),
        (
            ("vocals", "piano", "guitar"),
            ("other", "vocals"),
            (("piano", "guitar"), ("vocals",), ()),
        ),
        (STEMS, ("drums", "other"), (("drums",), ("other",), ("bass", "vocals"))),
        (("other", "piano"), ("other", "piano"), (("other",), ("piano",), ())),
        (("bass",), STEMS, ((), ("bass",), (), (), ())),
    ],
)
def test_every_stem_of_a_song_goes_to_one_stem_of_the_network_or_to_the_rest(
    available: tuple[str, ...], wanted: tuple[str, ...], expected: tuple[tuple[str, ...], ...]
) -> None:
    parts = parts_of(available, wanted)
    assert parts == expected
    assert sorted(name for part in parts for name in part) == sorted(available)


def test_a_song_without_any_wanted_stem_is_refused() -> None:
    with pytest.raises(DatasetError, match="no stems vocals among drums, bass"):
        parts_of(("drums", "bass"), ("vocals",))


def test_stems_that_share_a_part_are_refused() -> None:
    with pytest.raises(DatasetError, match="overlap"):
        parts_of(STEMS, ("instrumental", "bass"))


@pytest.mark.parametrize("channels", [1, 2])
def test_a_stretch_holds_the_stems_and_the_rest(tmp_path: Path, channels: int) -> None:
    stems = tones()
    song = FileSong(write_song(tmp_path / "a", stems), ("vocals",), channels, RATE)
    read = song.read(1000, 500)
    assert read.shape == (2, channels, 500)
    torch.testing.assert_close(read[0], stems["vocals"][:channels, 1000:1500])
    torch.testing.assert_close(read.sum(0), sum(stems.values())[:channels, 1000:1500])  # type: ignore[index]


@pytest.mark.parametrize("name", ["instrumental", "accompaniment", "no_vocals"])
@pytest.mark.parametrize("wanted", [STEMS, ("vocals",), ("instrumental",), ("vocals", "no_vocals")])
def test_a_sum_beside_its_parts_is_not_heard_twice(
    tmp_path: Path, name: str, wanted: tuple[str, ...]
) -> None:
    stems = tones()
    made = {**stems, name: stems["drums"] + stems["bass"] + stems["other"]}
    plain = FileSong(write_song(tmp_path / "plain", stems), wanted, 2, RATE)
    song = FileSong(write_song(tmp_path / "with a sum", made), wanted, 2, RATE)
    torch.testing.assert_close(song.read(1000, 500), plain.read(1000, 500))
    assert song.level == plain.level


def test_after_the_end_there_is_silence(tmp_path: Path) -> None:
    stems = tones(1.0)
    song = FileSong(write_song(tmp_path / "a", stems), STEMS, 2, RATE)
    assert song.num_samples == RATE
    read = song.read(RATE - 100, 300)
    assert read.shape == (5, 2, 300)
    torch.testing.assert_close(read[3, :, :100], stems["vocals"][:, -100:])
    assert not read[..., 100:].any()


def test_a_song_of_another_rate_needs_the_cache(tmp_path: Path) -> None:
    song = FileSong(write_song(tmp_path / "a", tones()), STEMS, 2, 16_000)
    with pytest.raises(DatasetError, match=r"a is at 8000 Hz.*data\.cache=true"):
        song.read(0, 100)


def test_the_song_is_named_that_cannot_be_used(tmp_path: Path) -> None:
    song = FileSong(write_song(tmp_path / "a", tones()), ("piano",), 2, RATE)
    with pytest.raises(DatasetError, match="Cannot train with a: there are no stems piano"):
        song.read(0, 100)


def test_the_level_is_the_deviation_of_the_mono_mix(tmp_path: Path) -> None:
    stems = tones()
    track = write_song(tmp_path / "a", stems)
    for wanted in (STEMS, ("vocals",)):
        level = FileSong(track, wanted, 2, RATE).level
        mono = torch.stack(list(stems.values())).sum(0).mean(0)
        assert level == pytest.approx(mono.std().item(), rel=1e-4)


def test_a_silent_song_has_a_level_that_can_be_divided_by(tmp_path: Path) -> None:
    track = write_song(tmp_path / "a", {name: 0 * signal for name, signal in tones().items()})
    assert FileSong(track, STEMS, 2, RATE).level == 1.0
