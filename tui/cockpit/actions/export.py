"""The keys that take something out of the cockpit: to the clipboard, into the pager, into a file."""

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from string import ascii_lowercase

from textual.app import SuspendNotSupported

from loop.reporting.exporters import EXPORTERS
from tui.cockpit import clipboard
from tui.cockpit.shell import Shell
from tui.model.commands import SCREEN_FORMS
from tui.render import screenshot
from tui.render.text import clean, one_line
from tui.screens.confirm import Choice
from tui.screens.experiment import ExperimentSheet
from tui.widgets.log import LogPanel
from tui.widgets.mind import MindPanel
from tui.widgets.stream import StreamPanel


class ExportActions(Shell, inherit_bindings=False):
    """Actions of the keys that copy, open elsewhere and write files."""

    @property
    def exports(self) -> Path:
        """Where files go: a folder of looptop's own, which git ignores."""
        return self.root / ".looptop" / "exports"

    # --- copying -----------------------------------------------------------------------------------------------

    def action_copy(self) -> None:
        sheet = self.sheet
        if isinstance(sheet, ExperimentSheet):
            self._copy_of(sheet)
        else:
            self.copy((sheet or self.panel).copied())
            if sheet is None and isinstance(self.panel, StreamPanel) and self.panel.began is not None:
                self.panel.let_go()

    def copy(self, text: str) -> None:
        """Copy some text, and say which way it went."""
        if not text.strip():
            self.say("there is nothing to copy")
            return
        try:
            said = clipboard.copy(text, self._write, self.exports)
        except OSError as error:
            said = f"could not copy: {error.strerror or error}"
        self.say(one_line(said))

    def _write(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    def _copy_of(self, sheet: ExperimentSheet) -> None:
        experiment = sheet.found
        choices: list[Choice] = [("a", "a", "all of this page")]
        if experiment.commit:
            choices[:0] = [
                ("h", "h", f"the hash of its commit, {experiment.commit[:10]}"),
                ("b", "b", "the command for a second study from here (git worktree)"),
                ("d", "d", "its diff"),
            ]

        def answer(key: str) -> None:
            commit = experiment.commit or ""
            texts = {"h": lambda: commit, "b": sheet.second_study, "d": sheet.diff, "a": sheet.copied}
            self.copy(texts[key]())

        self.confirm("Copy what?", f"Of experiment {experiment.id}:", choices, answer)

    # --- the pager ---------------------------------------------------------------------------------------------

    def action_pager(self) -> None:
        sheet = self.sheet
        if self.sheet is None and isinstance(self.panel, LogPanel):
            if self.panel.showing is None:
                self.say("no run yet, so there is no log")
            else:
                self._page_log(*self.panel.showing)
            return
        if self.sheet is None and isinstance(self.panel, MindPanel):
            self.page(self.panel.everything(), "mind.txt")
            return
        chosen = sheet.found if isinstance(sheet, ExperimentSheet) else self.chosen()
        if chosen is None:
            shown = sheet or self.panel
            self.page(shown.copied(), f"{shown.view}.txt")
            return
        number, last = chosen.id, None if chosen.newest is None else chosen.newest.number
        about = sheet if isinstance(sheet, ExperimentSheet) else ExperimentSheet(number)
        choices: list[Choice] = [("t", "t", "the transcript: all that was thought for it")]
        if chosen.commit and number:
            choices.insert(0, ("d", "d", "its diff"))
        if last is not None:
            choices.insert(0, ("l", "l", f"the log of run {number}.{last}"))

        def answer(key: str) -> None:
            if key == "l" and last is not None:
                self._page_log(number, last)
            elif key == "d":
                self.page(about.diff(), f"{number}.diff")
            else:
                self.page(about.transcript(self.journal), f"{number}.txt")

        self.confirm(f"Open in {pager()[0]}?", f"Of experiment {number}:", choices, answer)

    def _page_log(self, experiment: int, run: int) -> None:
        from loop.runs.log import read_log_tail

        folder = self.root / ".looptop" / "runs" / f"{experiment}.{run}"
        self.page(read_log_tail(folder, 8_000_000).text, f"{experiment}.{run}.log")

    def page(self, text: str, name: str) -> None:
        """Show `text` in the person's pager; the cockpit comes back when they leave it."""
        if self.is_web:
            self.say("a browser has no pager; what stands here can be scrolled and searched")
            return
        if not text.strip():
            self.say("there is nothing to open yet")
            return
        with tempfile.TemporaryDirectory(prefix="looptop-") as folder:
            path = Path(folder) / name
            path.write_text(clean(text), encoding="utf-8", errors="replace")
            command = [*pager(), str(path)]
            try:
                with self.suspend():
                    said = _run(command)
            except SuspendNotSupported:
                said = "this terminal cannot be lent to a pager"
        self.titled = ""  # the terminal has restored its own
        self.refresh(repaint=True, layout=True)
        if said:
            self.say(said, "bad")

    # --- files -------------------------------------------------------------------------------------------------

    def action_export(self) -> None:
        view = (self.sheet or self.panel).view
        helps = {name: f"{help} ({view})" for name, help in SCREEN_FORMS.items()}
        helps |= {name: f"the results as {row.help}" for name, row in EXPORTERS.items()}
        forms = dict(zip(_letters(helps), helps, strict=True))
        choices: list[Choice] = [(key, key, helps[name]) for key, name in forms.items()]

        def answer(key: str) -> None:  # the question has to be off the screen before a picture is taken
            self.call_after_refresh(lambda: self.export(forms[key]))

        where = f"A file in {self.exports.relative_to(self.root)}, which git ignores. `looptop export` prints it."
        self.confirm("Export what?", where, choices, answer)

    def export(self, form: str, path: str = "") -> None:
        """Write the screen or the results to a file, and say where it is."""
        if self.is_web:
            self.say("no file is written for a browser; `looptop export` prints the results")
            return
        rows, stem = self.screen._compositor.render_strips(), self.active
        if form == "svg":
            text, suffix = screenshot.svg(rows, self.size.width, self.palette, one_line(self.known.study.tag)), "svg"
        elif form == "text":
            text, suffix = "\n".join(row.text.rstrip() for row in rows) + "\n", "txt"
        else:
            row = EXPORTERS[form]
            text, stem, suffix = row.write(self.known.study, self.journal), "results", row.suffix
        name = f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}.{suffix}"
        target = self.root / path if path else self.exports / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            self.say(f"{target} cannot be written: {error.strerror}", "bad")
            return
        shown = target.relative_to(self.root) if target.is_relative_to(self.root) else target
        self.say(f"wrote {shown} ({len(text.encode()) / 1000:.0f} kB)")


def _letters(names: Iterable[str]) -> list[str]:
    """A key for each name: its first letter that no name before it has taken, else any that is free."""
    taken: list[str] = []
    for name in names:
        taken.append(next(x for x in name.lower() + ascii_lowercase if x.isalnum() and x not in taken))
    return taken


def _run(command: list[str]) -> str:
    """Run a program in the terminal; a sentence where it does not start, else nothing."""
    try:
        subprocess.run(command, stderr=1, check=False)  # fd 2 is kept from the screen, and pagers ask there
    except OSError as error:
        return f"{command[0]} does not start ({error.strerror}); set PAGER to another program"
    return ""


def pager() -> list[str]:
    """The person's pager as a command."""
    wanted = shlex.split(os.environ.get("PAGER", ""))
    return wanted or (["less", "-R"] if shutil.which("less") else ["more"])
