"""Rebuilding a journal: from what can still be read of the old one, and from what git knows and it lacks.

The new journal is written beside the old one and replaces it in one step, when it is complete; the old one is kept as
`journal.damaged-DATE.db`, never deleted. A rebuild that is killed has lost nothing; the next one starts over or
finishes it. What could not be restored is named in the result, and in the journal itself.
"""

import os
import shutil
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from loop import VERSION
from loop.config import program as programs
from loop.config.overrides import Overrides
from loop.config.program import Program
from loop.errors import UserError
from loop.journal import Journal
from loop.journal.schema import put
from loop.lineage import Lineage, matching, tags
from loop.recovery.doctor import mend
from loop.recovery.git_facts import LOST, Dated, GitRecord, Known, lacking
from loop.recovery.repair import remember
from loop.recovery.salvage import Salvage
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.folding import FOLDED, apply, fold
from loop.study.state import Study
from loop.words import listed
from loop.workspace import Workspace, supervise

AT_ONCE = 2000
"""Events in one transaction."""

FETCH = "git fetch origin 'refs/looptop/*:refs/looptop/*' 'refs/notes/looptop:refs/notes/looptop'"
"""Fetches what a clone leaves out."""


class CannotRebuild(UserError):
    """There is nothing to rebuild, or nothing to rebuild it from; the message is a sentence for a person."""


@dataclass
class Rebuilt:
    """What was restored."""

    tag: str
    salvaged: int = 0
    """Events that were read from the old journal."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Events of the old journal that could not be read, from and to."""
    from_git: tuple[int, ...] = ()
    """Experiments of which something was restored from git."""
    experiments: int = 0
    champion: int | None = None
    lost: tuple[str, ...] = ()
    """What was not restored, a phrase each."""
    kept: str = ""
    """Where the old journal is; empty where there was none."""

    def lines(self) -> list[str]:
        """All of it for a person who reads it line by line."""
        lines = [self.sentence().partition("; not restored: ")[0]]
        lines += [f"not restored: {phrase}" for phrase in self.lost]
        if self.kept:
            lines.append(f"the old journal is kept: {self.kept}")
        return lines

    def sentence(self) -> str:
        """All of it in words."""
        came = [f"{self.salvaged} events from the old journal"] if self.salvaged else []
        if self.from_git:
            came.append(f"{_experiments(self.from_git)} from git")
        champion = "no champion yet" if self.champion is None else f"experiment {self.champion} is the champion"
        said = f"the journal of {self.tag} was made anew: {' and '.join(came)}; {champion}"
        return said + (f"; not restored: {', '.join(self.lost)}" if self.lost else "")


@dataclass
class _Old:
    """What a first pass over the old journal gave."""

    study: Study = field(default_factory=Study)
    events: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    kinds: dict[int, set[str]] = field(default_factory=dict)
    runs: dict[int, set[int]] = field(default_factory=dict)
    judged: dict[int, set[float]] = field(default_factory=dict)
    commits: dict[int, set[str]] = field(default_factory=dict)

    def take(self, event: e.Event, last: int) -> None:
        """Take in one event that comes after the event `last`."""
        self.events += 1
        if event.seq > last + 1:
            self.gaps.append((last + 1, event.seq - 1))
        if event.kind in FOLDED:
            apply(self.study, event)
        if (number := event.experiment) is None or event.kind in e.STREAM:
            return
        self.kinds.setdefault(number, set()).add(event.kind)
        match event.body:
            case e.RunFinished() | e.Verified() if event.run is not None:
                self.runs.setdefault(number, set()).add(event.run)
            case e.ExperimentJudged():
                self.judged.setdefault(number, set()).add(event.at)
            case e.ExperimentQueued(commit=commit):
                self.commits.setdefault(number, set()).add(commit)
            case _:
                pass

    def known(self, one: GitRecord) -> Known:
        number = one.commit.id
        kinds = set(self.kinds.get(number, ()))
        if one.commit.sha not in self.commits.get(number, ()):
            kinds.discard("experiment_queued")
        return Known(kinds, self.runs.get(number, set()), self.judged.get(number, set()))


def rebuild(root: Path, tag: str | None = None) -> Rebuilt:
    """Make the journal of the workspace at `root` anew.

    Args:
        tag: which study, where git knows several and no journal says it.

    Raises:
        CannotRebuild: the journal is whole, or there is nothing to make one from; nothing was changed.
        AlreadySupervised, LineageError, ProgramError, JournalError: each with a sentence.
    """
    workspace = Workspace(root)
    with supervise(root):
        place = workspace.folder / "rebuild"
        ready = place / "ready.db"
        if not ready.exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            try:
                rebuilt = _write(workspace, place, tag)
            except OSError as failed:
                what = f"{failed.filename or place} cannot be read or written ({failed.strerror or failed})"
                raise CannotRebuild(f"{what}; nothing was changed") from failed
            finally:
                if not ready.exists():
                    shutil.rmtree(place, ignore_errors=True)
        else:
            rebuilt = _told(ready)  # by a rebuild that was killed just before its end
        rebuilt.kept = _put_in_place(workspace, ready)
    mend(root)
    with Journal(workspace.journal) as journal:
        study = fold(journal.read(kinds=FOLDED))
    rebuilt.experiments, rebuilt.champion = len(study.experiments), study.champion
    return rebuilt


