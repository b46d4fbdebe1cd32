"""Observes git, the process table and the disk for `compare`, and carries out the repairs that it names.

The same at every start of a supervisor and for `looptop doctor --mend`. Every step can be repeated, so the next start
finishes a repair that was killed. All decisions are `compare`'s; nothing here judges or runs anything.
"""

import asyncio
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage, LineageError
from loop.pipeline.filing import Filing
from loop.pipeline.judging import Judging
from loop.pipeline.proposals import Proposals
from loop.recovery import compare
from loop.recovery import findings as d
from loop.recovery.findings import Finding, Observed
from loop.recovery.git_facts import GitRecord
from loop.runs.local.orphans import find_leftovers
from loop.study import events as e
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.workspace import Workspace

AT_ONCE = 500
"""Experiments whose files are read from git at once: 10 MB with files of 20 kB."""

_RUN_FOLDER = re.compile(r"(\d+)\.(\d+)")


def look(workspace: Workspace, lineage: Lineage, study: Study) -> Observed:
    """Everything besides the study that recovery needs. Blocks for some 20 ms, and 0.1 ms an experiment."""
    survey = lineage.history.survey({x.commit for x in study.experiments.values() if x.commit is not None})
    judged = _judgements(workspace, compare.contradicted(study, survey))
    unknown = compare.strangers(study, survey, judged) if study.tag else []
    return Observed(
        survey=survey,
        remembered=remember(lineage, study.contract.edit, unknown),
        judged=judged,
        trees=tuple(lineage.trees.names()),
        processes=tuple(found.command for found in find_leftovers(workspace.folder)),
        locks=tuple(map(str, lineage.left_by_dead_gits())),
        foreign_locks=lineage.refs.foreign_locks(time.time()),
        folders=_folders(workspace),
    )


def _judgements(workspace: Workspace, numbers: Sequence[int]) -> dict[int, frozenset[float]]:
    """When the journal has judged each of these experiments, in Unix seconds, every time."""
    if not numbers:
        return {}
    with Journal(workspace.journal) as journal:  # another thread's cannot be used here
        said = {number: journal.read(kinds={"experiment_judged"}, experiment=number) for number in numbers}
    return {number: frozenset(event.at for event in events) for number, events in said.items()}


def remember(lineage: Lineage, editable: Sequence[str], numbers: Iterable[int]) -> dict[int, GitRecord]:
    """All that git has of the experiments `numbers`."""
    wanted = set(numbers)
    if not wanted:
        return {}
    commits = [found for found in lineage.history.read() if found.id in wanted]
    remembered = {}
    for at in range(0, len(commits), AT_ONCE):
        some = commits[at : at + AT_ONCE]
        changes = lineage.commits.changes([found.sha for found in some])
        before = lineage.commits.files(list({found.parent_sha for found in some if found.parent_sha}), editable)
        for found in some:
            remembered[found.id] = GitRecord(found, changes[found.sha], before.get(found.parent_sha or "", {}))
    return remembered


