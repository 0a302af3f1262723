"""What is checked and decided before an evaluation begins."""

from pathlib import Path

import pytest

from stemsplit.checkpoints.weights import CheckpointInfo, write_checkpoint
from stemsplit.evaluation.estimates import find_estimates
from stemsplit.evaluation.run_options import EvaluationOptions
from stemsplit.evaluation.session import Request, Session, prepare
from stemsplit.layers.levels import Level
from stemsplit.models.demucs.config import DemucsConfig
from stemsplit.models.registry import build_network, config_to_dict
from stemsplit.separation.options import SeparationOptions
from tests.evaluation.songs import NAMES, RATE, song, write_stems


def write_model(path: Path, *stems: str) -> Path:
    config = DemucsConfig(
        levels=(Level(channels=4, kernel=8, stride=4, padding=0),),
        sample_rate=RATE,
        segment_samples=RATE,
        stems=stems,
    )
    info = CheckpointInfo(
        architecture="demucs",
        config=config_to_dict(config),
        stems=stems,
        sample_rate=RATE,
        channels=config.channels,
    )
    write_checkpoint(path, build_network("demucs", config).state_dict(), info)
    return path


def prepared(song_set: Path, out: Path, *models: Path, estimates: tuple[Path, ...] = ()) -> Session:
    return prepare(
        Request(
            data=str(song_set),
            split=None,
            models=tuple(map(str, models)),
            estimates=estimates,
            separation=SeparationOptions(device="cpu"),
            evaluation=EvaluationOptions(folder=out, two_stems=None if estimates else "vocals"),
            floors={},
            compare=None,
        )
    )


def test_a_model_with_a_rest_of_its_own_is_scored_on_it(song_set: Path, tmp_path: Path) -> None:
    own = write_model(tmp_path / "own.safetensors", "vocals", "accompaniment")
    plain = write_model(tmp_path / "plain.safetensors", "vocals", "drums")
    session = prepared(song_set, tmp_path / "out", own, plain)
    first, second = session.candidates(lambda *_: pytest.fail("nothing is loaded yet"))
    assert first.stems == ("vocals", "accompaniment")
    assert second.stems == ("vocals", "no_vocals")


@pytest.mark.parametrize("name", ["no_vocals", "instrumental", "other"])
def test_finished_stems_may_be_a_sum_alone(song_set: Path, tmp_path: Path, name: str) -> None:
    for seed, track in enumerate(NAMES):
        write_stems(tmp_path / "made" / track, {name: song(seed)["drums"]})
    session = prepared(song_set, tmp_path / "out", estimates=(tmp_path / "made",))
    (found,) = session.estimates
    assert found.stems == (name,)
    assert find_estimates(tmp_path / "made", tracks=NAMES, stems=(name,))["made"] == found.files
