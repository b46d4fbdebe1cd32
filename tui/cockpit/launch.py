"""Opens the cockpit on a workspace, and restores the terminal whatever happens.

Importing this costs nothing: `run` imports Textual, once the environment that Textual reads at import is set.
"""

import os
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loop.errors import UserError

if TYPE_CHECKING:
    from loop.config.settings import Settings


def refusal() -> str | None:
    """Why this terminal cannot show a cockpit, as a sentence that names what to use instead; None where it can."""
    if in_browser():
        return None
    if os.environ.get("TERM", "") in ("", "dumb"):
        return "this terminal (TERM=dumb) cannot show the cockpit; use `looptop status`, or `looptop log -f` to follow"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "the cockpit needs a terminal; use `looptop status` (or `looptop status --json`) in a script"
    return None


def in_browser() -> bool:
    """Whether what is drawn goes to a browser: textual-serve says so to the process that it starts for a tab."""
    return os.environ.get("TEXTUAL_DRIVER", "").startswith("textual.drivers.web_driver")


def settings(theme: str | None = None, ascii: bool = False) -> "Settings":
    """The person's settings with the flags over them, all checked before anything starts.

    Raises:
        Unusable: the settings or the keymap cannot be used; the message is a sentence.
    """
    from loop.config import settings
    from tui.cockpit import keymap

    try:
        found = settings.read(os.environ)
        keymap.table(found.keymap)
    except keymap.KeymapError as error:
        raise Unusable(f"{settings.config_file(os.environ)}: {error}") from None
    except settings.SettingsError as error:
        raise Unusable(str(error)) from None
    if theme is not None and theme not in ("auto", *settings.THEMES):
        raise Unusable(f"there is no theme {theme!r}; known are auto, {', '.join(settings.THEMES)}")
    return found.model_copy(update={"theme": theme or found.theme, "ascii": ascii or found.ascii})


class Unusable(UserError):
    """The terminal, or what the person has set, cannot be used."""

    code = 2


@dataclass(frozen=True)
class Guest:
    """Somebody else's loop, which is only watched."""

    pid: int
    """Of the process that tells of it."""
    farewell: str
    """What to say on the restored screen."""


def run(
    workspace: Path,
    *,
    read_only: bool = False,
    ascii: bool = False,
    theme: str | None = None,
    guest: Guest | None = None,
    past: tuple[str, int] | None = None,
) -> int:
    """Show the cockpit until the person detaches; returns the exit code.

    Args:
        guest: the journal is not of a loop of ours.
        past: begin with a replay, from this moment on (as a person types it) and at this speed.

    Raises:
        Unusable: the terminal, the settings or the keymap.
        loop.journal.JournalError: there is no study here, or its journal cannot be read.
    """
    wanted = settings(theme, ascii)
    if (why := refusal()) is not None:
        raise Unusable(why)
    from tui.render import colour_support

    plain = wanted.ascii or colour_support.wants_ascii(os.environ)
    looks = colour_support.theme_for(os.environ) if wanted.theme == "auto" else wanted.theme
    told = os.environ.get("COLUMNS", ""), os.environ.get("ROWS", "")
    colour_support.prepare(os.environ, looks)
    if in_browser():
        return _serve_tab(workspace, read_only, plain, looks, wanted, told)
    from loop.machine import screen_choices, studies
    from loop.workspace import supervisor_alive
    from tui.cockpit import notifications
    from tui.cockpit.app import Cockpit
    from tui.cockpit.driver import CockpitDriver

    with _quiet_stderr() as noise:
        place: Path | None = workspace
        while place is not None:
            workspace = place
            if guest is None:
                studies.note(workspace)
            app = Cockpit(
                workspace,
                read_only=read_only,
                ascii_only=plain,
                theme=looks,
                keys=wanted.keymap,
                notify=notifications.by(wanted.notify),
                alive=supervisor_alive if guest is None else lambda _: guest.pid,
                guest=guest is not None,
                columns=screen_choices.columns(),
                keep_columns=screen_choices.keep_columns,
                driver_class=CockpitDriver,
            )
            app.opens_in, past = past, None
            app.run(mouse=False)
            place = app.goes_to
        noise.note()
    if app.return_code:
        return app.return_code
    if guest is not None:
        print(guest.farewell)
        return 0
    print(farewell(app.known.study.tag, supervisor_alive(workspace), app.life.why, workspace, Path.cwd()))
    return 0


