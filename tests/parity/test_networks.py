"""Whole networks equal the reference's, with weights taken over from it."""

from typing import Any

import pytest
import torch
from torch import nn

from stemsplit.models.registry import (
    build_network,
    import_torchaudio,
    reference_parameters,
)
from tests.models.published import HTDEMUCS, PUBLISHED, STEMS
from tests.parity.pairs import assert_equal, make_pair, noise, perturb, reference_class

pytestmark = pytest.mark.parity

pytest.importorskip("demucs", reason="the reference is not installed")

HYBRID, TIME, TRANSFORMER = (
    "demucs.hdemucs.HDemucs",
    "demucs.demucs.Demucs",
    "demucs.htdemucs.HTDemucs",
)
SMALL: dict[str, Any] = {"sources": STEMS, "channels": 8}
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "time": (TIME, {"depth": 4, "norm_starts": 2, "dconv_attn": 3, "dconv_lstm": 2}),
    "time, as it comes": (TIME, {"resample": False, "normalize": False, "depth": 3}),
    "time, version 2": (
        TIME,
        {"gelu": False, "glu": False, "lstm_layers": 2, "dconv_mode": 0, "depth": 3},
    ),
    "time, no rewriting": (TIME, {"rewrite": False, "dconv_mode": 3, "depth": 3}),
    "time, odd sizes": (TIME, {"kernel_size": 7, "stride": 3, "context": 2, "depth": 3}),
    "hybrid": (HYBRID, {"dconv_mode": 3}),
    "hybrid, two widths": (HYBRID, {"channels_time": 12, "dconv_depth": 1}),
    "hybrid, magnitudes": (HYBRID, {"cac": False}),
    "hybrid, phase of the mix": (HYBRID, {"cac": False, "wiener_iters": -1, "end_iters": -1}),
    "hybrid, wiener": (
        HYBRID,
        {"cac": False, "wiener_iters": 1, "end_iters": 1, "wiener_residual": True},
    ),
    "hybrid, legacy framing": (HYBRID, {"hybrid_old": True, "norm_starts": 999}),
    "hybrid, bands": (
        HYBRID,
        {"multi_freqs": [0.25, 0.5], "multi_freqs_depth": 2, "norm_starts": 999},
    ),
    "hybrid, no extras": (HYBRID, {"freq_emb": 0, "rewrite": False, "dconv_mode": 0}),
    "hybrid, wide context": (HYBRID, {"context": 2, "context_enc": 1, "norm_starts": 0}),
    "hybrid, short frames": (HYBRID, {"nfft": 1024, "depth": 5}),
    "transformer": (TRANSFORMER, {"bottom_channels": 32, "dconv_mode": 3, "segment": 0.3}),
    "transformer, own width": (TRANSFORMER, {"segment": 0.3, "t_hidden_scale": 2.0}),
    "transformer, cross first": (
        TRANSFORMER,
        {"segment": 0.3, "t_cross_first": True, "t_layers": 2, "t_weight_pos_embed": 0.5},
    ),
    "transformer, none": (TRANSFORMER, {"segment": 0.3, "t_layers": 0}),
    "transformer, any length": (
        TRANSFORMER,
        {"use_train_segment": False, "t_heads": 4, "t_max_period": 500.0},
    ),
    "transformer, merged": (TRANSFORMER, {"depth": 6, "t_layers": 0, "use_train_segment": False}),
}
LENGTHS = [2, 7, 1025, 6001]


@pytest.mark.parametrize("name", TINY)
def test_a_tiny_network(name: str) -> None:
    class_name, options = TINY[name]
    theirs, ours, _ = make_pair(class_name, SMALL | options)
    # The reference's deviation of a single sample of mono is NaN; its norms refuse single values.
    lengths = LENGTHS if "any length" not in name and "widths" not in name else LENGTHS[2:]
    for num_samples in lengths:
        mix = noise(2, 2, num_samples, seed=num_samples)
        with torch.inference_mode():
            expected, actual = theirs(mix), ours(mix)
        # Matrices that the Wiener filter inverts are close to singular.
        assert_equal(actual, expected, tolerance=1e-4 if "wiener" in name else 1e-5)


@pytest.mark.parametrize("name", ["hybrid", "transformer"])
def test_a_single_sample(name: str) -> None:
    class_name, options = TINY[name]
    theirs, ours, _ = make_pair(class_name, SMALL | options)
    mix = noise(1, 2, 1)
    with torch.inference_mode():
        assert_equal(ours(mix), theirs(mix))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_of_published_size(name: str) -> None:
    class_name, kwargs = PUBLISHED[name]
    if class_name == TRANSFORMER:  # its fixed length is tested below
        kwargs = kwargs | {"use_train_segment": False}
    theirs, ours, config = make_pair(class_name, kwargs)
    mix = noise(1, 2, 2 * config.sample_rate // 3 + 1)
    with torch.inference_mode():
        assert_equal(ours(mix), theirs(mix))


@pytest.mark.slow
def test_htdemucs_with_its_fixed_length() -> None:
    theirs, ours, config = make_pair(TRANSFORMER, HTDEMUCS)
    for num_samples in (1, config.segment_samples):
        mix = noise(1, 2, num_samples)
        with torch.inference_mode():
            assert_equal(ours(mix), theirs(mix))


@pytest.mark.parametrize("name", ["time", "hybrid", "transformer"])
def test_gradients(name: str) -> None:
    class_name, options = TINY[name]
    theirs, ours, _ = make_pair(class_name, SMALL | options)
    mixes = [noise(1, 2, 9000).requires_grad_() for _ in range(2)]
    for network, mix in zip((theirs, ours), mixes, strict=True):
        network.train()(mix).square().mean().backward()
    assert mixes[0].grad is not None
    assert mixes[1].grad is not None
    assert_equal(mixes[1].grad, mixes[0].grad, tolerance=1e-4)  # gradients cancel more


@pytest.mark.parametrize("name", TINY)
def test_parameters_are_listed_in_the_order_of_the_reference(name: str) -> None:
    class_name, options = TINY[name]
    theirs = reference_class(class_name)(**SMALL, **options)
    expected = [(key, tuple(value.shape)) for key, value in theirs.named_parameters()]
    assert reference_parameters(class_name, (), SMALL | options) == expected


@pytest.mark.parametrize("size", ["low", "medium", "high"])
def test_torchaudio(size: str) -> None:
    factory = getattr(pytest.importorskip("torchaudio.models"), f"hdemucs_{size}")
    torch.manual_seed(0)
    theirs: nn.Module = factory(sources=STEMS).eval()
    perturb(theirs)
    architecture, config, state = import_torchaudio(f"hdemucs_{size}", theirs.state_dict())
    with torch.device("meta"):
        ours = build_network(architecture, config).eval()
    ours.load_state_dict(state, assign=True)
    for num_samples in (15_000, 30_001):
        mix = noise(1, 2, num_samples)
        with torch.inference_mode():
            assert_equal(ours(mix), theirs(mix))
