"""Ctrl-C during long work."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """What Ctrl-C does: once the songs are being worked on it asks for an end, else it is one."""

    def __init__(self) -> None:
        """Be an end at once, until `is_gentle` is set."""
        self.cancel = threading.Event()
        self.is_gentle = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if not self.is_gentle or self.cancel.is_set():
            raise KeyboardInterrupt
        self.cancel.set()


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Let Ctrl-C and an order to terminate set `Stop.cancel` while the block runs."""
    stop = Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
