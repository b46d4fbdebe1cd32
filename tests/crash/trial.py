"""One study from its first start to its end, with every kill in between, and what was found wrong on the way.

The supervisor is the product's own `loop.__main__.main`, forked off this process, which has imported everything
already: a start takes 50 ms instead of 700.
"""

import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

import psutil

import loop.__main__ as supervisor
from loop.journal import Journal
from loop.study.state import Study
from loop.supervisor import service
from tests import consistency
from tests.consistency import Fault, Row
from tests.crash.model import serving
from tests.crash.mortal import Mortal
from tests.crash.studies import Life
from tests.crash.tracer import Tracer, Whose
from tests.gauges import FakeGauges
from tests.processes import is_going
from tests.repositories import fingerprint

Counter = Literal["step", "call", "git"]
"""What is counted: steps seen from inside, system calls of the supervisor, system calls of its gits."""

Victims = Literal["supervisor", "guards", "everything"]
"""Who dies: the supervisor alone; with it those that guard its runs; or with it everything that it has started."""

LONGEST = 300.0
"""Seconds in which every start must come to its end, killed or not; beside a load of forty a minute was too short."""


@dataclass(frozen=True)
class Kill:
    """Where one start of a supervisor ends."""

    counter: Counter
    at: int
    victims: Victims
    what: str = ""
    """The name of the steps that are counted; empty for all."""
    at_once: bool = False
    """Whether the next start comes at once, or when all that was left behind has ended by itself."""

    def __str__(self) -> str:
        counted = f"{self.counter} {self.at}{f' of “{self.what}”' if self.what else ''}"
        return f"{counted} kills {self.victims}{', started again at once' if self.at_once else ''}"


