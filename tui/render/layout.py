"""Where everything stands, as a pure function of the terminal's size and the view that a person looks at.

- under 40x8: a strip of the status lines, with the last line for keys, messages and what is typed from 4 lines on;
- up to 109 columns, or under 22 lines: one view at a time under the two status lines and the tabs;
- 110 to 159 columns: two columns; from 160 on: three, with all six views at once.
- `zoomed`: one view at a time at any size.

Numbers are cells; the origin is the top left corner.
"""

from dataclasses import dataclass

VIEWS = ("mind", "tree", "curve", "progress", "machine", "log")
"""In the order of the keys 1 to 6."""

LEAST = (40, 8)
"""Columns and lines below which there is only a strip."""

ASKING = (24, 4)
"""Columns and lines below which nothing can be typed or answered."""

TWO_COLUMNS, THREE_COLUMNS = 110, 160

STACKED = 22
"""Lines from which views are stacked; in fewer, none of them would have room for anything."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one view stands."""

    view: str
    x: int
    y: int
    width: int
    height: int
    boxed: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole screen: status lines at the top, one key line at the bottom, views in between."""

    tiny: bool
    """A strip without any view."""
    status: int
    """Lines at the top; the third names the views, where only one of them is shown."""
    keys: bool
    """The last line is for keys, messages and what is typed."""
    places: tuple[Place, ...]


def layout(width: int, height: int, active: str = "mind", *, zoomed: bool = False, gpus: int = 0) -> Layout:
    """The layout of a terminal of `width` x `height` cells.

    Args:
        active: the view that must be on screen.
        gpus: how many lines the machine view would like for them.
    """
    if width < LEAST[0] or height < LEAST[1]:
        asks = width >= ASKING[0] and height >= ASKING[1]
        return Layout(True, min(3, height - 1) if asks else 1, asks, ())
    if zoomed or width < TWO_COLUMNS or height < STACKED:
        return Layout(False, 3, True, (Place(active, 0, 3, width, height - 4, False),))
    top, room = 2, height - 3
    if width < THREE_COLUMNS:
        left = max(58, width * 54 // 100)
        below = active if active in ("progress", "machine", "log") else "progress"
        columns = [
            (0, left, _stack(room, (("mind", 55), ("tree", 45)))),
            (left, width - left, _stack(room, (("curve", 50), (below, 50)))),
        ]
    else:
        left, right = width * 34 // 100, width * 31 // 100
        machine = min(8 + min(gpus, 8) if gpus else 7, room // 3)
        rest = room - machine
        curve = max(8, rest * 55 // 100)
        columns = [
            (0, left, _stack(room, (("tree", 60), ("progress", 40)))),
            (left, width - left - right, [("mind", room)]),
            (width - right, right, [("curve", curve), ("machine", machine), ("log", rest - curve)]),
        ]
    places = []
    for x, wide, stack in columns:
        y = top
        for view, high in stack:
            places.append(Place(view, x, y, wide, high, True))
            y += high
    return Layout(False, 2, True, tuple(places))


def _stack(room: int, shares: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
    """`room` lines shared out by weight; the last takes what is left."""
    stack = []
    left = room
    for view, share in shares[:-1]:
        high = room * share // 100
        stack.append((view, high))
        left -= high
    return [*stack, (shares[-1][0], left)]
