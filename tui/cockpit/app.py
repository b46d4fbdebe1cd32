"""The cockpit's Textual app: wires the feed to the panels, and draws each as often as it is worth.

It reads the journal and appends requests; nothing else it knows outlives it. Everything it draws is a function of the
watch, so any number of cockpits may be attached to one loop, and all show the same.
"""

import asyncio
import time

from loop.journal import JournalError
from tui.cockpit import notifications
from tui.cockpit.actions.command import CommandActions
from tui.widgets import status_line

_STREAM, _GAUGES, _CHARTS = 0.25, 1.0, 2.0
"""Seconds between two looks at the stream, the gauges and the charts; each draws only where something changed."""

_SHORT = 4000
"""Events that are read before the first paint; a longer journal is read on a screen that is already there."""

_SAID = 6.0
"""Seconds that a message stays."""


class Cockpit(CommandActions, inherit_bindings=False):
    """One attached screen: what `Shell` holds, with all hands on it and its clocks running."""

    _redraw_charts = _redraw_progress = _redraw_machine = False
    _shown_gpus = 0

    def on_mount(self) -> None:
        self._changed: set[str] = set()
        self.look_for_supervisor()
        self.panel.focus()
        if self.journal.refusal:
            self.say(self.journal.refusal, "warn", forever=True)
        if self.journal.last_seq() <= _SHORT:
            self._start_feed()
        else:
            self.call_after_refresh(self._start_feed)
        self.set_interval(_STREAM, self.flush)
        self.set_interval(_GAUGES, self.tick)
        self.set_interval(_CHARTS, self.draw_charts)

    def _start_feed(self) -> None:
        self._feeding = asyncio.create_task(self._feed())

    async def _feed(self) -> None:
        """Take in the journal, for as long as this screen is open."""
        try:
            async for _ in self.feed.catch_up():
                pass  # how far it is, `flush` shows: drawn after each of a hundred slices it was a fifth of the time
            self.caught_up()
            async for changed in self.feed.live():
                self._changed |= changed
        except JournalError as error:
            self.say(str(error), "bad", forever=True)

    def caught_up(self) -> None:
        """The past is in: draw everything."""
        self._notice_study()
        self.look_for_supervisor()
        for panel in self.panels.values():
            panel.redraw()
        self.bars()
        self.call_after_refresh(self._second_look)

    def _second_look(self) -> None:
        """What can wait until something is on screen: curves, the log and the terminal's title."""
        self.load_samples()
        self.read_log()
        self.panels["curve"].redraw()
        self.panels["machine"].redraw()
        self._name_terminal()

    # --- time --------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Draw what came in since the last time, or how much of the past is in. Nothing came: nothing is done."""
        changed, self._changed = self._changed, set()
        if self.known.share < 1:
            self.top_bar.redraw()
            return
        if not changed:
            return
        if "study" in changed:
            self._notice_study()
            self.panels["tree"].redraw()
            self.load_samples()
            self._redraw_progress = self._redraw_charts = True
            if self.sheet is not None:
                self.sheet.redraw()
            self._announce()
        if "mind" in changed:
            self.panels["mind"].redraw()
        if changed - {"samples", "mind"}:
            self.bars()
        elif self.single():
            self.top_bar.redraw()
        self._redraw_charts = self._redraw_charts or "samples" in changed
        self._redraw_machine = self._redraw_machine or bool(changed & {"gauge", "samples"})

    def tick(self) -> None:
        """Once a second: clocks, liveness, gauges, the log, the title."""
        self.look_for_supervisor()
        if self._said_at and time.monotonic() - self._said_at > _SAID:
            self.hush()
        if self._redraw_machine:
            self._redraw_machine = False
            self.panels["machine"].redraw()
            self._notice_gpus()
        self.read_log()
        self.top_bar.redraw()
        if self.known.share == 1:
            self._name_terminal()

    def draw_charts(self) -> None:
        """Every two seconds: the curves."""
        if self._redraw_charts:
            self._redraw_charts = False
            self.panels["curve"].redraw()
        if self._redraw_progress:
            self._redraw_progress = False
            self.panels["progress"].redraw()

    def look_for_supervisor(self) -> None:
        """Is anybody at work?"""
        self.pid = self._alive(self.root)
        self.life = status_line.life(self.known, self.pid, self.now())

    def _notice_study(self) -> None:
        self.tree_view.changed()
        self._notice_gpus()

    def _notice_gpus(self) -> None:
        gpus = len(self.known.gauge.gpus) if self.known.gauge else 0
        if gpus != self._shown_gpus:
            self._shown_gpus = gpus
            self.rearrange()

    # --- outside of the screen ---------------------------------------------------------------------------------

    def _name_terminal(self) -> None:
        """State and best in the terminal's title, where they changed."""
        title = notifications.title(self.known, self.life, self.glyphs)
        if title != self.titled and self._driver is not None:
            self.titled = title
            self._driver.write(notifications.title_sequence(title))

    def _announce(self) -> None:
        """Tell a person who looks elsewhere, by the means they have chosen."""
        news, self.known.news = self.known.news, []
        if news and self._driver is not None:
            self._driver.write(notifications.news_sequence(news[-1], self.notify_by))

    def on_resize(self) -> None:
        self.call_after_refresh(self.shown)
