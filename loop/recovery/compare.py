"""Recovery as a pure function of journal, git, process table and disk: what disagrees, and what repairs it.

It runs at every start, after a clean stop as after `kill -9`, and for `looptop doctor`; `repair` observes the world for
it and carries out what it says. The rules, with their reasons, are in docs/decisions/0008:

- The journal wins over git in everything that it records. Git wins in what the journal does not record: that is what a
  restored backup or a damaged file has lost.
- Repairs lose nothing: a commit that is replaced is kept under `superseded/`, an unknown run folder is set aside, and
  what cannot be repaired is named.
- The branch is the person's too. If its position is not one that a dying supervisor can leave, the loop stops and says
  what to do.

Never here: a clock, a file, git itself, recording an event.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile

from loop.lineage import Survey, moved, verdict_note
from loop.recovery.findings import (
    Clear,
    Commit,
    CommitAgain,
    Finding,
    Forget,
    Observed,
    Point,
    PutBack,
    Record,
    RunAgain,
    SetAside,
    Write,
)
from loop.recovery.git_facts import Dated, GitRecord, Known, Lacking, lacking
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.words import duration, listed

STALE_LOCK_S = 60.0
"""Seconds after which a lock of the person's own git is reported; git itself holds one for a moment."""


def contradicted(study: Study, survey: Survey) -> list[int]:
    """Experiments whose note disagrees with the journal."""
    notes = survey.notes
    found = (
        (number, experiment, notes.get(experiment.commit or "")) for number, experiment in study.experiments.items()
    )
    return [number for number, experiment, judged in found if judged and not verdict_note.agrees(judged, experiment)]


def strangers(study: Study, survey: Survey, judged: Mapping[int, Collection[float]]) -> list[int]:
    """Experiments of which git has something that the journal does not record: all of them, or a verdict.

    Args:
        judged: as in `Observed`, of those that are `contradicted`.
    """
    found = set()
    for number, sha in survey.refs.items():
        experiment = study.experiments.get(number)
        if sha in survey.there and (
            experiment is None  # or it was moved onto another champion and judged there, and the journal is older
            or (experiment.commit != sha and sha in survey.notes and not experiment.judged_by)
        ):
            found.add(number)
    for number, times in judged.items():
        told = verdict_note.read(survey.notes[study.experiments[number].commit or ""])
        if told is not None and not verdict_note.is_known(told, times):
            found.add(number)
    return sorted(found)


def compare(study: Study, world: Observed) -> list[Finding]:
    """All disagreements between the study and the world, in the order in which they must be repaired.

    Args:
        study: folded from the journal, with no supervisor at work on it.
    """
    found = [*_left_over(world), *_in_flight(study)]
    if study.tag:
        known = {number: _known(study.experiments[number], one) for number, one in world.remembered.items()
                 if number in study.experiments}  # fmt: skip
        remembered = [world.remembered[number] for number in sorted(world.remembered)]
        lost = lacking(study.contract, remembered, known, world.survey.tip, study.champion)
        found += [*_commits(study, world), *_taken_in(world, lost), *_folders(study, world), *_notes(study, world)]
        found += _branch(study, world, lost.champion)
    return found


def _known(experiment: Experiment, remembered: GitRecord) -> Known:
    """What a journal has of an experiment of which git has something else."""
    kinds = {"experiment_proposed", "edits_recorded"}
    if experiment.commit == remembered.commit.sha:
        kinds.add("experiment_queued")
    return Known(kinds, set(experiment.runs))


def _left_over(world: Observed) -> Iterable[Finding]:
    if world.processes:
        said = f"processes of runs outlived their supervisor ({listed([f'{line:.60}' for line in world.processes])})"
        yield Finding("processes", said, "ended", (Clear(),), ordinary=True)
    if world.trees:
        said = f"worktrees of runs, or git's records of them, were left ({listed(world.trees)})"
        yield Finding("trees", said, "removed", (Clear(),), ordinary=True)
    if world.locks:
        said = f"a git that died left {listed(world.locks)}"
        yield Finding("locks", said, "removed", (Clear(),), ordinary=True)
    for path, age in world.foreign_locks.items():
        if age >= STALE_LOCK_S:
            said = (
                f"{path} has been there for {duration(age)}: if no git of yours is at work, it is a dead one's, and "
                f"`rm {path}` frees what it locks"
            )
            yield Finding("person's locks", said)


