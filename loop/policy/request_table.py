"""The one table of what a person can ask for: what each request is called, what it takes, when it may be made.

The command line, the commands after `:`, the keys, their helps, hints and completion, the question that is asked first
and the supervisor's refusal all come from here, so they cannot disagree. A new request is an event class in
`loop/study/requests.py`, a row here, and what the supervisor does (`loop/supervisor/requests.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loop.policy import ablation, climbing, permissions, validation
from loop.policy.permissions import Allowed, Answer, Refused
from loop.study import requests as r
from loop.study.experiment import Experiment
from loop.study.state import Study


@dataclass(frozen=True, slots=True)
class Row:
    """One request."""

    event: type[r.AnyRequest]
    name: str
    """The command's, and the key's id."""
    does: str
    """What is asked, after "asked to"; braces stand for the experiment."""
    help: str
    """One line; "experiment N" in it is "this experiment" where a key is explained."""
    more: str = ""
    """What the command line's help says below that line."""
    takes: str = ""
    """What follows the name after `:`; capitals are to be filled in, brackets may be left out. N is an experiment's
    number, WHY a reason for the record."""
    check: Callable[[Study, Any], Answer] = lambda study, experiment: Allowed()
    """Whether it may be done now; for a request about the loop as a whole the experiment is None."""
    default: Callable[[Study], Experiment | Refused] | None = None
    """The experiment that is meant where none is named; None: it has to be named."""
    confirm: bool = False
    """A person at a screen is asked before it goes on record."""
    later: str = ""
    """When it takes effect; empty: as soon as it can."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Fields of the event that this request stands for."""
    of_run: bool = False
    """It is about the experiment's current run, where there is one."""
    at_once: bool = False
    """To be on record is all of it: nothing has to be done, and it holds whether or not the loop runs."""
    key: str = ""
    """Its key in the cockpit, as Textual names it; empty for none."""
    key_help: str = ""
    """What the help says of the key, where that is not what it says of the command."""

    @property
    def numbered(self) -> bool:
        """Whether it is about one experiment."""
        return self.takes.partition(" ")[0] in ("N", "[N]")

    @property
    def of_slot(self) -> bool:
        """Whether it is about one slot, by its name."""
        return self.takes == "SLOT"

    @property
    def reasoned(self) -> bool:
        """Whether a person's reason goes with it."""
        return "WHY" in self.takes

    @property
    def worded(self) -> bool:
        """Whether it is a text about one experiment."""
        return self.numbered and "TEXT" in self.takes

    def body(self, who: str, why: str = "") -> r.AnyRequest:
        """The event, as `who` asks for it; for a request that takes a number, a reason or nothing.

        Args:
            why: the reason, or the text of a request that is one.
        """
        reason = {"why": why} if self.reasoned else {"text": why} if self.worded else {}
        return self.event.model_validate({"who": who, **self.fixed, **reason})

    def about_slot(self, who: str, slot: str) -> r.AnyRequest:
        """The event of one that is about a slot."""
        return self.event.model_validate({"who": who, "slot": slot})

    def words(self, experiment: int | str | None, run: int | None = None) -> str:
        """What is asked, after "asked to": "keep 12", "kill run 12.1"."""
        named = f"run {experiment}.{run}" if self.of_run and run is not None else experiment
        return self.does.format(named).strip()


def named(name: str) -> Row:
    """The row of that name."""
    return next(row for row in TABLE if row.name == name)


def of(body: r.AnyRequest) -> Row:
    """The row that a request was made by."""
    rows = (row for row in TABLE if row.event is type(body))
    return next(row for row in rows if all(getattr(body, key) == value for key, value in row.fixed.items()))


