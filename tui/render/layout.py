"""Where everything stands, as a pure function of the terminal's size and the view that a person looks at.

- under 40x8: a strip, as high as the terminal; from 4 lines on the last is for keys, messages and what is typed;
- up to 109 columns, or under 22 lines: one view at a time under the two status lines and the tabs. The first, `runs`,
  needs a few lines only: researchers and mind have the rest;
- from 110 columns on: two columns, from 160 on with a wide one at the left. One place, at the bottom right, is for
  whichever of `ASIDE` was looked at last.
- `zoomed`: one view at a time at any size.

Numbers are cells; the origin is the top left corner.
"""

from dataclasses import dataclass

VIEWS = ("runs", "researchers", "experiments", "progress", "curves", "mind", "detail", "machine", "log")
"""In the order of the keys 1 to 9, which is that of the screen: row by row, and from the left."""

LEAST = (40, 8)
"""Columns and lines below which there is only a strip."""

ASKING = (24, 4)
"""Columns and lines below which nothing can be typed or answered."""

TWO_COLUMNS, THREE_COLUMNS = 110, 160

STACKED = 22
"""Lines from which views are stacked; in fewer, none of them would have room for anything."""

ASIDE = ("mind", "detail", "machine", "log")
"""Views that share one place of a wide screen; of a middling one, where the mind has a place of its own, so does
`progress` with the other three."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one view stands."""

    view: str
    x: int
    y: int
    width: int
    height: int
    boxed: bool
    headed: bool = False
    """A line with its name is above it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole screen: status lines at the top, one key line at the bottom, views in between."""

    tiny: bool
    """A strip without any view."""
    status: int
    """Lines at the top; the last of them names the views, where only one of them is shown."""
    keys: bool
    """The last line is for keys, messages and what is typed."""
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Needs:
    """Lines that the runs and the researchers would like, without frames: a row each, and what is above or below."""

    runs: int = 2
    researchers: int = 1


def layout(
    width: int,
    height: int,
    active: str = "runs",
    *,
    zoomed: bool = False,
    aside: str = "mind",
    needs: Needs | None = None,
) -> Layout:
    """The layout of a terminal of `width` x `height` cells.

    Args:
        active: the view that must be on screen.
        aside: which of `ASIDE` was looked at last.
        needs: lines that the runs and the researchers take.
    """
    needs = needs or Needs()
    if width < LEAST[0] or height < LEAST[1]:
        asks = width >= ASKING[0] and height >= ASKING[1]
        return Layout(True, height - asks if width >= ASKING[0] else 1, asks, ())
    if zoomed or width < TWO_COLUMNS or height < STACKED:
        return Layout(False, 3, True, _single(width, height - 4, active, needs, alone=zoomed))
    top, room = 2, height - 3
    wide = width >= THREE_COLUMNS
    aside = active if active in ASIDE else aside
    runs = max(5, min(needs.runs + 2, room // 3))
    minds = max(5, min(needs.researchers + 2, room // 4))
    if wide:
        left = width * 61 // 100
        columns = [
            (0, left, [("runs", runs), *_stack(room - runs, (("experiments", 56), ("curves", 44)))]),
            (left, width - left, [("researchers", minds), *_stack(room - minds, (("progress", 42), (aside, 58)))]),
        ]
    else:
        left = max(58, width * 54 // 100)
        below = active if active in ("progress", *ASIDE) and active != "mind" else aside
        below = "progress" if below == "mind" else below
        columns = [
            (0, left, [("runs", runs), *_stack(room - runs, (("experiments", 55), ("curves", 45)))]),
            (left, width - left, [("researchers", minds), *_stack(room - minds, ((below, 45), ("mind", 55)))]),
        ]
    places = []
    for x, across, stack in columns:
        y = top
        for view, high in stack:
            places.append(Place(view, x, y, across, high, True))
            y += high
    return Layout(False, 2, True, tuple(places))


def _single(width: int, room: int, active: str, needs: Needs, *, alone: bool) -> tuple[Place, ...]:
    """One view in `room` lines under the tabs; under the runs, which take few, those who think."""
    if active != "runs" or alone or room < 12:
        return (Place(active, 0, 3, width, room, False),)
    runs = min(needs.runs, room // 2)
    minds = max(0, min(needs.researchers, room - runs - 7))
    places = [Place("runs", 0, 3, width, runs, False)]
    if minds:
        places.append(Place("researchers", 0, 3 + runs, width, minds + 1, False, headed=True))
    used = runs + (minds + 1 if minds else 0)
    return (*places, Place("mind", 0, 3 + used, width, room - used, False, headed=True))


def _stack(room: int, shares: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
    """`room` lines shared out by weight; the last takes what is left."""
    stack = []
    left = room
    for view, share in shares[:-1]:
        high = room * share // 100
        stack.append((view, high))
        left -= high
    return [*stack, (shares[-1][0], left)]
