"""Keys that ask the loop for something. What cannot be taken back is asked about first, in words that name it."""

from typing import TYPE_CHECKING, Literal

from loop.study import events as e
from loop.study.experiment import Experiment
from tui.cockpit.shell import Shell, who
from tui.model import overruling
from tui.render.text import clock, cut, one_line
from tui.screens.confirm import Choice

if TYPE_CHECKING:
    from loop.pipeline.submission import Edit


class RequestActions(Shell, inherit_bindings=False):
    """Actions of the keys that put a request into the journal."""

    def action_pause(self) -> None:
        current = self.known.in_flight()
        if self.known.study.paused:
            self.request(e.Resumed(who=who()), "asked to go on")
        else:
            after = f" after run {current[0].id}.{current[1].number}" if current else ""
            self.request(e.Paused(who=who()), f"asked to pause{after}; p goes on")

    def action_steer(self) -> None:
        if not self.may():
            return
        said = [
            request.body.text for request in self.known.study.requests.values() if isinstance(request.body, e.Steered)
        ]
        hint = "say it in your own words; enter sends, \\ enter a new line, ! first interrupts, esc leaves"
        self.ask("steer", hint, self.steer_with, history=said[-50:], lines=True)

    def steer_with(self, text: str) -> None:
        """Pass on words; a `!` before them cuts the present thought short."""
        interrupt = text.startswith("!")
        text = text.removeprefix("!").strip()
        if text:
            said = "sent; it interrupts the thought" if interrupt else "sent; it is read with the next thought"
            self.request(e.Steered(who=who(), text=text, interrupt=interrupt), said)

    def pin(self, text: str) -> None:
        """Have guidance stand in every briefing."""
        said = "pinned: it stands in every briefing; P shows it, :unpin takes it back"
        self.request(e.Pinned(who=who(), text=text), said)

    def unpin(self, pin: int | None) -> None:
        """Take one pin back, or all of them."""
        self.request(e.Unpinned(who=who(), pin=pin), "took all pins back" if pin is None else f"took pin {pin} back")

    def action_submit(self) -> None:
        if not self.may():
            return
        if (found := self._edit()) is None:
            return
        hint = f"{found.words} on experiment {found.request.parent}; a title, then enter, or esc"
        self.ask("submit", hint, lambda title: self._submit(found, title))

    def submit(self, title: str) -> None:
        """Hand the person's own edit to the loop under `title`; asks for one where it is empty."""
        if not title:
            self.action_submit()
            return
        if (found := self._edit()) is not None:
            self._submit(found, title)

    def _edit(self) -> "Edit | None":
        """The person's own edit; says so where there is none."""
        from loop.pipeline.submission import (
            look_in,  # GitPython and watchfiles, which the first paint does not wait for
        )

        found = look_in(self.root, self.known.study)
        if isinstance(found, str):
            self.say(found, "warn")
            return None
        return found

    def _submit(self, edit: "Edit", title: str) -> None:
        self.request(edit.called(title, who()), f"submitted {edit.words}: guarded, run and judged like any other")

    # --- runs --------------------------------------------------------------------------------------------------

    def action_kill(self) -> None:
        current = self.known.in_flight()
        if not self.may():
            return
        if current is None:
            self.say("no run is under way")
            return
        experiment, run = current
        name = f"{experiment.id}.{run.number}"
        done = clock(min(max(0.0, self.now() - run.started_at), run.deadline))
        text = (
            f"Run {name} ({cut(one_line(experiment.title), 60)}) has trained {done} of {clock(run.budget)}. It is "
            "ended with all its processes, counts as killed, and is not tried again. The loop goes on."
        )

        def answer(_: str) -> None:
            self.request(e.Killed(who=who()), f"asked to end run {name}", experiment.id, run.number)

        self.confirm(f"Kill run {name}?", text, [("y", "y", f"end run {name}")], answer)

    def action_stop(self) -> None:
        if not self.may():
            return
        if self.pid is None:
            self.say(f"the loop is not running ({self.life.why or self.life.word}); `looptop` starts it again")
            return
        current = self.known.in_flight()
        name = f"{current[0].id}.{current[1].number}" if current else ""
        choices: list[Choice] = [("y", "y", f"stop after run {name}" if current else "stop the loop")]
        if current:
            choices.append(("exclamation_mark", "!", f"stop now: run {name} is ended and run again next time"))
        text = (
            f"The loop of {one_line(self.known.study.tag)} ends. Nothing is lost: `looptop` goes on from there. "
            "To leave only this screen, press q instead."
        )

        def answer(key: str) -> None:
            now = key != "y"
            self.request(e.Stopped(who=who(), now=now), "asked to stop now" if now else "asked to stop after this run")

        self.confirm("Stop the loop?", text, choices, answer)

    # --- proposals that wait -----------------------------------------------------------------------------------

    def _waiting(self) -> Experiment | None:
        """The waiting proposal on screen, or the oldest one; says so where there is none."""
        if not self.may():
            return None
        chosen = self.chosen() if self.sheet is not None else None
        waiting = chosen if chosen is not None and chosen.phase == "waiting" else None
        if self.sheet is None:
            waiting = self.known.waiting()
        if waiting is None:
            self.say("no proposal waits for a person" if chosen is None else f"experiment {chosen.id} does not wait")
        return waiting

    def action_approve(self) -> None:
        if (waiting := self._waiting()) is not None:
            self.approve(waiting)

    def approve(self, waiting: Experiment) -> None:
        """Ask whether a proposal may run; its diff is one key away."""
        number = waiting.id
        text = (
            f"{cut(one_line(waiting.title), 80)} (+{waiting.lines_added} -{waiting.lines_removed} lines; "
            f"{one_line(waiting.waits_for)}). It is queued and run."
        )
        choices: list[Choice] = [("y", "y", f"run experiment {number}")]
        if self.sheet is None:
            choices.append(("enter", "enter", "read its diff first (a and r work there too)"))

        def answer(key: str) -> None:
            if key == "enter":
                self.open_experiment(number)
            else:
                self.request(e.Approved(who=who()), f"approved {number}", number)

        self.confirm(f"Approve {number}?", text, choices, answer)

    def action_reject(self) -> None:
        if (waiting := self._waiting()) is not None:
            number = waiting.id
            hint = "why, in a few words; enter rejects, esc leaves it waiting"
            self.ask(f"reject {number}", hint, lambda why: self.reject(number, why))

    def reject(self, number: int, why: str) -> None:
        """Turn a waiting proposal down."""
        self.request(e.Rejected(who=who(), why=why), f"rejected {number}", number)

    # --- overruling --------------------------------------------------------------------------------------------

    def _at(self) -> Experiment | None:
        """The experiment that an overruling is about; says how to choose one where none is chosen."""
        if not self.may():
            return None
        if (chosen := self.chosen()) is None:
            self.say("choose an experiment first: 2 shows the tree, j and k move, enter opens")
        return chosen

    def action_overrule(self, verdict: Literal["kept", "discarded"]) -> None:
        if (chosen := self._at()) is not None:
            self.overrule(chosen, verdict)

    def overrule(self, experiment: Experiment, verdict: Literal["kept", "discarded"], why: str = "") -> None:
        """Ask whether the judge is to be overruled, naming what will happen."""
        number = experiment.id
        possible, words = overruling.consequence(self.known.study, experiment, verdict)
        if not possible:
            self.say(words, "warn")
            return
        verb = "keep" if verdict == "kept" else "discard"

        def send(reason: str) -> None:
            self.request(e.Overruled(who=who(), verdict=verdict, why=reason), f"asked to {verb} {number}", number)

        def answer(key: str) -> None:
            if key == "w":
                self.ask(
                    f"{verb} {number}", "why, in a few words; enter overrules, esc leaves things as they are", send
                )
            else:
                send(why)

        choices: list[Choice] = [("y", "y", f"{verb} experiment {number}")]
        if not why:
            choices.append(("w", "w", f"{verb} it, with a reason for the record"))
        self.confirm(f"{verb.capitalize()} {number}?", one_line(words), choices, answer)

    def action_requeue(self) -> None:
        if (chosen := self._at()) is not None:
            self.requeue(chosen)

    def requeue(self, experiment: Experiment) -> None:
        """Ask whether an experiment is to run again."""
        number = experiment.id
        possible, words = overruling.requeuing(self.known.study, experiment)
        if not possible:
            self.say(words, "warn")
            return

        def answer(_: str) -> None:
            self.request(e.Requeued(who=who()), f"asked to run {number} again", number)

        self.confirm(f"Run {number} again?", words, [("y", "y", f"queue experiment {number}")], answer)

    def action_branch(self) -> None:
        if (chosen := self._at()) is not None:
            self.branch(chosen)

    def branch(self, experiment: Experiment) -> None:
        """Ask whether the search is to go on from an experiment that was kept earlier."""
        number = experiment.id
        possible, words = overruling.branching(self.known.study, experiment)
        if not possible:
            self.say(words, "warn")
            return

        def answer(_: str) -> None:
            self.request(e.Branched(who=who()), f"asked to go on from {number}", number)

        self.confirm(f"Branch from {number}?", words, [("y", "y", f"go on from experiment {number}")], answer)
