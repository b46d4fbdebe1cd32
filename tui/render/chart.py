"""Charts of braille dots, from data to lines of text: two dots wide and four high to a cell, with labelled axes.

Pure: the same data and size give the same cells. A value that is not finite is left out; a value outside the range
is drawn at the edge, never outside it. In ASCII one sign stands for a cell.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

from loop.study.curves import Point
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, cells, pad

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of the dot in row 0-3, column 0-1 of a braille cell."""


Kind = Literal["line", "dashed", "dotted", "dashdot", "sparse", "step", "dots"]
"""How points are joined: by a whole line or one of those with gaps, by steps, or not at all."""

_GAPS = {"dashed": "1100", "dotted": "10", "dashdot": "11110100", "sparse": "100000"}
"""Which columns of dots a line with gaps has, over and over."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points in order of x. Later series lie over earlier ones."""

    points: Sequence[Point]
    role: str
    sign: str = "*"
    """What stands for it in ASCII."""
    kind: Kind = "line"


@dataclass(frozen=True, slots=True)
class Mark:
    """One sign on its own cell, over everything."""

    x: float
    y: float
    glyph: str
    role: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A range and how its values are written."""

    low: float
    high: float
    write: Callable[[float], str]
    log: bool = False
    """Equal ratios take equal room; `low` must be above 0 then."""

    def share(self, value: float) -> float:
        """Place of a value in the range, 0 to 1; outside values come to the edge."""
        if self.high <= self.low:
            return 0.5
        if self.log:
            if value <= self.low:
                return 0.0
            return min(1.0, math.log(value / self.low) / math.log(self.high / self.low))
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def ticks(self, most: int) -> list[float]:
        """At most `most` round values in the range."""
        return log_ticks(self.low, self.high, most) if self.log else ticks(self.low, self.high, most)


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round values from `low` to `high`: steps of 1, 2 or 5 times a power of ten."""
    if not math.isfinite(high - low) or high <= low or most < 1:  # a run that diverges may report 1e308
        return [low] if math.isfinite(low) else []
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    while last - first + 1 > most:
        step *= 2
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round values for a logarithmic axis: 1, 2 and 5 times powers of ten, or fewer of them.

    A range of less than about a factor of four holds too few of those; it gets the round values of a linear axis.
    """
    if not (0 < low < high and math.isfinite(high)) or most < 1:
        return ticks(low, high, most)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [x for power in powers for factor in factors if low <= (x := factor * 10.0**power) <= high]
        if len(found) <= most:
            return found if len(found) >= 3 else ticks(low, high, most)
    return found[:: -(-len(found) // most)]


def span(values: Iterable[float], margin: float = 0.05) -> tuple[float, float] | None:
    """Lowest and highest finite value with a margin on both sides; None where there is none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    room = (high - low) * margin or abs(high) * 0.05 or 1.0
    return low - room, high + room


class Canvas:
    """`width` x `height` cells of dots. Coordinates are dots; y grows downwards."""

    def __init__(self, width: int, height: int, ascii_only: bool) -> None:
        self.width, self.height, self.ascii = width, height, ascii_only
        self.cells: dict[tuple[int, int], tuple[int, str, str]] = {}

    def dot(self, x: int, y: int, role: str, sign: str) -> None:
        """Set one dot; what lies outside is ignored."""
        if 0 <= x < self.width * 2 and 0 <= y < self.height * 4:
            place = (x >> 1, y >> 2)
            bits = self.cells[place][0] if place in self.cells else 0
            self.cells[place] = (bits | _DOTS[y & 3][x & 1], role, sign)

    def line(self, x0: int, y0: int, x1: int, y1: int, role: str, sign: str, columns: str = "1") -> None:
        """A straight line, both ends included.

        Args:
            columns: "1" for each column of dots that it has and "0" for each that it leaves out, over and over.
        """
        steps = max(abs(x1 - x0), abs(y1 - y0))
        for i in range(steps + 1):
            part = i / steps if steps else 0.0
            x = round(x0 + (x1 - x0) * part)
            if columns[x % len(columns)] == "1":
                self.dot(x, round(y0 + (y1 - y0) * part), role, sign)

    def put(self, column: int, row: int, glyph: str, role: str) -> None:
        """A sign of its own in one cell, instead of dots."""
        if 0 <= column < self.width and 0 <= row < self.height:
            self.cells[column, row] = (-1, role, glyph)

    def row(self, y: int) -> Line:
        """One line of cells."""
        spans: list[Span] = []
        for x in range(self.width):
            bits, role, sign = self.cells.get((x, y), (0, "text", " "))
            char = sign if bits < 0 or not bits or self.ascii else chr(0x2800 + bits)
            if spans and (spans[-1][1] == role or char == " "):
                spans[-1] = (spans[-1][0] + char, spans[-1][1])
            else:
                spans.append((char, role))
        return tuple(spans)