TABLE: tuple[Row, ...] = (
    Row(
        r.Steered,
        "steer",
        "steer",
        "say something to the researchers, or to one",
        more="They hear it before their next proposal; interrupted, at once. Each hears it once; with @NAME before it "
        'only that one does.\n\nExample: looptop steer "try a wider head"\n\nExample: looptop steer @llm-2 "leave the '
        'schedule alone"',
        takes="[!]WORDS",
        later="before its next proposal",
        key="s",
        key_help="say something to the researchers, or with @NAME to one; ! first interrupts",
    ),
    Row(
        r.Paused,
        "pause",
        "pause",
        "start no run after the current one",
        more="Until `resume`. The supervisor stays at work, and costs next to nothing.",
        later="after the current run",
        key="p",
        key_help="start no run after the current one, or go on",
    ),
    Row(r.Resumed, "resume", "go on", "go on after a pause", check=permissions.resume),
    Row(
        r.Approved,
        "approve",
        "approve {}",
        "let a waiting proposal run, or believe its number",
        more="Proposals wait where program.md says `review: all`. An experiment that has run waits where its number is "
        "odd and nobody verifies it; it gets its verdict then.",
        takes="[N]",
        check=permissions.approve,
        default=permissions.waiting,
        confirm=True,
        key="a",
    ),
    Row(
        r.Rejected,
        "reject",
        "reject {}",
        "turn down a waiting proposal",
        takes="[N] [WHY]",
        check=permissions.reject,
        default=permissions.waiting,
        key="r",
    ),
    Row(
        r.Killed,
        "kill",
        "kill {}",
        "end the run of experiment N, or take it out of the queue",
        more='Its verdict is "killed", and everything of it is kept.',
        takes="[N]",
        check=permissions.kill,
        default=permissions.current,
        confirm=True,
        later="when its run has ended",
        of_run=True,
        key="x",
        key_help="end the current run",
    ),
    Row(
        r.Overruled,
        "keep",
        "keep {}",
        "overrule: make experiment N the champion",
        takes="N [WHY]",
        check=permissions.keep,
        confirm=True,
        fixed={"verdict": "kept"},
        key="K",
    ),
    Row(
        r.Overruled,
        "discard",
        "discard {}",
        "overrule: discard experiment N, the champion",
        more="The one before it is champion again.",
        takes="N [WHY]",
        check=permissions.discard,
        confirm=True,
        fixed={"verdict": "discarded"},
        key="D",
    ),
    Row(
        r.Requeued,
        "requeue",
        "run {} again",
        "run experiment N again, on today's champion",
        takes="N",
        check=permissions.requeue,
        confirm=True,
        key="R",
    ),
    Row(
        r.Branched,
        "branch",
        "branch from {}",
        "go on from experiment N, which was kept earlier",
        more="It is the champion again: the branch moves to it, and what comes next builds on it. No verdict changes, "
        "and the champions after it stay where they are. `keep` is for one that the judge discarded.\n\n"
        "Example: looptop branch 12",
        takes="N",
        check=permissions.branch,
        confirm=True,
        key="B",
    ),
    Row(
        r.Noted,
        "note",
        "note on {}",
        "write a note on experiment N",
        more="Lists, `show`, exports and every briefing have it, as yours. There is one note for each experiment: "
        "another text replaces it, and --clear takes it back. Without a text it prints the note.\n\n"
        "Example: looptop note 12 check this with two more seeds",
        takes="N [TEXT]",
        at_once=True,
        key="N",
        key_help="write a note on this experiment; researchers read it too",
    ),
    Row(
        r.Submitted,
        "submit",
        "submit",
        "run your own edit of the checkout as an experiment",
        more="What differs from the experiment that your checkout stands on, else from the baseline. It passes the "
        "same guards, runs and judge as any other; your checkout stays as it is.\n\n"
        'Example: looptop submit -m "a wider head"',
        takes="[TITLE]",
        key="u",
    ),
    Row(
        r.Pinned,
        "pin",
        "pin",
        "pin guidance that stands in every briefing",
        more="Until `unpin` takes it back.",
        takes="TEXT",
    ),
    Row(r.Unpinned, "unpin", "unpin", "take a pin back, or all of them", takes="[PIN]"),
    Row(
        r.Drained,
        "drain",
        "use a slot no more",
        "start no run in a slot after the one that it has",
        more="Until `undrain`, also after a restart; the other slots go on. `looptop slots` lists them.\n\n"
        'Example: looptop drain "GPU 3"',
        takes="SLOT",
        later="after its current run",
    ),
    Row(
        r.Undrained,
        "undrain",
        "use a slot again",
        "use a slot again",
        more="Also one that was taken out because it failed: it is tried at once.",
        takes="SLOT",
    ),
    Row(
        r.Validated,
        "validate",
        "validate the champion",
        "measure the total gain anew: champion and baseline side by side, with fresh seeds",
        more="What was kept was chosen by its numbers, so these flatter it; runs that nobody chose by do not. A study "
        "does this by itself at its end. Where no loop is at work, one is started that does this alone and stops.\n\n"
        "Example: looptop validate --runs 8\n\nExample: looptop validate --show",
        takes="[RUNS]",
        check=validation.may_begin,
        later="from the next free slot on",
    ),
    Row(
        r.Ablated,
        "ablate",
        "measure what each kept change is worth",
        "measure what each kept change is worth in today's champion",
        more="Champions that lack some of the kept changes are run, by a design in which every run tells something of "
        "every change: 24 runs for 19 changes. The champion stays as it is, and nothing is kept or discarded by it. "
        "Where no loop is at work, one is started that does this alone and stops.\n\n"
        "Example: looptop ablate --runs 48\n\nExample: looptop ablate --show",
        takes="[RUNS]",
        check=ablation.may_begin,
        later="from the next free slot on",
    ),
    Row(
        r.Without,
        "without",
        "propose the champion without {}",
        "propose today's champion without the change of experiment N",
        more="For a kept change that `looptop ablate` has found to be worth nothing. It is an experiment like any "
        "other: it runs, and is kept where it is better, or simpler and no worse. What cannot do without the change "
        "goes with it.\n\nExample: looptop without 12",
        takes="N",
        check=ablation.may_do_without,
        confirm=True,
    ),
    Row(
        r.Promoted,
        "promote",
        "have {} climb the ladder",
        "measure experiment N on the next larger rung of the ladder, beside the baseline",
        more="`scales:` in program.md names the rungs. Without N it is the champion. With --to it goes on up to that "
        "rung, as long as it is better. Nothing of it counts in the search. A champion climbs by itself where slots "
        "have nothing else to do, within the share that `climb:` gives, and when the study ends. Where no loop is at "
        "work, one is started that does this alone and stops.\n\n"
        "Example: looptop promote 12 --to large\n\nExample: looptop promote 12 --hold",
        takes="[N]",
        check=climbing.may_climb,
        default=climbing.champion,
        later="from the next free slot on",
        fixed={"then": "climb"},
    ),
    Row(
        r.Promoted,
        "hold",
        "start no further run of {} on a larger rung",
        "start no further run of experiment N on a larger rung, until `promote N`",
        takes="[N]",
        check=climbing.may_ground,
        default=climbing.champion,
        fixed={"then": "hold"},
    ),
    Row(
        r.Promoted,
        "forbid",
        "keep {} from climbing",
        "end the climb of experiment N and begin none, until `promote N`",
        takes="[N]",
        check=climbing.may_ground,
        default=climbing.champion,
        fixed={"then": "forbid"},
    ),
    Row(
        r.Stopped,
        "stop",
        "stop the loop",
        "stop the loop after the current run",
        more="Waits for that. Everything is kept, and `looptop` goes on from there.\n\nExample: looptop stop --now",
        check=permissions.stop,
        confirm=True,
        later="after the current run",
        key="X",
        key_help="stop the loop: after the current run, or now",
    ),
)