def _folders(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """Run folders whose log is not empty."""
    found = {}
    for folder in workspace.runs.glob("*.*"):
        match = _RUN_FOLDER.fullmatch(folder.name)
        try:
            if match is not None and (folder / "log.txt").stat().st_size:
                found[folder.name] = int(match[1]), int(match[2])
        except OSError:
            continue  # no log, no run
    return found


class Repair:
    """Carries out what recovery says, for the one process that holds the workspace.

    Args:
        sweep: ends the processes of runs that earlier supervisors left.
    """

    def __init__(
        self,
        workspace: Workspace,
        lineage: Lineage,
        recorder: Recorder,
        proposals: Proposals,
        judging: Judging,
        filing: Filing,
        sweep: Callable[[], Awaitable[object]],
    ) -> None:
        self._workspace, self._lineage = workspace, lineage
        self._recorder, self._proposals = recorder, proposals
        self._judging, self._filing, self._sweep = judging, filing, sweep

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def look(self) -> list[Finding]:
        """What disagrees now."""
        await asyncio.to_thread(self._lineage.trees.clear_half_made)
        world = await asyncio.to_thread(look, self._workspace, self._lineage, self._study)
        return compare.compare(self._study, world)

    async def mend(self, found: Sequence[Finding], going: Collection[tuple[int, int]] = ()) -> None:
        """Repair what can be repaired, in order; what a person should know is recorded before it is done.

        Args:
            going: experiment and number of runs that go on, since they were taken over.

        Raises:
            LineageError: git does not allow what the loop cannot do without.
        """
        for said in compare.told(one for one in found if not one.stops):
            if said not in (fault.message for _, fault in self._study.faults):
                self._recorder.record(e.Fault(where="recovery", message=said))
        cleared = False
        for one in found:
            if notes := [mend.experiment for mend in one.mends if isinstance(mend, d.Write)]:
                await self._filing.write(*(self._study.experiments[number] for number in notes))
                continue
            for mend in one.mends:
                if isinstance(mend, d.RunAgain) and (mend.experiment, mend.run) in going:
                    continue
                if isinstance(mend, d.Clear):
                    if not cleared:
                        await self._clear()
                    cleared = True
                else:
                    await self._mend(mend)
        await self._filing.finish()

    async def _clear(self) -> None:
        await self._sweep()
        await asyncio.to_thread(self._lineage.clear_stale)

    async def _mend(self, mend: d.Mend) -> None:
        experiments = self._study.experiments
        match mend:
            case d.RunAgain(experiment=number, run=run):
                await asyncio.to_thread(self._workspace.drop_written, number, run)
                lost = e.RunFinished(outcome=Outcome.LOST, reason="its supervisor ended; it is run again")
                self._recorder.record(lost, number, run)
            case d.Commit(experiment=number):
                await self._judging.settle(experiments[number], await self._proposals.commit(experiments[number]))
            case d.CommitAgain(experiment=number):
                await self._commit_again(number)
            case d.Point(experiment=number, commit=sha):
                await asyncio.to_thread(self._lineage.refs.point, number, sha)
            case d.Record(facts=facts):
                self._recorder.record_dated(facts)
            case d.Forget(experiment=number):
                await self._filing.remove(experiments[number])
            case d.SetAside(folder=folder):
                await asyncio.to_thread(self._set_aside, folder)
            case d.PutBack(commit=commit, seen=seen):
                await asyncio.to_thread(self._lineage.branch.put_back, commit, seen)

    async def _commit_again(self, number: int) -> None:
        """Recreate a lost commit, and before it the lost ones that it is built on."""
        experiment = self._study.experiments[number]
        survey = await asyncio.to_thread(
            self._lineage.history.survey, {x.commit for x in self._study.experiments.values() if x.commit}
        )
        if experiment.commit in survey.there:
            return  # somebody else's was made on it
        parent = self._study.experiments.get(-1 if experiment.parent is None else experiment.parent)
        if parent is not None and parent.commit == experiment.parent_commit:
            await self._commit_again(parent.id)
        like = next((sha for sha in survey.refs.values() if sha in survey.there), None)
        await asyncio.to_thread(self._lineage.refs.make_room, number)
        try:
            await self._proposals.commit_again(experiment, like)
        except LineageError as error:
            reason = f"the commit of experiment {number} is gone from git and cannot be made again: {error}"
            if number == self._study.champion:
                raise LineageError(f"{reason}; bring .git/objects back from a backup") from error
            if experiment.verdict is None:
                await self._judging.give_verdict(
                    experiment, e.ExperimentJudged(verdict=Outcome.REJECTED, reason=reason, by="guard")
                )
            else:
                self._recorder.record(e.Fault(where="recovery", message=reason))

    def _set_aside(self, name: str) -> None:
        folder = self._workspace.runs / name
        place = next(
            path
            for number in range(1, 1_000_000)
            if not (path := folder.with_name(f"{name}.aside" if number == 1 else f"{name}.aside-{number}")).exists()
        )
        for part in ("out", "tmp", "cache"):
            shutil.rmtree(folder / part, ignore_errors=True)
        try:
            folder.rename(place)
        except FileNotFoundError:
            pass  # done by the one before
