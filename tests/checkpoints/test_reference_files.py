"""Files that the reference wrote give the same outputs here as in the reference."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from stemsplit.checkpoints.load import load_model
from tests.checkpoints import tiny

pytestmark = pytest.mark.parity

NETWORKS: dict[str, dict[str, Any]] = {
    "demucs.demucs.Demucs": {"channels": 4, "depth": 3, "lstm_layers": 1},
    "demucs.hdemucs.HDemucs": {"channels": 4},
    "demucs.htdemucs.HTDemucs": {
        "channels": 8,
        "bottom_channels": 32,
        "t_layers": 2,
        "t_heads": 4,
        "segment": Fraction(3, 2),
    },
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Any:
    module, _, name = request.param.rpartition(".")
    torch.manual_seed(0)
    made = getattr(pytest.importorskip(module), name)(tiny.STEMS, **NETWORKS[request.param])
    return made.eval()


def run(network: Any) -> Tensor:
    mix = torch.randn(1, 2, 44_100, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        estimate: Tensor = network(mix)
    return estimate


def assert_equal(ours: Tensor, reference: Tensor) -> None:
    # Relative to the loudest sample: float32, other order of operations.
    assert (ours - reference).abs().max() <= 1e-5 * reference.abs().max()


def package(network: Any, *, half: bool) -> dict[str, Any]:
    states = pytest.importorskip("demucs.states")
    args, kwargs = network._init_args_kwargs
    state = states.get_state(network, None, half)
    return {"klass": type(network), "args": args, "kwargs": kwargs, "state": state}


@pytest.mark.parametrize(("is_zip", "half"), [(True, True), (False, False)])
def test_a_local_repository(network: Any, tmp_path: Path, is_zip: bool, half: bool) -> None:
    pretrained = pytest.importorskip("demucs.pretrained")
    states = pytest.importorskip("demucs.states")
    if is_zip:
        states.save_with_checksum(package(network, half=half), tmp_path / "abcd1234.th")
    else:
        path = tmp_path / "abcd1234.th"
        torch.save(package(network, half=half), path, _use_new_zipfile_serialization=False)
    bag = {"models": ["abcd1234"], "weights": [[1.0, 0.5, 1.0, 2.0]], "segment": 1}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(bag))

    reference = pretrained.get_model("mine", repo=tmp_path)
    ours = load_model("mine", repo=tmp_path)
    assert [list(row) for row in ours.stem_weights] == reference.weights
    assert list(ours.stems) == reference.sources
    assert ours.members[0].segment_samples == int(44_100 * reference.models[0].segment)
    assert_equal(run(ours.members[0].network), run(reference.models[0]))


def test_a_safetensors_file_for_the_hub(network: Any, tmp_path: Path) -> None:
    hub = pytest.importorskip("demucs.hf")
    content = package(network, half=True)
    name = f"{type(network).__module__}.{type(network).__qualname__}"

    def encode(value: Fraction) -> dict[str, Any]:
        return {
            "_type": "fraction",
            "numerator": value.numerator,
            "denominator": value.denominator,
        }

    metadata = {
        "klass": name,
        "args": json.dumps(content["args"]),
        "kwargs": json.dumps(content["kwargs"], default=encode),
    }
    path = tmp_path / "abcd1234.safetensors"
    save_file({key: t.contiguous() for key, t in content["state"].items()}, path, metadata=metadata)
    reference = hub.load_safetensors_model(path).eval()
    assert_equal(run(load_model(str(path)).members[0].network), run(reference))
