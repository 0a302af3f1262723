"""Songs that never were, with their stems.

A song is written as a whole and rendered only where it is asked for, so that a short excerpt costs
little.

Shapes: N samples; every stem is (2, N).
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stemsplit.errors import ConfigError
from stemsplit.training.synth import band, mixdown
from stemsplit.training.synth.bassline import play_bass
from stemsplit.training.synth.bends import bent
from stemsplit.training.synth.comping import play_other
from stemsplit.training.synth.drumming import play_drums
from stemsplit.training.synth.form import Frame, make_frame
from stemsplit.training.synth.melody import transposed, write_vocals
from stemsplit.training.synth.mixdown import STEMS, Desk, levelled
from stemsplit.training.synth.score import Note
from stemsplit.training.synth.signals import SAMPLE_RATE, Signal, samples
from stemsplit.training.synth.singers import Singer, draw_singer
from stemsplit.training.synth.sounds import SAMPLED, SAMPLED_KITS
from stemsplit.training.synth.sources import available
from stemsplit.training.synth.tables import SPLITS, Split, chance, check_split, choose
from stemsplit.training.synth.voices import VOICES, source_of

_PREROLL = 1.0  # seconds rendered before an excerpt, for what still rings there
LONGEST = 600.0  # seconds
_INSTRUMENTAL = 0.08  # share of songs in every style
_UNISON = 0.12  # share of instruments that another one doubles
_SOLOISTS = ("lead", "flute", "brass", "strings", "guitar", "distorted", "mallet")
_MONO_DB = 2.0  # a mono mix and its silences below the loudness that a song is brought to

Stream = Callable[[str], np.random.Generator]


@dataclass(frozen=True)
class Song:
    """An excerpt of a song, or all of it."""

    name: str
    stems: dict[str, Signal]
    """Drums, bass, other and vocals, each (2, N)."""

    facts: dict[str, object]
    """What it is and what it was made with, in the types of JSON."""

    @property
    def mix(self) -> Signal:
        """The exact sum of the stems."""
        drums, bass, other, vocals = (self.stems[name] for name in STEMS)
        return drums + bass + other + vocals


def render_song(
    seed: int,
    index: int,
    *,
    split: str = "train",
    seconds: float = 30.0,
    start_seconds: float | None = None,
    sample_rate: int = SAMPLE_RATE,
) -> Song:
    """Make a song.

    The same arguments give the same samples, wherever the same sources of sound are installed.

    Args:
        seed: of the set of songs.
        index: number of the song, from 0 on.
        split: train, valid or test; each has styles, sounds and voices of its own.
        seconds: length. It is an excerpt when the song is longer, and ends with silence when the
            song is shorter.
        start_seconds: where the excerpt begins; None takes the beginning of some bar.
        sample_rate: 44,100 Hz; no other one is made.

    Raises:
        ConfigError: an argument is out of range.
    """
    kind = check_split(split)
    _check(seed, index, seconds, sample_rate)
    stream = _streams(seed, index, kind)
    frame = make_frame(stream("frame"), kind)
    latest = max(0.0, frame.seconds - seconds)
    if start_seconds is None:
        start_seconds = choose(stream("place"), [b.start for b in frame.bars if b.start <= latest])
    name = f"{split} {seed} {index:05}"
    return _rendered(frame, stream, kind, start_seconds, seconds, name)


def song_seconds(seed: int, index: int, *, split: str = "train") -> float:
    """Length of a whole song, which is written but not rendered for it."""
    kind = check_split(split)
    return make_frame(_streams(seed, index, kind)("frame"), kind).seconds


def song_level(seed: int, index: int, *, split: str = "train") -> float:
    """Deviation of the mono mix that a song is made for; what comes out is some 3 dB around it."""
    kind = check_split(split)
    stream = _streams(seed, index, kind)
    loudness = _loudness(make_frame(stream("frame"), kind), stream)
    return float(10 ** ((loudness - _MONO_DB) / 20))


def _loudness(frame: Frame, stream: Stream) -> float:
    return float(stream("loudness").uniform(*frame.style.loudness))


def _streams(seed: int, index: int, split: Split) -> Stream:
    """Independent random numbers for every part of a song, by name."""

    def stream(name: str) -> np.random.Generator:
        keys = [seed, index, SPLITS.index(split), zlib.crc32(name.encode())]
        return np.random.default_rng(keys)

    return stream


def _check(seed: int, index: int, seconds: float, sample_rate: int) -> None:
    if seed < 0 or index < 0:
        raise ConfigError(f"Seed {seed} and song {index}: both must be 0 or more.")
    if not 0.5 <= seconds <= LONGEST:
        raise ConfigError(f"A song of {seconds} s cannot be made: choose 0.5 to {LONGEST:.0f}.")
    if sample_rate != SAMPLE_RATE:
        raise ConfigError(f"Songs are made at {SAMPLE_RATE} Hz, not at {sample_rate} Hz.")


def _rendered(
    frame: Frame, stream: Stream, split: Split, start: float, seconds: float, name: str
) -> Song:
    before = min(start, _PREROLL)
    begin, count = start - before, samples(seconds + before)
    desk = mixdown.make_desk(stream("desk"), frame.bpm)
    drive = float(stream("drive").uniform(*frame.style.drive))
    made = {
        "drums": _drums(frame, stream, split, desk, begin, count),
        "bass": _bass(frame, stream, split, drive, begin, count),
        "other": _other(frame, stream, split, desk, drive, begin, count),
        "vocals": _vocals(frame, stream, split, desk, begin, count),
    }
    levels = mixdown.balance(stream("balance"))
    stems = {stem: levelled(track, levels[stem] - 20) for stem, (track, _) in made.items()}
    mastered, done = mixdown.master(stream("master"), stems, _loudness(frame, stream))
    cut = samples(before) if before > 0 else 0
    kept = {
        stem: np.ascontiguousarray(s[:, cut : cut + samples(seconds)])
        for stem, s in mastered.items()
    }
    played = {stem: sounds for stem, (_, sounds) in made.items()}
    return Song(name, kept, {**_facts(frame, played, start), "split": split, "mix": done})


def _facts(frame: Frame, played: dict[str, list[str]], start: float) -> dict[str, object]:
    names = [sound for sounds in played.values() for sound in sounds]
    return {
        "style": frame.style_name,
        "key": frame.key.name,
        "bpm": round(frame.bpm, 2),
        "tuning_cents": round(100 * frame.tuning, 1),
        "start_seconds": round(start, 3),
        "sounds": played,
        "sources": sorted({_source_of(name) for name in names}),
        "sources_here": list(available()),
    }


def _source_of(sound: str) -> str:
    if sound in SAMPLED:
        return SAMPLED[sound].font
    if sound in SAMPLED_KITS:
        return SAMPLED_KITS[sound].font
    return source_of(VOICES[sound]) if sound in VOICES else "synthesis"


def _drums(
    frame: Frame, stream: Stream, split: Split, desk: Desk, begin: float, count: int
) -> tuple[Signal, list[str]]:
    strokes = play_drums(stream("drumming"), frame)
    drummer = band.draw_drummer(stream("kit"), frame.style.kits, split)
    heard = band.strokes_within(strokes, begin, count / SAMPLE_RATE)
    track = drummer.play(heard, begin, count)
    if not heard:
        return track, []
    kits = sorted(set(drummer.kit_of.values()))
    return mixdown.mix_drums(stream("drum mix"), desk, track), kits


def _bass(
    frame: Frame, stream: Stream, split: Split, drive: float, begin: float, count: int
) -> tuple[Signal, list[str]]:
    notes = play_bass(stream("bass line"), frame)
    draw = stream("bass sound")
    family = choose(draw, frame.style.bass)
    player = band.draw_player(draw, family, split, width=0.0, tuning=frame.tuning)
    notes = bent(stream("bass bends"), notes, family)
    seconds = count / SAMPLE_RATE
    heard = band.within(notes, begin, seconds, ring_seconds=player.ring_seconds)
    track = player.play(heard, begin, count)
    if not heard:
        return track, []
    return mixdown.mix_bass(stream("bass mix"), track, family, drive), [player.sound]


def _other(
    frame: Frame, stream: Stream, split: Split, desk: Desk, drive: float, begin: float, count: int
) -> tuple[Signal, list[str]]:
    total = np.zeros((2, count), dtype=np.float32)
    sounds = []
    is_instrumental = _way(frame, stream) == "none"
    for layer, role in enumerate(_roles(frame, stream, is_instrumental=is_instrumental)):
        has_tune = is_instrumental and layer == 0
        notes = play_other(stream(f"part {layer}"), frame, role, layer, is_lead=has_tune)
        notes = bent(stream(f"bends {layer}"), notes, role)
        draw, mix_draw = stream(f"sound {layer}"), stream(f"mix {layer}")
        players = [band.draw_player(draw, role, split, tuning=frame.tuning)]
        if chance(mix_draw, _UNISON):
            players.append(band.draw_player(draw, role, split, tuning=frame.tuning))
        ring = max(player.ring_seconds for player in players)
        heard = band.within(notes, begin, count / SAMPLE_RATE, ring_seconds=ring)
        if not heard:
            continue
        track = _together(players, heard, begin, count)
        if role in ("distorted", "guitar") and chance(mix_draw, 0.5):
            retaken = _retaken(stream(f"again {layer}"), notes)
            heard = band.within(retaken, begin, count / SAMPLE_RATE, ring_seconds=ring)
            again = _together(players, heard, begin, count)
            track = mixdown.panned(track, -0.85) + mixdown.panned(again, 0.85)
        mixed = mixdown.mix_instrument(mix_draw, desk, track, role, drive)
        total += levelled(mixed, float(mix_draw.normal(-20 - 1.5 * layer, 3)))
        sounds += [player.sound for player in players]
    return total, sounds


def _together(
    players: Sequence[band.Player], notes: Sequence[Note], begin: float, count: int
) -> Signal:
    """What one or several instruments play in unison."""
    first, *rest = (player.play(notes, begin, count) for player in players)
    for track in rest:
        first += track
    return first


def _roles(frame: Frame, stream: Stream, *, is_instrumental: bool) -> list[str]:
    """Families of the other instruments; where nobody sings, the first has the tune."""
    draw = stream("instruments")
    count = int(draw.integers(*frame.style.parts, endpoint=True))
    first = [choose(draw, _SOLOISTS)] if is_instrumental else []
    likely, any_of = frame.style.roles[:3], frame.style.roles
    return [*first, *(choose(draw, any_of if layer else likely) for layer in range(count))]


def _retaken(draw: np.random.Generator, notes: Sequence[Note]) -> list[Note]:
    """The same notes played a second time."""
    return [replace(note, start=note.start + float(draw.normal(0.004, 0.006))) for note in notes]


def _way(frame: Frame, stream: Stream) -> str:
    """How the song is sung; any style has instrumentals too."""
    draw = stream("way of singing")
    return "none" if chance(draw, _INSTRUMENTAL) else choose(draw, frame.style.singing)


def _vocals(
    frame: Frame, stream: Stream, split: Split, desk: Desk, begin: float, count: int
) -> tuple[Signal, list[str]]:
    draw, way = stream("singers"), _way(frame, stream)
    people: dict[int, Singer] = {0: draw_singer(draw, split, tuning=frame.tuning)}
    lines = write_vocals(stream("melody"), frame, way, people[0].centre)
    total = np.zeros((2, count), dtype=np.float32)
    sounds = []
    for number, line in enumerate(lines):
        if line.voice not in people:
            people[line.voice] = draw_singer(
                stream(f"singer {line.voice}"), split, tuning=frame.tuning
            )
        singer = people[line.voice]
        sung = transposed(line, singer.centre) if line.voice else line
        late = stream(f"double {number}").normal(0, 0.018) if line.role == "double" else 0.0
        track = singer.sing(sung, begin, count, late=float(late))
        if not track.any():
            continue
        mix_draw = stream(f"vocal mix {number if line.role != 'lead' else 0}")
        mixed = mixdown.mix_voice(mix_draw, desk, track, line.role)
        lower = {"lead": 0.0, "calls": -5.0, "choir": -7.0}.get(line.role, -6.0)
        total += levelled(mixed, -20 + lower + float(mix_draw.normal(0, 2)))
        sounds.append(singer.name)
    return total, sounds
