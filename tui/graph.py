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

from tui.glyphs import Glyphs


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


def graph(nodes: Iterable[Node], glyphs: Glyphs, trunk: int | None = None, most: int = 6) -> list[Row]:
    """All rows of `walk`."""
    nodes = list(nodes)
    return list(walk(nodes, {node.id for node in nodes}, glyphs, trunk, most))


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
        if own is None:
            if down is None:
                own = _free(lanes)
                lanes[own] = parent
                yield _row(node, glyphs, lanes, own, None, most)
            else:
                yield _row(node, glyphs, lanes, len(_trim(lanes)), down, most)
        else:
            lanes[own] = None if down is not None else parent
            yield _row(node, glyphs, lanes, own, down, most)
        lanes = _trim(lanes)


def _free(lanes: list[int | None]) -> int:
    """The first lane nobody uses; a new one where all are taken."""
    if None in lanes:
        return lanes.index(None)
    lanes.append(None)
    return len(lanes) - 1


def _trim(lanes: list[int | None]) -> list[int | None]:
    while lanes and lanes[-1] is None:
        lanes = lanes[:-1]
    return lanes


def _row(
    node: Node, glyphs: Glyphs, lanes: Sequence[int | None], own: int, down: int | None, most: int
) -> Row:
    """The cells of one row: `own` is the lane of the sign, `down` the lane it joins, if it joins one."""
    cells = [glyphs.trunk if lane is not None else " " for lane in lanes]
    links = [" "] * len(cells)
    while len(cells) <= own:
        cells.append(" ")
        links.append(" ")
    if down is not None:
        low, high = sorted((down, own))
        for index in range(low, high):
            links[index] = glyphs.join
            if low < index:
                cells[index] = glyphs.cross if cells[index] == glyphs.trunk else glyphs.join
        cells[down] = glyphs.branch if down < own else glyphs.turn if glyphs.ascii else "┤"
    own = min(own, most)
    before = "".join(cell + link for cell, link in zip(cells[:own], links[:own], strict=True))
    after = links[own] + "".join(
        cell + link for cell, link in zip(cells[own + 1 : most + 1], links[own + 1 : most + 1], strict=True)
    )
    return Row(node.id, before, node.sign, after.rstrip())
