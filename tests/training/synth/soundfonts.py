"""Which recordings the programs of a SoundFont play.

Source: SoundFont Technical Specification 2.04, section 7.
"""

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

_INSTRUMENT, _SAMPLE = 41, 53  # generators, section 8.1.2

Recordings = dict[tuple[int, int], set[tuple[int, int]]]


def recordings_of(font: Path) -> Recordings:
    """Bank and program to the stretches of samples, from and to, that it plays."""
    table = dict(_chunks(font))
    samples = [place[:2] for place in struct.iter_unpack("<20xIIIII6x", table["shdr"])]
    names = [(first,) for (first,) in struct.iter_unpack("<20xH", table["inst"])]
    instruments = _zones(names, table["ibag"], table["igen"], _SAMPLE)
    headers = list(struct.iter_unpack("<20xHHH12x", table["phdr"]))
    presets = _zones([(bag,) for *_, bag in headers], table["pbag"], table["pgen"], _INSTRUMENT)
    return {
        (bank, program): {
            samples[sample] for instrument in wanted for sample in instruments[instrument]
        }
        for (program, bank, _), wanted in zip(headers, presets, strict=False)
    }


def _zones(
    headers: list[tuple[int]], bags: bytes, generators: bytes, wanted: int
) -> list[list[int]]:
    """For every header, the amounts of one generator in its zones; the last one only ends."""
    ends = [first for first, _ in struct.iter_unpack("<HH", bags)]
    made = list(struct.iter_unpack("<HH", generators))
    return [
        [amount for kind, amount in made[ends[first] : ends[last]] if kind == wanted]
        for (first,), (last,) in pairwise(headers)
    ]


def _chunks(font: Path) -> Iterator[tuple[str, bytes]]:
    """The chunks of the list that says what is played how."""
    with font.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"LIST" and file.read(4) == b"pdta":
                end = file.tell() + size - 4
                while file.tell() < end:
                    part, length = struct.unpack("<4sI", file.read(8))
                    yield part.decode(), file.read(length)
                    file.seek(length % 2, 1)
            else:
                file.seek(size - 4 * (name == b"LIST"), 1)
                # Chunks are of even length, but for the compressed samples of some files.
                if size % 2 and file.read(1) != b"\0":
                    file.seek(-1, 1)
