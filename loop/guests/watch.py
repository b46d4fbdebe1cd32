"""Watching a loop that somebody else's agent runs: what its files and its git say, told as a journal of events.

The journal and a copy of the run's output lie in a folder of ours, outside their checkout; there everything is read
and nothing is written, and git is asked only what takes no lock. The events are those of any study, so every view of
the cockpit follows them without knowing that it looks at a guest.

What is open is guessed from what the agent does, as the original's program has it: a commit that no row tells of yet
is an experiment; `run.log` that begins anew is a run of it; its row is the verdict.
"""

import os
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from loop import VERSION
from loop.config import program as programs
from loop.config.program import Program, ProgramError
from loop.errors import UserError
from loop.guests import history, results
from loop.guests.history import Found
from loop.guests.results import Row
from loop.guests.run_log import RunLog
from loop.journal import Journal, JournalError
from loop.lineage import matching
from loop.lineage.commits import Commits
from loop.lineage.git import Plumbing
from loop.machine.gauges import MachineGauges
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from loop.workspace import Workspace

AGENT = "agent"
"""Name of the researcher: nobody knows whose agent it is."""

EVERY = 0.5
"""Seconds between two looks; one takes two short gits and a few reads."""

_LOOSE = 3.0
"""Seconds for which output has to go on before it counts as a run of something that was not committed."""

_GAUGES = 2.0
"""Seconds between two readings of the machine."""


@dataclass
class _Open:
    """The experiment that the agent is at."""

    number: int
    commit: str
    runs: int = 0
    """Runs begun so far; the last one goes on."""


@dataclass
class _Told:
    """What the journal has been told so far."""

    rows: list[Row] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    champion: int | None = None
    tip: str = ""
    best: float | None = None


