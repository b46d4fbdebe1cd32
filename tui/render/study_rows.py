"""All studies of a machine as a table: state, best, what waits, how old. Pure."""

from collections.abc import Sequence
from pathlib import Path

from loop.reporting.overview import Overview
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, age, cut, number, one_line, pad

HEAD = ("state", "best", "", "exp", "kept", "waits", "newest", "study", "where")

_ROLES = {"running": "good", "baseline": "running", "failed": "bad", "died": "bad", "stopped": "dim"}


def place(root: Path, home: Path) -> str:
    """A folder as a person writes it."""
    return f"~/{root.relative_to(home)}" if root != home and root.is_relative_to(home) else str(root)


def study_lines(rows: Sequence[Overview], now: float, width: int, glyphs: Glyphs, home: Path) -> list[Line]:
    """A header and a line for each; in a narrow terminal the end of the folder's name is what stays."""
    texts = [_cells(row, now, glyphs, home) for row in rows]
    wide = [max(map(len, column), default=0) for column in zip(HEAD, *texts, strict=True)]
    lines: list[Line] = [_line([(word, "faint") for word in HEAD], wide, width)]
    for row, cells in zip(rows, texts, strict=True):
        role = "bad" if row.refused else _ROLES.get(row.state, "warn" if row.alive else "dim")
        roles = (role, "strong", "kept", "text", "dim", "waiting", "dim", "accent", "text")
        lines.append(_line(list(zip(cells, roles, strict=True)), wide, width))
    return lines


def _cells(row: Overview, now: float, glyphs: Glyphs, home: Path) -> tuple[str, ...]:
    where = one_line(place(row.root, home))
    if row.refused:
        return ("! unreadable", "", "", "", "", "", "", "", where)
    sign = glyphs.live if row.alive else ("o" if glyphs.ascii else "○")
    waits = ""
    if row.waiting:
        since = "" if row.waiting_since is None else f" {age(max(0.0, now - row.waiting_since))}"
        waits = f"{glyphs.flag} {len(row.waiting)}{since}"
    return (
        f"{sign} {row.state}" + (" !" if row.trouble else ""),
        "" if row.best is None else number(row.best),
        row.change,
        str(row.experiments),
        str(row.kept),
        waits,
        "" if row.at is None else age(max(0.0, now - row.at)),
        cut(one_line(row.tag), 20),
        where,
    )


def _line(cells: Sequence[Span], wide: Sequence[int], width: int) -> Line:
    spans: list[Span] = []
    for index, ((text, role), size) in enumerate(zip(cells, wide, strict=True)):
        if index == len(cells) - 1:
            room = width - sum(wide[:-1]) - 2 * (len(wide) - 1)
            spans.append((text if len(text) <= room or room < 4 else f"…{text[1 - room :]}", role))
        else:
            spans.append((pad(text, size, right=index in (3, 4)) + "  ", role))
    return tuple(spans)
