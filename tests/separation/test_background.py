"""Running ahead in a thread: order, errors, early ends."""

import threading
import time
from collections.abc import Iterator

import pytest

from stemsplit.separation.background import Background


def test_items_come_in_order_and_all_of_them() -> None:
    with Background(range(100), ahead=3) as items:
        assert list(items) == list(range(100))


def test_an_error_is_raised_where_its_item_was_awaited() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with Background(failing(), ahead=2) as items:
        waiting = iter(items)
        assert next(waiting) == 1
        with pytest.raises(ValueError, match="broken"):
            next(waiting)


def test_it_runs_ahead_but_only_so_far() -> None:
    produced: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(100):
            produced.append(number)
            yield number

    with Background(counting(), ahead=2) as items:
        next(iter(items))
        deadline = time.monotonic() + 5
        while len(produced) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(produced) == 4  # one taken, two waiting, one in hand


def test_closing_early_ends_the_thread_and_closes_the_source() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    with Background(endless(), ahead=1) as items:
        next(iter(items))
    assert closed.is_set()
    assert threading.active_count() == before
