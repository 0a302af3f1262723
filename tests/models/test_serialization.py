"""Configurations as plain data."""

from typing import Any

import pytest

from stemsplit.errors import ConfigError
from stemsplit.models.registry import config_from_dict, config_to_dict, find_variant


@pytest.fixture
def data() -> dict[str, Any]:
    return config_to_dict(find_variant("htdemucs")[1])


def test_fields_with_defaults_may_be_missing(data: dict[str, Any]) -> None:
    del data["resolutions"]
    assert config_from_dict("htdemucs", data) == find_variant("htdemucs")[1]


def test_fields_without_defaults_may_not(data: dict[str, Any]) -> None:
    del data["transformer"]
    with pytest.raises(ConfigError, match=r"HTDemucsConfig\.transformer is missing"):
        config_from_dict("htdemucs", data)


def test_an_unknown_field_is_answered_with_the_nearest(data: dict[str, Any]) -> None:
    data["transformer"]["layer"] = 3
    with pytest.raises(ConfigError, match=r"HTDemucsConfig\.transformer\.layer does not.*layers"):
        config_from_dict("htdemucs", data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bottom_channels", "512"),
        ("bottom_channels", 512.0),
        ("bottom_channels", True),
        ("bottom_channels", None),
        ("pad_to_segment", 1),
        ("stems", "vocals"),
        ("stems", ["vocals", 1]),
        ("transformer", [1]),
    ],
)
def test_a_value_of_another_type_is_refused(data: dict[str, Any], field: str, value: Any) -> None:
    data[field] = value
    with pytest.raises(ConfigError, match=rf"HTDemucsConfig\.{field}.* cannot be"):
        config_from_dict("htdemucs", data)


def test_a_literal_has_only_its_values(data: dict[str, Any]) -> None:
    data["levels"][0]["activation"] = "tanh"
    with pytest.raises(ConfigError, match=r"levels\[0\]\.activation cannot.* gelu or relu"):
        config_from_dict("htdemucs", data)


def test_whole_numbers_are_fine_where_fractions_may_be(data: dict[str, Any]) -> None:
    data["rescale"] = 0
    config = config_from_dict("htdemucs", data)
    assert isinstance(config_to_dict(config)["rescale"], float)


def test_none_is_fine_where_the_type_says_so(data: dict[str, Any]) -> None:
    data |= {"transformer": None, "bottom_channels": 0}
    assert config_to_dict(config_from_dict("htdemucs", data))["transformer"] is None