def _write(workspace: Workspace, place: Path, tag: str | None) -> Rebuilt:
    """Write the whole new journal into `place`, where it is `ready.db` when it is whole."""
    salvage = Salvage(workspace.journal, place) if workspace.journal.exists() else None
    old = _Old()
    last = 0
    for event in salvage.events() if salvage is not None else ():
        old.take(event, last)
        last = event.seq
    if salvage is not None and old.study.tag and not salvage.complaint():
        raise CannotRebuild(f"{workspace.journal} is whole, so there is nothing to rebuild; nothing was changed")
    lineage = Lineage(workspace.root, _which(workspace.root, old.study.tag, tag))
    program = None if old.study.tag else programs.load(workspace.root, matching)
    edit = old.study.contract.edit if program is None else program.contract.edit
    numbers = [found.id for found in lineage.history.read()]
    survey = lineage.history.survey()
    remembered = remember(lineage, edit, numbers)
    found = [remembered[number] for number in sorted(remembered)]
    if not found and not old.study.experiments:
        known_here = ", ".join(tags(lineage.root)) or "none"
        raise CannotRebuild(f"git has nothing of a study {lineage.tag}; it knows {known_here}")
    if tag is None and found and lineage.is_clone() and all(one.commit.judged is None for one in found):
        raise CannotRebuild(
            f"only the branch of {lineage.tag} is here, without a verdict; fetch the rest first: {FETCH} (where there "
            f"is no more to be had, `looptop doctor --rebuild --tag {lineage.tag}` makes do with the branch)"
        )
    contract, options, text = _contract(old.study, program, found)
    known = {one.commit.id: old.known(one) for one in found}
    facts = list(lacking(contract, found, known, survey.tip, old.study.champion).facts)
    restored = sorted({fact.experiment for fact in facts if fact.experiment is not None})
    if not old.study.tag:
        baseline = remembered.get(0)
        if baseline is None or baseline.commit.parent_sha is None:
            raise CannotRebuild(
                f"git has no baseline of the study {lineage.tag}, so what its numbers were measured against is not "
                f"known; where it was begun, or in a clone after `{FETCH}`, there may be more"
            )
        started = e.StudyStarted(
            tag=lineage.tag, branch=lineage.branch.name, base=baseline.commit.parent_sha, contract=contract, text=text
        )
        facts.insert(0, Dated(min(fact.at for fact in facts), started, None, None))
    rebuilt = Rebuilt(lineage.tag, old.events, tuple(old.gaps), tuple(restored))
    rebuilt.lost = tuple(_lost(old, found, rebuilt, contract, salvage.unknown if salvage is not None else 0))
    new = place / "journal.db"
    with Journal(new, create=True) as journal:
        events = salvage.events() if salvage is not None else iter(())
        _append(journal, _merged(events, facts), contract)
        _sign(journal, old, rebuilt, options)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.rename(place / "ready.db")
    return rebuilt


def _which(root: Path, known: str, wanted: str | None) -> str:
    """The study to rebuild."""
    if known:
        if wanted not in (None, known):
            raise CannotRebuild(
                f"the journal here is of the study {known}; to bring {wanted} back, do so in a worktree of its own "
                f"(`git worktree add ../{wanted}`)"
            )
        return known
    here = tags(root)
    if wanted is not None:
        return wanted
    if not here:
        raise CannotRebuild(
            f"git knows no study in {root}: there is nothing to rebuild a journal from; in a clone, fetch it first: "
            f"{FETCH} 'refs/heads/looptop/*:refs/heads/looptop/*'"
        )
    if len(here) > 1:
        raise CannotRebuild(f"git knows several studies here: say --tag with one of {', '.join(here)}")
    return here[0]


def _contract(study: Study, program: Program | None, found: Sequence[GitRecord]) -> tuple[Contract, Overrides, str]:
    """The contract in force, the flags that make it so, and the program's text.

    The old journal says it best. Without one it is what program.md says now, and where the notes were measured under
    another budget, with that as a flag, as `--budget` would have given it.
    """
    if program is None:
        return study.contract, Overrides.model_validate(study.options), study.program
    told = [one.told for one in found]
    under = Counter((one.protocol_id, one.budget) for one in told if one is not None and one.protocol_id)
    for (protocol_id, budget), _ in under.most_common():
        if protocol_id == program.contract.protocol_id:
            break
        options = Overrides(budget=budget)
        if options.applied(program.contract).protocol_id == protocol_id:
            return options.applied(program.contract), options, program.text
    return program.contract, Overrides(), program.text


def _merged(events: Iterator[e.Event], facts: Sequence[Dated]) -> Iterator[tuple[int, Dated]]:
    """The old journal's events with git's facts where they belong in time; each with its old `seq`, 0 for a new one."""
    waiting = list(reversed(facts))
    for event in events:
        while waiting and waiting[-1].at < event.at:
            yield 0, waiting.pop()
        yield event.seq, Dated(event.at, event.body, event.experiment, event.run)
    while waiting:
        yield 0, waiting.pop()


