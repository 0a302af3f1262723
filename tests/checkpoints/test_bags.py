"""Bag files of demucs are read, ours are read back, and faulty ones are refused in words."""

import pytest

from stemsplit.checkpoints.bags import Bag, format_bag, parse_bag
from stemsplit.checkpoints.catalog import check_stem_weights
from stemsplit.errors import CatalogFormatError


def test_bags_of_demucs_are_read() -> None:
    bag = parse_bag(
        "models: ['0d19c1c6', '7ecf8ec1']\nweights: [\n  [1., 0.],\n  [0., 1.],\n]\nsegment: 44\n",
        origin="mdx.yaml",
    )
    assert bag == Bag(
        members=("0d19c1c6", "7ecf8ec1"),
        stem_weights=[[1.0, 0.0], [0.0, 1.0]],
        segment_seconds=44.0,
    )


def test_a_bag_may_be_as_short_as_a_list() -> None:
    assert parse_bag("models: [955717e8]", origin="x") == Bag(members=("955717e8",))


@pytest.mark.parametrize(
    "bag",
    [
        Bag(members=("a",)),
        Bag(members=("a", "b"), stem_weights=[[1.0, 0.0], [0.5, 2.0]], segment_seconds=7.8),
        Bag(members=("a",), licence="CC BY-NC 4.0: ask", trained_on="Lieder, eigene: 12"),
    ],
)
def test_what_is_written_is_read_back(bag: Bag) -> None:
    assert parse_bag(format_bag(bag), origin="x") == bag


def test_a_bag_that_is_longer_than_any_memory_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    for key in ("models: [*a59]", "models: [x]\nlicence: *a59", "models: [x]\nweights: *a59"):
        text = "\n".join([*lines, key])
        if key.endswith("weights: *a59"):
            rows = parse_bag(text, origin="x").stem_weights
            with pytest.raises(CatalogFormatError, match="1 rows of 2 numbers"):
                check_stem_weights(rows, 1, ("a", "b"), "x")
            with pytest.raises(CatalogFormatError, match="must be a number"):
                check_stem_weights(rows, 2, ("a", "b"), "x")
        elif "licence" in key:
            assert parse_bag(text, origin="x").licence is None
        else:
            with pytest.raises(CatalogFormatError, match="names of files beside it"):
                parse_bag(text, origin="x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no list `models`"),
        ("models: 5", "no list `models`"),
        ("- a\n- b", "no list `models`"),
        ("models: []", "names of files beside it"),
        ("models: ['../../etc/passwd']", "names of files beside it"),
        ("models: ['a/b']", "names of files beside it"),
        ("models: ['C:x']", "names of files beside it"),
        ("models: ['..']", "names of files beside it"),
        ("models: [a]\nsegment: 0", "seconds above 0"),
        ("models: [a]\nsegment: true", "seconds above 0"),
        ("models: [a]\nsegment: .nan", "seconds above 0"),
        ("models: [a", "not valid YAML"),
        ("models: [!!python/object/apply:os.system ['true']]", "not valid YAML"),
        ("models: " + "[" * 1500, "not valid YAML"),
        ("models: [a]\ndate: 2001-99-99", "not valid YAML"),
        ("a: &a [x]\nmodels: [*a]", "names of files beside it"),
        ("models: [1.5]", "names of files beside it"),
        ("models: [a]\n" + "#" * 200_000, "too large"),
    ],
)
def test_a_faulty_bag_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(CatalogFormatError, match=message) as caught:
        parse_bag(text, origin="my.yaml")
    assert str(caught.value).startswith("my.yaml")