@dataclass
class Outcome:
    """What came of a trial.

    Attributes:
        kills: each kill that has happened, with the step at which it did.
        counts: how far each counter got in a trial without kills.
        steps: how often each step was taken in it, by its name.
        told: title to verdict, figures and edit, for comparing with a trial without kills.
    """

    kills: list[tuple[Kill, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    counts: dict[Counter, int] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)


class Trial:
    """One study under test.

    Args:
        home: an empty folder for all of it.
    """

    def __init__(self, life: Life, home: Path) -> None:
        self.life, self.home = life, home
        self.root = life.lay_out(home)
        self.journal = self.root / ".looptop" / "journal.db"
        self.outcome = Outcome()
        self._before = fingerprint(self.root)
        self._rows: list[Row] = []
        self._acts = list(life.acts)
        self._left: list[psutil.Process] = []

    def go(self, kills: Sequence[Kill]) -> Outcome:
        """Start it once for each kill, then once more without any, and look at what is left."""
        with serving() if self.life.model else nullcontext("") as self._model:
            return self._go(kills)

    def _go(self, kills: Sequence[Kill]) -> Outcome:
        for kill in kills:
            step = self._start(kill)
            if step is None:
                break  # it had come to its end before
            self.outcome.kills.append((kill, step))
            self._look_at_once(step)
            if self.outcome.faults:
                return self.outcome
            if not kill.at_once:
                self._settle()
            self._left = consistency.processes(self.root)
        if self._start(None, counting=not kills) is None:
            self._look_at_rest()
        return self.outcome

    # --- starting and ending ---------------------------------------------------------------------------------------

    def _start(self, kill: Kill | None, counting: bool = False) -> str | None:
        """Have a supervisor work until it dies at its step or comes to its end.

        Returns:
            The step at which it was killed; None where it was not.
        """
        told, telling = os.pipe()
        child = os.fork()
        if child == 0:
            self._be_the_child(kill, counting, telling)
        os.close(telling)
        self._wait(child, kill)
        with os.fdopen(told, "rb") as said:
            lines = said.read().decode().splitlines()
        step = None
        for line in lines:
            match json.loads(line):
                case {"step": what, "wrong": wrong}:
                    step = what
                    if wrong:
                        self._wrong("inconsistent", wrong)
                case {"counts": counts}:
                    self.outcome.counts |= counts
                case {"steps": steps}:
                    self.outcome.steps = steps
                    self.outcome.counts["step"] = sum(steps.values())
        return step

    def _wait(self, child: int, kill: Kill | None) -> None:
        """Be the person until the child has ended."""
        until = time.monotonic() + LONGEST
        while True:
            pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                assert kill is not None
                strike(child, kill.victims)
            elif pid:
                return
            if time.monotonic() > until:
                self._wrong("inconsistent", f"it did not come to its end within {LONGEST:g} s")
                for process in [*psutil.Process(child).children(recursive=True), psutil.Process(child)]:
                    process.kill()
                os.waitpid(child, 0)
                return
            self._act()
            time.sleep(0.01)

    def _be_the_child(self, kill: Kill | None, counting: bool, telling: int) -> NoReturn:
        """Become the supervisor, or its tracer."""
        code = 70
        try:
            os.setsid()

            def tell(**what: object) -> None:
                os.write(telling, json.dumps(what).encode() + b"\n")

            def stepped(what: str) -> None:
                step, _, wrong = what.partition("\t")
                tell(step=step, wrong=wrong)

            inside = counting or (kill is not None and kill.counter == "step")
            outside = counting or (kill is not None and kill.counter != "step")
            at = kill.at if kill is not None else 0
            if outside:
                whose: Whose = "git" if kill is not None and kill.counter == "git" else "supervisor"

                def struck(pid: int, what: str) -> None:
                    assert kill is not None
                    tell(step=f"{kill.counter} {what}", wrong="")
                    if pid != traced:
                        os.kill(pid, signal.SIGKILL)
                    strike(traced, kill.victims)

                traced = _fork_waiting()
                if traced:
                    tracer = Tracer(traced, whose, at, struck)
                    tracer.follow()
                    tell(counts={"call": tracer.counts["supervisor"], "git": tracer.counts["git"]})
                    os._exit(0)
            self._put_on(telling)
            how = signal.SIGKILL if kill is None or kill.victims == "supervisor" else signal.SIGSTOP
            what = kill.what if kill is not None else ""
            mortal = Mortal(0 if outside else at, what, self.root, stepped, how)
            if inside:
                mortal.watch()
            code = supervisor.main()
            if counting:
                tell(steps=mortal.steps)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _put_on(self, telling: int) -> None:
        """Wear what `service.start_in_background` gives a supervisor: its arguments, its folder, its log."""
        environment = {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "TMPDIR": f"{self.home}/tmp",
        }
        os.environ.update(environment)
        tempfile.tempdir = None
        if self.life.gpus:
            service.MachineGauges = lambda root: FakeGauges(self.life.gpus)  # type: ignore[misc, assignment]
        (self.root / ".looptop").mkdir(exist_ok=True)
        log = os.open(self.root / ".looptop" / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.closerange(3, telling)
        os.closerange(telling + 1, 256)
        os.chdir(self.root)
        flags = {"researcher": self.life.researcher(self.home), "tag": "study", "sandbox": self.life.sandbox}
        if self._model:
            flags |= {"model": "test-model", "base_url": self._model}
        sys.argv = ["loop", str(self.root), json.dumps(flags)]

    # --- the person --------------------------------------------------------------------------------------------------

    def _act(self) -> None:
        """Do what the person would do next, if it is time for it."""
        if not self._acts or not self.journal.exists():
            return
        study = self._study()
        if study is None or not self._acts[0].when(study):
            return
        act = self._acts.pop(0)
        if act.gate:
            (self.home / "gates" / act.gate).touch()
        if act.request is not None:
            about = act.about
            if act.titled:
                about = next(x.id for x in study.experiments.values() if x.title == act.titled)
            with Journal(self.journal) as journal:
                journal.append(act.request, about)

    def _study(self) -> Study | None:
        db = sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)
        try:
            found = db.execute("SELECT seq, at, kind, experiment, run, body FROM events ORDER BY seq").fetchall()
        except sqlite3.DatabaseError:
            return None  # it is being made
        finally:
            db.close()
        return consistency.folded([Row(*values) for values in found])

    # --- looking -----------------------------------------------------------------------------------------------------

    def _wrong(self, kind: Literal["lost", "doubled", "inconsistent"], what: str) -> None:
        self.outcome.faults.append(Fault(kind, what))

    def _look_at_once(self, step: str) -> None:
        """What must hold the moment after a kill. Looks at a copy: the next supervisor finds all as it was left."""
        copy = self.home / "copy"
        copy.mkdir()
        for path in (self.root / ".looptop").glob("journal.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, copy)
        try:
            rows = consistency.rows_of(copy / "journal.db")
        except sqlite3.DatabaseError as error:
            self._wrong("lost", f"the journal is damaged: {error}")
            return
        finally:
            shutil.rmtree(copy)
        self._take(rows)
        self.outcome.faults += consistency.doubled(rows)
        if any(row.kind == "run_started" and row.seq > self._seen for row in rows):
            self._wrong_where_alive()
        self._seen = rows[-1].seq if rows else 0

    _seen = 0

    def _wrong_where_alive(self) -> None:
        """A supervisor has begun to run something: nothing that those before it had left may live."""
        for process in self._left:
            if is_going(process):
                self._wrong("inconsistent", f"process {process.pid} outlived the next start: {process.cmdline()}")

    def _take(self, rows: list[Row]) -> None:
        if rows[: len(self._rows)] != self._rows:
            self._wrong("lost", f"of {len(self._rows)} events that were in the journal, some are gone or changed")
        self._rows = rows

    def _settle(self) -> None:
        """Wait until all that a dead supervisor left behind has ended by itself, if it does."""
        until = time.monotonic() + 3
        while consistency.processes(self.root) and time.monotonic() < until:
            time.sleep(0.02)

    def _look_at_rest(self) -> None:
        """What must hold at the end."""
        try:
            rows = consistency.rows_of(self.journal)
        except sqlite3.DatabaseError as error:
            self._wrong("lost", f"the journal is damaged: {error}")
            return
        self._take(rows)
        self._settle()
        self.outcome.faults += consistency.faults(self.root, rows)
        study = consistency.folded(rows)
        if study.supervisor is None or study.supervisor.failed or study.limit is None:
            reason = "it has not begun" if study.supervisor is None else study.supervisor.reason
            self._wrong("inconsistent", f"it ended before its limit: {reason}")
        for experiment in study.experiments.values():
            if experiment.verdict is None:
                self._wrong("lost", f"experiment {experiment.id} has no verdict")
        if self._acts:
            self._wrong("lost", f"the person still waits to do {self._acts[0]}")
        for request in study.open_requests():
            self._wrong("lost", f"the request {request.kind} was never fulfilled")
        for path in (self.home / "tmp").iterdir():
            self._wrong("inconsistent", f"{path.name} is left over in the folder for temporary files")
        touched = {name for name, _ in fingerprint(self.root).items() ^ self._before.items()}
        for name in sorted(touched):
            self._wrong("inconsistent", f"the person's own {Path(name).relative_to(self.root)} is not as it was")
        if "Traceback" in (said := (self.root / ".looptop" / "supervisor.log").read_text()):
            self._wrong("inconsistent", f"the supervisor failed: {said.strip().splitlines()[-1]}")
        if not (self.life.automl or self.life.any_order):
            self.outcome.told = _told(study, rows)


def _told(study: Study, rows: Sequence[Row]) -> dict[str, str]:
    """What every experiment came to, by title, and who is champion."""
    told = {}
    for experiment in study.experiments.values():
        told[experiment.title] = f"{experiment.verdict} at {experiment.metric}, by {experiment.researcher}"
    for one in study.validations:
        told[f"(validation of {one.began.champion})"] = repr(one.ended)
    for ablation in study.ablations:
        told[f"(ablation of {ablation.began.champion})"] = repr(ablation.ended)
    for climb in study.climbs:
        told[f"(climb of {climb.began.experiment} to {climb.began.rung})"] = repr(climb.ended)
    told["(reserved)"] = repr(study.reserved)
    told["(champion)"] = study.best.title if study.best is not None else ""
    told["(champions)"] = ", ".join(study.experiments[number].title for number in study.lineage)
    return told


def _fork_waiting() -> int:
    """Fork; the child goes on once its parent follows it."""
    pid = os.fork()
    if pid == 0:
        while "TracerPid:\t0" in Path("/proc/self/status").read_text():
            time.sleep(0.001)
    return pid


def strike(pid: int, victims: Victims) -> None:
    """End the supervisor `pid`, which is held up at its step, and whoever else is to die with it."""
    try:
        below = psutil.Process(pid).children(recursive=True)
        if victims == "guards":
            below = [one for one in below if any("loop.runs.local.warden" in word for word in one.cmdline())]
        if victims != "supervisor":
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for process in below:
                    try:
                        process.send_signal(number)
                    except psutil.NoSuchProcess:
                        pass
    except psutil.NoSuchProcess:
        pass
    os.kill(pid, signal.SIGKILL)