class Watch:
    """The teller: each look appends what is new. `begin`, then `run` in a thread of its own.

    Args:
        root: their checkout.
        branch: theirs.
        place: a folder of ours, for the journal and the copy of the output.
        file: their results, where they are not in `results.tsv`.
        log: the output of their runs, where it is not in `run.log`.
    """

    def __init__(self, root: Path, branch: str, place: Path, file: Path | None = None, log: Path | None = None) -> None:
        self._git, self._branch, self._file = Plumbing(root), branch, file
        self._workspace = Workspace(place)
        self._workspace.folder.mkdir(parents=True, exist_ok=True)
        # Whoever shows a diff asks git in the folder of the journal: it is told whose objects are meant.
        (place / ".git").write_text(f"gitdir: {self._git.git_dir}\n")
        self._gauges, self._gauged = MachineGauges(root), 0.0
        self._log = RunLog(root / "run.log" if log is None else log)
        self._told = _Told()
        self._open: _Open | None = None
        self._loose: float | None = None
        """When output began that no experiment is known of."""
        self._contract = Contract()
        self._at: float | None = None
        """When what is told of happened; None: now."""

    def begin(self) -> None:
        """Tell of the study, of its past, and of what is under way.

        Raises:
            NoGuest, LineageError: it cannot be read.
        """
        with Journal(self._workspace.journal, create=True) as self._journal:
            self._begin()
            self.look(time.time())

    def _begin(self) -> None:
        program = _program(self._git.root)
        text = history.written(self._git, self._branch, self._file) or ""
        metric = results.read(text).metric if text else program.contract.metric
        self._contract = program.contract.model_copy(update={"metric": metric, "verify": None})
        tip = history.tip(self._git, self._branch)
        tag = self._branch.removeprefix(history.BRANCHES)
        self._say(e.StudyStarted(tag=tag, branch=self._branch, base=tip, contract=self._contract, text=program.text))
        started = e.SupervisorStarted(pid=os.getpid(), host=socket.gethostname(), version=VERSION, slots=("an agent",))
        self._say(started)
        self._say(e.ResearcherJoined(name=AGENT, about=f"whoever works on {self._branch}; watched, not run by looptop"))

    def look(self, now: float) -> None:
        """Tell what has happened since the last look.

        Raises:
            NoGuest, LineageError: their files or their git cannot be read now.
        """
        text = history.written(self._git, self._branch, self._file) or ""
        whole, _, rest = text.rpartition("\n")
        # A row that is being written has no end yet.
        found = results.read(whole + ("\n" + rest if rest.count("\t") >= 4 else ""))
        self._complain(found.said)
        self._rows(found.rows, now)
        self._tip(history.tip(self._git, self._branch))
        self._output(now)
        if now - self._gauged >= _GAUGES:
            self._gauged = now
            self._say(self._gauges.read())

    def run(self, stop: threading.Event) -> None:
        """Look again and again until told to stop; what cannot be read is told, and looked at again."""
        with Journal(self._workspace.journal, create=True) as self._journal:
            self._follow(stop)
        self._log.close()

    def _follow(self, stop: threading.Event) -> None:
        trouble = False
        while not stop.wait(EVERY):
            try:
                self.look(time.time())
                if trouble:
                    self._say(e.Recovered(where="watching"))
                trouble = False
            except JournalError:
                return  # the folder of ours is gone, and with it whoever looked at it
            except UserError as error:
                if not trouble:
                    self._say(e.Fault(where="watching", message=str(error), next_at=time.time() + EVERY))
                trouble = True

    # --- what is new -----------------------------------------------------------------------------------------------

    def _rows(self, rows: list[Row], now: float) -> None:
        told = self._told.rows
        for number, (old, new) in enumerate(zip(told, rows, strict=False)):
            if (old.outcome, old.metric) != (new.outcome, new.metric):
                self._judge(number, new)
        if len(rows) < len(told):
            self._complain([f"the results have lost {len(told) - len(rows)} rows; what was seen of them stays here"])
            return
        fresh = rows[len(told) :]
        commits = history.commits(self._git, [row.commit for row in fresh if row.commit])
        for number, row in enumerate(fresh, len(told)):
            commit = commits.get(row.commit)
            if not told and commit is not None:
                self._at = min(now, commit.at)  # the past; what was reset away follows at once
            if self._open is not None and self._open.number == number:
                self._finish(self._open, row)
            else:
                self._propose(number, row.description, commit)
                self._say(_started(self._contract), number, 1)
                self._say(_finished(self._contract, row, {}), number, 1)
            self._judge(number, row)
        self._told.rows, self._at = list(rows), None

    def _tip(self, tip: str) -> None:
        """The branch has moved: the agent has committed an experiment, or taken one back."""
        before, self._told.tip = self._told.tip, tip
        if tip == before:
            return
        known = {row.commit for row in self._told.rows if row.commit}
        if any(tip.startswith(commit) for commit in known):
            return  # taken back, or its row was quicker
        commit = history.commits(self._git, [tip]).get(tip)
        number = len(self._told.rows)
        if self._open is None or self._open.number != number:
            title = "baseline" if number == 0 else commit.title if commit is not None else tip[:12]
            self._propose(number, title, commit)
            self._open, self._loose = _Open(number, tip), None
        elif self._open.commit != tip:
            self._queue(number, commit)  # amended
            self._open.commit = tip

    def _output(self, now: float) -> None:
        """Follow the output of the run that goes on; one that begins anew is another run."""
        begun, grown = self._log.look()
        number = len(self._told.rows)
        if self._open is None:
            # The output of a row that came quickly, or of a run of what is not committed: that one goes on.
            self._loose = now if begun else self._loose
            if self._loose is None or not grown or now - self._loose < _LOOSE:
                return
            self._propose(number, "not committed yet", None)
            self._open, begun = _Open(number, self._told.tip), True
        if begun:
            if self._open.runs:
                ended = e.RunFinished(outcome=Outcome.KILLED, reason="its output began anew")
                self._say(ended, number, self._open.runs)
            self._open.runs += 1
            self._say(_started(self._contract), number, self._open.runs)
            self._log.copy_to(self._workspace.run_folder(number, self._open.runs))
        if self._open.runs:
            for sample in self._log.read(now):
                said = e.StepSampled(step=sample.step, progress=sample.progress, values=sample.values)
                self._say(said, number, self._open.runs)

    # --- how it is told --------------------------------------------------------------------------------------------

    def _propose(self, number: int, title: str, commit: Found | None) -> None:
        proposed = e.ExperimentProposed(researcher=AGENT, title=title, parent=self._told.champion if number else None)
        self._say(proposed, number)
        self._queue(number, commit)

    def _queue(self, number: int, commit: Found | None) -> None:
        if commit is None:
            return
        parent = commit.parent or commit.sha
        changes = Commits(self._git).stat(parent, commit.sha)
        queued = e.ExperimentQueued(
            commit=commit.sha,
            parent=self._told.champion if number else None,
            parent_commit=parent,
            lines_added=sum(change.lines_added for change in changes),
            lines_removed=sum(change.lines_removed for change in changes),
        )
        self._say(queued, number)

    def _finish(self, open: _Open, row: Row) -> None:
        if not open.runs:
            open.runs = 1
            self._say(_started(self._contract), open.number, 1)
        self._say(_finished(self._contract, row, self._log.summary()), open.number, open.runs)
        self._log.copy_to(None)
        self._open = self._loose = None

    def _judge(self, number: int, row: Row) -> None:
        best = self._told.best
        effect = None if best is None or row.metric is None else self._contract.better_by(row.metric, best)
        judged = e.ExperimentJudged(
            verdict=row.outcome,
            reason=f"{row.description} (its agent said so)",
            metric=row.metric,
            effect=effect,
            champion=self._told.champion,
            by=AGENT,
        )
        self._say(judged, number)
        if row.outcome == Outcome.KEPT:
            self._told.champion, self._told.best = number, row.metric
            self._say(e.ChampionChanged(commit=row.commit, metric=row.metric), number)

    def _complain(self, sentences: list[str]) -> None:
        for sentence in sentences:
            if sentence not in self._told.said:
                self._told.said.add(sentence)
                self._say(e.Fault(where=results.NAME, message=sentence))

    def _say(self, body: e.Body, experiment: int | None = None, run: int | None = None) -> None:
        self._journal.append(body, experiment, run, self._at)


def _program(root: Path) -> Program:
    """Their program.md where it can be read as ours, else the original's protocol."""
    try:
        return programs.load(root, matching)
    except ProgramError:
        return Program(Contract(), "")


def _started(contract: Contract) -> e.RunStarted:
    return e.RunStarted(
        seed=0,
        slot=0,
        budget=contract.budget,
        deadline=contract.deadline,
        protocol_id=contract.protocol_id,
        pid=0,
        pid_started=0.0,
    )


def _finished(contract: Contract, row: Row, summary: dict[str, float]) -> e.RunFinished:
    held = None if row.memory_gb is None else int(row.memory_gb * 1024**3)
    if row.metric is None:
        return e.RunFinished(outcome=Outcome.CRASHED, reason="its agent said so", peak_gpu_memory=held)
    metrics = {**summary, contract.metric: row.metric}
    return e.RunFinished(outcome=Outcome.FINISHED, metrics=metrics, peak_gpu_memory=held)
