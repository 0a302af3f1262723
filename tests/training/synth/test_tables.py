"""The tables: complete, consistent, and held-out rows really held out."""

import pytest

from stemsplit.errors import ConfigError
from stemsplit.training.synth.grooves import GROOVES
from stemsplit.training.synth.kits import KITS
from stemsplit.training.synth.phonemes import LANGUAGES, PHONEMES
from stemsplit.training.synth.sounds import DEFAULTS, SAMPLED, SAMPLED_KITS, SOUNDS
from stemsplit.training.synth.sources import SOURCES, find
from stemsplit.training.synth.speech import lines_of
from stemsplit.training.synth.styles import STYLES
from stemsplit.training.synth.tables import SPLITS, check_split, rows_of
from stemsplit.training.synth.theory import PROGRESSIONS, SCALES
from stemsplit.training.synth.tones import ENGINES
from stemsplit.training.synth.voices import LINES, VOICES
from tests.training.synth.soundfonts import recordings_of


def test_styles_name_what_there_is_and_only_of_their_own_split() -> None:
    for name, style in STYLES.items():
        assert set(style.grooves) <= set(rows_of(GROOVES, style.split)), name
        assert set(style.harmony) <= set(PROGRESSIONS), name
        assert set(style.modes) <= set(SCALES), name


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_can_make_every_style_without_sampled_sounds(split: str) -> None:
    kind = check_split(split)
    families = {f for sound in rows_of(SOUNDS, kind).values() for f in sound.families}
    kits = {kit.kind for kit in rows_of(KITS, kind).values()}
    assert any(not voice.speech for voice in rows_of(VOICES, kind).values())
    for style in rows_of(STYLES, kind).values():
        assert set(style.kits) <= kits
        assert set(style.bass) <= families
        assert families & set(style.roles)
    assert "piano" in families  # what stands in for a family that is missing


def test_a_program_of_a_font_belongs_to_one_split() -> None:
    owners: dict[tuple[str, int, int], str] = {}
    for row in (*SAMPLED.values(), *SAMPLED_KITS.values()):
        key = (row.font, row.bank, row.program)
        assert owners.setdefault(key, row.split) == row.split


@pytest.mark.parametrize("font", sorted({row.font for row in SAMPLED.values()}))
def test_a_recording_belongs_to_one_split(font: str) -> None:
    if (path := find(font)) is None:
        pytest.skip(f"{font} is not installed")
    recordings = recordings_of(path)
    owners: dict[tuple[int, int], str] = {}
    for row in (*SAMPLED.values(), *SAMPLED_KITS.values()):
        if row.font == font:
            for recording in recordings[row.bank, row.program]:
                assert owners.setdefault(recording, row.split) == row.split
    assert len(owners) > 100


def test_a_speaker_belongs_to_one_split() -> None:
    owners: dict[str, str] = {}
    for voice in VOICES.values():
        if voice.speech:
            speaker = voice.speech.partition("+")[2] or voice.speech
            assert owners.setdefault(speaker, voice.split) == voice.split
            assert lines_of(voice.speech) in LINES.values()


def test_every_split_has_rows_of_every_table() -> None:
    for table in (STYLES, GROOVES, KITS, SOUNDS, SAMPLED, VOICES):
        counts = [len(rows_of(table, split)) for split in SPLITS]
        assert sum(counts) == len(table)
        assert min(counts) >= 2
        assert counts[0] > counts[1] + counts[2]


def test_sounds_give_their_engines_what_they_take() -> None:
    for name, sound in SOUNDS.items():
        assert sound.engine in ENGINES
        assert set(sound.ranges) <= set(DEFAULTS[sound.engine]), name


def test_syllables_are_made_of_known_phonemes() -> None:
    for language in LANGUAGES.values():
        for group in (*language.onsets, *language.vowels, *language.codas):
            assert set(group) <= set(PHONEMES)
    assert {voice.language for voice in VOICES.values()} <= set(LANGUAGES)


def test_every_source_has_a_licence_and_an_origin() -> None:
    fonts = {row.font for row in (*SAMPLED.values(), *SAMPLED_KITS.values())}
    assert fonts <= set(SOURCES)
    for source in SOURCES.values():
        assert source.licence
        assert source.origin


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'tain' is no split.*Did you mean train"):
        check_split("tain")
