"""Names to configurations and networks, and foreign models to ours."""

import json
import subprocess
import sys
from fractions import Fraction

import pytest
import torch

from stemsplit.errors import ConfigError, UnknownModelError
from stemsplit.models.htdemucs.config import HTDemucsConfig
from stemsplit.models.registry import (
    ARCHITECTURES,
    REFERENCE_CLASSES,
    build_network,
    config_class,
    config_from_dict,
    config_to_dict,
    find_variant,
    import_reference,
    import_torchaudio,
    variants,
)
from tests.models.published import HTDEMUCS, PUBLISHED, STEMS
from tests.models.tiny import shrink

NAMES = [(name, variant) for name in ARCHITECTURES for variant in variants(name)]


@pytest.mark.parametrize(("architecture", "variant"), NAMES)
def test_a_variant_is_found_by_its_name(architecture: str, variant: str) -> None:
    assert find_variant(variant) == (architecture, variants(architecture)[variant])


def test_variant_names_are_unique() -> None:
    names = [variant for _, variant in NAMES]
    assert len(set(names)) == len(names)


def test_an_unknown_variant_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownModelError, match="Did you mean htdemucs"):
        find_variant("htdemuks")


@pytest.mark.parametrize("name", ["hdemuks", "demucs.network"])
def test_an_unknown_architecture_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no architecture"):
        config_class(name)


@pytest.mark.parametrize(("architecture", "variant"), NAMES)
def test_a_configuration_survives_json(architecture: str, variant: str) -> None:
    config = variants(architecture)[variant]
    data = json.loads(json.dumps(config_to_dict(config)))
    assert config_from_dict(architecture, data) == config


def test_a_network_is_only_built_from_its_own_configuration() -> None:
    _, config = find_variant("htdemucs")
    with pytest.raises(ConfigError, match="HTDemucsConfig is no configuration of demucs"):
        build_network("demucs", config)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_arguments_give_the_row_of_their_variant(name: str) -> None:
    class_name, kwargs = PUBLISHED[name]
    architecture, config, _ = import_reference(class_name, (), kwargs, {})
    assert (architecture, config) == find_variant(name)


def test_positional_arguments_count_in_the_order_of_the_signature() -> None:
    named = import_reference("demucs.htdemucs.HTDemucs", (), HTDEMUCS, {})[1]
    rest = {key: value for key, value in HTDEMUCS.items() if key not in ("sources", "channels")}
    del rest["audio_channels"]
    assert import_reference("demucs.htdemucs.HTDemucs", (STEMS, 2, 48), rest, {})[1] == named


@pytest.mark.parametrize(
    ("segment", "expected"), [(Fraction(39, 5), 343_980), (7.8, 343_980), (44, 1_940_400)]
)
def test_a_segment_is_counted_in_whole_samples(segment: float, expected: int) -> None:
    kwargs = HTDEMUCS | {"segment": segment}
    config = import_reference("demucs.htdemucs.HTDemucs", (), kwargs, {})[1]
    assert config.segment_samples == expected


@pytest.mark.parametrize(
    ("class_name", "option", "value"),
    [
        ("demucs.htdemucs.HTDemucs", "t_emb", "cape"),
        ("demucs.htdemucs.HTDemucs", "t_sparse_self_attn", True),
        ("demucs.htdemucs.HTDemucs", "t_norm_first", False),
        ("demucs.htdemucs.HTDemucs", "cac", False),
        ("demucs.hdemucs.HDemucs", "hybrid", False),
        ("demucs.demucs.Demucs", "dconv_depth", -2),
    ],
)
def test_an_option_we_do_not_carry_is_refused_by_name(
    class_name: str, option: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=f"{option}={value!r} is not supported"):
        import_reference(class_name, (), {"sources": STEMS, option: value}, {})


@pytest.mark.parametrize(
    "option",
    [{"t_lr": 1e-4}, {"t_weight_decay": 0.1}, {"t_mask_type": "random"}, {"t_cape_augment": False}],
)
def test_an_option_that_changes_nothing_is_dropped(option: dict[str, object]) -> None:
    expected = import_reference("demucs.htdemucs.HTDemucs", (), HTDEMUCS, {})[1]
    assert import_reference("demucs.htdemucs.HTDemucs", (), HTDEMUCS | option, {})[1] == expected


def test_an_option_the_reference_does_not_know_is_ignored_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = import_reference("demucs.htdemucs.HTDemucs", (), HTDEMUCS, {})[1]
    kwargs = HTDEMUCS | {"dconv_kw": {}}
    assert import_reference("demucs.htdemucs.HTDemucs", (), kwargs, {})[1] == expected
    assert "dconv_kw" in caplog.text


def test_a_model_without_sources_is_refused() -> None:
    with pytest.raises(ConfigError, match="no sources"):
        import_reference("demucs.demucs.Demucs", (), {}, {})


def test_arguments_given_twice_are_refused() -> None:
    with pytest.raises(ConfigError, match="do not go together"):
        import_reference("demucs.demucs.Demucs", (STEMS,), {"sources": STEMS}, {})


def test_an_unknown_class_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"os\.system are not supported"):
        import_reference("os.system", (), {}, {})
    assert set(REFERENCE_CLASSES.values()) <= set(ARCHITECTURES)


def test_foreign_weights_are_renamed_and_raised_to_float32() -> None:
    state = {"encoder.0.conv.weight": torch.ones(2, dtype=torch.float16)}
    converted = import_reference("demucs.htdemucs.HTDemucs", (), HTDEMUCS, state)[2]
    torch.testing.assert_close(
        converted, {"unet.spectra.0.encoder.0.conv.weight": torch.ones(2)}, rtol=0, atol=0
    )


def test_keys_nobody_knows_keep_their_name_so_that_loading_reports_them() -> None:
    state = {"encoder.9.conv.weight": torch.ones(2)}
    assert list(import_reference("demucs.htdemucs.HTDemucs", (), HTDEMUCS, state)[2]) == list(state)


def test_torchaudio_weights_lose_the_norm_that_is_never_used() -> None:
    state = {
        "time_encoder.4.norm1.weight": torch.ones(2),
        "time_encoder.3.conv.bias": torch.ones(1),
    }
    _, config, converted = import_torchaudio("hdemucs_high", state)
    assert list(converted) == ["unet.wave.encoder.3.conv.bias"]
    assert config == find_variant("hdemucs_high")[1]


def test_version_2_weights_are_numbered_without_norms() -> None:
    kwargs = {"sources": STEMS, "channels": 8, "depth": 2, "dconv_mode": 0, "lstm_layers": 2}
    state = {f"{side}.1.2.weight": torch.ones(1) for side in ("encoder", "decoder")}
    converted = import_reference("demucs.demucs.Demucs", (), kwargs, state)[2]
    assert set(converted) == {"encoder.1.rewrite.weight", "decoder.0.conv_tr.weight"}


def test_a_shrunken_variant_is_a_configuration_of_the_same_kind() -> None:
    small = shrink(find_variant("htdemucs")[1])
    assert isinstance(small, HTDemucsConfig)
    assert config_from_dict("htdemucs", config_to_dict(small)) == small


def test_configurations_are_read_without_importing_torch() -> None:
    code = (
        "import sys; from stemsplit.models.registry import *; "
        "[variants(name) for name in ARCHITECTURES]; "
        "import_reference('demucs.demucs.Demucs', (), {'sources': ['vocals']}, {}); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
