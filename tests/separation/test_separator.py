"""The front door: what goes in comes out, whatever its rate, channels and length."""

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from stemsplit.errors import (
    Cancelled,
    ConfigError,
    DeviceError,
    UnknownModelError,
    UnsupportedAudioError,
)
from stemsplit.separation.events import Event, ModelReady
from stemsplit.separation.options import SeparationOptions
from stemsplit.separation.separator import Separator
from tests.separation.fakes import Blurred, Scaled, make_model

GAINS = (0.4, 0.3, 0.2, 0.1)
SEGMENT = 20_000


def identity(**options: object) -> Separator:
    """Each stem is the mix at a gain of its own; the gains sum to 1."""
    model = make_model([Scaled(GAINS)], segment_samples=SEGMENT)
    return Separator(model, SeparationOptions(**options))  # type: ignore[arg-type]


def music(num_samples: int, rate: int, channels: int = 2) -> Tensor:
    """Tones well inside every band, faded in and out, without a constant part.

    The mean of a track is added to each of its stems, as the reference does.
    """
    time = torch.arange(num_samples, dtype=torch.float64) / rate
    tones = [torch.sin(2 * torch.pi * hertz * time) for hertz in (110.0, 997.0, 5000.0)]
    fade = torch.hann_window(num_samples, periodic=False, dtype=torch.float64)
    left = sum(tones) * fade / 4
    left = left - fade * (left.mean() / fade.mean())
    return torch.stack([left, -0.5 * left.roll(7)][:channels]).float()


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000, 22_050])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_identity_network_nulls_at_every_rate(rate: int, channels: int) -> None:
    mix = music(rate // 2 + 17, rate, channels)
    result = identity().separate(mix, rate)
    assert result.sample_rate == rate
    for gain, stem in zip(GAINS, result.stems.values(), strict=True):
        assert stem.shape == mix.shape
        difference = (stem - gain * mix).square().mean() / (gain * mix).square().mean()
        assert 10 * torch.log10(difference) < -120


@pytest.mark.parametrize("num_samples", [1, 2, 3, 100, SEGMENT, SEGMENT + 1])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_the_length_is_kept_to_the_sample(num_samples: int, rate: int) -> None:
    stems = identity().separate(torch.randn(2, num_samples) / 5, rate).stems
    assert {stem.shape for stem in stems.values()} == {(2, num_samples)}
    assert all(bool(stem.isfinite().all()) for stem in stems.values())


def test_silence_stays_silent() -> None:
    stems = identity().separate(torch.zeros(2, 5000), 44_100).stems
    assert all(float(stem.abs().max()) < 1e-6 for stem in stems.values())


def test_the_mix_is_left_unchanged() -> None:
    mix = torch.randn(2, 3000)
    before = mix.clone()
    identity().separate(mix, 44_100)
    assert torch.equal(mix, before)


def test_arrays_and_plain_mono_are_welcome() -> None:
    mix = np.random.default_rng(0).standard_normal(4000)
    stems = identity().separate(mix, 44_100).stems
    assert stems["drums"].shape == (1, 4000)


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        (torch.zeros(2, 0), "must be"),
        (torch.zeros(3, 10), "must be"),
        (torch.zeros(1, 2, 10), "must be"),
        (torch.full((2, 10), torch.nan), "NaN"),
    ],
)
def test_what_is_no_mix_is_refused(mix: Tensor, message: str) -> None:
    with pytest.raises(UnsupportedAudioError, match=message):
        identity().separate(mix, 44_100)


def test_two_stems_sum_to_the_mix() -> None:
    mix = torch.randn(2, 30_000) / 5
    separator = identity(two_stems="vocals")
    stems = separator.separate(mix, 48_000).stems
    assert tuple(stems) == separator.stems == ("vocals", "no_vocals")
    torch.testing.assert_close(stems["vocals"] + stems["no_vocals"], mix, rtol=0, atol=1e-6)