def _in_flight(study: Study) -> Iterable[Finding]:
    running = study.running()
    if running:
        which = listed([f"{experiment.id}.{run.number}" for experiment, run in running])
        again = tuple(RunAgain(experiment.id, run.number) for experiment, run in running)
        said = f"run {which} was under way when its supervisor ended"
        ids = tuple(experiment.id for experiment, _ in running)
        yield Finding("run", said, "it is lost, and runs again", again, ids, ordinary=True)


def _commits(study: Study, world: Observed) -> Iterable[Finding]:
    """Proposals that are no commit yet, commits that are gone, refs that are gone or elsewhere."""
    survey = world.survey
    gone, missing, elsewhere = [], [], []
    for number, experiment in sorted(study.experiments.items()):
        if number in world.remembered:
            continue
        sha = experiment.commit
        if sha is None:
            if experiment.phase == "proposed":
                said = f"experiment {number} was proposed and is no commit yet"
                yield Finding("uncommitted", said, "it becomes one", (Commit(number),), (number,), ordinary=True)
        elif sha not in survey.there:
            gone.append(number)
        elif number not in survey.refs:
            missing.append(experiment)
        elif survey.refs[number] != sha:
            elsewhere.append(experiment)
    if gone:
        said = f"the commit of {_named(gone)} is gone from git"
        yield Finding("commit", said, "made again from the journal", tuple(map(CommitAgain, gone)), tuple(gone))
    if missing:
        yield _refs("is gone", missing)
    # A supervisor that died while it moved an experiment onto a new champion leaves the ref ahead of the journal.
    ahead = [experiment for experiment in elsewhere if experiment.verdict is None]
    if ahead:
        yield _refs("is ahead of the journal", ahead, ordinary=True)
    if others := [experiment for experiment in elsewhere if experiment.verdict is not None]:
        yield _refs("points at another commit, which is kept under superseded/", others)


def _refs(what: str, experiments: list[Experiment], ordinary: bool = False) -> Finding:
    numbers = tuple(experiment.id for experiment in experiments)
    mends = tuple(Point(experiment.id, experiment.commit or "") for experiment in experiments)
    return Finding("ref", f"the ref of {_named(numbers)} {what}", "put back", mends, numbers, ordinary)


def _taken_in(world: Observed, lost: Lacking) -> Iterable[Finding]:
    """What git has and the journal does not record."""
    numbers = tuple(sorted(world.remembered))
    if numbers:
        said = f"git has of {_named(numbers)} what the journal does not, as when an older journal was put back"
        yield Finding("journal", said, "taken in from git", (Record(lost.facts),), numbers)


def _folders(study: Study, world: Observed) -> Iterable[Finding]:
    """Folders with the log of a run that the journal does not know: the next run of that number would overwrite it."""
    unknown = {}
    for name, (number, run) in world.folders.items():
        experiment = study.experiments.get(number)
        taken = world.remembered.get(number)
        told = taken.told if taken is not None else None
        known = {one.number for one in told.runs} if told is not None else set()
        if run not in known and (experiment is None or run not in experiment.runs):
            unknown[name] = experiment is not None and run == max(experiment.runs, default=0) + 1
    if unknown:
        # A supervisor that dies at the start of a run has made the folder and not yet recorded the run.
        ordinary = len(unknown) == 1 and all(unknown.values())
        said = f"the journal does not know the run of {listed(unknown)} under .looptop/runs"
        yield Finding("folders", said, "put aside with its log", tuple(map(SetAside, unknown)), ordinary=ordinary)


def _notes(study: Study, world: Observed) -> Iterable[Finding]:
    """Verdicts that git does not have, has differently, or still has although the journal withdrew them."""
    notes = world.survey.notes
    missing: list[int] = []
    otherwise: list[int] = []
    back: list[int] = []
    for number, experiment in sorted(study.experiments.items()):
        if experiment.commit is None or number in world.remembered:
            continue
        if number in world.judged:
            (back if experiment.verdict is None else otherwise).append(number)
        elif experiment.verdict is not None and experiment.commit not in notes:
            missing.append(number)
    if back:
        said = f"{_named(back)} runs again, and git's note still tells the old verdict"
        yield Finding("note", said, "taken away", tuple(map(Forget, back)), tuple(back), ordinary=True)
    # Each slot may have come to a verdict while one of each was being filed.
    most = 2 * max(1, len(study.supervisor.slots) if study.supervisor is not None else 1)
    newest = sorted((x for x in study.experiments.values() if x.judged_seq), key=lambda x: -(x.judged_seq or 0))
    wrong = {*missing, *otherwise}
    late = {x.id for x in takewhile(lambda x: x.commit is None or x.id in wrong, newest[:most])}
    for numbers, what in ((missing, "has no note in git"), (otherwise, "is another in git's note")):
        if numbers:
            # Verdicts are recorded first, and filed in that order; and what was measured anew after its verdict, a
            # champion or whoever was asked how alike runs are, has one run more than its note.
            ordinary = all(
                number in late or number == study.champion or study.experiments[number].asked for number in numbers
            )
            said = f"the verdict of {_named(numbers)} {what}"
            yield Finding(
                "note", said, "written again from the journal", tuple(map(Write, numbers)), tuple(numbers), ordinary
            )


