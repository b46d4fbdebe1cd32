"""What must hold of a workspace at rest, whatever happened to it before: journal, git, processes and files agree.

Looks only, through the same eyes as a person has: the journal's rows, git's own commands, the process table, the disk.
"""

import json
import os
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from loop.lineage import Lineage, LineageError
from loop.study import codec
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.folding import FOLDED, apply, fold
from loop.study.state import Study

OURS = {"journal.db", "journal.db-wal", "journal.db-shm", "supervisor.lock", "supervisor.log"}
OURS |= {"runs", "cache", "workshop", "trees", "etc", "reserve", "seal", "looked"}
"""What may lie in `.looptop/` at rest."""


@dataclass(frozen=True)
class Fault:
    """Something that does not hold."""

    kind: Literal["lost", "doubled", "inconsistent"]
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


@dataclass(frozen=True)
class Row:
    """One row of the journal, as it lies on the disk."""

    seq: int
    at: float
    kind: str
    experiment: int | None
    run: int | None
    body: str

    def event(self) -> e.Event:
        return e.Event(self.seq, self.at, self.experiment, self.run, codec.decode(self.body))


def rows_of(path: Path) -> list[Row]:
    """All rows of a journal; none of one that has no table yet.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    if not path.exists():
        return []
    db = sqlite3.connect(path, isolation_level=None)
    try:
        ((said,),) = db.execute("PRAGMA integrity_check").fetchall()
        if said != "ok":
            raise sqlite3.DatabaseError(said)
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchall():
            return []
        found = db.execute("SELECT seq, at, kind, experiment, run, body FROM events ORDER BY seq").fetchall()
    finally:
        db.close()
    return [Row(*row) for row in found]


def processes(root: Path) -> list[psutil.Process]:
    """Everything that was started in or for the workspace at `root` and still lives."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [process.environ().get("LOOPTOP_RUN_DIR", ""), *process.cmdline(), process.cwd()]
            ours = any(word.startswith(str(root)) for word in words)
            if ours and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


def faults(root: Path, rows: Sequence[Row]) -> list[Fault]:
    """Everything that does not hold of a workspace with no supervisor at work, whose journal has `rows`."""
    study = folded(rows)
    found = [*_doubled(rows, study), *_champions(rows), *_unfinished(rows, study)]
    return [*found, *_of_files(root, study), *_of_git(root, study)]


def folded(rows: Sequence[Row]) -> Study:
    """The study that the rows amount to."""
    return fold(row.event() for row in rows if row.kind in FOLDED)


def doubled(rows: Sequence[Row]) -> list[Fault]:
    """Experiments that are in the journal more than once; holds at every moment, not only at rest."""
    counts = Counter(
        (row.kind, row.experiment) for row in rows if row.kind in ("experiment_proposed", "edits_recorded")
    )
    return [Fault("doubled", f"{times} × {kind} of experiment {x}") for (kind, x), times in counts.items() if times > 1]


def _doubled(rows: Sequence[Row], study: Study) -> Iterator[Fault]:
    yield from doubled(rows)
    once = ("run_started", "run_finished", "verified")
    runs = Counter((row.kind, row.experiment, row.run) for row in rows if row.kind in once)
    for (kind, experiment, run), times in runs.items():
        if times > 1:
            yield Fault("doubled", f"{times} × {kind} of run {experiment}.{run}")
    granted = Counter(json.loads(row.body)["request"] for row in rows if row.kind == "request_fulfilled")
    for request, times in granted.items():
        if times > 1:
            yield Fault("doubled", f"request {request} was granted {times} times")
    for before, after in zip(study.lineage, study.lineage[1:], strict=False):
        if before == after:
            yield Fault("doubled", f"experiment {after} became champion twice in a row")
    asked = Counter(row.experiment for row in rows if row.kind in ("overruled", "requeued"))
    judged = Counter(row.experiment for row in rows if row.kind == "experiment_judged")
    for experiment, times in judged.items():
        if times > 1 + asked[experiment]:
            yield Fault("doubled", f"experiment {experiment} has {times} verdicts, and {asked[experiment]} were asked")
    for experiment in study.experiments.values():
        seeds = Counter(run.seed for run in experiment.counted() if run.outcome == "finished")
        yield from (Fault("doubled", f"seed {s} counts twice in {experiment.id}") for s, n in seeds.items() if n > 1)


def _champions(rows: Sequence[Row]) -> Iterator[Fault]:
    """Whether each champion came to the throne with the number that it had then."""
    study = Study()
    for row in rows:
        if row.kind in FOLDED:
            apply(study, row.event())
        if row.kind == "champion_changed" and row.experiment is not None:
            said, has = json.loads(row.body)["metric"], study.experiments[row.experiment].metric
            if said != has:
                yield Fault("inconsistent", f"experiment {row.experiment} became champion at {said}, and has {has}")


