"""The base of the cockpit's app: its widgets, its line of messages, its questions and its prompt.

The actions of the keys are in `actions/`, by what they are for; `app.py` joins them and runs the timers.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from textual.app import App
from textual.driver import Driver
from textual.screen import Screen

from loop.journal import Journal, JournalError
from loop.policy import request_table
from loop.study import events as e
from loop.study.experiment import Experiment
from tui.cockpit import keymap
from tui.cockpit.main_screen import MainScreen
from tui.model.feed import Feed
from tui.model.view_state import ViewState
from tui.render.glyphs import ASCII, UNICODE
from tui.render.palette import PALETTES, Palette
from tui.render.text import Span
from tui.screens.confirm import Choice, Confirm
from tui.screens.experiment import ExperimentSheet
from tui.screens.sheet import Sheet, SheetScreen
from tui.widgets import status_line
from tui.widgets.bars import BottomBar, TopBar
from tui.widgets.curve import CurvePanel
from tui.widgets.log import LogPanel
from tui.widgets.machine import MachinePanel
from tui.widgets.mind import MindPanel
from tui.widgets.panel import Panel
from tui.widgets.progress import ProgressPanel
from tui.widgets.prompt import Prompt
from tui.widgets.tree import TreePanel

READ_ONLY = "this cockpit only watches (--read-only); `looptop attach` without it can steer"

_ON_A_SHEET = frozenset(
    {"back", "move", "page", "edge", "search", "again", "detach", "theme", "help", "mouse", "copy", "pager", "export"}
    | {"command"}
)
"""Actions that mean something while a sheet lies over the views; on an experiment's, so do requests about one."""