def _branch(study: Study, world: Observed, taken_in: str | None) -> Iterable[Finding]:
    """Whether the branch is at the champion; if not, whether a supervisor or a person has moved it.

    Args:
        taken_in: commit of the champion after what git remembers is taken in; None where that changes nothing.
    """
    survey, tip = world.survey, world.survey.tip
    expected = taken_in or (study.best.commit if study.best is not None else None)
    if survey.broken:
        said = f"the file of branch {study.branch} holds no commit, as after a power cut"
        yield Finding("branch", said, "put back", (PutBack(expected, None),))
    elif tip == expected:
        if survey.standing:
            said = (
                f"branch {study.branch} is checked out in {survey.standing}; switch to another branch there, or the "
                "loop stops when the next experiment is kept"
            )
            yield Finding("branch", said)
    elif expected is None:
        yield from _too_early(study, survey)
    elif tip is not None and tip in _on_the_way(study):
        said = f"branch {study.branch} was moved and the move not recorded"
        yield Finding("branch", said, "put back, and it is decided again", (PutBack(expected, tip),), ordinary=True)
    elif (kept := _never_told(study, tip)) is not None:
        said = f"experiment {kept.id} was kept and is on the branch, and the journal does not say that it was champion"
        changed = e.ChampionChanged(commit=kept.commit or "", metric=kept.metric)
        facts = (Dated(study.at, changed, kept.id, None),)
        yield Finding("champion", said, "taken in from git", (Record(facts),), (kept.id,))
    else:
        yield Finding("branch", moved(study.branch, tip, survey.standing, expected), stops=True)


def _too_early(study: Study, survey: Survey) -> Iterable[Finding]:
    """A branch before there is a champion: at the baseline, which is judged again, or another study's."""
    baseline, tip = study.baseline, survey.tip
    if tip is None or (baseline is not None and tip == baseline.commit):
        return
    if survey.superseded.get(tip) == 0 or survey.refs.get(0) == tip:
        said = f"branch {study.branch} was begun at a baseline that was made anew since"
        yield Finding("branch", said, "taken away until that is measured", (PutBack(None, tip),), ordinary=True)
        return
    said = (
        f"branch {study.branch} is at {tip[:12]}, and the study in this journal has no champion yet, so the branch is "
        f"another study's; begin under another name (--tag), or rename that one: git branch -m {study.branch} NAME"
    )
    yield Finding("branch", said, stops=True)


def _on_the_way(study: Study) -> set[str | None]:
    """Where the branch may be if a supervisor died between moving it and recording the move."""
    found = {x.commit for x in study.open_experiments() if x.parent == study.champion}
    for request in study.open_requests():
        experiment = study.experiments.get(-1 if request.experiment is None else request.experiment)
        if experiment is None or not isinstance(request.body, e.Overruled | e.Branched):
            continue
        back = isinstance(request.body, e.Overruled) and request.body.verdict == "discarded"
        found.add(experiment.parent_commit if back else experiment.commit)
    return found


def _never_told(study: Study, tip: str | None) -> Experiment | None:
    """The kept experiment at the branch's tip, where the journal never had it as a champion."""
    found = (x for x in study.experiments.values() if x.commit == tip and tip is not None and x.verdict == Outcome.KEPT)
    return next((experiment for experiment in found if experiment.id not in study.lineage), None)


def told(found: Iterable[Finding]) -> list[str]:
    """The sentences of all findings but the ordinary traces of a supervisor that died."""
    return [one.sentence for one in found if not one.ordinary]


def _named(numbers: Collection[int]) -> str:
    """`experiment 5`, `experiments 5, 6 and 7`, `experiments 1, 2, 3 and 40 more`."""
    return f"experiment{'s' if len(numbers) > 1 else ''} {listed([str(number) for number in numbers])}"
