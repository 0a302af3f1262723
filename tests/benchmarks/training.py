"""Steps of training beside the reference, and the loader of excerpts beside real time.

Run with ``python -m tests.benchmarks.training`` (ten minutes on a CPU; needs the dev extra). Every
network takes the same batch with L1 and Adam, without augmentation, in turn with the reference; the
best time of each counts.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from stemsplit.separation.device import choose_device
from stemsplit.training.batches import read_batches
from stemsplit.training.corpus import open_corpus
from stemsplit.training.distributed import Processes
from stemsplit.training.learning_recipe import OptimSection
from stemsplit.training.pcm_cache import PcmCache
from stemsplit.training.recipe import (
    DataSection,
    NetworkSection,
    SourceSection,
    TrainingRecipe,
    ValidationSection,
)
from stemsplit.training.setup import TrainingPlan, build_initial, build_learner, plan_training
from tests.benchmarks.material import HTDEMUCS, SAMPLE_RATE, STEMS, write_song

NETWORKS = (
    *("htdemucs", "htdemucs_n", "htdemucs_nn", "hdemucs_mmi", "mdx_time"),
    *("tfswa_unet", "wave_transformer"),
)
_LR = 3e-4
_HTDEMUCS = {**HTDEMUCS, "t_dropout": 0.02}
"""As it was trained. With dropout no fused attention can be used on a CPU: a step takes twice the
time, in the reference and here."""
_SEGMENT_SECONDS = 39 / 5  # of htdemucs, whose reference pads nothing then


def main(
    names: Sequence[str] = NETWORKS,
    *,
    seconds: float = _SEGMENT_SECONDS,
    batch_size: int = 1,
    repeats: int = 2,
    device: str = "auto",
    settings: dict[str, object] = _HTDEMUCS,
) -> list[tuple[str, float, float]]:
    """Print a table of steps.

    Args:
        names: of networks.
        seconds: length of an excerpt.
        batch_size: excerpts of a step.
        repeats: steps of each that are timed, after one that is not.
        device: where to measure.
        settings: the reference's HTDemucs; the published one by default.

    Returns:
        A row per network: its name, its excerpts per second and the reference's.
    """
    place = choose_device(device).device
    print(f"{batch_size} x {seconds:g} s on {place}, {torch.get_num_threads()} threads")
    print("network                     stemsplit   demucs 4.1.0   ratio   (excerpts per second)")
    rows = []
    generator = torch.Generator().manual_seed(0)
    excerpts = torch.randn(
        batch_size, len(STEMS) + 1, 2, round(seconds * SAMPLE_RATE), generator=generator
    )
    excerpts[:, -1] = 0  # all of the mix is learnt
    for name in names:
        best = _best(
            [_own_step(name, excerpts, place), _reference_step(settings, excerpts, place)],
            repeats,
            place,
        )
        ours, theirs = (batch_size / time for time in best)
        print(f"{name:24} {ours:12.3f} {theirs:14.3f} {ours / theirs:7.2f}", flush=True)
        rows.append((name, ours, theirs))
    return rows


def loader(
    *, song_seconds: float = 120, excerpts: int = 64, workers: Sequence[int] = (0, 2)
) -> list[tuple[str, float]]:
    """Print how many seconds of music are read in a second, all stems of it.

    Args:
        song_seconds: length of each of the songs.
        excerpts: of 7.8 s, to read.
        workers: processes that read.

    Returns:
        A row per way of reading: what it is, and times real time.
    """
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for song in ("a", "b", "c"):
            for stem in STEMS:
                (folder / "songs" / song).mkdir(parents=True, exist_ok=True)
                write_song(folder / "songs" / song / f"{stem}.wav", song_seconds)
        for what, cache in (("wav", None), ("cached", PcmCache(folder / "cache"))):
            for count in workers:
                speed = _read(folder / "songs", cache, excerpts, count)
                print(f"{what + f', {count} workers':24} {speed:8.0f} times real time", flush=True)
                rows.append((f"{what}, {count} workers", speed))
    return rows


def _own_step(name: str, excerpts: Tensor, device: torch.device) -> Callable[[], object]:
    plan = _plan(
        NetworkSection(name=name, stems=tuple(STEMS)),
        batch_size=excerpts.shape[0],
        seconds=excerpts.shape[-1] / SAMPLE_RATE,
    )
    learner = build_learner(
        plan, plan.phases[0], build_initial(plan), device=device, processes=Processes()
    )
    return lambda: learner.learn(excerpts, 0)


def _reference_step(
    settings: dict[str, object], excerpts: Tensor, device: torch.device
) -> Callable[[], object]:
    """The step of the reference's solver: forward, L1, backward, Adam."""
    from demucs.htdemucs import HTDemucs

    network = HTDemucs(STEMS, **settings).to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=_LR)

    def step() -> float:
        stems = excerpts[:, :-1].to(device)
        loss = nn.functional.l1_loss(network(stems.sum(1)), stems)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item()

    return step


def _best(steps: Sequence[Callable[[], object]], repeats: int, device: torch.device) -> list[float]:
    best = [float("inf")] * len(steps)
    for count in range(repeats + 1):
        for index, step in enumerate(steps):
            began = time.perf_counter()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if count:  # the first one also sets things up
                best[index] = min(best[index], time.perf_counter() - began)
    return best


def _read(songs: Path, cache: PcmCache | None, count: int, workers: int) -> float:
    plan = _plan(
        NetworkSection(name="htdemucs"),
        batch_size=4,
        seconds=_SEGMENT_SECONDS,
        data=DataSection(sources=(SourceSection(path=str(songs)),)),
    )
    data = plan.recipe.data
    corpus = open_corpus(data, ValidationSection(), plan.config, cache=cache)
    began = time.perf_counter()
    batches = read_batches(
        plan, corpus, plan.phases[0], range(count // 4), processes=Processes(), workers=workers
    )
    read = sum(batch.shape[0] * batch.shape[-1] for batch in batches) / SAMPLE_RATE
    return read / (time.perf_counter() - began)


def _plan(
    network: NetworkSection, *, batch_size: int, seconds: float, data: DataSection | None = None
) -> TrainingPlan:
    data = data or DataSection()
    section = DataSection(sources=data.sources, segment_seconds=seconds)
    return plan_training(
        TrainingRecipe(
            network=network,
            batch_size=batch_size,
            data=section,
            optim=OptimSection(name="adam", lr=_LR),
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NETWORKS)
    parser.add_argument("--seconds", type=float, default=_SEGMENT_SECONDS)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--loader-only", action="store_true")
    arguments = parser.parse_args()
    if not arguments.loader_only:
        main(
            arguments.names,
            seconds=arguments.seconds,
            batch_size=arguments.batch_size,
            repeats=arguments.repeats,
            device=arguments.device,
        )
    loader()
