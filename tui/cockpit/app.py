"""The cockpit's Textual app: passes the journal on to the panels, and redraws each at a rate of its own.

It reads the journal and appends requests, and keeps nothing else. All it draws is a function of `ViewState`, so any
number of cockpits may be attached to one loop, and all show the same.
"""

import asyncio
import time

from textual.events import Event, Key, Resize

from loop.journal import JournalError
from tui.cockpit import notifications
from tui.cockpit.actions.command import CommandActions
from tui.cockpit.shell import room_to_ask
from tui.render.layout import Needs
from tui.widgets import status_line

_STREAM, _GAUGES, _CHARTS = 0.25, 1.0, 2.0
"""Seconds between two looks at the stream, the gauges and the charts; each draws only where something changed."""

_SHORT = 4000
"""Events that are read before the first paint; a longer journal is read with the screen already up."""

_SAID = 6.0
"""Seconds that a message stays."""


class Cockpit(CommandActions, inherit_bindings=False):
    """One attached screen: the `Shell` with all its actions, and the timers that keep it up to date."""

    _redraw_charts = _redraw_progress = _redraw_machine = False
    _minute = 0
    _needed = Needs()
    _feeding: asyncio.Task[None] | None = None
    _shown_aside = "mind"
    _under: int | None = None
    """The experiment under the cursor when last seen, and whether its curve and log are shown."""
    _rested = True

    def on_mount(self) -> None:
        self._changed: set[str] = set()
        self.look_for_supervisor()
        self.panel.focus()
        if self.journal.refusal:
            self.say(self.journal.refusal, "warn", forever=True)
        if self.open_past():
            pass
        elif self.journal.last_seq() <= _SHORT:
            self.start_feed()
        else:
            self.call_after_refresh(self.start_feed)
        self.app_resume_signal.subscribe(self, self._resumed)
        self.set_interval(_STREAM, self.flush)
        self.set_interval(_GAUGES, self.tick)
        self.set_interval(_CHARTS, self.draw_charts)

    def _resumed(self, _: object) -> None:
        """The shell has given the terminal back (`fg`): nothing of what was drawn is there any more."""
        self.titled = ""
        self.refresh(repaint=True, layout=True)

    def start_feed(self) -> None:
        self._feeding = asyncio.create_task(self._feed())

    def stop_feed(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()

    async def _feed(self) -> None:
        """Read the journal, for as long as this screen is open."""
        try:
            async for _ in self.feed.catch_up():
                pass  # `flush` shows how far it is; to draw after each of a hundred slices took a fifth of the time
            self.caught_up()
            async for changed in self.feed.live():
                self._changed |= changed
        except JournalError as error:
            self.say(str(error), "bad", forever=True)

    def caught_up(self) -> None:
        """The past has been read: draw everything."""
        self._notice_study()
        self.look_for_supervisor()
        for panel in self.panels.values():
            panel.redraw()
        self.bars()
        if self.replay is None:
            self.arrived()
        self.call_after_refresh(self._second_look)

    def _second_look(self) -> None:
        """Draw what can wait until something is on screen: curves, the log and the terminal's title."""
        self.load_samples()
        self.read_log()
        for name in ("runs", "curves", "machine"):
            self.panels[name].redraw()
        self.bars()
        if self.replay is None:
            self._name_terminal()

    # --- time --------------------------------------------------------------------------------------------------

    def take(self, changed: set[str]) -> None:
        self._changed |= changed
        self.flush()
        self.bars()  # the clock has moved, whatever else has

    def flush(self) -> None:
        """Draw what has changed since the last time, or how much of the past has been read."""
        changed, self._changed = self._changed, set()
        self._follow_cursor()
        if self.known.share < 1:
            self.top_bar.redraw()
            return
        if not changed:
            return
        if "study" in changed:
            self._notice_study()
            for name in ("runs", "researchers", "detail", "experiments"):
                self.panels[name].redraw()
            self.load_samples()
            self._redraw_progress = self._redraw_charts = True
            if self.sheet is not None:
                self.sheet.redraw()
            self.withdraw()
            self._announce()
        if "mind" in changed:
            self.panels["mind"].redraw()
        if changed - {"samples", "mind"}:
            self.bars()
        elif self.single():
            self.top_bar.redraw()
        self._redraw_charts = self._redraw_charts or "samples" in changed
        self._redraw_machine = self._redraw_machine or bool(changed & {"gauge", "samples"})

    def _follow_cursor(self) -> None:
        """Let the detail, the curves and the log show what the cursor is on, and give the detail its place."""
        if (aside := self.aside) != self._shown_aside:
            self._shown_aside = aside
            self.rearrange()
        if self.known.share == 1:
            self.detail_view.follow(self.pointed())
            if (number := self.under_cursor()) != self._under:
                self._under, self._rested = number, False
            elif not self._rested:
                self._rested = True  # so that a cursor that passes by costs nothing
                self.load_samples()
                self.panels["curves"].redraw()
                self.read_log()

    def tick(self) -> None:
        """Once a second: clocks, liveness, gauges, the log, the title."""
        self.look_for_supervisor()
        if self._said_at and time.monotonic() - self._said_at > _SAID:
            self.hush()
        if self._redraw_machine:
            self._redraw_machine = False
            self.panels["machine"].redraw()
        self.panels["researchers"].redraw()
        self.read_log()
        self.bars()
        if self.sheet is not None:
            self.sheet.redraw()
        if self.known.share == 1:
            if self.replay is None:
                self._name_terminal()
            if (minute := int(self.now() // 60)) != self._minute:
                self._minute = minute
                self.panels["experiments"].redraw()  # ages

    def draw_charts(self) -> None:
        """Every two seconds: the curves, and the runs with their clocks and gauges."""
        self.panels["runs"].redraw()
        if self._redraw_charts:
            self._redraw_charts = False
            self.panels["curves"].redraw()
            self.panels["detail"].redraw()
        if self._redraw_progress:
            self._redraw_progress = False
            self.panels["progress"].redraw()

    def look_for_supervisor(self) -> None:
        """See whether a supervisor is at work."""
        self.pid = self.supervisor_then() if self.replay is not None else self._alive(self.root)
        self.life = status_line.life(self.known, self.pid, self.now())

    def _notice_study(self) -> None:
        self.experiments_view.changed()
        if (needed := self.needs()) != self._needed:
            self._needed = needed
            self.rearrange()

    # --- outside of the screen ---------------------------------------------------------------------------------

    def _name_terminal(self) -> None:
        """Put state and best number into the terminal's title, where they have changed."""
        title = notifications.title(self.known, self.life, self.glyphs)
        if title != self.titled and self._driver is not None:
            self.titled = title
            self._driver.write(notifications.title_sequence(title))

    def _announce(self) -> None:
        """Tell the news to a person who is looking elsewhere, by the means they have chosen."""
        news, self.known.news = self.known.news, []
        if news and self.replay is None and self._driver is not None:
            self._driver.write(notifications.news_sequence(news[-1], self.notify_by))

    async def on_event(self, event: Event) -> None:
        pressed = isinstance(event, Key) and not event.is_forwarded
        await super().on_event(event)
        if pressed and self.replay is None:
            self.pressed()

    def on_unmount(self) -> None:
        self.left()

    async def on_resize(self, event: Resize) -> None:
        if self.prompt is not None and not room_to_ask(event.size):
            await self.close_prompt()  # nobody sends what they cannot see
        self.call_after_refresh(self.shown)
