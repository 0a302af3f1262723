"""The catalogue against the world: every file is where it says, as long as it says, and works."""

import urllib.request

import pytest

from stemsplit.checkpoints import bundled, hub
from stemsplit.checkpoints.cache import Cache
from stemsplit.checkpoints.catalog import PublishedFile, load_catalog
from stemsplit.checkpoints.network import unreachable
from stemsplit.evaluation.data.find import open_dataset
from stemsplit.models.base import STEMS_6
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.separator import Separator

pytestmark = pytest.mark.network

FILES = [file for weights in load_catalog().weights.values() for file in weights.files]
HUB = [file for file in FILES if file.hub is not None]
PLAIN = [file for file in FILES if file.url is not None]


@pytest.mark.parametrize("file", HUB, ids=lambda file: file.address)
def test_a_file_of_the_hub_has_the_hash_we_state(file: PublishedFile) -> None:
    if unreachable([hub.endpoint()]):
        pytest.skip("the hub cannot be reached")
    place = hub.locate(file)
    assert place.sha256 is not None
    assert file.sha256 in (None, place.sha256)


@pytest.mark.parametrize("file", PLAIN, ids=lambda file: file.name)
def test_a_file_of_the_publisher_is_as_long_as_we_state(file: PublishedFile) -> None:
    url = str(file.url)
    if unreachable([url]):
        pytest.skip("the publisher cannot be reached")
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20) as answer:
        assert file.bytes in (None, int(answer.headers["Content-Length"]))


def test_a_published_model_is_fetched_converted_and_separates() -> None:
    if unreachable([hub.endpoint()]):
        pytest.skip("the hub cannot be reached")
    (song,) = open_dataset(bundled.FOLDER / "song")
    mix = song.mix.read()[:, : 2 * 44_100]
    separator = Separator("htdemucs_6s", SeparationOptions(device="cpu"))
    assert len(Cache().all_weights()) == 1
    stems = separator.separate(mix, 44_100).stems
    assert tuple(stems) == STEMS_6
    for stem in stems.values():
        assert stem.shape == mix.shape
        assert bool(stem.isfinite().all())
    rest = mix - sum(stems.values())
    assert rest.square().mean() < 0.5 * mix.square().mean()  # random weights leave all of it
