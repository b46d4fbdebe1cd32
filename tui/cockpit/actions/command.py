"""What `:` opens: every command does what its key does, and asks where its key asks."""

from collections.abc import Callable

from loop.policy.permissions import Refused, find_experiment
from loop.policy.request_table import Row
from loop.workspace import who
from tui.cockpit.actions.away import AwayActions
from tui.cockpit.actions.export import ExportActions
from tui.cockpit.actions.navigate import NavigateActions
from tui.cockpit.actions.replay import ReplayActions
from tui.cockpit.actions.request import RequestActions
from tui.model.commands import Command, CommandError, completions, hint, parse
from tui.render.palette import PALETTES
from tui.render.text import cut
from tui.widgets.prompt import Completion, Prompt


class CommandActions(
    NavigateActions, RequestActions, ExportActions, AwayActions, ReplayActions, inherit_bindings=False
):
    """The action of `:`, and what each command does."""

    _typed: tuple[str, ...] = ()
    """What was typed here before."""

    def action_command(self) -> None:
        study = self.known.study
        complete = Completion(lambda text: completions(text, study), lambda text: hint(text, study))
        self.ask(
            Prompt("", "a command; tab completes, esc leaves", self.obey, history=self._typed[-50:], complete=complete)
        )

    def obey(self, line: str) -> None:
        """Carry out one line, or say what is wrong with it."""
        if not line.strip():
            return
        self._typed = (*self._typed, line)
        try:
            command = parse(line, self.known.study)
        except CommandError as error:
            self.say(str(error), "warn")
            return
        if command.spec.row is None:
            self._own_commands()[command.spec.name](command)
        elif self.may():
            self._ask(command.spec.row, command)

    def _ask(self, row: Row, command: Command) -> None:
        """Make the request that a command is."""
        if row.name == "unpin":
            self.unpin(command.number)
        elif row.of_slot:
            self.request(row.about_slot(who(), command.text), f"asked to {row.name} {command.text}")
        elif row.name == "approve" and command.text == "all":
            self.approve_all()
        elif (own := self._own().get(row.name)) is not None:
            own(command.text)
        elif not row.numbered:
            self.ask_for(row)
        else:
            study = self.known.study
            if command.number is None and row.default is not None:
                found = row.default(study)
            else:
                found = find_experiment(study, command.number)
            if isinstance(found, Refused):
                self.say(found.sentence, "warn")
            else:
                self.ask_for(row, found, command.text)

    def _own_commands(self) -> dict[str, Callable[[Command], None]]:
        """Commands that are about this screen, by name."""
        return {
            "show": self._show,
            "diff": lambda command: self._show_part(command, "diff"),
            "log": lambda command: self._show_part(command, "log"),
            "view": lambda command: self.action_view(command.text),
            "find": lambda command: self.action_search(command.text),
            "compare": self._compare,
            "sort": self._sort,
            "program": lambda command: self.action_program(),
            "studies": lambda command: self.action_studies(),
            "replay": lambda command: self.action_replay(command.text),
            "digest": lambda command: self.action_digest(command.text),
            "export": self._export,
            "theme": lambda command: self.become(command.text if command.text in PALETTES else "dark"),
            "mouse": lambda command: self.action_mouse(),
            "help": lambda command: self.action_help(),
            "detach": lambda command: self.exit(),
        }

    def _compare(self, command: Command) -> None:
        words = command.text.replace(",", " ").split()
        numbers = list(dict.fromkeys(int(word) if word.isdecimal() and len(word) < 10 else -1 for word in words))
        unknown = [
            word for word, number in zip(words, numbers, strict=False) if number not in self.known.study.experiments
        ]
        if unknown:
            self.say(f"there is no experiment {cut(unknown[0], 20)}", "warn")
        elif len(numbers) == 1:
            self.say("compare takes two numbers or more", "warn")
        elif numbers:
            self.compare(numbers)
        else:
            self.action_compare()

    def _sort(self, command: Command) -> None:
        self.action_view("experiments")
        by = {"": None, "number": ""}.get(command.text, command.text)
        self.say(f"sorted {self.experiments_view.sort(by)}")

    def _show(self, command: Command) -> None:
        self.leave_sheets()
        self.open_experiment(command.number or 0)

    def _show_part(self, command: Command, part: str) -> None:
        """Open the experiment that is meant at its diff or its log; without one, the log is that of the current run."""
        chosen = self.chosen()
        number = command.number if command.number is not None or chosen is None else chosen.id
        if command.text:
            self.say(f"{part} takes the number of an experiment", "warn")
        elif number is not None:
            self.leave_sheets()
            self.open_experiment(number, part)
        elif part == "log":
            self.action_view("log")
        else:
            self.say(f"put the cursor on an experiment first, in {self.named('experiments')}, or say `diff N`")

    def _export(self, command: Command) -> None:
        form, _, path = command.text.partition(" ")
        self.call_after_refresh(lambda: self.export(form, path.strip()))  # once the prompt is off the screen
