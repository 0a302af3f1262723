"""What is said of stems without the true ones, on signals whose faults are known."""

import math

import pytest
import torch
from torch import Tensor

from stemsplit.evaluation.quality import QualityMeter, WindowCutter, spread
from stemsplit.separation.events import StemQuality

RATE = 8000
NAMES = ("vocals", "drums")


def noise(seconds: float = 6.0, seed: int = 0, channels: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(channels, round(seconds * RATE), generator=generator) / 10


def measured(
    stems: dict[str, Tensor], mix: Tensor | None = None, *, block: int = 1000, **options: bool
) -> dict[str, StemQuality]:
    mix = sum(stems.values(), torch.zeros(())) if mix is None else mix
    length = mix.shape[-1]
    meter = QualityMeter(tuple(stems), sample_rate=RATE, num_samples=length, **options)
    for start in range(0, length, block):
        stretch = slice(start, start + block)
        meter.update({name: stem[:, stretch] for name, stem in stems.items()}, mix[:, stretch])
    return meter.result()


def pair() -> dict[str, Tensor]:
    return {"vocals": noise(seed=1), "drums": noise(seed=2)}


def test_independent_stems_that_add_up_score_full_marks() -> None:
    found = measured(pair())
    for quality in found.values():
        # Chance alone makes signals alike, by 1 / sqrt(values), and a band has some hundred.
        assert quality.measures["leak_db"] < -28
        assert quality.score >= 85
        assert quality.reasons == ()
        assert quality.measures["unexplained_db"] < -100


def test_the_share_of_a_louder_stem_is_what_arithmetic_says() -> None:
    # 0.1 v + 0.1 d against d, in every band: the coherence is 1 / sqrt(2), and drums have 50 times
    # the energy of the leaking stem.
    stems = pair()
    leaking = {"vocals": 0.1 * (stems["vocals"] + stems["drums"]), "drums": stems["drums"]}
    found = measured(leaking)
    expected = 20 * math.log10(1 / math.sqrt(2) * 50 / 51)
    assert found["vocals"].measures["leak_db"] == pytest.approx(expected, abs=0.2)
    assert found["vocals"].measures["most_like"] == "drums"
    assert "sounds like drums" in found["vocals"].reasons[0]
    # The louder one is hardly to blame for what it has in common with the other.
    assert found["drums"].measures["leak_db"] < expected - 30
    assert found["vocals"].score < 60 < found["drums"].score


def test_the_band_of_a_leak_is_named() -> None:
    time = torch.arange(6 * RATE) / RATE
    hum = (0.3 * torch.sin(2 * math.pi * 1000 * time)).expand(2, -1)
    stems = {name: stem + hum for name, stem in pair().items()}
    assert measured(stems)["vocals"].measures["most_like_band_hz"] == (900, 1250)


def test_what_no_stem_explains_is_what_arithmetic_says() -> None:
    # A tenth of the energy of both stems together, and each of them answers for half of it.
    stems = pair()
    rest = noise(seed=3) * math.sqrt(0.2)
    mix = stems["vocals"] + stems["drums"] + rest
    found = measured(stems, mix)
    for quality in found.values():
        assert quality.measures["unexplained_db"] == pytest.approx(-10, abs=0.2)


def test_a_rest_by_construction_proves_nothing() -> None:
    found = measured(pair(), explains_all=False)
    assert "unexplained_db" not in found["vocals"].measures


def test_runs_that_differ_cost_the_stem_in_which_they_do() -> None:
    stems = pair()
    meter = QualityMeter(NAMES, sample_rate=RATE, num_samples=6 * RATE)
    meter.update(stems, stems["vocals"] + stems["drums"])
    meter.compare(stems, {"vocals": 0.9 * stems["vocals"], "drums": 2 * stems["drums"]})
    found = meter.result()
    # |s| / |s - 0.9 s| is 10, which is 20 dB; |s| / |s - 2 s| is 1, which is 0 dB.
    assert found["vocals"].measures["agreement_db"] == pytest.approx(20, abs=1e-3)
    assert found["drums"].measures["agreement_db"] == pytest.approx(0, abs=1e-3)
    assert found["drums"].score < found["vocals"].score
    assert "a second run" in found["drums"].reasons[0]


def test_a_silent_stem_is_said_to_be_silent() -> None:
    stems = pair()
    stems["vocals"] = 1e-5 * stems["vocals"]
    found = measured(stems)
    assert found["vocals"].score == 100
    assert found["vocals"].reasons == ("silent: the song seems to have no vocals",)
    assert found["drums"].reasons == ()


def test_a_song_of_silence_is_judged_too() -> None:
    found = measured({name: torch.zeros(2, RATE) for name in NAMES})
    assert all("silent" in quality.reasons[0] for quality in found.values())


def test_clipping_is_counted_and_costs() -> None:
    stems = pair()
    stems["drums"][:, ::100] = 1.5
    found = measured(stems)
    assert found["drums"].measures["clipped_share"] == pytest.approx(0.01)
    assert found["drums"].score <= 80
    assert "1.0% of its samples exceed full scale" in found["drums"].reasons
    assert found["vocals"].measures["clipped_share"] == 0


@pytest.mark.parametrize("block", [1, 777, 10**6])
def test_blocks_of_any_size_give_one_verdict(block: int) -> None:
    stems = {name: stem[:, :9000] for name, stem in pair().items()}
    whole = measured(stems, block=4500)
    other = measured(stems, block=block)
    assert other == whole


def test_a_song_shorter_than_a_frame_is_judged() -> None:
    stems = {name: stem[:, :500] for name, stem in pair().items()}
    assert measured(stems)["vocals"].measures["unexplained_db"] < -100


def test_one_stem_alone_is_like_no_other() -> None:
    found = measured({"vocals": noise()})
    assert found["vocals"].score == 100
    assert not {"most_like", "leak_db"} & set(found["vocals"].measures)


def test_a_long_song_is_sampled_evenly() -> None:
    starts = spread(1000, 10, 4)
    assert starts == [0, 250, 500, 750]
    assert spread(35, 10, 4) == [0, 10, 20]
    assert spread(5, 10, 4) == [0]


def test_windows_are_cut_where_they_lie_and_nothing_else_is_kept() -> None:
    signal = torch.arange(1000.0)
    cutter = WindowCutter([100, 110, 700], 10)
    found = [pair for block in torch.split(signal, 37) for pair in cutter.push(block)]
    assert [start for start, _ in found] == [100, 110, 700]
    for start, window in found:
        assert window.tolist() == signal[start : start + 10].tolist()
    assert cutter.num_held == 0
