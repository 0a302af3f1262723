"""The verdict on a song as it is separated, with networks whose behaviour is known."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stemsplit.evaluation.inspection import SongInspector
from stemsplit.separation.events import StemQuality
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.prepared import PreparedSong, read_through
from stemsplit.separation.separator import Separator
from tests.separation.fakes import Blurred, Scaled, make_model

RATE = 8000


class Drifting(nn.Module):
    """Splits by a share that differs from window to window, so that no two runs agree."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, mix: Tensor) -> Tensor:
        self.calls += 1
        share = 0.2 if self.calls % 2 else 0.8
        return torch.stack([mix * share, mix * (1 - share)], dim=1)


def make_separator(network: nn.Module, stems: tuple[str, ...], **options: object) -> Separator:
    model = make_model(
        [network],
        stems=stems,
        segment_samples=RATE,
        sample_rate=RATE,
        weights=((1.0,) * len(stems),),
    )
    return Separator(model, SeparationOptions(device="cpu", **options))  # type: ignore[arg-type]


def prepare(separator: Separator, seconds: float, rate: int = RATE) -> PreparedSong:
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(2, round(seconds * rate), generator=generator) / 10 + 0.01
    return read_through(
        Path("song"),
        lambda: iter(torch.split(mix, 5000, dim=-1)),
        rate,
        2,
        model_rate=separator.sample_rate,
        cancel=separator.cancel,
    )


def inspected(separator: Separator, song: PreparedSong) -> dict[str, StemQuality]:
    inspector = SongInspector(separator, song)
    for block in separator.stream_prepared(song, with_mix=True):
        inspector.update(block)
    return inspector.finish()


@pytest.mark.parametrize("seconds", [0.2, 1.0, 7.3])
def test_a_network_that_does_the_same_everywhere_agrees_with_itself(seconds: float) -> None:
    separator = make_separator(Scaled((0.3, 0.7)), ("vocals", "other"))
    found = inspected(separator, prepare(separator, seconds))
    for quality in found.values():
        # The same arithmetic at another place of the segment: float32 leaves some 140 dB.
        assert quality.measures["agreement_db"] > 100
        assert quality.measures["unexplained_db"] < -100


@pytest.mark.parametrize("num_samples", [1, 2])
def test_a_song_of_a_sample_or_two_is_judged_without_an_excerpt(num_samples: int) -> None:
    separator = make_separator(Scaled((0.3, 0.7)), ("vocals", "other"))
    found = inspected(separator, prepare(separator, num_samples / RATE))
    assert list(found) == ["vocals", "other"]


def test_songs_at_another_rate_are_compared_at_theirs() -> None:
    separator = make_separator(Scaled((0.3, 0.7)), ("vocals", "other"))
    found = inspected(separator, prepare(separator, 4.0, rate=11_025))
    # The edges of an excerpt are resampled against silence, far from its middle half.
    assert found["vocals"].measures["agreement_db"] > 60


def test_stems_that_depend_on_the_place_in_the_segment_disagree() -> None:
    separator = make_separator(Blurred(num_stems=2), ("vocals", "other"))
    found = inspected(separator, prepare(separator, 6.0))
    # The ramp of the network runs from 0.5 to 1.5: a shift by half a stride changes every stem.
    assert 0 < found["vocals"].measures["agreement_db"] < 20


def test_what_no_two_runs_agree_on_scores_low() -> None:
    steady = make_separator(Scaled((0.3, 0.7)), ("vocals", "other"))
    drifting = make_separator(Drifting(), ("vocals", "other"), batch=1, overlap=0.0)
    good = inspected(steady, prepare(steady, 6.0))["vocals"]
    bad = inspected(drifting, prepare(drifting, 6.0))["vocals"]
    assert bad.score < good.score


def test_a_minute_costs_one_forward_pass_and_no_song_more_than_three() -> None:
    for seconds, extra in ((10, 1), (60, 1), (125, 2), (400, 3)):
        network = Scaled((0.3, 0.7))
        separator = make_separator(network, ("vocals", "other"))
        song = prepare(separator, seconds)
        for _ in separator.stream_prepared(song):
            pass
        alone = sum(network.num_windows)
        network.num_windows.clear()
        inspected(separator, song)
        assert sum(network.num_windows) - alone == extra


def test_two_stems_are_not_praised_for_adding_up() -> None:
    separator = make_separator(Scaled((0.3, 0.7)), ("vocals", "other"), two_stems="vocals")
    found = inspected(separator, prepare(separator, 3.0))
    assert list(found) == ["vocals", "no_vocals"]
    assert all("unexplained_db" not in quality.measures for quality in found.values())


def test_memory_holds_a_few_excerpts_of_a_long_song() -> None:
    separator = make_separator(Scaled((0.3, 0.7)), ("vocals", "other"))
    song = prepare(separator, 400)
    inspector = SongInspector(separator, song)
    most = 0
    for block in separator.stream_prepared(song, with_mix=True):
        inspector.update(block)
        most = max(most, inspector.num_held)
    # Three excerpts of a second, one about to be cut, and a window of four seconds.
    assert most <= (3 + 1 + 4) * RATE + 2 * block.stems["vocals"].shape[-1]


def test_blocks_without_the_mix_are_refused() -> None:
    separator = make_separator(Scaled((0.3, 0.7)), ("vocals", "other"))
    song = prepare(separator, 1.0)
    block = next(separator.stream_prepared(song, with_mix=True))
    with pytest.raises(ValueError, match="mix"):
        SongInspector(separator, song).update(dataclasses.replace(block, mix=None))
