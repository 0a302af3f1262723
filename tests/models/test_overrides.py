"""Single fields of configurations, set by text."""

from dataclasses import dataclass, field

import pytest

from stemsplit.errors import ConfigError
from stemsplit.models.overrides import field_names, override
from stemsplit.models.serialization import from_plain, to_plain


@dataclass(frozen=True)
class Wheel:
    spokes: int = 20
    name: str | None = None


@dataclass(frozen=True)
class Cycle:
    wheels: tuple[Wheel, ...] = ()
    front: Wheel = field(default_factory=Wheel)
    spare: Wheel | None = None
    gears: tuple[float, ...] = (1.0,)
    colours: tuple[str, ...] = ()
    has_bell: bool = False


def changed(*texts: str) -> Cycle:
    return from_plain(Cycle, override(Cycle, to_plain(Cycle()), texts))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("front.spokes=3", Cycle(front=Wheel(spokes=3))),
        (" front.spokes = 3 ", Cycle(front=Wheel(spokes=3))),
        ("front.name=1e5", Cycle(front=Wheel(name="1e5"))),
        ('front.name="a=b"', Cycle(front=Wheel(name="a=b"))),
        ("front.name=a=b", Cycle(front=Wheel(name="a=b"))),
        ("front.name=none", Cycle()),
        ("front={spokes=4}", Cycle(front=Wheel(spokes=4))),
        ("spare={}", Cycle(spare=Wheel())),
        ("spare.spokes=5", Cycle(spare=Wheel(spokes=5))),
        ("gears=1,2", Cycle(gears=(1.0, 2.0))),
        ("gears=[3]", Cycle(gears=(3.0,))),
        ("gears=", Cycle(gears=())),
        ("colours=red, 7", Cycle(colours=("red", "7"))),
        ('colours=["red"]', Cycle(colours=("red",))),
        ("wheels=[{spokes=1}, {}]", Cycle(wheels=(Wheel(spokes=1), Wheel()))),
        ("has_bell=true", Cycle(has_bell=True)),
    ],
)
def test_text_is_read_as_what_the_field_holds(text: str, expected: Cycle) -> None:
    assert changed(text) == expected


def test_later_texts_win_and_neighbours_stay() -> None:
    assert changed("front.spokes=1", "front.name=x", "front.spokes=2").front == Wheel(2, "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("front.spoke=1", r"front\.spoke does not exist\. Did you mean front\.spokes"),
        ("spokes=1", r"spokes does not exist\. Did you mean front\.spokes or spare\.spokes"),
        ("front.spokes.x=1", r"front\.spokes\.x does not exist"),
        ("zzz=1", r"zzz does not exist\. There are wheels, front, spare"),
        ("has_bell=yes", "has_bell cannot be 'yes': it takes true or false"),
        ("gears=1,two", r"gears\[1\] cannot be 'two': it takes a number"),
        ("front.spokes=1\nmore = 2", "front.spokes cannot be '1\\\\nmore = 2'"),
        ("front=3", "front cannot be 3: it takes a table"),
        ("has_bell", "'has_bell' sets nothing: write it as key=value"),
    ],
)
def test_text_that_does_not_fit_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        changed(text)


def test_all_fields_are_listed_with_those_inside() -> None:
    assert field_names(Cycle) == [
        "wheels",
        "front",
        "front.spokes",
        "front.name",
        "spare",
        "spare.spokes",
        "spare.name",
        "gears",
        "colours",
        "has_bell",
    ]
