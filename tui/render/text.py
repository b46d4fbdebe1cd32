"""Text as a terminal shows it: cleaning, measuring, cutting, wrapping, and the short forms of numbers.

Pure. Agents and runs write whatever they like; after `clean` a text moves no cursor, rings no bell, hides nothing
and takes the cells that `cells` says. Nothing here knows markup, so nothing here can be confused by it.

A line on screen is a `Line`: spans of text with a role (see `palette.py`), never colours.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from loop.sanitize import plain

Span = tuple[str, str]
Line = tuple[Span, ...]

ELLIPSIS = "…"

# Regional indicators and skin tones: terminals disagree on the cells that they take.
_UNCERTAIN = re.compile("[\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]")
_LIMIT = 1_000_000


def clean(text: str) -> str:
    """`text` as `sanitize.plain` has it and without anything of uncertain width; tabs become four spaces."""
    text = plain(text[:_LIMIT], tab="    ")
    return text if text.isascii() else _few_marks(_UNCERTAIN.sub("", unicodedata.normalize("NFC", text)))


def one_line(text: str) -> str:
    """`text` cleaned and on one line."""
    return " ".join(clean(text).split())


def _few_marks(text: str) -> str:
    """At most two combining marks on a character, and none at the start of a line."""
    kept: list[str] = []
    marks = 2
    for char in text:
        if unicodedata.category(char) in ("Mn", "Me", "Mc"):
            marks += 1
            if marks > 2:
                continue
        else:
            marks = 2 if char == "\n" else 0
        kept.append(char)
    return "".join(kept)


@lru_cache(4096)
def _char_cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    from rich.cells import get_character_cell_size

    return get_character_cell_size(char)


def cells(text: str) -> int:
    """Columns that a cleaned `text` takes."""
    return len(text) if text.isascii() else sum(map(_char_cells, text))


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells, with an ellipsis for what was cut off."""
    if cells(text) <= width:
        return text
    if width <= 0:
        return ""
    used, end = 1, 0
    for char in text:
        used += _char_cells(char)
        if used > width:
            break
        end += 1
    return text[:end].rstrip() + ELLIPSIS


def pad(text: str, width: int, right: bool = False) -> str:
    """`text` in exactly `width` cells, cut or filled; `right` puts it at the right edge."""
    text = cut(text, width)
    space = " " * (width - cells(text))
    return space + text if right else text + space


def line_cells(line: Iterable[Span]) -> int:
    """Columns that a line takes."""
    return sum(cells(text) for text, _ in line)


def fit(line: Iterable[Span], width: int) -> Line:
    """A line in at most `width` cells, with an ellipsis where something had to go."""
    spans: list[Span] = []
    left = width
    line = tuple(line)
    for index, (text, role) in enumerate(line):
        size = cells(text)
        if size < left or (size == left and index == len(line) - 1):
            spans.append((text, role))
            left -= size
            continue
        rest = any(more.strip() for more, _ in line[index + 1 :])
        if size == left and not rest:
            spans.append((text, role))
            break
        spans.append((cut(text + " " * left, left) if not rest or size > left else cut(text + " ", left), role))
        break
    return tuple(spans)


def spread(left: Iterable[Span], right: Iterable[Span], width: int) -> Line:
    """One line with something at each end; the left gives way."""
    right = fit(right, width)
    taken = line_cells(right)
    room = width - taken - (1 if taken else 0)
    left = fit(left, max(0, room))
    gap = width - taken - line_cells(left)
    return (*left, (" " * gap, "text"), *right) if right else left


def wrap(text: str, width: int, start: int = 0) -> list[tuple[int, int]]:
    """Where the rows of `text[start:]` begin and end when broken at spaces into at most `width` cells.

    A word longer than a row is broken hard. Always at least one row. ASCII takes about a microsecond a row.
    """
    rows: list[tuple[int, int]] = []
    size = len(text)
    width = max(1, width)
    ascii_only = text.isascii()
    while True:
        if size - start <= width and (ascii_only or cells(text[start:]) <= width):
            rows.append((start, size))
            return rows
        limit = start + width if ascii_only else _reach(text, start, width)
        at = text.rfind(" ", start + 1, limit + 1)
        if at > start:
            rows.append((start, at))
            start = at + 1
        else:
            rows.append((start, limit))
            start = limit
        if start >= size:
            return rows


def _reach(text: str, start: int, width: int) -> int:
    """End of the longest piece from `start` in `width` cells; at least one character, with its marks."""
    used = 0
    for index in range(start, len(text)):
        used += _char_cells(text[index])
        if used > width and index > start:
            return index
    return len(text)


# --- short forms ---------------------------------------------------------------------------------------------------


def brief(seconds: float) -> str:
    """`0.3s`, `42s`, `5m`, `3h`, `2d`: one unit, to be read at a glance."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def age(seconds: float) -> str:
    """`12s`, `41m`, `3h`, `2d`: how long ago, in at most three cells up to a hundred days."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def number(value: float | None, digits: int = 5) -> str:
    """A value in about `digits` significant figures (0.9720 and 1.0023 get four decimals both); `-` for none."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude >= 7 or magnitude < -5:
        return f"{value:.{max(0, digits - 2)}g}"
    decimals = digits - 1 - (magnitude if magnitude < -1 else max(magnitude, 0))
    return f"{value:,.{max(0, decimals)}f}"


def plus_minus(error: float | None) -> str:
    """The error of a mean, `±0.0008`; empty where it is not known."""
    return "" if not error else f"±{number(error, 2)}"


def hung(lead: Sequence[Span], text: str, width: int, role: str = "text") -> list[Line]:
    """A text behind `lead`, in lines of `width` cells; what goes on below is indented by as much."""
    inset = line_cells(lead)
    rows = wrap(text, max(8, width - inset)) or [(0, 0)]
    indent: Span = (" " * inset, "text")
    return [(*(indent,), (text[a:b], role)) if at else (*lead, (text[a:b], role)) for at, (a, b) in enumerate(rows)]


def percent(effect: float, mean: float) -> str:
    """The size of an effect as a share of a mean: `0.36%`; empty where the mean is zero."""
    return f"{abs(100 * effect / mean):.2g}%" if mean else ""


def sigmas(effect: float | None, noise: float | None) -> str:
    """An effect in units of the noise of one run: `+3.1σ`; empty where there is none."""
    if effect is None:
        return ""
    if not noise:
        return f"{effect:+.2g}"
    ratio = effect / noise
    return f"{ratio:+.1f}σ" if abs(ratio) < 100 else f"{ratio:+.0f}σ"