def test_stems_can_be_made_to_sum_to_the_mix() -> None:
    mix = torch.randn(2, 30_000) / 5
    model = make_model([Blurred()], segment_samples=SEGMENT)
    loose = Separator(model).separate(mix, 48_000).stems
    exact = Separator(model, SeparationOptions(exact_sum="other")).separate(mix, 48_000).stems
    assert float((sum(loose.values()) - mix).abs().max()) > 1e-2
    torch.testing.assert_close(sum(exact.values()), mix, rtol=0, atol=1e-5)
    torch.testing.assert_close(exact["vocals"], loose["vocals"], rtol=0, atol=0)


def test_chosen_stems_come_in_the_models_order() -> None:
    separator = identity(stems=("vocals", "drums"))
    assert separator.stems == ("drums", "vocals")
    assert tuple(separator.separate(torch.randn(2, 100), 44_100).stems) == ("drums", "vocals")


def test_an_unknown_stem_names_those_there_are() -> None:
    with pytest.raises(UnknownModelError, match=r"drums, bass, other, vocals.*mean vocals"):
        identity(stems=("vocal",))


def test_an_exact_sum_needs_all_stems() -> None:
    with pytest.raises(ConfigError, match="all stems"):
        identity(stems=("vocals",), exact_sum="vocals")


def test_an_impossible_device_is_refused_with_advice() -> None:
    with pytest.raises(DeviceError, match="--device cpu"):
        identity(device="quantum")


def test_the_seed_is_told_only_when_it_mattered() -> None:
    mix = torch.randn(2, 100)
    assert identity(seed=3).separate(mix, 44_100).seed is None
    assert identity(seed=3, shifts=1).separate(mix, 44_100).seed == 3


def test_readiness_is_announced() -> None:
    events: list[Event] = []
    model = make_model([Scaled(GAINS)] * 2, digests=["a", "b"])
    Separator(model, SeparationOptions(device="cpu"), on_event=events.append)
    ready = events[-1]
    assert isinstance(ready, ModelReady)
    assert (ready.model, ready.device, ready.networks) == ("fake", "cpu", 2)


def test_a_file_streams_to_what_the_array_gives(tmp_path: Path) -> None:
    mix = music(70_000, 48_000)
    path = tmp_path / "song.wav"
    soundfile.write(path, mix.T.numpy(), 48_000, "FLOAT")
    model = make_model([Blurred()], segment_samples=SEGMENT)
    separator = Separator(model)
    expected = separator.separate(mix, 48_000).stems
    blocks = list(separator.stream(path))
    assert [block.start for block in blocks] == sorted(block.start for block in blocks)
    for name, stem in expected.items():
        streamed = torch.cat([block.stems[name] for block in blocks], dim=-1)
        torch.testing.assert_close(streamed, stem, rtol=1e-5, atol=1e-6)


def test_a_range_of_a_file_is_that_range(tmp_path: Path) -> None:
    mix = torch.randn(2, 88_200) / 5
    mix[:, 22_050:55_125] -= mix[:, 22_050:55_125].mean()
    path = tmp_path / "song.wav"
    soundfile.write(path, mix.T.numpy(), 44_100, "FLOAT")
    blocks = list(identity().stream(path, start_seconds=0.5, stop_seconds=1.25))
    drums = torch.cat([block.stems["drums"] for block in blocks], dim=-1)
    torch.testing.assert_close(drums, GAINS[0] * mix[:, 22_050:55_125], rtol=1e-4, atol=1e-6)


def test_setting_cancel_stops_a_separation() -> None:
    cancel = threading.Event()
    separator = Separator(make_model([Scaled(GAINS)]), cancel=cancel)

    def stop_at_a_tenth(fraction: float) -> None:
        if fraction > 0.1:
            cancel.set()

    with pytest.raises(Cancelled):
        separator.separate(torch.randn(2, 50_000), 44_100, on_progress=stop_at_a_tenth)


def test_a_separator_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    separator = identity()
    separator.separate(torch.randn(2, 50_000), 44_100)
    assert threading.active_count() == before
