"""A program that says lines with eSpeak NG: run on its own, it imports nothing of the package.

``python speaker.py LIBRARY DATA VOICE < lines`` writes, for every line, the sample rate and the
number of samples as two 32-bit integers, then the samples as 16-bit ones. eSpeak carries state from
line to line that nothing resets; a process of its own says the same lines the same way each time.
"""

import array
import ctypes
import sys
from collections.abc import Sequence
from typing import Any

_RETRIEVAL = 1  # the sound comes back instead of being played
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4  # parameters of espeak_SetParameter
_GOES_ON = 0

_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def main(arguments: Sequence[str]) -> int:
    """Say the lines of standard input; status 1 where there is no such voice."""
    library_path, data_path, voice = arguments
    library = ctypes.CDLL(library_path)
    heard = array.array("h")

    def hear(samples: Any, count: int, _: Any) -> int:
        if count > 0:
            heard.extend(samples[:count])
        return _GOES_ON

    callback = _CALLBACK(hear)  # kept, or the library would call into nothing
    rate = library.espeak_Initialize(_RETRIEVAL, 0, data_path.encode(), 0)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        return 1
    if hasattr(library, "espeak_ng_SetRandSeed"):  # whispering voices draw from the clock's seed
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    for parameter, value in ((_RATE, 120), (_PITCH, 45), (_RANGE, 20)):
        library.espeak_SetParameter(parameter, value, 0)
    for line in sys.stdin.buffer.read().splitlines():
        del heard[:]
        library.espeak_Synth(line, len(line) + 1, 0, 1, 0, _UTF8, None, None)
        library.espeak_Synchronize()
        sys.stdout.buffer.write(array.array("i", (rate, len(heard))).tobytes())
        sys.stdout.buffer.write(heard.tobytes())
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
