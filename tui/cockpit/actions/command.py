"""The command line of the cockpit, `:`. Every command does what its key does, and asks where its key asks."""

from collections.abc import Callable

from loop.study import events as e
from loop.study.experiment import Experiment
from tui.cockpit.actions.export import ExportActions
from tui.cockpit.actions.navigate import NavigateActions
from tui.cockpit.actions.request import RequestActions
from tui.cockpit.shell import who
from tui.model.commands import Command, CommandError, completions, hint, parse
from tui.render.palette import PALETTES
from tui.screens.sheet import Sheet, SheetScreen
from tui.widgets.prompt import Completion
from tui.widgets.stream import StreamPanel
from tui.widgets.tree import TreePanel


class CommandActions(NavigateActions, RequestActions, ExportActions, inherit_bindings=False):
    """The action of `:`, and what each command does."""

    _ordered: tuple[str, ...] = ()
    """What was typed here before."""

    def action_command(self) -> None:
        study = self.known.study
        complete = Completion(lambda text: completions(text, study), lambda text: hint(text, study))
        self.ask("", "a command; tab completes, esc leaves", self.obey, history=self._ordered[-50:], complete=complete)

    def obey(self, line: str) -> None:
        """Carry out one line, or say what is wrong with it."""
        if not line.strip():
            return
        self._ordered = (*self._ordered, line)
        try:
            order = parse(line, self.known.study)
        except CommandError as error:
            self.say(str(error), "warn")
            return
        if not order.kind.request or self.may():
            self._hands()[order.kind.name](order)

    def _hands(self) -> dict[str, Callable[[Command], None]]:
        return {
            "steer": lambda order: self.steer_with(order.text),
            "pause": lambda order: self.request(e.Paused(who=who()), "asked to pause; :resume goes on"),
            "resume": lambda order: self.request(e.Resumed(who=who()), "asked to go on"),
            "kill": self._kill,
            "approve": self._approve,
            "reject": self._reject,
            "keep": lambda order: self.overrule(self._named(order), "kept", order.text),
            "discard": lambda order: self.overrule(self._named(order), "discarded", order.text),
            "requeue": lambda order: self.requeue(self._named(order)),
            "branch": lambda order: self.branch(self._named(order)),
            "submit": lambda order: self.submit(order.text),
            "pin": lambda order: self.pin(order.text),
            "unpin": lambda order: self.unpin(order.number),
            "stop": lambda order: self.action_stop(),
            "show": lambda order: self._show(order.number or 0),
            "view": lambda order: self._leave_sheet(lambda: self.action_view(order.text)),
            "find": self._find,
            "program": lambda order: self.action_program(),
            "export": self._export,
            "theme": lambda order: self.become(order.text if order.text in PALETTES else "dark"),
            "mouse": lambda order: self.action_mouse(),
            "help": lambda order: self.action_help(),
            "detach": lambda order: self.exit(),
        }

    def _named(self, order: Command) -> Experiment:
        return self.known.study.experiments[order.number or 0]

    def _kill(self, order: Command) -> None:
        current = self.known.in_flight()
        if order.number is None or (current is not None and current[0].id == order.number):
            self.action_kill()
            return
        found = self._named(order)
        if found.verdict is not None:
            self.say(f"experiment {found.id} is not running; it was {found.verdict.replace('_', ' ')}", "warn")
            return
        text = f"Experiment {found.id} is taken out of the queue, or its run is ended; it counts as killed."
        wished = e.Killed(who=who())
        self.confirm(
            f"Kill {found.id}?",
            text,
            [("y", "y", f"kill experiment {found.id}")],
            lambda _: self.request(wished, f"asked to kill {found.id}", found.id),
        )

    def _waiter(self, order: Command) -> Experiment | None:
        found = self.known.waiting() if order.number is None else self._named(order)
        if found is None:
            self.say("no proposal waits for a person")
        elif found.phase != "waiting":
            self.say(f"experiment {found.id} does not wait for approval", "warn")
            return None
        return found

    def _approve(self, order: Command) -> None:
        if (found := self._waiter(order)) is not None:
            self.approve(found)

    def _reject(self, order: Command) -> None:
        if (found := self._waiter(order)) is not None:
            self.reject(found.id, order.text)

    def _show(self, number: int) -> None:
        self._leave_sheet(lambda: self.open_experiment(number))

    def _leave_sheet(self, then: Callable[[], None]) -> None:
        """Close what lies over the views, then go on."""
        if isinstance(self.screen, SheetScreen):
            self.pop_screen()
        then()

    def _find(self, order: Command) -> None:
        target = self.sheet or self.panel
        if not isinstance(target, (StreamPanel, TreePanel, Sheet)):
            self.say("nothing to search in this view; mind, tree and log can be searched")
        elif not target.search(order.text):
            self.say(f"nothing has “{order.text}”", "warn")

    def _export(self, order: Command) -> None:
        form, _, path = order.text.partition(" ")
        self.call_after_refresh(lambda: self.export(form, path.strip()))  # once the prompt is off the screen
