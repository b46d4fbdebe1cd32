"""What a widget may ask of the cockpit that it is in: widgets and screens know this promise, and never the app."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from textual.dom import DOMNode

from loop.journal import Journal
from tui.model.feed import Feed
from tui.model.keys import Key
from tui.model.replay import Replay
from tui.model.view_state import ViewState
from tui.render.glyphs import Glyphs
from tui.render.layout import Needs
from tui.render.palette import Palette
from tui.render.text import Span
from tui.widgets.status_line import Life


class Context(Protocol):
    """The cockpit, as its widgets see it; `tui.cockpit.shell.Shell` keeps the promise."""

    root: Path
    """The workspace."""
    journal: Journal
    feed: Feed
    known: ViewState
    """The study and its streams, as of the last event taken in."""
    now: Callable[[], float]
    """The time, in Unix seconds."""
    life: Life
    """Whether a supervisor is at work."""
    read_only: bool
    replay: Replay | None
    """The replay that is on; None where the screens show what is now."""
    keys: tuple[Key, ...]
    """The keys in force."""
    glyphs: Glyphs
    palette: Palette
    active: str
    """Name of the view that keys go to."""
    zoomed: bool
    """One view alone has the screen, however large that is."""
    message: tuple[str, str] | None
    """What the last line says in place of the keys, and its role."""

    @property
    def aside(self) -> str:
        """Which of the views that share one place has it."""
        ...

    def go_to(self, root: Path) -> None:
        """Open the cockpit of another workspace in place of this one."""
        ...

    def look_at(self, view: str) -> None:
        """Make a view the one that keys go to."""
        ...

    def under_cursor(self) -> int | None:
        """The experiment that a person has put a cursor on; None while there is none."""
        ...

    def note(self) -> list[Span]:
        """A few words about the active view, for the line of tabs."""
        ...

    def bars(self) -> None:
        """Draw the lines at top and bottom."""
        ...

    def needs(self) -> Needs:
        """Lines that the views of one row each would like."""
        ...

    def load_samples(self) -> None:
        """Fetch the samples of the runs whose curves are drawn."""
        ...


def context_of(widget: DOMNode) -> Context:
    """The cockpit that `widget` is in."""
    return cast("Context", widget.app)
