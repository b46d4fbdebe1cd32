"""The chart of a bench as SVG: for each problem the true level of the champion over run lengths, with intervals. Pure.

A colour for each method, whole lines with one slot and dashed ones with several. It fetches nothing, and reads on light
and dark grounds alike.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

from loop.reporting.page.chart import ticks
from loop.yardsticks.results import Curve

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 70, 210, 40, 46
COLOURS = ("#8a8f98", "#2f81c7", "#c9512c", "#3a9a55", "#9a5bc2", "#b88a00")
DASHES = ("", "7 4", "2 3", "9 3 2 3")


def chart(curves: Sequence[Curve], best: Mapping[str, float | None], metrics: Mapping[str, str]) -> str:
    """The whole picture, a panel for each problem, one below the other.

    Args:
        best: of each problem the best level there is, where that is known.
        metrics: names of their numbers.
    """
    problems = list(dict.fromkeys(one.problem for one in curves))
    methods = list(dict.fromkeys(one.method for one in curves))
    slots = sorted({one.slots for one in curves})
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(methods)}
    dashes = {count: DASHES[index % len(DASHES)] for index, count in enumerate(slots)}
    panels = []
    for index, problem in enumerate(problems):
        mine = [one for one in curves if one.problem == problem]
        title = f"{problem}: true {metrics.get(problem, 'level')} of the champion, mean of its seeds and 95% interval"
        panels.append(f'<g transform="translate(0 {index * HEIGHT})">')
        panels.append(f'<text x="{LEFT}" y="22" class="title">{escape(title)}</text>')
        panels += _panel(mine, best.get(problem), colours, dashes)
        panels.append("</g>")
    height = HEIGHT * max(1, len(problems))
    style = (
        "text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.grid{stroke:#d8dce2;stroke-width:1}"
        ".line{fill:none;stroke-width:2}.band{stroke:none;opacity:.13}.best{stroke:#1f2328;stroke-dasharray:1 4}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img"><style>{style}</style><rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        + "".join(panels)
        + "</svg>\n"
    )


def _panel(
    curves: Sequence[Curve], best: float | None, colours: Mapping[str, str], dashes: Mapping[int, str]
) -> list[str]:
    right = max(one.x[-1] for one in curves)
    low = min(min(one.mean) for one in curves)
    high = max(max(one.mean) for one in curves)
    near = best is not None and best >= low - (high - low)
    if best is not None and near:
        low = min(low, best)
    # Wide intervals of a few seeds are cut rather than let them flatten the lines.
    room = (high - low) * 0.12 or abs(high) * 0.01 or 1.0
    low, high = low - room, high + room
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x_of(value: float) -> float:
        return round(LEFT + across * value / right, 1)

    def y_of(value: float) -> float:
        inside = min(high, max(low, value if math.isfinite(value) else high))
        return round(TOP + down * (high - inside) / (high - low), 1)

    parts = []
    for at in ticks(low, high, 6):
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + across}" y1="{y_of(at)}" y2="{y_of(at)}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y_of(at) + 4}" text-anchor="end">{at:.6g}</text>')
    parts += [
        f'<text x="{x_of(at)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{at:.6g}</text>'
        for at in ticks(0, right, 8)
    ]
    under = HEIGHT - BOTTOM + 36
    parts.append(f'<text x="{LEFT + across / 2}" y="{under}" text-anchor="middle">run lengths</text>')
    if best is not None:
        told = y_of(best) + 4 if near else TOP + down
        parts.append(f'<text x="{LEFT + across + 10}" y="{told}">best there is: {best:.4g}</text>')
        if near:
            parts.append(f'<line x1="{LEFT}" x2="{LEFT + across}" y1="{y_of(best)}" y2="{y_of(best)}" class="best"/>')
    for one in curves:
        there = [f"{x_of(x)},{y_of(y)}" for x, y in zip(one.x, one.low, strict=True)]
        back = [f"{x_of(x)},{y_of(y)}" for x, y in zip(one.x, one.high, strict=True)]
        points = " ".join([*there, *reversed(back)])
        parts.append(f'<polygon points="{points}" class="band" fill="{colours[one.method]}"/>')
    for index, one in enumerate(curves):
        line = " ".join(f"{x_of(x)},{y_of(y)}" for x, y in zip(one.x, one.mean, strict=True))
        look = f'stroke="{colours[one.method]}" stroke-dasharray="{dashes[one.slots]}"'
        parts.append(f'<polyline points="{line}" class="line" {look}/>')
        y, x = TOP + 10 + 18 * index, LEFT + across + 10
        many = "1 slot" if one.slots == 1 else f"{one.slots} slots"
        name = one.method if len(one.method) <= 16 else f"{one.method[:15]}…"
        parts.append(f'<line x1="{x}" x2="{x + 24}" y1="{y}" y2="{y}" class="line" {look}/>')
        parts.append(f'<text x="{x + 30}" y="{y + 4}">{escape(name)}, {many}</text>')
    return parts
