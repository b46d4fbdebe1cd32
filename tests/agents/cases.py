"""What is tried with each agent: `looptop run --researcher "..."` in a toy project, against the played model.

Each case is one study: a scene of the model, what happens to it meanwhile, and what has to come of it. Nothing is
simulated but the model: the agent, its sandbox, git, the runs and the judge are real.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from loop.journal import Journal
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from tests.agents.endpoint import PlayedModel
from tests.agents.roster import Agent

TRAIN = """\
import math, os
LR = 0.5  # the rate
seed = int(os.environ.get("LOOPTOP_SEED", "0"))
print(f"val_loss: {abs(math.log(LR / 0.01)) + 0.001 * (seed % 5):.4f}")
"""
PROGRAM = """\
---
edit: train.py
run: python3 train.py
metric: val_loss
budget: 1s
keep: {baseline_runs: 2, max_runs: 2, confidence: 0.9}
review: auto
ahead: false
---
Lower the loss.
"""
Body = TypeVar("Body")

LONGEST_S = 240
"""Seconds that a study may take."""


@dataclass
class Seen:
    """What came of a study."""

    study: Study
    events: list[e.Event]
    printed: str
    requests: int
    problems: list[str] = field(default_factory=list)

    def bodies(self, kind: type[Body]) -> list[Body]:
        return [event.body for event in self.events if isinstance(event.body, kind)]

    @property
    def proposed(self) -> list[e.ExperimentProposed]:
        """By the agent, and not by who stands in for it."""
        return [
            one for one in self.bodies(e.ExperimentProposed) if one.parent is not None and one.researcher != "automl"
        ]

    @property
    def faults(self) -> list[str]:
        return [one.message for one in self.bodies(e.Fault)]

    @property
    def thoughts(self) -> str:
        return "".join(one.text for one in self.bodies(e.Thought))


@dataclass(frozen=True)
class Going:
    """A study under way."""

    root: Path
    model: PlayedModel
    environment: dict[str, str]
    process: subprocess.Popen[str]

    def events(self) -> list[e.Event]:
        path = self.root / ".looptop" / "journal.db"
        if not path.exists():
            return []
        with Journal(path) as journal:
            return journal.read()

    def until(self, condition: Callable[[], object], longest: float = LONGEST_S) -> bool:
        """Wait until a condition holds; False where the study ends before, or takes too long."""
        end = time.monotonic() + longest
        while time.monotonic() < end:
            if condition():
                return True
            if self.process.poll() is not None:
                return bool(condition())
            time.sleep(0.1)
        return False

    def faulty(self) -> bool:
        """Whether anything has gone wrong yet."""
        return any(isinstance(event.body, e.Fault) for event in self.events())

    def looptop(self, *words: str) -> None:
        command = [sys.executable, "-m", "tui.cli", *words]
        subprocess.run(command, cwd=self.root, env=self.environment, check=True, capture_output=True, timeout=60)


Act = Callable[[Going], None]
Check = Callable[[Seen], Iterator[str]]
"""Yields what is wrong."""


@dataclass(frozen=True)
class Case:
    """One study."""

    name: str
    scene: str
    check: Check
    act: Act = lambda _: None
    experiments: int = 1
    thinking: int = 60
    bounded: bool = False
    """Start the agent with a limit of turns, where it has one."""


def project(folder: Path) -> Path:
    """A repository with one program to improve, and a file that may not be changed."""
    root = folder / "project"
    root.mkdir(parents=True)
    files = {"train.py": TRAIN, "program.md": PROGRAM, "other.py": "X = 1\n", ".gitignore": "*.pyc\n"}
    for name, text in files.items():
        (root / name).write_text(text)
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "begin")):
        subprocess.run(["git", *who, *words], cwd=root, check=True)
    return root


def play(agent: Agent, case: Case, prefix: Path, folder: Path) -> Seen:
    """Run one study and say what came of it."""
    root = project(folder)
    command = f"{agent.command} {agent.bounded}" if case.bounded else agent.command
    with PlayedModel(case.scene) as model, _study(agent, case, prefix, root, model, command) as going:
        case.act(going)
        going.until(lambda: False)
    printed = (root.parent / "printed.txt").read_text()
    with Journal(root / ".looptop" / "journal.db") as journal:
        seen = Seen(fold(journal.read(kinds=FOLDED)), journal.read(), printed, len(model.requests))
    seen.problems += case.check(seen)
    seen.problems += ["a traceback was printed"] if "\nTraceback (most recent" in printed else []  # not a run's
    return seen


@contextmanager
def _study(agent: Agent, case: Case, prefix: Path, root: Path, model: PlayedModel, command: str) -> Iterator[Going]:
    environment = agent.environment(prefix, root.parent / "home", model.url)
    environment["LOOPTOP_THINKING"] = str(case.thinking)
    words = ["run", "--headless", "--researcher", command, "--experiments", str(case.experiments)]
    with (root.parent / "printed.txt").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", *words], cwd=root, env=environment, stdout=out, stderr=out, text=True
        )
        try:
            yield Going(root, model, environment, process)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# --- what happens meanwhile ---


def _interrupt(going: Going) -> None:
    going.until(going.model.waiting.is_set)
    going.model.scene = "works"
    going.looptop("steer", "-i", "smaller steps, please")


def _kill(going: Going) -> None:
    going.until(going.model.waiting.is_set)
    going.model.scene = "works"
    for process in psutil.process_iter():
        try:
            if process.environ().get("LOOPTOP_RUN_DIR", "").startswith(f"{going.root}/.looptop/workshop"):
                process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue


def _mend(going: Going) -> None:
    """Once it is told what is wrong, it is wrong no more."""
    going.until(going.faulty)
    going.model.scene = "works"


def _give_up(going: Going) -> None:
    """Look no further once it is told what is wrong."""
    going.until(going.faulty)
    going.process.terminate()


# --- what has to come of it ---


def _proposes(seen: Seen) -> Iterator[str]:
    if not seen.proposed:
        yield "no experiment was made"
    for one in seen.proposed:
        if not one.title.startswith("LR 0.") or "->" not in one.title:
            yield f"the title is {one.title!r}"
        if one.hypothesis != "smaller steps end nearer to the minimum":
            yield f"the hypothesis is {one.hypothesis!r}"
    if seen.thoughts.count("\ntitle: LR") > len(seen.proposed) + seen.thoughts.count("(interrupted)"):
        yield "the closing lines are shown twice"


def _three(seen: Seen) -> Iterator[str]:
    yield from _proposes(seen)
    if len(seen.proposed) != 3 or not any(x.verdict == "kept" for x in list(seen.study.experiments.values())[1:]):
        yield f"{len(seen.proposed)} experiments"


def _says(*wanted: str, then_proposes: bool = True) -> Check:
    """A fault says one of these texts, in one line and without the inside of a program."""

    def check(seen: Seen) -> Iterator[str]:
        if not any(text.lower() in fault.lower() for fault in seen.faults for text in wanted):
            yield f"no fault says {' or '.join(map(repr, wanted))}: {seen.faults}"
        yield from (f"a stack or JSON in {fault!r}" for fault in seen.faults if "    at " in fault or '{"' in fault)
        if then_proposes:
            yield from _proposes(seen)

    return check


def _interrupted(seen: Seen) -> Iterator[str]:
    yield from _proposes(seen)
    if "(interrupted)" not in seen.thoughts:
        yield "it was not interrupted"


def _forbidden(seen: Seen) -> Iterator[str]:
    first = seen.study.experiments.get(1)
    if first is None or first.verdict != "rejected" or "other.py" not in first.reason:
        yield f"the first experiment is {first and (first.verdict, first.reason)}, faults {seen.faults}"


def _untitled(seen: Seen) -> Iterator[str]:
    titles = [one.title for one in seen.proposed]
    if titles != ["LR = 0.2  # the rate"]:
        yield f"titles {titles}"


def _repaired(seen: Seen) -> Iterator[str]:
    titles = [one.title for one in seen.proposed]
    if len(titles) != 2 or not titles[1].endswith("(repair of 1)"):
        yield f"titles {titles}, faults {seen.faults}"
    elif seen.study.experiments[1].verdict != "crashed" or seen.study.experiments[2].verdict != "kept":
        yield f"verdicts {[x.verdict for x in seen.study.experiments.values()]}"


def _left_out(name: str) -> Check:
    def check(seen: Seen) -> Iterator[str]:
        yield from _proposes(seen)
        if "not part of the proposal" not in seen.thoughts or name not in seen.thoughts:
            yield f"{name} is not told"

    return check


CASES = {
    case.name: case
    for case in (
        Case("works", "works", _three, experiments=3),
        Case("interrupt", "slow", _interrupted, _interrupt),
        Case("kill", "slow", _proposes, _kill),
        Case("forbidden", "forbidden", _forbidden),
        Case("commit", "commit", _proposes),
        Case("new file", "new file", _left_out("notes/")),
        Case("dotfile", "dotfile", _left_out(".gitignore")),
        Case("no edit", "no edit", _says("without changing train.py"), _mend),
        Case("no title", "no title", _untitled),
        Case("question", "question", _says("Which learning rate do you want")),
        Case("question by tool", "question by tool", _proposes),
        Case("repair", "repair", _repaired, experiments=2),
        Case("refused", "refused", _proposes),
        Case("turns", "for ever", _says("turn", "session", then_proposes=False), _give_up, bounded=True),
        Case("401", "401", _says("cannot use its account", then_proposes=False)),
        Case("402", "402", _says("credit balance", "billing", "402", then_proposes=False), _give_up),
        Case("429", "429", _says("rate limit", "rate_limit", "429"), _mend),
        Case("500", "500", _says("server error", "500", "high demand"), _mend),
        Case("529", "529", _says("overloaded", "529"), _mend),
        Case("after 529", "after 529", lambda seen: iter([] if seen.proposed else [f"no experiment: {seen.faults}"])),
        Case("cut", "cut", lambda seen: iter([] if seen.faults or seen.proposed else ["nothing is said"]), _give_up),
        Case("hang", "hang", _says("deadline"), _mend, thinking=25),
    )
}
