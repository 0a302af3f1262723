"""The flow of data through a network, drawn as text.

Every step is a line, in the order in which they run. A lane on the left carries the tensor that a
step hands to the next one. Where lanes meet, a step uses several tensors; what comes from further
up, such as the skips of a U-Net, is named at the end of the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stemsplit.models.trace import Output, Step

_NODE, _LANE, _ACROSS, _CROSSING, _END, _START = "●", "│", "─", "┼", "╯", "╮"


def draw_flow(steps: Sequence[Step]) -> list[str]:
    """The lines of the drawing.

    Args:
        steps: of `trace_network`.
    """
    used = {output for step in steps for output in step.inputs}
    drawing = _Drawing()
    rows = []
    for number, step in enumerate(steps):
        outputs = [(number, index) for index in range(len(step.shapes))]
        kept = [output for output in outputs if output in used] or outputs[:1]
        lanes, opened, others = drawing.advance(step, kept)
        first, *more = (_shape(step.shapes[index]) for _, index in kept)
        notes = _notes(steps, others, is_start=opened and bool(step.inputs))
        name = f"{step.times} {step.name}s" if step.times > 1 else step.name
        rows.append((lanes, name, first, _count(step.parameters), step.what, notes))
        rows += [(drawing.plain, "", shape, "", "", "") for shape in more]
    return _align(rows)


@dataclass
class _Drawing:
    """The lanes as they are between two steps."""

    lanes: list[Output | None] = field(default_factory=list)

    @property
    def plain(self) -> str:
        """How the lanes look where nothing happens."""
        return " ".join(" " if output is None else _LANE for output in self.lanes)

    def advance(
        self, step: Step, outputs: Sequence[Output]
    ) -> tuple[str, bool, tuple[Output, ...]]:
        """Let a step take its inputs from the lanes, and put its outputs there.

        Returns:
            How the lanes look, whether the step begins one without taking any, and the inputs
            that no lane carries.
        """
        before = list(self.lanes)
        taken = [index for index, output in enumerate(before) if output in step.inputs]
        others = tuple(output for output in step.inputs if output not in before)
        places = taken[: len(outputs)]
        for index in taken:
            self.lanes[index] = None
        while len(places) < len(outputs):
            places.append(self._free(places, after=max(taken, default=-1)))
        for place, output in zip(sorted(places), outputs, strict=True):
            self.lanes[place] = output
        return self._picture(before, taken, sorted(places)), not taken, others

    def _free(self, places: Sequence[int], *, after: int) -> int:
        for index, output in enumerate(self.lanes):
            if output is None and index > after and index not in places:
                return index
        self.lanes.append(None)
        return len(self.lanes) - 1

    def _picture(self, before: list[Output | None], taken: list[int], places: list[int]) -> str:
        involved = {*taken, *places}
        first, last = min(involved), max(involved)
        text = ""
        for index in range(len(self.lanes)):
            within = first < index <= last
            runs = index < len(before) and before[index] is not None
            if index in places:
                mark = _NODE if index in taken or index == first else _START
            elif index in taken:
                mark = _END
            elif runs:
                mark = _CROSSING if within else _LANE
            else:
                mark = _ACROSS if within else " "
            text += (_ACROSS if within else " ") + mark
        return text[1:]


def _notes(steps: Sequence[Step], others: Sequence[Output], *, is_start: bool) -> str:
    names = dict.fromkeys(steps[number].name for number, _ in others)
    if not names:
        return ""
    return ("from " if is_start else "and ") + ", ".join(names)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(str(length) for length in shape)


def _count(parameters: int) -> str:
    if not parameters:
        return ""
    if parameters < 1000:
        return str(parameters)
    return f"{parameters / 1e3:.1f} k" if parameters < 1e6 else f"{parameters / 1e6:.2f} M"


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    head = ("", "step", "shape", "weights", "", "")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
