"""The time line of a replay, in place of the keys: how fast, which moment, how far, where the gains were. Pure."""

import time
from collections.abc import Sequence

from tui.model.keys import Key
from tui.model.replay import Replay
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, line_cells

_LEAST = 24
"""Cells of a bar that says anything."""


def time_line(replay: Replay, width: int, glyphs: Glyphs, table: Sequence[Key]) -> Line:
    """The line; where it is narrow the keys go first, and the bar last."""
    left: list[Span] = [(" replay ", "strong+cursor"), (" ", "text")]
    sign = (">" if glyphs.ascii else "▶") if replay.playing else ("=" if glyphs.ascii else "‖")
    left += [(f"{sign} {replay.speed}x ", "good" if replay.playing else "warn")]
    spans_days = replay.end.at - replay.begin.at > 86400
    moment = time.strftime("%a %d %b %H:%M:%S" if spans_days else "%H:%M:%S", time.localtime(replay.place.at))
    left += [(f" {moment} ", "text")]
    right = _keys(replay, table)
    while right and line_cells(left) + line_cells(right) + _LEAST + 2 > width:
        right = right[:-2]
    room = width - line_cells(left) - line_cells(right) - 2
    bar = _bar(replay, room, glyphs) if room >= 4 else []
    return (*left, *bar, (" ", "text"), *right)


def _keys(replay: Replay, table: Sequence[Key]) -> list[Span]:
    shown = {key.id: key.show for key in table}
    pairs = (
        (shown["replay"], "now"),
        (shown["pause"], "stop" if replay.playing else "play"),
        (f"{shown['verdict-before']} {shown['verdict-after']}", "verdict"),
        (f"{shown['wind-back']} {shown['wind-on']}", "wind"),
        (f"{shown['slower']} {shown['faster']}", "speed"),
    )
    return [span for keys, label in pairs for span in ((f" {keys}", "key"), (f" {label} ", "dim"))]


def _bar(replay: Replay, width: int, glyphs: Glyphs) -> list[Span]:
    """What has passed and what is to come, with a mark where a champion took over."""
    done, rest, mark = ("#", ".", "*") if glyphs.ascii else ("━", "─", "✓")
    marks = {min(width - 1, int(replay.share_of(at) * width)) for at in replay.gains}
    passed = round(replay.share * width)
    spans: list[Span] = []
    for cell in range(width):
        sign, role = (done, "bar") if cell < passed else (rest, "track")
        if cell in marks:
            sign, role = mark, "kept" if cell < passed else "faint"
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + sign, role)
        else:
            spans.append((sign, role))
    return spans