def chart(
    series: Sequence[Series],
    width: int,
    height: int,
    x: Axis,
    y: Axis,
    glyphs: Glyphs,
    *,
    marks: Sequence[Mark] = (),
    band: tuple[float, float] | None = None,
) -> list[Line]:
    """The chart in exactly `width` x `height` cells: values on the left, the x axis in the last two lines.

    Args:
        band: values of y between which the ground is dotted lightly, such as the noise.
    """
    plot = height - 2
    if plot < 2 or width < 16:
        return [((pad("too small for a chart", width), "faint"),)] + [()] * (height - 1)
    rows = {}
    for value in y.ticks(max(2, plot // 3)):
        rows[min(plot - 1, int((1 - y.share(value)) * plot))] = y.write(value)
    gutter = max((cells(text) for text in rows.values()), default=0)
    wide = width - gutter - 2
    canvas = Canvas(wide, plot, glyphs.ascii)
    if band is not None:
        _band(canvas, y, band)
    for one in series:
        _draw(canvas, one, x, y)
    for mark in marks:
        column, row = int(x.share(mark.x) * (wide - 1) + 0.5), int((1 - y.share(mark.y)) * (plot * 4 - 1)) // 4
        canvas.put(column, row, mark.glyph, mark.role)
    side, tick = ("|", "+") if glyphs.ascii else ("│", "┤")
    lines: list[Line] = []
    for row in range(plot):
        label = rows.get(row, "")
        lines.append(
            ((pad(label, gutter, right=True) + " ", "dim"), (tick if label else side, "axis"), *canvas.row(row))
        )
    return lines + _below(x, wide, gutter, glyphs)


def _below(x: Axis, wide: int, gutter: int, glyphs: Glyphs) -> list[Line]:
    """The x axis and its labels."""
    corner, rule, notch = ("+", "-", "+") if glyphs.ascii else ("└", "─", "┬")
    line, labels = [rule] * wide, [" "] * (wide + 1)
    end = -1
    for value in x.ticks(max(2, wide // 11)):
        at = int(x.share(value) * (wide - 1) + 0.5)
        text = x.write(value)
        left = max(0, min(at - len(text) // 2, wide - len(text)))
        if left > end:
            line[at] = notch
            labels[left : left + len(text)] = text
            end = left + len(text)
    margin = " " * (gutter + 1)
    return [((margin, "text"), (corner + "".join(line), "axis")), ((margin + " " + "".join(labels[:wide]), "dim"),)]


def _band(canvas: Canvas, y: Axis, band: tuple[float, float]) -> None:
    """One dot in eight: a tint, not a surface. Where it would fill the chart only its edges are drawn."""
    bottom, top = canvas.height * 4 - 1, 0
    first = round((1 - y.share(max(band))) * (bottom - top))
    last = round((1 - y.share(min(band))) * (bottom - top))
    if last - first > canvas.height:  # a quarter of the dots that are one above the other
        for row in (first, last):
            for column in range(0, canvas.width * 2, 4):
                canvas.dot(column, row, "band", ".")
        return
    for row in range(first, last + 1):
        if row % 2 == 0:
            for column in range(row % 4, canvas.width * 2, 4):
                canvas.dot(column, row, "band", ".")


def _draw(canvas: Canvas, series: Series, x: Axis, y: Axis) -> None:
    across, down = canvas.width * 2 - 1, canvas.height * 4 - 1
    dots = [
        (round(x.share(a) * across), round((1 - y.share(b)) * down))
        for a, b in series.points
        if math.isfinite(a) and math.isfinite(b)
    ]
    role, sign = series.role, series.sign
    if series.kind == "dots":
        for column, row in dots:
            canvas.dot(column, row, role, sign)
        return
    if series.kind == "step":
        dots = [place for a, b in itertools.pairwise(dots) for place in (a, (b[0], a[1]))] + dots[-1:]
    dots = _extremes(dots)
    if len(dots) == 1:
        canvas.dot(*dots[0], role, sign)
    for (x0, y0), (x1, y1) in itertools.pairwise(dots):
        canvas.line(x0, y0, x1, y1, role, sign, _GAPS.get(series.kind, "1"))


def _extremes(dots: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """First, highest, lowest and last dot of each column: all that a line through many points can show."""
    kept: list[tuple[int, int]] = []
    for x, group in itertools.groupby(dots, key=itemgetter(0)):
        column = [y for _, y in group]
        picked = [column[0], min(column), max(column), column[-1]]
        kept += [(x, y) for i, y in enumerate(picked) if i == 0 or y != picked[i - 1]]
    return kept
