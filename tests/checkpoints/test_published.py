"""The catalogue against the world: every file is where it says, as long as it says."""

import urllib.request

import pytest

from stemsplit.checkpoints import hub
from stemsplit.checkpoints.catalog import PublishedFile, load_catalog
from stemsplit.checkpoints.network import unreachable

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
