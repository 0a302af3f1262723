"""All scores of a track, their way to JSON and back, and what many tracks say together."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemsplit.errors import ConfigError, DatasetError
from stemsplit.evaluation.aggregation import aggregate
from stemsplit.evaluation.data.sources import FileSource
from stemsplit.evaluation.options import METRICS, MetricOptions
from stemsplit.evaluation.passes import SignalsInMemory, cut_windows
from stemsplit.evaluation.reference_engine import museval_metrics
from stemsplit.evaluation.scores import StemScores, TrackScores
from stemsplit.evaluation.scoring import score_sources, score_track
from tests.audio.material import write_wav

RATE = 1000
SHORT_FILTERS = MetricOptions(filter_taps=20)
Stems = dict[str, Tensor]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def song(seconds: int = 5) -> tuple[Stems, Stems]:
    """Three stems, and estimates in which the others can be heard."""
    names = ("drums", "bass", "vocals")
    references = {name: 0.1 * noise(2, seconds * RATE, seed=i) for i, name in enumerate(names)}
    mix = torch.stack(list(references.values())).sum(0)
    return references, {name: stem + 0.1 * mix for name, stem in references.items()}


def close(found: float, expected: float) -> None:
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_every_stem_has_every_metric() -> None:
    references, estimates = song()
    scores = score_track(references, estimates, sample_rate=RATE, track="x", options=SHORT_FILTERS)
    assert scores.track == "x"
    assert list(scores.stems) == ["drums", "bass", "vocals"]
    assert (scores.num_windows, scores.silent_windows, scores.silent_stems) == (5, 0, ())
    for stem in scores.stems.values():
        assert tuple(stem.values) == METRICS
        assert all(math.isfinite(value) for value in stem.values.values())
        assert {name: len(row) for name, row in stem.windows.items()} == dict.fromkeys(
            ("sdr", "isr", "sir", "sar", "csdr"), 5
        )
        close(stem.values["sdr"], sorted(stem.windows["sdr"])[2])
        close(stem.values["csdr"], stem.values["sdr"])


def test_windows_are_as_long_as_asked_and_csdr_stays_at_a_second() -> None:
    options = dataclasses.replace(SHORT_FILTERS, window_seconds=2.0, hop_seconds=0.5)
    scores = score_track(*song(), sample_rate=RATE, options=options)
    assert (scores.num_windows, scores.window_seconds, scores.hop_seconds) == (7, 2.0, 0.5)
    assert len(scores.stems["bass"].windows["sar"]) == 7
    assert len(scores.stems["bass"].windows["csdr"]) == 5


@pytest.mark.parametrize("metrics", [("usdr",), ("csdr", "si_sdr"), ("sdr",), ("sir", "usdr")])
def test_only_the_asked_metrics_are_computed_and_they_are_the_same(
    metrics: tuple[str, ...],
) -> None:
    everything = score_track(*song(), sample_rate=RATE, options=SHORT_FILTERS)
    options = MetricOptions(metrics=metrics, filter_taps=20)  # type: ignore[arg-type]
    some = score_track(*song(), sample_rate=RATE, options=options)
    for name, stem in some.stems.items():
        assert tuple(stem.values) == metrics
        for metric in metrics:
            close(stem.values[metric], everything.stems[name].values[metric])


def test_the_reference_itself_scores_infinity() -> None:
    references, _ = song()
    scores = score_track(references, references, sample_rate=RATE, options=SHORT_FILTERS)
    for stem in scores.stems.values():
        assert stem.values["sdr"] == stem.values["csdr"] == stem.values["si_sdr"] == math.inf
        # What the filters leave is rounding in float64.
        assert min(stem.values[name] for name in ("isr", "sir", "sar")) > 200


def test_silent_windows_are_counted_and_left_out() -> None:
    references, estimates = song()
    references["drums"][:, RATE : 2 * RATE] = 0
    estimates["vocals"][:, 3 * RATE : 4 * RATE] = 0
    scores = score_track(references, estimates, sample_rate=RATE, options=SHORT_FILTERS)
    assert (scores.num_windows, scores.silent_windows) == (5, 2)
    for stem in scores.stems.values():
        for row in stem.windows.values():
            assert [math.isnan(value) for value in row] == [False, True, False, True, False]
        assert math.isfinite(stem.values["sir"])


@pytest.mark.parametrize(("kept_share", "is_loose"), [(1.0, False), (0.5, True)])
def test_references_without_high_frequencies_are_said(kept_share: float, is_loose: bool) -> None:
    """Nothing holds the filters down where the references have no energy."""
    references, estimates = song()
    for name, signal in references.items():
        spectrum = torch.fft.rfft(signal.double())
        spectrum[:, int(kept_share * spectrum.shape[-1]) :] = 0
        references[name] = torch.fft.irfft(spectrum, signal.shape[-1])
        estimates[name] = estimates[name].double()
    scores = score_track(references, estimates, sample_rate=RATE, options=MetricOptions())
    assert scores.are_filters_loose is is_loose
    assert TrackScores.from_json(scores.to_json()).are_filters_loose is is_loose


def test_without_filters_it_is_not_known_whether_they_are_loose() -> None:
    scores = score_track(*song(), sample_rate=RATE, options=MetricOptions(metrics=("csdr",)))
    assert scores.are_filters_loose is None


@pytest.mark.parametrize("side", [0, 1])
def test_a_stem_that_is_silent_throughout_leaves_the_others_scored(side: int) -> None:
    references, estimates = song()
    (references, estimates)[side]["bass"] = torch.zeros(2, 5 * RATE)
    scores = score_track(references, estimates, sample_rate=RATE, options=SHORT_FILTERS)
    assert scores.silent_stems == ("bass",)
    assert scores.silent_windows == 0
    bass = scores.stems["bass"]
    scored = {name for name in METRICS if not math.isnan(bass.values[name])}
    assert scored == (set() if side == 0 else {"usdr"})  # nothing true to find; nothing found, 0 dB
    others = ("drums", "vocals")
    alone = score_track(
        {name: references[name] for name in others},
        {name: estimates[name] for name in others},
        sample_rate=RATE,
        options=SHORT_FILTERS,
    )
    assert {name: scores.stems[name] for name in others} == alone.stems


def test_a_song_of_silence_has_no_scores() -> None:
    silence = {"drums": torch.zeros(2, 3 * RATE)}
    scores = score_track(silence, silence, sample_rate=RATE)
    assert (scores.silent_stems, scores.num_windows) == (("drums",), 0)
    assert all(math.isnan(value) for value in scores.stems["drums"].values.values())


def test_a_reference_without_an_estimate_is_left_aside() -> None:
    references, estimates = song()
    del estimates["drums"]
    scores = score_track(references, estimates, sample_rate=RATE, options=SHORT_FILTERS)
    assert list(scores.stems) == ["bass", "vocals"]


def test_scores_from_disk_are_those_from_memory(tmp_path: Path) -> None:
    references, estimates = song()
    references["drums"][:, RATE : 2 * RATE] = 0
    sources = [
        {
            name: FileSource(write_wav(tmp_path / f"{side}-{name}.wav", signal, RATE))
            for name, signal in signals.items()
        }
        for side, signals in (("true", references), ("found", estimates))
    ]
    on_disk = score_sources(*sources, track="x", options=SHORT_FILTERS)
    in_memory = score_track(
        references, estimates, sample_rate=RATE, track="x", options=SHORT_FILTERS
    )
    assert on_disk.to_json() == in_memory.to_json()


@pytest.mark.parametrize(
    ("rate", "num_samples", "says"), [(RATE, 2999, "2,999 samples"), (800, 3000, "at 800 Hz")]
)
def test_estimates_on_disk_that_do_not_fit(
    tmp_path: Path, rate: int, num_samples: int, says: str
) -> None:
    true = FileSource(write_wav(tmp_path / "true.wav", noise(2, 3000), RATE))
    found = FileSource(write_wav(tmp_path / "found.wav", noise(2, num_samples), rate))
    with pytest.raises(DatasetError, match=says):
        score_sources({"bass": true}, {"bass": found}, options=SHORT_FILTERS)


def test_estimates_that_do_not_fit() -> None:
    references, estimates = song()
    with pytest.raises(DatasetError, match="no such reference"):
        score_track(references, {"piano": estimates["bass"]}, sample_rate=RATE)
    with pytest.raises(DatasetError, match="no estimates"):
        score_track(references, {}, sample_rate=RATE)
    short = {"bass": estimates["bass"][:, :99]}
    with pytest.raises(DatasetError, match=r"bass of x: .* 2 channels of 99 samples.* of 5,000"):
        score_track(references, short, sample_rate=RATE, track="x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"metrics": ("sdrr",)},
        {"metrics": ()},
        {"metrics": ("sdr", "sdr")},
        {"window_seconds": 0},
        {"hop_seconds": -1},
        {"window_seconds": math.nan},
        {"filter_taps": 0},
        {"engine": "matlab"},
    ],
)
def test_options_that_are_not_possible(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        MetricOptions(**wrong)  # type: ignore[arg-type]


def test_a_missing_museval_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    museval_metrics.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install museval"):
        score_track(*song(), sample_rate=RATE, options=MetricOptions(engine="museval"))


def test_scores_survive_json() -> None:
    references, estimates = song()
    estimates["bass"][:, :RATE] = references["bass"][:, :RATE]  # an exact window: infinity
    references["drums"][:, 2 * RATE : 3 * RATE] = 0  # a silent one: NaN
    scores = score_track(references, estimates, sample_rate=RATE, options=SHORT_FILTERS)
    text = json.dumps(scores.to_json(), allow_nan=False)
    again = TrackScores.from_json(json.loads(text))
    assert again.to_json() == scores.to_json()
    assert again.stems["bass"].windows["sdr"][0] == math.inf
    assert math.isnan(again.stems["bass"].windows["sdr"][2])


def scores_of(values: list[float], windows: list[list[float]]) -> list[TrackScores]:
    return [
        TrackScores(
            track=str(place),
            stems={"bass": StemScores(values={"sdr": value}, windows={"sdr": tuple(row)})},
            silent_stems=(),
            num_windows=len(row),
            silent_windows=0,
            window_seconds=1.0,
            hop_seconds=1.0,
        )
        for place, (value, row) in enumerate(zip(values, windows, strict=True))
    ]


def test_the_summary_of_many_tracks_by_hand() -> None:
    tracks = scores_of(
        [2.0, 5.0, 11.0, math.nan], [[1.0, 2.0, 9.0], [5.0], [10.0, 12.0], [math.nan, math.inf]]
    )
    found = aggregate(tracks)["bass"]["sdr"]
    assert (found.median, found.mean) == (5.0, 6.0)
    close(found.deviation, math.sqrt((16 + 1 + 25) / 3))
    assert (found.num_tracks, found.num_missing_tracks) == (3, 1)
    assert (found.pooled_median, found.pooled_mean) == (7.0, 6.5)
    squares = [(value - 6.5) ** 2 for value in (1, 2, 9, 5, 10, 12)]
    close(found.pooled_deviation, math.sqrt(sum(squares) / 6))
    assert (found.num_windows, found.num_missing_windows) == (6, 2)


def test_nothing_to_summarise() -> None:
    found = aggregate(scores_of([math.nan], [[math.nan]]))["bass"]["sdr"]
    assert math.isnan(found.median)
    assert math.isnan(found.pooled_mean)
    assert aggregate([]) == {}


@pytest.mark.parametrize("block", [1, 7, 100, 1000])
@pytest.mark.parametrize(("window", "hop"), [(10, 10), (10, 3), (10, 25), (200, 1)])
@pytest.mark.parametrize("at_once", [1, 4])
def test_windows_do_not_depend_on_blocks(block: int, window: int, hop: int, at_once: int) -> None:
    signal = torch.arange(101.0)
    blocks = (signal[start : start + block] for start in range(0, 101, block))
    found = torch.cat(
        list(cut_windows(blocks, window_samples=window, hop_samples=hop, at_once=at_once))
    )
    expected = signal.unfold(0, min(window, 101), hop)
    torch.testing.assert_close(found, expected, atol=0, rtol=0)


def test_signals_in_memory_come_in_blocks() -> None:
    references, estimates = noise(3, 2, 100_000), noise(3, 2, 100_000, seed=1)
    blocks = list(SignalsInMemory(list(references), list(estimates)))
    assert len(blocks) > 1
    expected = torch.stack([references, estimates])
    torch.testing.assert_close(torch.cat(blocks, -1), expected, atol=0, rtol=0)
