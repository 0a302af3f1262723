"""A run on a GPU: stopped, gone on with, and of use without one."""

import math
import threading
from pathlib import Path

import pytest
import torch

from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.separator import Separator
from stemsplit.training.events import Event, Preflight, StepDone, Validated
from stemsplit.training.run import RunOptions, train
from tests.training.runs import tiny_recipe
from tests.training.sets import RATE, STEMS, tones

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("default"),  # those of a driver are none of ours
]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_three_steps_with_a_stop_after_the_first(tmp_path: Path, precision: str) -> None:
    recipe = tiny_recipe(tmp_path, "epochs=3", "steps_per_epoch=1", f"precision={precision}")
    options = RunOptions(out=tmp_path / "out", device="cuda")
    told: list[Event] = []
    stop = threading.Event()

    def stop_when_validated(event: Event) -> None:
        told.append(event)
        if isinstance(event, Validated):
            stop.set()

    first = train(recipe, options, on_event=stop_when_validated, stop=stop)
    assert first is not None
    assert (first.step, first.is_complete) == (1, False)
    second = train(recipe, options, on_event=told.append)
    assert second is not None
    assert (second.step, second.is_complete) == (3, True)
    steps = [event for event in told if isinstance(event, StepDone)]
    assert [event.step for event in steps] == [1, 2, 3]
    assert all(math.isfinite(event.loss) and event.gradient_norm > 0 for event in steps)
    checked = [event for event in told if isinstance(event, Preflight)]
    assert {event.device.partition(":")[0] for event in checked} == {"cuda"}
    assert all((event.memory_bytes or 0) > 1e5 for event in checked)
    separator = Separator(str(options.out), SeparationOptions(device="cpu"))
    mix = torch.stack(list(tones().values())).sum(dim=0)
    found = separator.separate(mix, RATE).stems
    assert {stem: signal.shape for stem, signal in found.items()} == dict.fromkeys(STEMS, mix.shape)
    assert all(bool(signal.isfinite().all()) for signal in found.values())
