"""Keys that ask the loop for something. What cannot be taken back is asked about first, in words that name it.

What a request is called, whether it may be made and what it would mean is in `request_table`; only those that take more
than an experiment and a reason have code of their own here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from loop.policy import permissions, request_table
from loop.policy.permissions import Refused
from loop.policy.request_table import Row
from loop.study import events as e
from loop.study.contract import VALIDATION
from loop.study.experiment import Experiment
from loop.study.requests import addressed
from loop.words import listed
from loop.workspace import who
from tui.cockpit.asking_loop import AskingLoop
from tui.model.doing import newest_thought
from tui.render.text import cut, one_line
from tui.screens.confirm import Choice
from tui.screens.experiment import ExperimentSheet
from tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from loop.pipeline.submission import Edit


class RequestActions(AskingLoop, inherit_bindings=False):
    """Actions of the keys that put a request into the journal."""

    def action_request(self, name: str) -> None:
        """The key of the request of that name."""
        if name == "pause" and self.replay is not None:
            self.play_or_stop()  # one key for both
            return
        if not self.may():
            return
        if name == "pause" and self.known.study.paused:
            name = "resume"  # one key for both
        row = request_table.named(name)
        if (own := self._own().get(name)) is not None:
            own("")
        elif not row.numbered:
            self.ask_for(row)
        elif (experiment := self._meant(row)) is not None:
            self.ask_for(row, experiment, ask_why=not row.confirm)

    def _own(self) -> dict[str, Callable[[str], None]]:
        """Requests with a way of their own, by name; each is given what was typed after the command, if anything."""
        return {
            "steer": self._steer,
            "submit": self._submit,
            "pin": self._pin,
            "stop": self._stop,
            "validate": self._validate,
            "ablate": self._ablate,
        }

    def _note(self, row: Row, experiment: Experiment) -> None:
        """Have the note on an experiment written, beginning with the one that is there."""
        hint = "what you want to remember of it; enter keeps it, an empty note takes it back"
        number = experiment.id

        def send(text: str) -> None:
            if text != experiment.note:
                said = f"noted on {number}" if text else f"took the note on {number} back"
                self.request(row.body(who(), text), said, number, lasting=True)

        self.ask(Prompt(_words(row, experiment), hint, send, draft=experiment.note))

    def _meant(self, row: Row) -> Experiment | None:
        """The experiment that a key's request is about: the one on its own screen, or the one that a person has put the
        cursor of the experiments on; else the usual one. Says so where there is none."""
        pointed = isinstance(self.sheet, ExperimentSheet) or (self.sheet is None and self.pointing())
        if row.default is not None and not pointed:
            found = row.default(self.known.study)
            if isinstance(found, Refused):
                self.say(found.sentence, "warn")
                return None
            return found
        if (chosen := self.chosen()) is None:
            self.say(f"choose an experiment first, in {self.named('experiments')}: j and k move, enter opens")
        return chosen

    def ask_for(self, row: Row, experiment: Experiment | None = None, why: str = "", *, ask_why: bool = False) -> None:
        """Make a request, if it may be made now; a person is asked first where the row says so.

        Args:
            why: the person's reason.
            ask_why: have them type one, where the request takes one.
        """
        answer = row.check(self.known.study, experiment)
        if isinstance(answer, Refused):
            self.say(answer.sentence, "warn")
        elif row.worded and experiment is not None and not why:
            self._note(row, experiment)
        elif ask_why and row.reasoned:
            self._ask_why(row, experiment)
        elif row.confirm:
            self._confirm(row, experiment, answer.sentence, why)
        else:
            self._sender(row, experiment)(row.body(who(), why))

    def _ask_why(self, row: Row, experiment: Experiment | None) -> None:
        hint, send = "why, in a few words; enter sends it, esc leaves things as they are", self._sender(row, experiment)
        self.ask(Prompt(_words(row, experiment), hint, lambda why: send(row.body(who(), why))))

    def _confirm(self, row: Row, experiment: Experiment | None, would: str, why: str) -> None:
        """Ask whether the request is to be made, saying what it would mean."""
        words, send, run = _words(row, experiment), self._sender(row, experiment), _run(row, experiment)
        choices: list[Choice] = [("y", "y", words)]
        if row.reasoned and not why:
            choices.append(("w", "w", f"{words}, with a reason for the record"))
        told = experiment.researcher if row.name == "kill" and experiment is not None else ""
        if told in (mind.name for mind in self.known.study.minds.present()):
            choices.append(("s", "s", f"{words}, and tell {one_line(told)} why"))
        if row.name == "approve" and len(waiting := self.known.waiting()) > 1:
            choices.append(("A", "A", f"approve all {len(waiting)}: {listed([str(one.id) for one in waiting])}"))
        waits = experiment is not None and experiment.phase == "waiting"
        if waits and self.sheet is None:
            choices.append(("enter", "enter", "read its diff first (a and r work there too)"))

        def answer(key: str) -> None:
            if key == "A":
                self._approve(self.known.waiting())
            elif key == "w":
                self._ask_why(row, experiment)
            elif key == "s" and experiment is not None:
                self._end_and_tell(experiment, lambda: send(row.body(who())))
            elif key == "enter" and experiment is not None:
                self.open_experiment(experiment.id)
            else:
                send(row.body(who(), why))

        def over() -> str:
            found = row.check(self.known.study, experiment)
            if isinstance(found, Refused):
                return f"{found.sentence}; nothing was asked for"
            if experiment is not None and run is not None and _run(row, experiment) != run:
                return f"run {experiment.id}.{run} has ended meanwhile; nothing was asked for"
            return ""

        self.confirm(f"{words[0].upper()}{words[1:]}?", one_line(would), choices, answer, over)

    def _end_and_tell(self, experiment: Experiment, end: Callable[[], None]) -> None:
        """Have a run ended, and its researcher told why, in the person's words."""
        name, title = experiment.researcher, cut(one_line(experiment.title), 60)

        def send(text: str) -> None:
            end()
            if text:
                self._pass_on(f"I ended {experiment.id} ({title}): {text}", name)

        hint = "only this one hears it; enter ends the run and sends it, esc leaves things as they are"
        self.ask(Prompt(f"tell {one_line(name)} why", hint, send))

    def approve_all(self) -> None:
        """Approve whatever waits, once a person has seen what that is."""
        waiting = self.known.waiting()
        if not waiting:
            self.say("no proposal waits for approval", "warn")
            return
        told = "; ".join(f"{one.id} {one_line(one.title)}" for one in waiting)
        self.confirm(
            "Approve all?", told, [("y", "y", f"approve all {len(waiting)}")], lambda _: self._approve(waiting)
        )

    def _approve(self, waiting: list[Experiment]) -> None:
        """Put an approval of each on record."""
        row = request_table.named("approve")
        for experiment in waiting:
            self.request(row.body(who()), f"asked to approve {listed([str(one.id) for one in waiting])}", experiment.id)

    def _sender(self, row: Row, experiment: Experiment | None = None) -> Callable[[e.Body], None]:
        """Puts a request on record as it is understood now: about the run that goes on while a person is asked."""
        later = f"; it takes effect {row.later}" if row.later else ""
        said = f"asked to {_words(row, experiment)}{later}"
        number, run = None if experiment is None else experiment.id, _run(row, experiment)
        return lambda body: self.request(body, said, number, run, lasting=row.at_once)

    # --- requests with a way of their own ----------------------------------------------------------------------

    def _steer(self, text: str) -> None:
        if text:
            self._pass_on(text)
            return
        requests = self.known.study.requests.values()
        said = [request.body.text for request in requests if isinstance(request.body, e.Steered)]
        hint = "your own words; enter sends, ! first interrupts, \\ enter: next line"
        self.ask(Prompt("steer", hint, self._pass_on, history=said[-50:], lines=True))

    def action_say_to(self) -> None:
        """Talk to one researcher: the one under the cursor, else that of the run there, else the one that thinks."""
        if not self.may():
            return
        study = self.known.study
        present = [mind.name for mind in study.minds.present()]
        if not present:
            self.say("no researcher has joined yet: there is nobody to talk to", "warn")
            return
        pointed = self.chosen() if self.pointing() else None
        thinks = newest_thought(study)
        wanted = (
            self.researchers_view.chosen() if self.active == "researchers" else None,
            pointed.researcher if pointed is not None else None,
            thinks.researcher if thinks is not None else None,
        )
        name = next((one for one in wanted if one in present), present[0])
        hint = "only this one hears it; enter sends, ! first interrupts its thought, esc leaves"
        self.ask(Prompt(f"say to {name}", hint, lambda text: self._pass_on(text, name), lines=True))

    def _pass_on(self, text: str, default: str = "") -> None:
        """Pass on words; a `!` before them cuts the present thought short.

        Args:
            default: whom they are for where they do not begin with @NAME; empty: everybody.
        """
        interrupt = text.startswith("!")
        to, text = addressed(text.removeprefix("!"))
        to = to or default
        known = permissions.find_researcher(self.known.study, to)
        if isinstance(known, Refused):
            self.say(known.sentence, "warn")
        elif text:
            sent = f"sent to {to}" if to else "sent"
            said = f"{sent}; it interrupts the thought" if interrupt else f"{sent}; it is read with the next thought"
            self.request(e.Steered(who=who(), text=text, interrupt=interrupt, to=to), said)

    def _pin(self, text: str) -> None:
        said = "pinned: it stands in every briefing; P shows it, :unpin takes it back"
        self.request(e.Pinned(who=who(), text=text), said)

    def _validate(self, text: str) -> None:
        """Have the gain measured anew, with so many runs each; `end` ends the validation under way."""
        study, row = self.known.study, request_table.named("validate")
        runs = 0 if text == "end" else int(text[:9]) if text.isdecimal() else VALIDATION if not text else -1
        if runs not in (0, *range(2, 51)) or text == "0":
            self.say("validate takes how many runs each, 2 to 50, or `end`", "warn")
        elif runs and isinstance(answer := row.check(study, None), Refused):
            self.say(answer.sentence, "warn")
        elif not runs and study.validation is None:
            self.say("no validation is under way", "warn")
        else:
            said = f"asked to {row.does}; it takes effect {row.later}" if runs else "asked to end the validation"
            self.request(e.Validated(who=who(), runs=runs), said)

    def _ablate(self, text: str) -> None:
        """Have the worth of each kept change measured, in so many runs at most; `end` ends the ablation under way."""
        study, row = self.known.study, request_table.named("ablate")
        end, runs = text == "end", int(text[:9]) if text.isdecimal() else None
        if not end and text and runs not in range(2, 401):
            self.say("ablate takes how many runs at most, 2 to 400, or `end`", "warn")
        elif not end and isinstance(answer := row.check(study, None), Refused):
            self.say(answer.sentence, "warn")
        elif end and study.ablation is None:
            self.say("no ablation is under way", "warn")
        else:
            said = "asked to end the ablation" if end else f"asked to {row.does}; it takes effect {row.later}"
            self.request(e.Ablated(who=who(), runs=runs, end=end), said)

    def unpin(self, pin: int | None) -> None:
        """Take one pin back, or all of them."""
        self.request(e.Unpinned(who=who(), pin=pin), "took all pins back" if pin is None else f"took pin {pin} back")

    def _submit(self, title: str) -> None:
        """Hand the person's own edit to the loop under `title`; asks for one where it is empty."""
        # Git and watchfiles, which the first paint does not wait for.
        from loop.pipeline.submission import look_in

        found = look_in(self.root, self.known.study)
        if isinstance(found, str):
            self.say(found, "warn")
        elif title:
            self._hand_over(found, title)
        else:
            hint = f"{found.words} on experiment {found.request.parent}; a title, then enter, or esc"
            self.ask(Prompt("submit", hint, lambda title: self._hand_over(found, title)))

    def _hand_over(self, edit: "Edit", title: str) -> None:
        self.request(edit.called(title, who()), f"submitted {edit.words}: guarded, run and judged like any other")

    def _stop(self, _: str) -> None:
        if self.pid is None:
            self.say(f"the loop is not running ({self.life.why or self.life.word}); `looptop` starts it again")
            return
        row = request_table.named("stop")
        current = self.known.in_flight()
        name = f"{current[0].id}.{current[1].number}" if current else ""
        choices: list[Choice] = [("y", "y", f"stop after run {name}" if current else "stop the loop")]
        if current:
            choices.append(("exclamation_mark", "!", f"stop now: run {name} is ended and run again next time"))
        would = f"{row.check(self.known.study, None).sentence} To leave only this screen, press q instead."

        def answer(key: str) -> None:
            if key == "y":
                self._sender(row)(e.Stopped(who=who()))
            else:
                self.request(e.Stopped(who=who(), now=True), "asked to stop the loop now")

        self.confirm("Stop the loop?", one_line(would), choices, answer)


def _words(row: Row, experiment: Experiment | None) -> str:
    """What is asked, with the experiment or its run named."""
    return row.words(None if experiment is None else experiment.id, _run(row, experiment))


def _run(row: Row, experiment: Experiment | None) -> int | None:
    """The one run that a request is about, where there is just one."""
    running = [] if experiment is None or not row.of_run else experiment.running()
    return running[0].number if len(running) == 1 else None
