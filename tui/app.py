"""The cockpit's Textual app: wires the feed to the panels, keys to actions, and a person's wishes to the journal.

It reads the journal and appends wishes; nothing else it knows outlives it. Everything it draws is a function of the
watch, so any number of cockpits may be attached to one loop, and all show the same.
"""

import asyncio
import getpass
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.color import Color
from textual.driver import Driver
from textual.screen import Screen

from loop import events as e
from loop.journal import Journal, JournalError
from tui import keys, status
from tui.bars import BottomBar, TopBar
from tui.desk import Desk
from tui.feed import Feed
from tui.glyphs import ASCII, UNICODE
from tui.layout import VIEWS
from tui.palette import PALETTES, Palette
from tui.panels.curve import CurvePanel
from tui.panels.log import LogPanel
from tui.panels.machine import MachinePanel
from tui.panels.mind import MindPanel
from tui.panels.panel import Panel
from tui.panels.progress import ProgressPanel
from tui.panels.stream import StreamPanel
from tui.panels.tree import TreePanel
from tui.prompt import Prompt
from tui.screens.confirm import Choice, Confirm
from tui.screens.experiment import ExperimentSheet
from tui.screens.help import Help
from tui.screens.sheet import Sheet, SheetScreen
from tui.text import clock, cut, one_line
from tui.watch import Watch

_STREAM, _GAUGES, _CHARTS = 0.25, 1.0, 2.0
"""Seconds between two looks at the stream, the gauges and the charts; each draws only where something changed."""

_SHORT = 4000
"""Events that are read before the first paint; a longer journal is read on a screen that is already there."""

_SAID = 6.0
"""Seconds that a message stays."""

READ_ONLY = "this cockpit only watches (--read-only); `looptop attach` without it can steer"


