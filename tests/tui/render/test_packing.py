"""Parts of a line, packed into the columns there are."""

from tui.render.packing import packed, part
from tui.render.text import Line, line_cells

PARTS = [
    part(3, [("study", "")]),
    part(0, [("running", "")]),
    part(1, [("exp 9", "")], [("exp 9 of 20", "")], grows=4),
    part(2, [("$1.92/5", "")]),
    part(9, []),
    part(0, [("live", "")], right=True),
]


def text(line: Line) -> str:
    return "".join(words for words, _ in line).strip()


def test_what_is_least_important_goes_first_and_nothing_goes_while_there_is_room() -> None:
    shown = {width: text(packed(PARTS, width)).split() for width in range(8, 60)}
    assert shown[59] == ["study", "running", "exp", "9", "of", "20", "$1.92/5", "live"]
    assert "20" not in shown[40] and "study" in shown[40]
    assert shown[20] == ["running", "live"]
    for width in range(9, 60):
        assert set(shown[width - 1]) <= set(shown[width]) or "exp" in shown[width], "more room never shows less"


def test_a_line_is_never_wider_than_the_terminal() -> None:
    assert all(line_cells(packed(PARTS, width)) <= width for width in range(1, 80))
