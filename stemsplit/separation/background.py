"""Let one step of a pipeline run ahead of the next."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

_POLL_SECONDS = 0.1  # how soon a stop is noticed while a queue is full or empty


class Background(Generic[Item]):
    """Iterates over something in a thread of its own, a few items ahead of whoever asks for them.

    An exception of the iterated thing is raised at the place where its item was awaited. Closing
    stops the thread and closes the iterator, also when not everything was asked for.
    """

    def __init__(self, items: Iterable[Item], *, ahead: int) -> None:
        """Start to iterate.

        Args:
            items: what to iterate over; only the thread touches it from now on.
            ahead: how many items may wait.
        """
        self._queue: queue.Queue[tuple[str, object]] = queue.Queue(ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(items,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        while True:
            try:
                kind, value = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if self._stop.is_set():
                    return
                continue
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> "Background[Item]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self, items: Iterable[Item]) -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not self._put("item", item):
                    return
            self._put("end", None)
        except BaseException as error:  # handed on to the thread that waits for the item
            self._put("error", error)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def _put(self, kind: str, value: object) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put((kind, value), timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False