def _serve_tab(
    workspace: Path, read_only: bool, plain: bool, looks: str, wanted: "Settings", told: tuple[str, str]
) -> int:
    """One tab of a browser: what is drawn goes to standard output, in packets, so nothing else may be written there.

    Args:
        told: columns and lines of the page as it was opened.
    """
    from loop.machine import screen_choices
    from loop.workspace import supervisor_alive
    from tui.cockpit.app import Cockpit
    from tui.cockpit.web import BrowserDriver

    app = Cockpit(
        workspace,
        read_only=read_only,
        ascii_only=plain,
        theme=looks,
        keys=wanted.keymap,
        alive=supervisor_alive,
        driver_class=BrowserDriver,
        columns=screen_choices.columns(),
        keep_columns=screen_choices.keep_columns,
    )
    columns, lines = told
    app.run(mouse=True, size=(int(columns), int(lines)) if columns.isdecimal() and lines.isdecimal() else None)
    return app.return_code or 0


def farewell(tag: str, pid: int | None, why: str, workspace: Path, here: Path) -> str:
    """What to say on the restored screen: whether the loop goes on, and the command to come back with from `here`."""
    inside = here.resolve().is_relative_to(workspace.resolve())
    program = shlex.quote(called())
    command = program if inside else f"{program} -C {shlex.quote(str(workspace))}"
    if pid is not None:
        goes_on = f"the loop goes on in the background (process {pid})"
        return f"detached from {tag}; {goes_on}. Come back with `{command} attach`."
    because = f" ({why})" if why else ""
    return f"detached from {tag}; the loop is not running{because}. `{command}` starts it again."


def called() -> str:
    """How a shell in this folder finds this program: by its name where that is on the path, else by its place."""
    place = Path(sys.argv[0])
    found = shutil.which("looptop")
    if place.name != "looptop" or (found is not None and Path(found).resolve() == place.resolve()):
        return "looptop"
    try:
        return str(place.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(place)


class _quiet_stderr:
    """Keeps what libraries write to fd 2 off the screen and prints its end afterwards; Textual draws through fd 1.

    A context manager. Textual writes to `sys.__stderr__`, so that becomes a second descriptor of the terminal.
    """

    _SHOWN = 4000

    def __enter__(self) -> "_quiet_stderr":
        self._before = sys.__stderr__, sys.stderr
        self._kept = os.dup(2)
        self._noise = tempfile.TemporaryFile()
        self._noted = b""
        screen = open(os.dup(1), "w", encoding="utf-8", errors="replace", closefd=True)  # noqa: PTH123
        sys.__stderr__ = screen  # type: ignore[misc]
        sys.stderr = open(os.dup(self._noise.fileno()), "w", encoding="utf-8", errors="replace")  # noqa: PTH123
        os.dup2(self._noise.fileno(), 2)
        return self

    def note(self) -> None:
        """Remember what was written."""
        sys.stderr.flush()
        size = self._noise.seek(0, os.SEEK_END)
        self._noise.seek(max(0, size - self._SHOWN))
        self._noted = self._noise.read()

    def __exit__(self, *_: object) -> None:
        if not self._noted:
            self.note()
        os.dup2(self._kept, 2)
        os.close(self._kept)
        for file in (sys.__stderr__, sys.stderr, self._noise):
            try:
                if file is not None:
                    file.close()
            except OSError:
                pass  # the terminal is gone
        sys.__stderr__, sys.stderr = self._before  # type: ignore[misc]
        if self._noted.strip():
            os.write(2, self._noted.strip() + b"\n")
