"""Packs the parts of a line into the columns there are: the important first, each in the longest form that fits.

Pure. No part is left out while there is room for it, and none is cut in the middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tui.render.text import Line, Span, line_cells, spread

GAP = 2
"""Columns between two parts."""

Form = Sequence[Span]


@dataclass(frozen=True, slots=True)
class Part:
    """A few words of a line."""

    rank: int
    """0 is the most important; what has a higher rank never takes room from what has a lower one."""
    forms: tuple[Form, ...]
    """From the shortest to the longest."""
    grows: int
    """Rank of its longer forms."""
    right: bool
    """It stands at the right end."""


def part(rank: int, *forms: Form, grows: int | None = None, right: bool = False) -> Part:
    """A part with these forms, the shortest first; empty ones count as none.

    Args:
        grows: rank of the longer forms; None: that of the part.
    """
    return Part(rank, tuple(form for form in forms if form), rank if grows is None else grows, right)


def packed(parts: Sequence[Part], width: int) -> Line:
    """The line in `width` columns, one of them free at each end."""
    chosen: dict[int, Form] = {}
    room = width - 2 + GAP
    wanted = [
        (one.grows if longer else one.rank, longer, index, form)
        for index, one in enumerate(parts)
        for longer, form in enumerate(one.forms)
    ]
    for _, longer, index, form in sorted(wanted, key=lambda want: (want[0], bool(want[1]), want[2], want[1])):
        now = chosen.get(index)
        if longer and now is None:
            continue
        more = line_cells(form) + (GAP if now is None else -line_cells(now))
        if more <= room or not chosen:
            chosen[index] = form
            room -= more
    left, right = (
        [form for index, form in sorted(chosen.items()) if parts[index].right is side] for side in (False, True)
    )
    ends = _joined(right)
    return spread([(" ", "text"), *_joined(left)], [*ends, (" ", "text")] if ends else [], width)


def _joined(forms: Sequence[Form]) -> list[Span]:
    spans: list[Span] = []
    for form in forms:
        spans += [(" " * GAP, "text"), *form] if spans else form
    return spans
