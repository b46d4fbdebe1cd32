"""The tree of experiments as a graph of lanes, newest first, one row an experiment, like a commit graph.

Pure. A lane runs from an experiment down to its parent. An experiment on which nothing builds is a leaf: it hangs
off its parent's lane and takes no lane of its own, so a study of a thousand discarded ideas stays two columns wide.
A fork appears only where it is one: where something was kept on top of an older experiment. The champion's lane is
the leftmost, from the top down.

    ├─▸ runs now, on top of 3
    ★   3, the champion
    ├─✗ 2, discarded, on top of 1
    ✓   1, kept
    ✓   0, the baseline
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tui.render.glyphs import Glyphs


@dataclass(frozen=True, slots=True)
class Node:
    """What the graph needs to know of one experiment."""

    id: int
    parent: int | None
    sign: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the lanes left of the sign, the sign, and the lanes right of it."""

    id: int
    before: str
    sign: str
    after: str

    @property
    def text(self) -> str:
        return self.before + self.sign + self.after


def walk(
    nodes: Iterable[Node], known: Collection[int], glyphs: Glyphs, trunk: int | None = None, most: int = 6
) -> Iterator[Row]:
    """Rows of the graph for `nodes` in order from the newest to the oldest, made one by one as they are asked for.

    Every lane takes two cells. Lanes past `most` are not drawn, and the sign then stands at the last one.

    Args:
        known: ids of all nodes; a parent that is not among them has no lane.
        trunk: the experiment whose lane is the leftmost one.
    """
    lanes: list[int | None] = [trunk] if trunk in known else []
    for node in nodes:
        parent = node.parent if node.parent in known else None
        own = lanes.index(node.id) if node.id in lanes else None
        down = lanes.index(parent) if parent is not None and parent in lanes else None
        if own is None and down is None:
            if None not in lanes:
                lanes.append(None)
            own = lanes.index(None)
            lanes[own] = parent
            yield _row(node, glyphs, lanes, own, None, (), most)
        elif own is None:
            yield _row(node, glyphs, lanes, len(lanes), down, (), most)
        else:
            ends = [index for index, lane in enumerate(lanes) if lane == node.id and index > own]
            for index in ends:
                lanes[index] = None
            joins = down if down is not None and down < own else None
            lanes[own] = None if joins is not None else parent
            yield _row(node, glyphs, lanes, own, joins, ends, most)
        while lanes and lanes[-1] is None:
            lanes.pop()


def _row(
    node: Node,
    glyphs: Glyphs,
    lanes: Sequence[int | None],
    own: int,
    joins: int | None,
    ends: Sequence[int],
    most: int,
) -> Row:
    """The cells of one row.

    Args:
        own: the lane of the sign.
        joins: a lane left of it that it goes into, if it ends here.
        ends: lanes right of it that end here, because this is their parent.
    """
    width = max(len(lanes), own + 1)
    cells = [glyphs.trunk if index < len(lanes) and lanes[index] is not None else " " for index in range(width)]
    links = [" "] * width
    low, high = own if joins is None else joins, max([own, *ends])
    for index in range(low, high):
        links[index] = glyphs.join
        if index not in (low, own):
            cells[index] = glyphs.cross if cells[index] == glyphs.trunk else glyphs.join
    for index in ends:
        cells[index] = glyphs.turn if index == high else glyphs.meet
    if joins is not None:
        cells[joins] = glyphs.branch
    own = min(own, most)
    before = "".join(cell + link for cell, link in zip(cells[:own], links[:own], strict=True))
    after = "".join(
        cell + link for cell, link in zip(cells[own + 1 : most + 1], links[own + 1 : most + 1], strict=True)
    )
    return Row(node.id, before, node.sign, (links[own] + after).rstrip())
