"""The fixed lines: status at the top, keys or a message at the bottom."""

from tui.model import keys
from tui.render.text import Line, cut, wrap
from tui.widgets import status_line
from tui.widgets.gauge_line import gauge_line
from tui.widgets.panel import LineWidget
from tui.widgets.strip import strip_lines
from tui.widgets.time_line import time_line


class TopBar(LineWidget):
    """Status line, gauge line, and the tabs where only one view is on screen."""

    ground = "raised"
    tabs = True
    """There is a view for the tabs to name; a strip has none, and shows a row for each run there."""
    alone = False
    """There is no line below for messages."""

    def lines(self, width: int, height: int) -> list[Line]:
        cockpit = self.cockpit
        state, glyphs, now = cockpit.known, cockpit.glyphs, cockpit.now()
        if self.alone and cockpit.message is not None:  # there is no other line for it
            strip = strip_lines(state, cockpit.life, now, width, height - 1, glyphs)
            return [*strip, *said(cockpit.message, width, 1)]
        if height == 1:
            return [status_line.brief_line(state, cockpit.life, width, glyphs)]
        if not self.tabs:
            return strip_lines(state, cockpit.life, now, width, height, glyphs)
        lines = [
            status_line.status_line(state, cockpit.life, now, width, glyphs, cockpit.read_only),
            gauge_line(state, cockpit.life, now, width, glyphs),
        ]
        if height > 2:
            lines.append(status_line.tabs_line(cockpit.active, width, cockpit.note(), keys.of_views(cockpit.keys)))
        return lines


class BottomBar(LineWidget):
    """The keys that can be pressed, or a message in their place; a long one covers lines above."""

    ground = "raised"

    def rows(self, width: int) -> int:
        """Lines that it takes at this width."""
        message = self.cockpit.message
        return 1 if message is None else len(said(message, width))

    def lines(self, width: int, height: int) -> list[Line]:
        cockpit = self.cockpit
        if cockpit.message is not None:
            return said(cockpit.message, width, height)
        if cockpit.replay is not None:
            return [time_line(cockpit.replay, width, cockpit.glyphs, cockpit.keys)]
        study = cockpit.known.study
        edit = study.checkout
        line = keys.key_line(
            width,
            view=cockpit.active,
            read_only=cockpit.read_only,
            waiting=bool(cockpit.known.waiting()),
            alive=cockpit.life.alive,
            paused=study.paused,
            opens=bool(study.experiments),
            edited="" if edit is None else f"+{edit.lines_added} {cockpit.glyphs.minus}{edit.lines_removed}",
            table=cockpit.keys,
        )
        return [line]


def said(message: tuple[str, str], width: int, most: int = 4) -> list[Line]:
    """A message in as many lines as it needs, `most` of them: what to do next is mostly at its end."""
    text, role = message
    room = max(1, width - 2)
    rows = wrap(text, room)[:most]
    return [((" " + cut(text[a:] if row == most - 1 else text[a:b], room), role),) for row, (a, b) in enumerate(rows)]
