"""What holds for all tests."""

import os
from collections.abc import Iterator

import pytest

# The networks here are small: a second thread costs more than it brings, most of all on a machine
# that is busy. Set before torch is imported, and passed on to the programs that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leaves the user's cache alone, unless `STEMSPLIT_CACHE` names one for the tests."""
    with pytest.MonkeyPatch.context() as patch:
        if "STEMSPLIT_CACHE" not in os.environ:
            patch.setenv("STEMSPLIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
