"""The base of the cockpit's app: its widgets, its line of messages, its questions and its prompt.

The actions of the keys are in `actions/`, by what they are for; `app.py` joins them and runs the timers.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.actions import ActionParseResult
from textual.app import App
from textual.dom import DOMNode
from textual.driver import Driver
from textual.events import Event, Key
from textual.geometry import Size
from textual.screen import ModalScreen, Screen

from loop.journal import Journal
from tui.cockpit import keymap
from tui.cockpit.cursors import Cursors
from tui.cockpit.main_screen import MainScreen
from tui.cockpit.split_keys import SplitKeys
from tui.model.feed import Feed
from tui.model.keys import of_views
from tui.model.replay import Replay
from tui.model.view_state import ViewState
from tui.render.experiment_rows import COLUMNS
from tui.render.glyphs import ASCII, UNICODE
from tui.render.layout import ASIDE, ASKING
from tui.render.palette import PALETTES, Palette
from tui.render.text import Span
from tui.screens.confirm import Choice, Confirm
from tui.screens.experiment import ExperimentSheet
from tui.screens.sheet import Sheet, SheetScreen
from tui.widgets import status_line
from tui.widgets.bars import BottomBar, TopBar
from tui.widgets.curves import CurvesPanel
from tui.widgets.detail import DetailPanel
from tui.widgets.experiments import ExperimentsPanel
from tui.widgets.log import LogPanel
from tui.widgets.machine import MachinePanel
from tui.widgets.mind import MindPanel
from tui.widgets.panel import Panel
from tui.widgets.progress import ProgressPanel
from tui.widgets.prompt import Prompt
from tui.widgets.researchers import ResearchersPanel
from tui.widgets.runs import RunsPanel

_OF_VIEWS = frozenset({"zoom", "fold", "sort", "scale", "follow", "select", "open"})
"""Actions that mean nothing while a sheet lies over the views."""


def room_to_ask(size: Size) -> bool:
    """Whether a line to type into would be seen."""
    return size.width >= ASKING[0] and size.height >= ASKING[1]


class Shell(App[None], Cursors, inherit_bindings=False):
    """One attached screen, without the actions of its keys.

    Args:
        root: the workspace.
        read_only: refuse every request.
        guest: the loop is not one of ours, and nothing can be asked of it.
        alive: process id of the supervisor at work in `root`, or None.
        now: the time, in Unix seconds.
        keys: a person's keymap, ids to keys.
        notify: how news is announced outside the screen; see `notifications.py`.
        columns: of the experiments, as the person has chosen them; none: as many as there is room for.
        keep_columns: remembers them for the next screen.
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
        guest: bool = False,
        ascii_only: bool = False,
        theme: str = "dark",
        alive: Callable[[Path], int | None] = lambda root: None,
        now: Callable[[], float] = time.time,
        driver_class: type[Driver] | None = None,
        view: str = "runs",
        keys: Mapping[str, str] | None = None,
        notify: str = "off",
        columns: Sequence[str] = (),
        keep_columns: Callable[[Sequence[str]], None] = lambda names: None,
    ) -> None:
        self.palette: Palette = PALETTES[theme]
        super().__init__(driver_class=driver_class, ansi_color=self.palette.native)
        self.root, self.read_only, self.now, self._alive = root, read_only, now, alive
        self.guest, self.notify_by = guest, notify
        self.keys = keymap.table(keys or {})
        for key in sorted(self.keys, key=lambda key: not key.over):  # the first that may act has the key
            # Before the views get it: what comes in one piece with a key, as over a slow link, is for what it opens.
            self._bindings.bind(key.keys, key.action, key.help, show=False, priority=True)
        self._local = keymap.shared(self.keys)
        self.glyphs = ASCII if ascii_only else UNICODE
        self.known = ViewState()
        self.journal = Journal(root / ".looptop" / "journal.db")
        self.feed = Feed(self.journal, self.known)
        self.active, self.zoomed = view, False
        self.kept_aside = view if view in ASIDE else "mind"
        self.replay: Replay | None = None
        self.goes_to: Path | None = None
        """The workspace whose cockpit comes next, once this one has closed."""
        self.life = status_line.Life("", "dim")
        self.pid: int | None = None
        self.titled = ""
        """The title that the terminal has been given."""
        self._drafts: dict[str, str] = {}
        """What was typed and never sent, by the label of its prompt."""
        self._split = SplitKeys()
        self._left: Prompt | None = None
        """The prompt that was closed last, as it would open again."""
        self.message: tuple[str, str] | None = None
        self._said_at = 0.0
        self.top_bar, self.bottom_bar = TopBar(), BottomBar()
        self.mind_view, self.experiments_view, self.curves_view = (
            MindPanel(self.known.mind),
            ExperimentsPanel(),
            CurvesPanel(),
        )
        self.runs_view, self.researchers_view, self.progress_view = RunsPanel(), ResearchersPanel(), ProgressPanel()
        self.experiments_view.wanted = tuple(name for name in COLUMNS if name in columns)
        self.keep_columns = keep_columns
        self.detail_view = DetailPanel()
        self.log_view = LogPanel(root / ".looptop" / "runs")
        panels: list[Panel] = [
            self.runs_view,
            self.researchers_view,
            self.detail_view,
            self.mind_view,
            self.experiments_view,
            self.curves_view,
            self.progress_view,
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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No other key means anything while a person is typing or answering a question."""
        if isinstance(self.screen, ModalScreen):
            return False
        if self.prompt is not None:
            return action == "back"
        place = self.active if self.sheet is None else self.sheet.view
        return place in self._local.get((action, parameters), (place,))

    async def on_event(self, event: Event) -> None:
        """Join the pieces of an arrow key; one whose escape has closed a prompt opens it again and goes there."""
        if isinstance(event, Key) and not event.is_forwarded:
            joined = self._split.take(event.key, event.character, time.monotonic())
            if joined is None:
                return
            if joined != event.key:
                await self._arrow(Key(joined, None))
                return
        await super().on_event(event)

    async def _arrow(self, key: Key) -> None:
        if self.prompt is None and self._left is not None and room_to_ask(self.size):
            self._drafts.pop(self._left.label, None)
            prompt, self._left = self._left, None
            self.hush()
            await self.screen.mount(prompt)
            self.screen.set_focus(prompt)
            self.rearrange()
            prompt.on_key(key)
        else:
            await super().on_event(key)

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key is for; one that means nothing on a sheet says so."""
        name = action.partition("(")[0] if isinstance(action, str) else action[1]
        if (
            name in _OF_VIEWS
            and self.sheet is not None
            and self.prompt is None
            and not isinstance(self.screen, Confirm)
        ):
            if name == "open" and self.sheet.open():
                return True
            key = next(key for key in self.keys if key.action == name)
            self.say(f"{key.show} is for the views; esc goes back to them")
            return True
        return await super().run_action(action, default_namespace, namespaces)

    def go_to(self, root: Path) -> None:
        """Close this cockpit and open that of another workspace, where one can."""
        if root.resolve() == self.root.resolve():
            self.pop_screen()
        elif self.is_web or self.guest:
            self.say("from here there is no way to another study; `looptop -C FOLDER attach` opens it", "warn")
        else:
            self.goes_to = root
            self.exit()

    def show(self, known: ViewState) -> None:
        """Put another state on the screens: that of another moment."""
        known.marked = self.known.marked  # they are of the person and not of a moment
        self.known, self.feed = known, Feed(self.journal, known)
        for panel in self.panels.values():
            panel.begin_anew()

    def room_for_time(self) -> bool:
        """Whether there is a last line, in which a time line would be seen."""
        return room_to_ask(self.size)

    # --- drawing -----------------------------------------------------------------------------------------------

    def bars(self) -> None:
        """Draw the lines at top and bottom."""
        self.top_bar.redraw()
        self.bottom_bar.redraw()

    def look_at(self, view: str) -> None:
        """Make a view the one that keys go to."""
        raise NotImplementedError

    def named(self, view: str) -> str:
        """A view with its key, as messages name it."""
        return f"{view} ({of_views(self.keys)[view]})"

    def note(self) -> list[Span]:
        return self.panel.note()

    def play_or_stop(self) -> None:
        """Let a replay go on, or stand still."""
        raise NotImplementedError

    def shown(self) -> None:
        """A view has come onto the screen."""
        self.read_log()
        self.panel.redraw()
        self.bars()

    def read_log(self) -> None:
        """Follow the log of the current run, where it is on screen."""
        pair = self.curves_view.pair()[0]
        if pair is None or not self.log_view.is_on_screen:
            return
        place = pair[0].id, pair[1].number
        if self.replay is not None and pair[1].outcome is None:
            more = self.log_view.read_until(*place, self.feed.step(*place))
        else:
            more = self.log_view.read(*place)
        if more:
            self.log_view.redraw()

    def load_samples(self) -> None:
        """Fetch the samples of the runs whose curves are drawn."""
        sheet = self.sheet
        wanted = sheet.wanted() if sheet is not None else set()
        self.feed.samples(self.curves_view.wanted() | self.known.leads.wanted() | self.detail_view.wanted() | wanted)

    def rearrange(self) -> None:
        """Lay the views out again: something that the layout depends on has changed."""
        if isinstance(screen := self.screen_stack[0], MainScreen):
            screen.arrange_again()

    def say(self, text: str, role: str = "accent", forever: bool = False) -> None:
        """Show a message in the last line, for a few seconds."""
        self._said((text, role), 0.0 if forever else time.monotonic())

    def hush(self) -> None:
        """Take the message away."""
        self._said(None, 0.0)

    def _said(self, message: tuple[str, str] | None, at: float) -> None:
        before = self.bottom_bar.rows(self.size.width)
        self.message, self._said_at = message, at
        self.bars()
        if self.bottom_bar.rows(self.size.width) != before:
            self.rearrange()
        if self.sheet is not None:
            self.sheet.redraw()

    def open_experiment(self, number: int, part: str = "") -> None:
        """Open the sheet of one experiment, at a part of it such as its "diff"."""
        self.hush()
        self.push_screen(SheetScreen(ExperimentSheet(number, part)))
        self.load_samples()

    # --- asking ------------------------------------------------------------------------------------------------

    def ask(self, prompt: Prompt) -> None:
        """Open the line to type into, with what was typed there and never sent."""
        if not room_to_ask(self.size):
            self.say(
                f"no room to type: needs {ASKING[0]}x{ASKING[1]}, has {self.size.width}x{self.size.height}", "warn"
            )
            return
        if (draft := self._drafts.pop(prompt.label, "")) and not prompt.text:
            prompt = prompt.keeping(draft)
        self.screen.mount(prompt)
        self.screen.set_focus(prompt)  # at once: the first letters may come with the key that has opened it
        self.rearrange()

    async def on_prompt_closed(self, message: Prompt.Closed) -> None:
        await self.close_prompt(keep=message.send is None)
        if message.send is not None:
            message.send()

    def on_prompt_grown(self) -> None:
        self.rearrange()

    async def close_prompt(self, keep: bool = True) -> None:
        """Close the prompt.

        Args:
            keep: what has been typed is there again when the prompt is opened anew.
        """
        if (prompt := self.prompt) is not None:
            if keep and prompt.live is None and (draft := prompt.draft.strip()):
                self._drafts[prompt.label] = draft
                self._left = prompt.keeping(draft)
                self.say("what you typed is kept: it is there when you open this again")
            await prompt.remove()
        self.screen.set_focus(self.sheet or self.panel)
        self.rearrange()

    def confirm(
        self,
        title: str,
        text: str,
        choices: list[Choice],
        then: Callable[[str], None],
        over: Callable[[], str] = lambda: "",
    ) -> None:
        """Ask a question; `then` gets the key of the choice, and is not called where things are left as they are.

        Args:
            over: why nothing is to be asked any more, such as a run that has ended meanwhile; "" until then.
        """
        needed = Confirm.rows_for(choices)
        if self.size.height < needed or self.size.width < ASKING[0]:
            self.say(f"no room to ask: needs {ASKING[0]}x{needed}, has {self.size.width}x{self.size.height}", "warn")
            return

        def answered(key: str | None) -> None:
            if key:
                then(key)

        self.push_screen(Confirm(title, text, choices, over), answered)

    def withdraw(self) -> None:
        """Take a question away that events have answered, and say so."""
        if isinstance(self.screen, Confirm) and (why := self.screen.over()):
            self.screen.dismiss("")
            self.say(why, "warn")