class Shell(App[None], inherit_bindings=False):
    """One attached screen, without the actions of its keys.

    Args:
        root: the workspace.
        read_only: refuse every request.
        alive: process id of the supervisor at work in `root`, or None.
        now: the time, in Unix seconds.
        keys: a person's keymap, ids to keys.
        notify: how news is announced outside the screen; see `notifications.py`.
    """

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS = """
    Screen { background: $background; }
    TopBar, BottomBar, Prompt { background: $surface; }
    SheetScreen > Prompt { dock: bottom; height: 1; }
    """

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
        keys: Mapping[str, str] | None = None,
        notify: str = "off",
    ) -> None:
        self.palette: Palette = PALETTES[theme]
        super().__init__(driver_class=driver_class, ansi_color=self.palette.native)
        self.root, self.read_only, self.now, self._alive = root, read_only, now, alive
        self.notify_by = notify
        self.keys = keymap.table(keys or {})
        for key in self.keys:
            self.bind(key.keys, key.action, description=key.help, show=False)
        self.glyphs = ASCII if ascii_only else UNICODE
        self.known = ViewState()
        self.journal = Journal(root / ".looptop" / "journal.db")
        self.feed = Feed(self.journal, self.known)
        self.active, self.zoomed = view, False
        self.life = status_line.Life("", "dim")
        self.pid: int | None = None
        self.titled = ""
        """The title that the terminal has been given."""
        self.message: tuple[str, str] | None = None
        self._said_at = 0.0
        self.top_bar, self.bottom_bar = TopBar(), BottomBar()
        self.mind_view, self.tree_view, self.curve_view = MindPanel(self.known.mind), TreePanel(), CurvePanel()
        self.log_view = LogPanel(root / ".looptop" / "runs")
        panels: list[Panel] = [
            self.mind_view,
            self.tree_view,
            self.curve_view,
            ProgressPanel(),
            MachinePanel(),
            self.log_view,
        ]
        self.panels = {panel.view: panel for panel in panels}

    def get_default_screen(self) -> Screen[Any]:
        return MainScreen(self, [self.top_bar, *self.panels.values(), self.bottom_bar])

    def get_css_variables(self) -> dict[str, str]:
        palette = self.palette
        return {
            **super().get_css_variables(),
            "background": palette.background or "ansi_default",
            "surface": palette.raised or "ansi_default",
        }

    # --- what is where -----------------------------------------------------------------------------------------

    @property
    def panel(self) -> Panel:
        """The view that keys go to."""
        return self.panels[self.active]

    @property
    def sheet(self) -> Sheet | None:
        """The sheet that covers the views, if there is one; a question may cover it in turn."""
        return next((screen.sheet for screen in reversed(self.screen_stack) if isinstance(screen, SheetScreen)), None)

    @property
    def prompt(self) -> Prompt | None:
        """The line to type into, if it is open."""
        return next(iter(self.screen.query(Prompt)), None)

    def single(self) -> bool:
        """Whether only one view is on screen."""
        return not self.panel.boxed

    def chosen(self) -> Experiment | None:
        """The experiment that a person is looking at: on its own sheet, or under the cursor of the tree."""
        sheet = self.sheet
        if isinstance(sheet, ExperimentSheet):
            return sheet.found
        number = self.tree_view.selected() if self.active == "tree" else None
        return None if number is None else self.known.study.experiments[number]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No other key means anything while a person is typing or answering a question."""
        if isinstance(self.screen, Confirm):
            return False
        if self.prompt is not None:
            return action == "back"
        if self.sheet is not None:
            if action == "request" and isinstance(self.sheet, ExperimentSheet):
                return request_table.named(str(parameters[0])).numbered
            return action in _ON_A_SHEET
        return True

    # --- drawing -----------------------------------------------------------------------------------------------

    def bars(self) -> None:
        """Draw the lines at top and bottom."""
        self.top_bar.redraw()
        self.bottom_bar.redraw()

    def note(self) -> list[Span]:
        return self.panel.note()

    def shown(self) -> None:
        """A view has come onto the screen."""
        self.read_log()
        self.panel.redraw()
        self.bars()

    def read_log(self) -> None:
        """Follow the log of the current run, where it is on screen."""
        pair = self.curve_view.pair()[0]
        if pair is not None and self.log_view.is_on_screen and self.log_view.read(pair[0].id, pair[1].number):
            self.log_view.redraw()

    def load_samples(self) -> None:
        """Fetch the samples of the runs whose curves are drawn."""
        sheet = self.sheet
        wanted = sheet.wanted() if isinstance(sheet, ExperimentSheet) else set()
        self.feed.samples(self.curve_view.wanted() | wanted)

    def rearrange(self) -> None:
        """Lay the views out again: something that the layout depends on has changed."""
        if isinstance(screen := self.screen_stack[0], MainScreen):
            screen.arrange_again()

    def say(self, text: str, role: str = "accent", forever: bool = False) -> None:
        """Show a message in the last line, for a few seconds."""
        self.message = (text, role)
        self._said_at = 0.0 if forever else time.monotonic()
        self.bottom_bar.redraw()
        if self.sheet is not None:
            self.sheet.redraw()

    def hush(self) -> None:
        """Take the message away."""
        self.message = None
        self._said_at = 0.0
        self.bottom_bar.redraw()
        if self.sheet is not None:
            self.sheet.redraw()

    def open_experiment(self, number: int) -> None:
        """Open the sheet of one experiment."""
        self.hush()
        self.push_screen(SheetScreen(ExperimentSheet(number)))
        self.load_samples()

    # --- asking ------------------------------------------------------------------------------------------------

    def ask(self, prompt: Prompt) -> None:
        """Open the line to type into."""
        self.screen.mount(prompt)
        prompt.focus()
        self.rearrange()

    async def on_prompt_closed(self, message: Prompt.Closed) -> None:
        await self.close_prompt()
        if message.send is not None:
            message.send()

    def on_prompt_grown(self) -> None:
        self.rearrange()

    async def close_prompt(self) -> None:
        """Close the prompt, whatever has been typed."""
        if (prompt := self.prompt) is not None:
            await prompt.remove()
        (self.sheet or self.panel).focus()
        self.rearrange()

    def confirm(self, title: str, text: str, choices: list[Choice], then: Callable[[str], None]) -> None:
        """Ask a question; `then` gets the key of the choice, and is not called where things are left as they are."""

        def answered(key: str | None) -> None:
            if key:
                then(key)

        self.push_screen(Confirm(title, text, choices), answered)

    # --- requests ------------------------------------------------------------------------------------------------

    def request(self, body: e.Body, said: str, experiment: int | None = None, run: int | None = None) -> None:
        """Append a request to the journal, and say so."""
        if not self.may():
            return
        try:
            self.journal.append(body, experiment, run)
        except JournalError as error:
            self.say(str(error), "bad")
            return
        self.say(
            said if self.pid is not None else f"{said} (the loop is not running: it takes effect when it runs again)"
        )

    def may(self) -> bool:
        """Whether this cockpit may ask for anything; says so where it may not."""
        if self.read_only:
            self.say(READ_ONLY, "warn")
        return not self.read_only
