"""How a network is judged while it learns, and what the judge leaves as it was."""

import math
from pathlib import Path

import pytest
import torch

from stemsplit.training.corpus import open_corpus
from stemsplit.training.distributed import Processes
from stemsplit.training.events import Validated
from stemsplit.training.judging import Judge
from stemsplit.training.setup import as_trained, build_initial, plan_training
from stemsplit.training.validation import Validation
from tests.training.runs import run, tiny_recipe
from tests.training.sets import STEMS


def test_stems_count_in_the_mean_as_they_are_learnt() -> None:
    scores = {"a": {"drums": -5.0, "vocals": 3.0}, "b": {"drums": -7.0, "vocals": 5.0}}
    assert Validation(scores).mean_db == -1.0
    assert Validation(scores, {"drums": 1.0, "vocals": 3.0}).mean_db == 1.5
    specialist = Validation(scores, {"drums": 0.0, "vocals": 1.0})
    assert specialist.mean_db == 4.0
    assert specialist.stems_db == {"drums": -6.0, "vocals": 4.0}
    assert Validation({"a": {"drums": 1.0}}, {"drums": 0.0}).mean_db == -math.inf


def test_a_specialist_is_chosen_by_its_stem_and_its_card_says_so(tmp_path: Path) -> None:
    settings = ("loss.stem_weights=0,0,0,1", "validation.max_seconds=1.5", "epochs=1")
    finished, events = run(tiny_recipe(tmp_path, *settings), tmp_path / "out")
    (validated,) = [event for event in events if isinstance(event, Validated)]
    assert set(validated.stems_db) == set(STEMS)
    assert validated.sdr_db == finished.best_sdr_db == validated.stems_db["vocals"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "SDR is that of the middle 1.5 s of each validation song (uSDR)" in card
    assert "stems count as in the loss: drums 0, bass 0, other 0, vocals 1." in card


@pytest.mark.parametrize("task", ["separate", "reconstruct"])
def test_a_validation_leaves_the_generator_of_dropout_alone(tmp_path: Path, task: str) -> None:
    plan = plan_training(tiny_recipe(tmp_path, f"task={task}"))
    corpus = open_corpus(plan.recipe.data, plan.recipe.validation, plan.config)
    judge = Judge(plan, corpus.validation, torch.device("cpu"), Processes())
    network = as_trained(plan, build_initial(plan))
    before = torch.get_rng_state()
    judge.score(network)
    assert torch.equal(torch.get_rng_state(), before)
