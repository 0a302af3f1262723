"""Sets of songs for the tests of an evaluation."""

from pathlib import Path

import pytest

from tests.evaluation.songs import write_estimates, write_set


@pytest.fixture(scope="session")
def song_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("sets") / "songs")


@pytest.fixture(scope="session")
def good_stems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Estimates with an SDR of 12 dB in every window."""
    return write_estimates(tmp_path_factory.mktemp("stems") / "good", 12.0)


@pytest.fixture(scope="session")
def bad_stems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Estimates with an SDR of 3 dB in every window."""
    return write_estimates(tmp_path_factory.mktemp("stems") / "bad", 3.0)