def _unfinished(rows: Sequence[Row], study: Study) -> Iterator[Fault]:
    """A number is missing only where a thought had it that came to nothing while a later one became an experiment."""
    thought_about = {row.experiment for row in rows if row.kind == "thought_began"}
    missing = set(range(max(study.experiments, default=0))) - study.experiments.keys() - thought_about
    if missing:
        yield Fault("lost", f"the experiments are {sorted(study.experiments)}")
    for experiment in study.experiments.values():
        for run in experiment.runs.values():
            if run.outcome is None:
                yield Fault("inconsistent", f"run {experiment.id}.{run.number} has no end")
    if study.best is not None and study.best.verdict != "kept":
        yield Fault("inconsistent", f"the champion, experiment {study.best.id}, was {study.best.verdict}")


def _of_files(root: Path, study: Study) -> Iterator[Fault]:
    folder = root / ".looptop"
    for process in processes(root):
        with_words = " ".join(process.cmdline())[:200]
        yield Fault("inconsistent", f"process {process.pid} is left over: {with_words}")
    for tree in folder.glob("trees/*"):
        yield Fault("inconsistent", f"the worktree {tree.name} is left over")
    for path in folder.iterdir():
        if path.name not in OURS:
            yield Fault("inconsistent", f"{path.name} is left over in .looptop")
    for experiment in study.experiments.values():
        for run in experiment.runs.values():
            home = folder / "runs" / f"{experiment.id}.{run.number}"
            if run.outcome == "finished" and not [*home.glob("log.txt*")]:
                yield Fault("lost", f"the log of run {experiment.id}.{run.number}")
            dropped = experiment.verdict not in (None, "kept") or run.outcome == "lost"
            nobody_s = {"cache", "verify.tmp"} | ({"out", "tmp"} if dropped else set())
            if left := sorted(part for part in nobody_s if (home / part).exists()):
                yield Fault("inconsistent", f"nobody needs {', '.join(left)} of run {home.name} again, and it is there")


def _of_git(root: Path, study: Study) -> Iterator[Fault]:
    common = (root / _git(root, "rev-parse", "--git-common-dir")).resolve()
    for lock in common.rglob("*.lock"):
        yield Fault("inconsistent", f"git's lock {lock.relative_to(common)} is left over")
    for record in common.glob("worktrees/*"):
        link = record / "gitdir"
        if not link.exists() or not link.read_text() or ".looptop/trees" in link.read_text():
            yield Fault("inconsistent", f"git's record of the worktree {record.name} is left over")
    checked = subprocess.run(
        ["git", "fsck", "--connectivity-only", "--no-dangling", "--no-progress"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode or "missing" in checked.stdout or "broken" in checked.stdout:
        yield Fault("inconsistent", f"git fsck: {(checked.stdout + checked.stderr).strip()[:300]}")
    if not study.tag:
        return
    try:
        lineage = Lineage(root, study.tag)
        recovered = {found.id: found for found in lineage.history.read()}
        tip = lineage.history.survey().tip
    except LineageError as error:
        yield Fault("inconsistent", str(error))
        return
    committed = {x.id: x for x in study.experiments.values() if x.commit is not None}
    if missing := committed.keys() - recovered.keys():
        yield Fault("lost", f"git does not know the experiments {sorted(missing)}")
    if more := recovered.keys() - committed.keys():
        yield Fault("inconsistent", f"git knows the experiments {sorted(more)}, and the journal has no commit of them")
    for number in committed.keys() & recovered.keys():
        yield from _of_commit(committed[number], recovered[number], study.contract.metric)
    if study.best is not None and tip != study.best.commit:
        yield Fault("inconsistent", f"the branch is at {tip}, and the champion {study.best.id} is {study.best.commit}")


def _of_commit(experiment: Experiment, found: Any, metric: str) -> Iterator[Fault]:
    if found.sha != experiment.commit:
        yield Fault(
            "inconsistent", f"experiment {experiment.id} is {found.sha} in git, {experiment.commit} in the journal"
        )
    note = found.judged.verdict if found.judged is not None else ""
    if note != (experiment.verdict or "").replace("_", " "):
        yield Fault(
            "inconsistent", f"git's note says “{note}” of experiment {experiment.id}, {experiment.verdict} is so"
        )
    elif found.judged is not None and (found.judged.reason == "") != (experiment.reason == ""):
        yield Fault("inconsistent", f"git's note of experiment {experiment.id} has another reason")
    elif found.judged is not None and experiment.metric is not None and found.judged.value != experiment.metric:
        yield Fault("inconsistent", f"git's note says {metric} {found.judged.value} of experiment {experiment.id}")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
