"""The fixed lines: status at the top, keys or a message at the bottom."""

from tui.model import keys
from tui.render.text import Line, cut
from tui.widgets import status_line
from tui.widgets.panel import LineWidget


class TopBar(LineWidget):
    """Status line, gauge line, and the tabs where only one view is on screen."""

    def lines(self, width: int, height: int) -> list[Line]:
        cockpit = self.cockpit
        state, glyphs, now = cockpit.known, cockpit.glyphs, cockpit.now()
        if height == 1:
            return [status_line.tiny_line(state, cockpit.life, now, width, glyphs)]
        lines = [
            status_line.status_line(state, cockpit.life, now, width, glyphs, cockpit.read_only),
            status_line.gauge_line(state, cockpit.life, now, width, glyphs),
        ]
        if height > 2:
            lines.append(status_line.tabs_line(cockpit.active, width, cockpit.note()))
        return lines


class BottomBar(LineWidget):
    """The keys that can be pressed, or a message in their place."""

    def lines(self, width: int, height: int) -> list[Line]:
        cockpit = self.cockpit
        if cockpit.message is not None:
            text, role = cockpit.message
            return [((" " + cut(text, width - 2), role),)]
        study = cockpit.known.study
        edit = study.checkout
        line = keys.key_line(
            width,
            view=cockpit.active,
            read_only=cockpit.read_only,
            waiting=cockpit.known.waiting() is not None,
            paused=study.paused,
            opens=bool(study.experiments),
            edited="" if edit is None else f"+{edit.lines_added} {cockpit.glyphs.minus}{edit.lines_removed}",
            table=cockpit.keys,
        )
        return [line]
