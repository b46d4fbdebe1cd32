"""The tree's lanes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tui.render.commit_graph import Node, Row, walk
from tui.render.glyphs import ASCII, UNICODE, Glyphs


def graph(nodes: list[Node], glyphs: Glyphs, trunk: int | None = None, most: int = 6) -> list[Row]:
    """All rows, where every parent is known that is there."""
    return list(walk(nodes, {node.id for node in nodes}, glyphs, trunk, most))


def drawn(nodes: list[tuple[int, int | None, str]], trunk: int | None = None) -> list[str]:
    return [row.text for row in graph([Node(*node) for node in nodes], UNICODE, trunk)]


def test_discarded_ones_hang_off_the_champion_s_lane() -> None:
    rows = drawn([(4, 3, "▸"), (3, 1, "★"), (2, 1, "✗"), (1, 0, "✓"), (0, None, "✓")], trunk=3)
    assert rows == ["├─▸", "★", "├─✗", "✓", "✓"]


def test_what_was_kept_on_an_older_one_is_a_fork() -> None:
    nodes = [(6, 5, "★"), (5, 1, "✓"), (4, 3, "✗"), (3, 1, "✓"), (2, 1, "✗"), (1, 0, "✓"), (0, None, "✓")]
    assert drawn(nodes, trunk=6) == ["★", "✓", "│ ✗", "├─✓", "├─✗", "✓", "✓"]


def test_a_join_crosses_the_lanes_in_between() -> None:
    nodes = [(7, 5, "✗"), (6, 4, "✗"), (5, 3, "✓"), (4, 3, "✓"), (3, 0, "★"), (0, None, "✓")]
    assert drawn(nodes, trunk=3) == ["│ ✗", "│ │ ✗", "├─✓ │", "├───✓", "★", "✓"]
    crossing = [(6, 4, "✗"), (5, 3, "✗"), (4, 3, "✓"), (3, None, "★")]
    assert drawn(crossing, trunk=3) == ["│ ✗", "├─┼─✗", "├─✓", "★"]


def test_lanes_of_two_children_meet_at_their_parent_and_not_before() -> None:
    nodes = [(7, 5, "✗"), (6, 4, "✗"), (5, 3, "✓"), (4, 0, "✓"), (3, 0, "★"), (0, None, "✓")]
    assert drawn(nodes, trunk=3) == ["│ ✗", "│ │ ✗", "├─✓ │", "│   ✓", "★   │", "✓───╯"]


def test_an_unknown_parent_is_no_lane() -> None:
    assert drawn([(9, 8, "✗"), (7, 6, "✗")]) == ["✗", "✗"]


@st.composite
def histories(draw: st.DrawFn) -> list[Node]:
    size = draw(st.integers(1, 60))
    parents = [None] + [draw(st.integers(0, i - 1)) for i in range(1, size)]
    return [Node(i, parents[i], "o") for i in reversed(range(size))]


@given(histories(), st.booleans())
@settings(max_examples=150)
def test_every_experiment_has_one_row_whatever_the_history(nodes: list[Node], ascii_only: bool) -> None:
    rows = graph(nodes, ASCII if ascii_only else UNICODE, nodes[0].id, most=4)
    assert [row.id for row in rows] == [node.id for node in nodes]
    assert all(len(row.text) <= 12 for row in rows)
    if ascii_only:
        assert all(row.text.isascii() for row in rows)


def test_a_long_row_of_leaves_stays_two_lanes_wide() -> None:
    nodes = [Node(i, 0, "✗") for i in range(500, 0, -1)] + [Node(0, None, "★")]
    assert {row.text for row in graph(nodes, UNICODE, 0)} == {"├─✗", "★"}