def _append(journal: Journal, facts: Iterator[tuple[int, Dated]], contract: Contract) -> None:
    """Append all facts; an answer to a request names the request by its `seq`, which may be another one now."""
    requests: dict[int, int] = {}
    while some := list(islice(facts, AT_ONCE)):
        # An answer may follow its request in the same batch, so the new numbers have to be known before they are given.
        first = journal.last_seq() + 1
        batch: list[Dated] = []
        for place, (seq, fact) in enumerate(some):
            if fact.body.kind in e.REQUESTS:
                requests[seq] = first + place
            if isinstance(fact.body, e.RequestFulfilled):
                moved = fact.body.model_copy(update={"request": requests.get(fact.body.request, fact.body.request)})
                fact = fact._replace(body=moved)
            batch.append(fact)
        journal.append_all([fact[1:] for fact in batch], at=[fact.at for fact in batch])


def _sign(journal: Journal, old: _Old, rebuilt: Rebuilt, options: Overrides) -> None:
    """Record in the journal itself that it was rebuilt, and with which flags the study goes on."""
    supervisor = old.study.supervisor
    newest = journal.read(limit=1, newest=True)[0].at
    signs: list[tuple[float, e.Body]] = []
    if supervisor is None:
        given = options.model_dump(exclude_none=True)
        started = e.SupervisorStarted(pid=os.getpid(), host=socket.gethostname(), version=VERSION, options=given)
        signs.append((newest, started))
    if supervisor is None or supervisor.stopped_at is None:
        signs.append((newest, e.SupervisorStopped(reason="its journal was made anew")))
    signs.append((time.time(), e.Fault(where="journal", message=rebuilt.sentence())))
    journal.append_all([(body, None, None) for _, body in signs], at=[at for at, _ in signs])


def _lost(old: _Old, found: Iterable[GitRecord], rebuilt: Rebuilt, contract: Contract, unknown: int) -> Iterator[str]:
    """What cannot be restored, a phrase each."""
    if rebuilt.gaps:
        count = sum(last - first + 1 for first, last in rebuilt.gaps)
        yield f"{count} events of the old journal ({_spans(rebuilt.gaps)}) but for what git has of them"
    if unknown:
        yield f"{unknown} events of kinds that this looptop does not know"
    if not old.events:
        yield from LOST
    without_note = (one.commit.id for one in found if one.commit.judged is None and one.commit.kept)
    silent = [number for number in without_note if number not in old.judged]
    if silent:
        yield f"the numbers of {_experiments(silent)}, whose notes are not here"
    other = [
        one.commit.id
        for one in found
        if one.told is not None and one.told.protocol_id not in ("", contract.protocol_id)
    ]
    if other and not old.events:
        yield (
            f"what {_experiments(other)} had for a program, since program.md says something else now: those numbers "
            "are not compared with new ones"
        )


def _told(ready: Path) -> Rebuilt:
    """The result of a rebuild that was killed at its very end."""
    with Journal(ready) as journal:
        study = fold(journal.read(kinds=FOLDED))
    return Rebuilt(study.tag, from_git=tuple(sorted(study.experiments)))


def _put_in_place(workspace: Workspace, ready: Path) -> str:
    """Give the new journal its name; returns where the old one is kept. Can be repeated after a kill at any point.

    The old one gets a second name first and loses its own in the same step in which the new one takes it, so there is a
    journal at every moment: a start in between finds a damaged one, never none.
    """
    journal = workspace.journal
    stamp = time.strftime("%Y-%m-%d-%H%M%S", time.localtime(ready.stat().st_mtime))
    kept = journal.with_name(f"{journal.stem}.damaged-{stamp}{journal.suffix}")
    for suffix in ("", "-wal", "-shm"):
        source, target = Path(f"{journal}{suffix}"), Path(f"{kept}{suffix}")
        if source.exists() and not target.exists():
            try:
                os.link(source, target)
            except OSError:  # a file system without hard links
                shutil.copyfile(source, target)
    for suffix in ("-wal", "-shm"):  # SQLite would play the old one's into the new one
        Path(f"{journal}{suffix}").unlink(missing_ok=True)
    put(ready, journal)
    shutil.rmtree(ready.parent, ignore_errors=True)
    return next((str(path) for path in (kept, Path(f"{kept}-wal")) if path.exists()), "")


def _experiments(numbers: Sequence[int]) -> str:
    """`experiment 3`, `experiments 0 to 7`, `experiments 0 to 3, 5 and 9 to 12`."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = spans[-1][0], number
        else:
            spans.append((number, number))
    apart = [
        part
        for first, last in spans
        for part in ([(first, last)] if last != first + 1 else [(first, first), (last, last)])
    ]
    return f"experiment{'s' if len(numbers) > 1 else ''} {_spans(apart)}"


def _spans(spans: Sequence[tuple[int, int]]) -> str:
    return listed([str(first) if first == last else f"{first} to {last}" for first, last in spans], 8)
