"""The table of formats and what may be asked of them."""

import subprocess
import sys

import pytest

from stemsplit.audio.formats import AUDIO_FORMATS, MIX_TRACK, OutputFormat, resolve_format
from stemsplit.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "bit_depth", "bitrate", "extension"),
    [
        ("wav", 16, None, "wav"),
        ("flac", 16, None, "flac"),
        ("mp3", None, 320, "mp3"),
        ("m4a", None, 256, "m4a"),
        ("alac", 16, None, "m4a"),
        ("ogg", None, 256, "ogg"),
        ("opus", None, 192, "opus"),
        ("stems", None, 256, "stem.m4a"),
    ],
)
def test_defaults(name: str, bit_depth: int | None, bitrate: int | None, extension: str) -> None:
    found = resolve_format(name)
    assert (found.bit_depth, found.bitrate, found.extension) == (bit_depth, bitrate, extension)
    assert found.is_lossy == (bit_depth is None)
    assert not found.is_float


def test_the_table_is_complete() -> None:
    assert list(AUDIO_FORMATS) == ["wav", "flac", "mp3", "m4a", "alac", "ogg", "opus", "stems"]
    for name, found in AUDIO_FORMATS.items():
        assert found.name == name
        for depth in found.bit_depths:
            assert resolve_format(name, depth).bit_depth == depth
        for bitrate in found.bitrates:
            assert resolve_format(name, None, bitrate).bitrate == bitrate


def test_32_bits_are_floating_point() -> None:
    assert resolve_format("wav", 32).is_float


def test_stems_can_be_lossless() -> None:
    assert not resolve_format("stems", 24).is_lossy


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (("mp33", None, None), "no format 'mp33'.* Did you mean mp3"),
        (("wav", 8, None), "16 or 24 or 32 bits, not 8"),
        (("flac", 32, None), "not 32.*choose --format wav"),
        (("mp3", 16, None), "has no bit depth"),
        (("wav", None, 320), "lossless and has no bit rate"),
        (("mp3", None, 100), "must be one of 32, 40"),
        (("opus", None, 1000), "from 6 to 510"),
        (("stems", 16, 256), "exclude each other"),
    ],
)
def test_impossible_wishes_are_explained(
    wishes: tuple[str, int | None, int | None], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_format(*wishes)


@pytest.mark.parametrize(
    ("name", "song_rate", "file_rate"),
    [
        ("wav", 44_056, 44_056),
        ("flac", 192_000, 192_000),
        ("mp3", 44_100, 44_100),
        ("mp3", 37_800, 44_100),
        ("mp3", 96_000, 48_000),
        ("m4a", 96_000, 96_000),
        ("m4a", 192_000, 96_000),
        ("opus", 44_100, 48_000),
        ("ogg", 384_000, 192_000),
        ("stems", 22_050, 44_100),
        ("stems", 96_000, 48_000),
    ],
)
def test_the_song_rate_is_kept_where_the_format_can(
    name: str, song_rate: int, file_rate: int
) -> None:
    assert resolve_format(name).sample_rate_for(song_rate) == file_rate


def stems_format() -> OutputFormat:
    return resolve_format("stems")


def test_a_stems_file_begins_with_the_drums() -> None:
    ordered = stems_format().order_stems(("vocals", "other", "bass", "drums"))
    assert ordered == ("drums", "bass", "other", "vocals")
    assert stems_format().order_stems(("a", "vocals", "b", "c")) == ("vocals", "a", "b", "c")
    assert resolve_format("wav").order_stems(("vocals", "bass")) == ("vocals", "bass")


@pytest.mark.parametrize("stems", [("vocals", "no_vocals"), (MIX_TRACK, "a", "b", "c")])
def test_a_stems_file_needs_exactly_four(stems: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="needs exactly 4 stems"):
        stems_format().order_stems(stems)


def test_checking_options_costs_no_torch() -> None:
    code = (
        "import sys, stemsplit.audio.formats, stemsplit.audio.probe, stemsplit.audio.tags;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