class Cockpit(App[None], inherit_bindings=False):
    """One attached screen.

    Args:
        root: the workspace.
        read_only: refuse every wish.
        alive: process id of the supervisor at work in `root`, or None.
        now: the time, in Unix seconds.
    """

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS = "Screen { background: $background; } TopBar, BottomBar, Prompt { background: $surface; }"
    BINDINGS = [  # noqa: RUF012 - Textual reads it from the class
        Binding(key.keys, key.action, key.label or key.id, id=key.id, show=False) for key in keys.KEYS
    ]

    def __init__(
        self,
        root: Path,
        *,
        read_only: bool = False,
        ascii_only: bool = False,
        theme: str = "dark",
        alive: Callable[[Path], int | None] = lambda root: None,
        now: Callable[[], float] = time.time,
        driver_class: type[Driver] | None = None,
        view: str = "mind",
    ) -> None:
        self.palette: Palette = PALETTES[theme]
        super().__init__(driver_class=driver_class, ansi_color=self.palette.native)
        self.root, self.read_only, self.now, self._alive = root, read_only, now, alive
        self.glyphs = ASCII if ascii_only else UNICODE
        self.known = Watch()
        self.journal = Journal(root / ".looptop" / "journal.db")
        self.feed = Feed(self.journal, self.known)
        self.active, self.zoomed = view, False
        self.life = status.Life("", "dim")
        self.pid: int | None = None
        self._changed: set[str] = set()
        self._said_at = 0.0
        self._mouse = False
        self._shown_gpus = 0
        self.top_bar, self.bottom_bar = TopBar(), BottomBar()
        panels: list[Panel] = [MindPanel(self.known.mind), TreePanel(), CurvePanel(), ProgressPanel(), MachinePanel()]
        panels.append(LogPanel(root / ".looptop" / "runs"))
        self.panels = {panel.view: panel for panel in panels}

    # --- start -------------------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[Any]:
        return Desk([self.top_bar, *self.panels.values(), self.bottom_bar])

    def get_css_variables(self) -> dict[str, str]:
        palette = self.palette
        return {
            **super().get_css_variables(),
            "background": palette.background or "ansi_default",
            "surface": palette.raised or "ansi_default",
        }

    def on_mount(self) -> None:
        self.look_for_supervisor()
        self.panel.focus()
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
                self.top_bar.redraw()
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
        """What can wait until something is on screen: curves and the log."""
        self.load_samples()
        self.read_log()
        self.panels["curve"].redraw()
        self.panels["machine"].redraw()

    # --- time --------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Draw what came in since the last time. Nothing came: nothing is done."""
        changed, self._changed = self._changed, set()
        if not changed or self.known.share < 1:
            return
        if "study" in changed:
            self._notice_study()
            self.panels["tree"].redraw()
            self.load_samples()
            self._redraw_progress = self._redraw_charts = True
            self._redraw_sheet()
        if "mind" in changed:
            self.panels["mind"].redraw()
        if changed - {"samples", "mind"}:
            self.bars()
        elif self._single():
            self.top_bar.redraw()
        self._redraw_charts = self._redraw_charts or "samples" in changed
        self._redraw_machine = self._redraw_machine or bool(changed & {"gauge", "samples"})

    _redraw_charts = _redraw_progress = _redraw_machine = False

    def tick(self) -> None:
        """Once a second: clocks, liveness, gauges, the log."""
        self.look_for_supervisor()
        if self._said_at and time.monotonic() - self._said_at > _SAID:
            self.hush()
        if self._redraw_machine:
            self._redraw_machine = False
            self.panels["machine"].redraw()
            self._notice_gpus()
        self.read_log()
        self.top_bar.redraw()

    def draw_charts(self) -> None:
        if self._redraw_charts:
            self._redraw_charts = False
            self.panels["curve"].redraw()
        if self._redraw_progress:
            self._redraw_progress = False
            self.panels["progress"].redraw()

    def look_for_supervisor(self) -> None:
        """Is anybody at work?"""
        self.pid = self._alive(self.root)
        self.life = status.life(self.known, self.pid, self.now())

    def read_log(self) -> None:
        panel = self.panels["log"]
        assert isinstance(panel, LogPanel)
        curve = self.panels["curve"]
        assert isinstance(curve, CurvePanel)
        pair = curve.pair()[0]
        if pair is not None and panel.is_on_screen and panel.read(pair[0].id, pair[1].number):
            panel.redraw()

    def load_samples(self) -> None:
        curve = self.panels["curve"]
        assert isinstance(curve, CurvePanel)
        sheet = self.sheet
        self.feed.samples(curve.wanted() | (sheet.wanted() if isinstance(sheet, ExperimentSheet) else set()))

    def _notice_study(self) -> None:
        tree = self.panels["tree"]
        assert isinstance(tree, TreePanel)
        tree.changed()
        self._notice_gpus()

    def _notice_gpus(self) -> None:
        gpus = len(self.known.gauge.gpus) if self.known.gauge else 0
        if gpus != self._shown_gpus:
            self._shown_gpus = gpus
            self._rearrange()

    # --- drawing -----------------------------------------------------------------------------------------------

    @property
    def panel(self) -> Panel:
        """The view that keys go to."""
        return self.panels[self.active]

    @property
    def sheet(self) -> Sheet | None:
        """The sheet that lies over the views, if one does."""
        return self.screen.sheet if isinstance(self.screen, SheetScreen) else None

    def _single(self) -> bool:
        return not self.panel.boxed

    def bars(self) -> None:
        self.top_bar.redraw()
        self.bottom_bar.redraw()

    def redraw_panel(self, panel: Panel) -> None:
        """A panel has changed by itself."""
        panel.redraw()
        if not panel.boxed:
            self.top_bar.redraw()

    def _redraw_sheet(self) -> None:
        if self.sheet is not None:
            self.sheet.redraw()

    def _rearrange(self) -> None:
        desk = self.screen_stack[0]
        if isinstance(desk, Desk):
            desk.arrange_again()

    def say(self, text: str, role: str = "accent", forever: bool = False) -> None:
        """One line at the bottom, for a few seconds."""
        self.bottom_bar.message = (text, role)
        self._said_at = 0.0 if forever else time.monotonic()
        self.bottom_bar.redraw()

    def hush(self) -> None:
        self.bottom_bar.message = None
        self._said_at = 0.0
        self.bottom_bar.redraw()

    # --- keys: looking -----------------------------------------------------------------------------------------

    @property
    def prompt(self) -> Prompt | None:
        return next(iter(self.screen_stack[0].query(Prompt)), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While somebody types or is asked, no key means anything else."""
        if isinstance(self.screen, Confirm):
            return False
        if self.prompt is not None:
            return action in ("back",)
        if self.sheet is not None:
            return action in ("back", "move", "page", "edge", "search", "again", "detach", "theme", "help", "mouse")
        return True

    def action_view(self, view: str) -> None:
        self.active = view
        self.panel.focus()
        self._rearrange()
        self.call_after_refresh(self._shown)

    def _shown(self) -> None:
        self.read_log()
        self.panel.redraw()
        self.bars()

    def action_step(self, direction: int) -> None:
        shown = [view for view in ("tree", "progress", "mind", "curve", "machine", "log") if self.panels[view].boxed]
        order = shown if not self._single() else list(VIEWS)
        at = order.index(self.active) if self.active in order else 0
        self.action_view(order[(at + direction) % len(order)])

    def action_zoom(self) -> None:
        self.zoomed = not self.zoomed
        self.action_view(self.active)

    def _target(self) -> Panel:
        return self.sheet or self.panel

    def action_move(self, rows: int) -> None:
        self._target().move(rows)

    def action_page(self, pages: int) -> None:
        self._target().page(pages)

    def action_edge(self, direction: int) -> None:
        self._target().edge(direction)

    def action_follow(self) -> None:
        if isinstance(self.panel, StreamPanel):
            self.panel.follow()

    def action_search(self) -> None:
        target = self._target()
        if not isinstance(target, (StreamPanel, TreePanel, Sheet)):
            self.say("nothing to search in this view; mind, tree and log can be searched")
            return

        def find(text: str) -> None:
            if not target.search(text):
                self.say(f"nothing has “{cut(text, 30)}”", "warn")

        live = find if isinstance(target, TreePanel) else None
        self.ask("find", "a text, then enter", find, live=live)

    def action_again(self, direction: int) -> None:
        target = self._target()
        if isinstance(target, ExperimentSheet) and not target.needle:
            target.go(-direction)
        elif not isinstance(target, (StreamPanel, Sheet)) or not target.needle:
            self.say("search for something first: /")
        elif not target.search(target.needle, direction):
            self.say(f"nothing has “{cut(target.needle, 30)}”", "warn")

    def action_help(self) -> None:
        if self.sheet is None:
            self.push_screen(SheetScreen(Help()))

    def action_open(self) -> None:
        tree = self.panels["tree"]
        assert isinstance(tree, TreePanel)
        flight = self.known.in_flight()
        chosen = tree.selected() if self.active == "tree" or flight is None else flight[0].id
        if chosen is None:
            self.say("no experiment yet")
        else:
            self.push_screen(SheetScreen(ExperimentSheet(chosen, self.root)))
            self.load_samples()

    async def action_back(self) -> None:
        if self.prompt is not None:
            self.close_prompt()
        elif self.sheet is not None:
            self.pop_screen()
            self._shown()
        elif isinstance(self.panel, (TreePanel, StreamPanel)) and self.panel.needle:
            self.panel.search("")
        elif self.zoomed:
            self.action_zoom()
        else:
            self.hush()

    def action_mouse(self) -> None:
        self._mouse = not self._mouse
        switch = getattr(self._driver, "switch_mouse", None)
        if switch is not None:
            switch(self._mouse)
        self.say(
            "mouse on: the wheel scrolls" if self._mouse else "mouse off: your terminal selects and copies as usual"
        )

    def action_theme(self) -> None:
        names = list(PALETTES)
        self.palette = PALETTES[names[(names.index(self.palette.name) + 1) % len(names)]]
        self.ansi_color = self.palette.native
        self.refresh_css()
        for screen in self.screen_stack:
            screen.styles.background = Color.parse(self.palette.background or "ansi_default")
            for drawn in (*self.panels.values(), self.top_bar, self.bottom_bar):
                drawn.repaint()
        if self.sheet is not None:
            self.sheet.repaint()
        self.say(f"colours: {self.palette.name}")

    def action_detach(self) -> None:
        self.exit()

    # --- keys: wishes ------------------------------------------------------------------------------------------

    def wish(self, body: e.Body, said: str, experiment: int | None = None, run: int | None = None) -> None:
        """Put a wish in the journal, and say so."""
        if self.read_only:
            self.say(READ_ONLY, "warn")
            return
        try:
            self.journal.append(body, experiment, run)
        except JournalError as error:
            self.say(str(error), "bad")
            return
        self.say(said if self.pid is not None else f"{said} (nobody is at work now: when the loop runs again)")

    def _may(self) -> bool:
        if self.read_only:
            self.say(READ_ONLY, "warn")
        return not self.read_only

    def action_pause(self) -> None:
        flight = self.known.in_flight()
        if self.known.study.paused:
            self.wish(e.Resumed(who=who()), "asked to go on")
        else:
            after = f" after run {flight[0].id}.{flight[1].number}" if flight else ""
            self.wish(e.Paused(who=who()), f"asked to pause{after}; p goes on")

    def action_steer(self) -> None:
        if not self._may():
            return

        def send(text: str) -> None:
            interrupt = text.startswith("!")
            text = text.removeprefix("!").strip()
            if text:
                said = "sent; it interrupts the thought" if interrupt else "sent; it is read with the next thought"
                self.wish(e.Steered(who=who(), text=text, interrupt=interrupt), said)

        said = [wish.body.text for wish in self.known.study.wishes.values() if isinstance(wish.body, e.Steered)]
        self.ask(
            "steer", "say it in your own words; enter sends, ! first interrupts, esc leaves", send, history=said[-50:]
        )

    def action_kill(self) -> None:
        flight = self.known.in_flight()
        if not self._may():
            return
        if flight is None:
            self.say("no run is in flight")
            return
        experiment, run = flight
        name = f"{experiment.id}.{run.number}"
        done = clock(min(self.now() - run.started_at, run.deadline))
        text = (
            f"Run {name} ({cut(one_line(experiment.title), 60)}) has trained {done} of {clock(run.budget)}. It is "
            "ended with all its processes, counts as killed, and is not tried again. The loop goes on."
        )

        def answer(key: str | None) -> None:
            if key:
                self.wish(e.Killed(who=who()), f"asked to end run {name}", experiment.id, run.number)

        self.confirm(f"Kill run {name}?", text, [("y", "y", f"end run {name}")], answer)

    def action_stop(self) -> None:
        if not self._may():
            return
        if self.pid is None:
            self.say(f"the loop is not running ({self.life.why or self.life.word}); `looptop` starts it again")
            return
        flight = self.known.in_flight()
        name = f"{flight[0].id}.{flight[1].number}" if flight else ""
        choices: list[Choice] = [("y", "y", f"stop after run {name}" if flight else "stop the loop")]
        if flight:
            choices.append(("exclamation_mark", "!", f"stop now: run {name} is ended and run again next time"))
        text = (
            f"The loop of {one_line(self.known.study.tag)} ends. Nothing is lost: `looptop` goes on from there. "
            "To leave only this screen, press q instead."
        )

        def answer(key: str | None) -> None:
            if key:
                now = key != "y"
                self.wish(e.Stopped(who=who(), now=now), "asked to stop now" if now else "asked to stop after this run")

        self.confirm("Stop the loop?", text, choices, answer)

    def action_approve(self) -> None:
        waiting = self.known.waiting()
        if not self._may():
            return
        if waiting is None:
            self.say("no proposal waits for a person")
            return
        number = waiting.id
        text = (
            f"{cut(one_line(waiting.title), 80)} (+{waiting.lines_added} -{waiting.lines_removed} lines; "
            f"{one_line(waiting.waits_for)}). It is queued and run. Its diff is on its own screen: enter in the tree."
        )

        def answer(key: str | None) -> None:
            if key:
                self.wish(e.Approved(who=who()), f"approved {number}", number)

        self.confirm(f"Approve {number}?", text, [("y", "y", f"run experiment {number}")], answer)

    def action_reject(self) -> None:
        waiting = self.known.waiting()
        if not self._may():
            return
        if waiting is None:
            self.say("no proposal waits for a person")
            return
        number = waiting.id

        def send(why: str) -> None:
            self.wish(e.Rejected(who=who(), why=why), f"rejected {number}", number)

        self.ask(f"reject {number}", "why, in a few words; enter rejects, esc leaves it waiting", send)

    # --- asking ------------------------------------------------------------------------------------------------

    def ask(
        self,
        label: str,
        hint: str,
        then: Callable[[str], None],
        history: list[str] | None = None,
        live: Callable[[str], None] | None = None,
    ) -> None:
        """Open the line to type into."""
        prompt = Prompt(label, hint, then, history or [], live)
        self.screen.mount(prompt)
        prompt.focus()
        self._rearrange()

    def on_prompt_closed(self) -> None:
        self.close_prompt()

    def close_prompt(self) -> None:
        prompt = next(iter(self.screen.query(Prompt)), None)
        if prompt is not None:
            prompt.remove()
        (self.sheet or self.panel).focus()
        self._rearrange()

    def confirm(self, title: str, text: str, choices: list[Choice], then: Callable[[str | None], None]) -> None:
        self.push_screen(Confirm(title, text, choices), then)

    def on_resize(self) -> None:
        self.call_after_refresh(self._shown)


def who() -> str:
    """The person at this terminal, as the record names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
