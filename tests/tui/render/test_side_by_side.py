"""A diff in two columns: each line once on its side, changed lines beside one another."""

import difflib

from hypothesis import given
from hypothesis import strategies as st

from tui.render.side_by_side import side_by_side
from tui.render.text import line_cells

DIFF = """\
diff --git a/train.py b/train.py
index 1..2 100644
--- a/train.py
+++ b/train.py
@@ -1,4 +1,5 @@ def head():
 import os
-RATE = 0.05
--- a comment in SQL
+RATE = 0.018
 WIDTH = 64
+DEPTH = 2
"""


def text(diff: str, width: int = 80) -> list[str]:
    return ["".join(part for part, _ in line).rstrip() for line in side_by_side(diff, width)]


def test_changed_lines_stand_beside_one_another_with_their_numbers() -> None:
    rows = [" ".join(row.split()) for row in text(DIFF)]
    assert rows == [
        "train.py",
        "line 1 def head():",
        "1 import os │ 1 import os",
        "2- RATE = 0.05 │ 2+ RATE = 0.018",
        "3- -- a comment in SQL │",
        "4 WIDTH = 64 │ 3 WIDTH = 64",
        "│ 4+ DEPTH = 2",
    ]


def test_in_a_narrow_terminal_the_columns_stand_under_one_another() -> None:
    assert "-RATE = 0.05" in text(DIFF, 40) and "+RATE = 0.018" in text(DIFF, 40)


LINES = st.lists(st.text(alphabet="ab -+@\t界", max_size=90), max_size=12)


@given(LINES, LINES, st.integers(10, 130))
def test_any_diff_fits_and_no_line_is_lost(before: list[str], after: list[str], width: int) -> None:
    diff = "\n".join(["diff --git a/x b/x", *difflib.unified_diff(before, after, "a/x", "b/x", lineterm="")])
    rows = side_by_side(diff, width)
    assert all(line_cells(row) <= width for row in rows)
    if width >= 60:
        changed = sum(
            role == "removed" and part[4] == "-" and part[:4].strip() != "" for row in rows for part, role in row
        )
        assert changed == sum(line.startswith("-") for line in diff.split("\n")[3:])
