"""Generated songs: the same ones each time, whole, clean, and different from each other."""

from collections.abc import Iterator

import numpy as np
import pytest

from stemsplit.errors import ConfigError
from stemsplit.training.synth import sources
from stemsplit.training.synth.form import make_frame
from stemsplit.training.synth.mixdown import CEILING, STEMS
from stemsplit.training.synth.song import Song, render_song
from stemsplit.training.synth.styles import STYLES
from stemsplit.training.synth.tables import SPLITS, Split, rows_of
from stemsplit.training.synth.voices import VOICES

_RATE = 44_100


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    return [render_song(3, index, seconds=2) for index in range(5)]


@pytest.fixture
def only_synthesis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine without SoundFonts and speech."""
    monkeypatch.setattr(
        sources, "SOURCES", {**sources.SOURCES, **dict.fromkeys(_OPTIONAL, _MISSING)}
    )
    sources.find.cache_clear()
    yield
    sources.find.cache_clear()


_OPTIONAL = tuple(name for name in sources.SOURCES if name != "synthesis")
_MISSING = sources.Source("nothing", "none", "nowhere", modules=("no_such_module",))


def test_the_same_numbers_give_the_same_samples() -> None:
    first, second = (render_song(5, 2, seconds=3) for _ in range(2))
    assert first.facts == second.facts
    for stem in STEMS:
        assert first.stems[stem].tobytes() == second.stems[stem].tobytes()


def test_a_song_does_not_depend_on_those_before_it() -> None:
    alone = render_song(5, 1, seconds=2)
    render_song(5, 0, seconds=2)
    assert render_song(5, 1, seconds=2).mix.tobytes() == alone.mix.tobytes()


@pytest.mark.parametrize(
    ("seed", "index", "split"), [(6, 2, "train"), (5, 3, "train"), (5, 2, "test")]
)
def test_any_other_number_gives_another_song(seed: int, index: int, split: str) -> None:
    mix = render_song(5, 2, seconds=1).mix
    assert np.abs(render_song(seed, index, split=split, seconds=1).mix - mix).max() > 0.01


def test_stems_are_stereo_finite_and_below_the_ceiling(songs: list[Song]) -> None:
    for song in songs:
        assert tuple(song.stems) == STEMS
        for signal in (*song.stems.values(), song.mix):
            assert signal.shape == (2, 2 * _RATE)
            assert signal.dtype == np.float32
            assert np.isfinite(signal).all()
            # The last bit of float32 over the ceiling.
            assert np.abs(signal).max() <= CEILING * 1.000001


def test_the_mix_is_audible_in_every_song(songs: list[Song]) -> None:
    levels = [20 * np.log10(np.sqrt(np.mean(song.mix**2))) for song in songs]
    assert min(levels) > -35
    assert max(levels) < -5


@pytest.mark.parametrize("seconds", [0.5, 1.2345])
def test_any_length(seconds: float) -> None:
    assert render_song(1, 1, seconds=seconds).mix.shape == (2, round(seconds * _RATE))


def test_facts_name_style_tempo_sounds_and_sources(songs: list[Song]) -> None:
    for song in songs:
        assert song.facts["style"] in rows_of(STYLES, "train")
        used = song.facts["sources"]
        assert isinstance(used, list)
        assert set(used) <= set(sources.available())


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_uses_only_its_own_styles_and_voices(split: Split) -> None:
    for index in range(3):
        facts = render_song(11, index, split=split, seconds=1).facts
        sounds = facts["sounds"]
        assert isinstance(sounds, dict)
        assert facts["style"] in rows_of(STYLES, split)
        assert set(sounds["vocals"]) <= set(rows_of(VOICES, split))


@pytest.mark.usefixtures("only_synthesis")
def test_without_other_packages_all_is_synthesised_and_stays_the_same() -> None:
    first, second = (render_song(8, 4, seconds=2) for _ in range(2))
    assert first.facts["sources_here"] == ["synthesis"]
    assert first.facts["sources"] == ["synthesis"]
    assert first.mix.tobytes() == second.mix.tobytes()
    assert np.abs(first.mix).max() > 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 0.1}, "choose 0.5 to 600"),
        ({"seconds": float("nan")}, "choose 0.5 to 600"),
        ({"split": "all"}, "'all' is no split"),
        ({"sample_rate": 48_000}, "at 44100 Hz, not at 48000"),
    ],
)
def test_what_cannot_be_made_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        render_song(1, 1, **options)  # type: ignore[arg-type]


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 or more"):
        render_song(-1, 0)


def test_fifty_frames_are_spread_over_styles_tempos_keys_and_lengths() -> None:
    frames = [make_frame(np.random.default_rng(seed), "train") for seed in range(50)]
    tempos = np.array([frame.bpm for frame in frames])
    assert len({frame.style_name for frame in frames}) >= 15
    assert len({frame.key.tonic for frame in frames}) >= 10
    assert len({frame.key.mode for frame in frames}) >= 4
    assert tempos.min() < 80
    assert tempos.max() > 150
    assert all(60 < frame.seconds < 900 for frame in frames)
    shares = [np.mean([bar.section.has_voice for bar in frame.bars]) for frame in frames]
    assert 0.5 < float(np.mean(shares)) < 0.95  # songs are sung, and have rests


@pytest.mark.slow
def test_thirty_songs_differ_as_real_ones_do() -> None:
    songs = [render_song(21, index, seconds=2) for index in range(30)]
    bright, level, width = (np.array(column) for column in zip(*map(_features, songs), strict=True))
    assert bright.std() > 300  # Hz of the centroid
    assert level.std() > 2  # dB
    assert width.std() > 2  # dB of the sides below the middle
    for stem in STEMS:
        heard = [np.abs(song.stems[stem]).max() > 1e-3 for song in songs]
        assert 0.5 < np.mean(heard) <= 1


def _features(song: Song) -> tuple[float, float, float]:
    middle = song.mix.mean(axis=0)
    side = (song.mix[0] - song.mix[1]) / 2
    power = np.abs(np.fft.rfft(middle)) ** 2
    centroid = float((power * np.fft.rfftfreq(len(middle), 1 / _RATE)).sum() / power.sum())
    energy, sides = float(np.mean(middle**2)), float(np.mean(side**2))
    return centroid, 10 * np.log10(energy), 10 * np.log10(sides / energy + 1e-6)
