"""What stems can be written as. Imports no torch, so that options are checked before any work."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from stemsplit.errors import ConfigError, suggest

MIX_TRACK = "mix"  # the fifth track of a single-file format: the song itself
STEMS_FILE_TRACKS = 4  # stems in a Native Instruments file: no more, no fewer
_STEM_ORDER = ("drums", "bass", "other", "vocals")  # DJ software takes the first for the rhythm

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_RATES = (*_MP3_RATES, 64000, 88200, 96000)
_MP3_BITRATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s


@dataclass(frozen=True, kw_only=True)
class AudioFormat:
    """A file format and what it can hold."""

    name: str
    """What `--format` takes."""

    extension: str
    """Of the file, without the leading dot."""

    summary: str
    """One line for a list."""

    bit_depths: tuple[int, ...] = ()
    """Bits per sample that can be asked for; the first is the default of a lossless format."""

    bitrates: Sequence[int] = ()
    """Bit rates that can be asked for, in kbit/s."""

    default_bitrate: int | None = None
    """In kbit/s; None for a format that is lossless by default."""

    sample_rates: tuple[int, ...] = ()
    """The only rates it can hold, in Hz, in ascending order; empty for any."""

    max_sample_rate: int = 384_000
    """Highest rate it can hold, in Hz."""

    is_single_file: bool = False
    """Whether one file holds the mix and all stems."""

    holds_cover: bool = True
    """Whether a cover picture fits in."""

    min_channels: int = 1
    """Mono is doubled where this is 2."""


AUDIO_FORMATS: dict[str, AudioFormat] = {
    entry.name: entry
    for entry in (
        AudioFormat(
            name="wav",
            extension="wav",
            summary="uncompressed; 16 or 24 bits, or 32-bit floating point; RF64 above 4 GB",
            bit_depths=(16, 24, 32),
            holds_cover=False,
        ),
        AudioFormat(
            name="flac",
            extension="flac",
            summary="lossless, about half the size of wav; 16 or 24 bits",
            bit_depths=(16, 24),
        ),
        AudioFormat(
            name="mp3",
            extension="mp3",
            summary="lossy, plays everywhere; up to 48 kHz",
            bitrates=_MP3_BITRATES,
            default_bitrate=320,
            sample_rates=_MP3_RATES,
        ),
        AudioFormat(
            name="m4a",
            extension="m4a",
            summary="AAC, lossy; up to 96 kHz",
            bitrates=range(24, 513),
            default_bitrate=256,
            sample_rates=_AAC_RATES,
        ),
        AudioFormat(
            name="alac",
            extension="m4a",
            summary="Apple Lossless; 16 or 24 bits",
            bit_depths=(16, 24),
        ),
        AudioFormat(
            name="ogg",
            extension="ogg",
            summary="Vorbis, lossy; the bit rate chooses the quality",
            bitrates=range(45, 501),
            default_bitrate=256,
            max_sample_rate=192_000,
        ),
        AudioFormat(
            name="opus",
            extension="opus",
            summary="lossy, the smallest; always 48 kHz",
            bitrates=range(6, 511),
            default_bitrate=192,
            sample_rates=(48_000,),
        ),
        AudioFormat(
            name="stems",
            extension="stem.m4a",
            summary="Native Instruments Stems: the mix and four stems in one file for DJ software",
            bit_depths=(16, 24),
            bitrates=range(24, 513),
            default_bitrate=256,
            sample_rates=(44_100, 48_000),
            is_single_file=True,
            min_channels=2,
        ),
    )
}


@dataclass(frozen=True)
class OutputFormat:
    """A format with its bit depth or bit rate settled; made by `resolve_format`."""

    format: AudioFormat
    """The file format."""

    bit_depth: int | None
    """Bits per sample of a lossless format; None for a lossy one."""

    bitrate: int | None
    """In kbit/s of a lossy format; None for a lossless one."""

    @property
    def name(self) -> str:
        """What `--format` takes."""
        return self.format.name

    @property
    def extension(self) -> str:
        """Of the file, without the leading dot."""
        return self.format.extension

    @property
    def is_lossy(self) -> bool:
        """Whether the encoder throws something away."""
        return self.bit_depth is None

    @property
    def is_float(self) -> bool:
        """Whether samples beyond full scale survive and nothing is ever rounded or scaled."""
        return self.bit_depth == 32

    def sample_rate_for(self, sample_rate: int) -> int:
        """The rate that stems of a song at `sample_rate` are written at, both in Hz.

        The song's own where the format can hold it, else the next higher one that it can, else its
        highest.
        """
        allowed = self.format.sample_rates
        if allowed:
            return next((rate for rate in allowed if rate >= sample_rate), allowed[-1])
        return min(sample_rate, self.format.max_sample_rate)

    def order_stems(self, stems: Collection[str]) -> tuple[str, ...]:
        """The stems in the order in which they are written.

        Raises:
            ConfigError: the format cannot hold these stems.
        """
        if not self.format.is_single_file:
            return tuple(stems)
        if len(stems) != STEMS_FILE_TRACKS or MIX_TRACK in stems:
            raise ConfigError(
                f"--format {self.name} needs exactly {STEMS_FILE_TRACKS} stems, got "
                f"{len(stems)} ({', '.join(stems)}). Choose four with --stems, or another format."
            )
        known = [stem for stem in _STEM_ORDER if stem in stems]
        return (*known, *(stem for stem in stems if stem not in _STEM_ORDER))


def resolve_format(
    name: str, bit_depth: int | None = None, bitrate: int | None = None
) -> OutputFormat:
    """Settle a format's bit depth or bit rate.

    `stems` is AAC by default, and Apple Lossless when a bit depth is asked for; Traktor on Windows
    plays only AAC.

    Args:
        name: one of `AUDIO_FORMATS`.
        bit_depth: 16, 24 or 32 (floating point); None takes the format's own default.
        bitrate: in kbit/s; None takes the format's own default.

    Raises:
        ConfigError: there is no such format, or it has no such bit depth or bit rate.
    """
    found = AUDIO_FORMATS.get(name)
    if found is None:
        raise ConfigError(
            f"There is no format {name!r}: choose one of {', '.join(AUDIO_FORMATS)}."
            + suggest(name, AUDIO_FORMATS)
        )
    if bit_depth is not None and bitrate is not None:
        raise ConfigError(
            f"--bit-depth {bit_depth} and --bitrate {bitrate} exclude each other: the first is for "
            "lossless formats, the second for lossy ones."
        )
    if bit_depth is not None:
        _check_bit_depth(found, bit_depth)
        return OutputFormat(found, bit_depth, None)
    if bitrate is not None:
        _check_bitrate(found, bitrate)
        return OutputFormat(found, None, bitrate)
    if found.default_bitrate is not None:
        return OutputFormat(found, None, found.default_bitrate)
    return OutputFormat(found, found.bit_depths[0], None)


def _check_bit_depth(found: AudioFormat, bit_depth: int) -> None:
    if bit_depth in found.bit_depths:
        return
    if not found.bit_depths:
        raise ConfigError(
            f"--format {found.name} has no bit depth: leave out --bit-depth and set --bitrate, or "
            "choose wav or flac."
        )
    allowed = " or ".join(str(depth) for depth in found.bit_depths)
    hint = " For 32-bit floating point choose --format wav." if bit_depth == 32 else ""
    raise ConfigError(f"--format {found.name} has {allowed} bits, not {bit_depth}.{hint}")


def _check_bitrate(found: AudioFormat, bitrate: int) -> None:
    if bitrate in found.bitrates:
        return
    if not found.bitrates:
        raise ConfigError(
            f"--format {found.name} is lossless and has no bit rate: leave out --bitrate, or "
            "choose mp3, m4a, ogg or opus."
        )
    if isinstance(found.bitrates, range):
        allowed = f"from {found.bitrates[0]} to {found.bitrates[-1]}"
    else:
        allowed = "one of " + ", ".join(str(rate) for rate in found.bitrates)
    raise ConfigError(f"--bitrate of {found.name} must be {allowed} kbit/s, got {bitrate}.")
