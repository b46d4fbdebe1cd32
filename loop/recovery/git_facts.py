"""What git knows of an experiment and a journal lacks, as the events that record it.

For a journal that is rebuilt, and for one that is older than git (a restored backup). Pure: git's side comes in as data
(`GitRecord`), and others append what comes out. Nothing is invented: what git does not have (reasoning, step curves,
runs without a number) is left out, and `LOST` names it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from loop.lineage import Change, RecoveredExperiment, verdict_note
from loop.policy import guards
from loop.policy.review_flags import flags
from loop.policy.run_checks import CLAIM
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome

LOST = (
    "the reasoning and the tool calls",
    "the curves of the steps and the gauges",
    "what was spent, and the hours at work",
    "the notebook",
    "a person's words, pins and other requests",
    "the researchers' own bookkeeping",
    "runs that gave no number",
    "what was imported from another loop",
)
"""What cannot be restored from git alone."""


class Dated(NamedTuple):
    """A fact with the time it has to be recorded with; its fields after `at` are those of `Journal.append_all`."""

    at: float
    body: e.Body
    experiment: int | None
    run: int | None


@dataclass(frozen=True)
class GitRecord:
    """All that git has of one experiment."""

    commit: RecoveredExperiment
    change: Change
    before: Mapping[str, str]
    """Text of the editable files in its parent, by path."""

    @property
    def told(self) -> verdict_note.RecordedVerdict | None:
        """Its verdict, where there is a note that can be read; what is on the branch was kept, note or not."""
        told = verdict_note.read(self.commit.judged) if self.commit.judged is not None else None
        if told is None and self.commit.kept:
            kept = e.ExperimentJudged(verdict=Outcome.KEPT, reason="it is on the study's branch; its note is not here")
            told = verdict_note.RecordedVerdict(kept, None, ())
        return told

    @property
    def judged_at(self) -> float:
        """When it was judged, in Unix seconds; when it was proposed, where nothing says it better."""
        told = self.told
        return told.at if told is not None and told.at is not None else self.commit.at


@dataclass(frozen=True)
class Known:
    """What a journal has of an experiment."""

    kinds: Collection[str] = frozenset()
    runs: Collection[int] = frozenset()
    judged: Collection[float] = frozenset()
    """When it was judged, in Unix seconds; every time."""


@dataclass(frozen=True)
class Lacking:
    """What has to be recorded, in order of time, and how the champion changed."""

    facts: tuple[Dated, ...] = ()
    champion: str | None = None
    """Commit of the champion after them; None if they do not change it."""


@dataclass
class _Story:
    facts: list[Dated] = field(default_factory=list)
    kept: list[tuple[float, int, GitRecord]] = field(default_factory=list)


def lacking(
    contract: Contract, found: Iterable[GitRecord], known: Mapping[int, Known], tip: str | None, champion: int | None
) -> Lacking:
    """What a journal lacks of the experiments in `found`.

    Args:
        contract: the one in force; a run whose note does not say what it was measured under counts under this one.
        known: what the journal has, by experiment; nothing of those that are not there.
        tip: the commit that the branch is at.
        champion: the journal's.
    """
    story = _Story()
    for one in found:
        _tell(story, contract, one, known.get(one.commit.id, Known()))
    reigns = sorted(story.kept, key=lambda reign: reign[:2])
    for at, number, one in reigns:
        metric = one.told.verdict.metric if one.told is not None else None
        story.facts.append(Dated(at, e.ChampionChanged(commit=one.commit.sha, metric=metric), number, None))
    last = reigns[-1][2].commit if reigns else None
    at_tip = next((one.commit for one in found if one.commit.sha == tip), None)
    if last is not None and at_tip is not None and at_tip.sha != last.sha and at_tip.id != champion:
        # The branch went back to it after later ones were kept.
        newest = max(at for at, _, _ in reigns)
        story.facts.append(Dated(newest, e.ChampionChanged(commit=at_tip.sha), at_tip.id, None))
        last = at_tip
    ordered = sorted(story.facts, key=lambda fact: fact.at)  # stable: what happened at one moment stays in order
    return Lacking(tuple(ordered), last.sha if last is not None else None)


def _tell(story: _Story, contract: Contract, one: GitRecord, known: Known) -> None:
    commit, change = one.commit, one.change
    edits, told = dict(change.edits), one.told
    proposal = commit.parent_experiment is not None
    # Parsing both files takes 50 ms, so what the note says goes first.
    fingerprint = told.fingerprint if told is not None else ""
    if proposal and not fingerprint:
        fingerprint = guards.fingerprint({**one.before, **edits})
    flagged = told.flags if told is not None and told.fingerprint else flags(contract, one.before, edits)

    def say(kind: str, at: float, body: e.Body, run: int | None = None) -> None:
        if kind not in known.kinds:
            story.facts.append(Dated(at, body, commit.id, run))

    proposed = e.ExperimentProposed(
        researcher=commit.researcher,
        title=commit.title,
        hypothesis=commit.hypothesis,
        expected=commit.trailers.get("Expected", ""),
        parts=tuple(int(word) for word in commit.trailers.get("Parts", "").split(", ") if word.isdecimal()),
        parent=commit.parent_experiment,
        fingerprint=fingerprint,
    )
    say("experiment_proposed", commit.at, proposed)
    say("edits_recorded", commit.at, e.EditsRecorded(edits=edits))
    queued = e.ExperimentQueued(
        commit=commit.sha,
        parent=commit.parent_experiment,
        parent_commit=commit.parent_sha or "",
        lines_added=change.lines_added,
        lines_removed=change.lines_removed,
        flags=flagged if proposal else (),
    )
    say("experiment_queued", commit.at, queued)
    if told is None:
        return
    at = max(commit.at, one.judged_at - sum(run.seconds + (run.verify_seconds or 0.0) for run in told.runs))
    for run in told.runs:
        if run.number not in known.runs:
            story.facts += _run(contract, commit.id, run, told, at)
        at += run.seconds + (run.verify_seconds or 0.0)
    if verdict_note.is_known(told, known.judged):
        return
    story.facts.append(Dated(one.judged_at, told.verdict, commit.id, None))
    if told.verdict.verdict == Outcome.KEPT:
        story.kept.append((one.judged_at, commit.id, one))


def _run(
    contract: Contract, number: int, run: verdict_note.NotedRun, told: verdict_note.RecordedVerdict, at: float
) -> list[Dated]:
    """The facts of one run that gave a number."""
    budget = told.budget if told.budget is not None else contract.budget
    started = e.RunStarted(
        seed=run.seed,
        slot=0,
        budget=budget,
        deadline=contract.deadline,
        protocol_id=told.protocol_id or contract.protocol_id,
        pid=0,
        pid_started=0.0,
    )
    metrics = {contract.metric: run.metric} | ({CLAIM: run.claimed} if run.claimed is not None else {})
    finished = e.RunFinished(
        outcome=Outcome.FINISHED,
        seconds=run.seconds,
        waited=e.Waited(around=run.waited) if run.waited else None,
        metrics=metrics,
        stepping=run.stepping,
        touched=told.touched,
    )
    ended = at + run.seconds
    facts = [Dated(at, started, number, run.number), Dated(ended, finished, number, run.number)]
    if run.verify_seconds is not None or contract.verify is not None:
        seconds = run.verify_seconds or 0.0
        facts.append(Dated(ended + seconds, e.Verified(metric=run.metric, seconds=seconds), number, run.number))
    return facts
