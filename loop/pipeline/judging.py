"""Judging: when an experiment has run enough, its verdict, the branch and the note in git.

Every step may be repeated without effect, so a supervisor that was killed halfway is followed by one that finishes.
"""

import asyncio
from functools import partial
from typing import Literal

from loop.journal.recorder import Recorder
from loop.lineage import Lineage, verdict_note
from loop.policy import scheduler
from loop.policy.noise import pooled
from loop.policy.standing import decision, standing
from loop.runs.log import compress_log
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.workspace import Workspace


class Judging:
    """Judges one study's experiments, one at a time and in order."""

    def __init__(self, workspace: Workspace, lineage: Lineage, recorder: Recorder) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self.judging = asyncio.Lock()
        """Held from looking at the champion until it is changed."""

    async def consider(self, experiment: Experiment) -> str | None:
        """Give an experiment its verdict, if its runs so far allow one.

        Returns:
            Why the study cannot go on, where the file that everything is measured against does not work; else None.
        """
        async with self.judging:
            stands, reason = standing(self._recorder.study, experiment)
            if stands == "unfinished":
                return None
            if experiment.id == scheduler.reference(self._recorder.study):
                failure = await self._consider_reference(experiment, stands, reason)
                if failure is None and experiment.verdict is not None:
                    await self._consider_challengers()
                return failure
            if experiment.verdict is not None:
                return None
            if stands != "measured":
                await self.give_verdict(experiment, e.ExperimentJudged(verdict=stands, reason=reason))
            elif experiment.parent == self._recorder.study.champion:
                await self._compare(experiment)
        return None

    async def confirm(self, experiment: Experiment, who: str) -> None:
        """Give an experiment that waited for a person after its runs the judge's verdict."""
        async with self.judging:
            await self._compare(experiment, approved_by=who)

    async def settle(self, experiment: Experiment, reason: str | None) -> None:
        """Give a proposal that was rejected, for `reason`, its verdict and its note; None where it was not."""
        if reason is None:
            return
        if experiment.verdict is None:
            judged = e.ExperimentJudged(verdict=Outcome.REJECTED, reason=reason, by="guard")
            await self.give_verdict(experiment, judged)
        else:  # it is on record with the commit
            await self.write_notes(experiment)

    async def _consider_reference(
        self, experiment: Experiment, stands: Outcome | Literal["measured"], why: str
    ) -> str | None:
        contract = self._recorder.study.contract
        values = experiment.measured(contract.protocol_id)
        if experiment.verdict is not None and values:
            newest = experiment.counted()[-1]
            if newest.metric is None:
                # It worked before, so this is the machine's doing; the numbers that it has go on counting.
                message = f"run {experiment.id}.{newest.number} of the champion gave no number: {newest.reason}"
                self._recorder.record(e.Fault(where="champion", message=message))
            await self.write_notes(experiment)  # its note tells all of its runs
            return None
        if stands != "measured":
            if experiment.verdict is None:
                await self.give_verdict(experiment, e.ExperimentJudged(verdict=stands, reason=why))
            what = "the baseline" if experiment.id == 0 else f"the champion (experiment {experiment.id})"
            return f"{what} {stands.said}: {why}"
        if experiment.verdict is None and len(values) >= contract.keep.baseline_runs:
            noise = pooled([values])
            sd = noise.sd if noise is not None else 0.0
            mean = sum(values) / len(values)
            reason = f"{len(values)} runs of the file as it stands: {mean:.6g}, noise {sd:.2g}"
            judged = e.ExperimentJudged(
                verdict=Outcome.KEPT, reason=self._told(reason), metric=mean, noise=sd, by="baseline"
            )
            await self.give_verdict(experiment, judged)
        return None

    async def _consider_challengers(self) -> None:
        """The champion was measured anew: judge the experiments that waited for it."""
        for experiment in self._recorder.study.open_experiments():
            if (
                experiment.phase == "queued"
                and experiment.parent == self._recorder.study.champion
                and standing(self._recorder.study, experiment)[0] == "measured"
            ):
                await self._compare(experiment)

    async def _compare(self, experiment: Experiment, approved_by: str = "") -> None:
        contract, champion = self._recorder.study.contract, self._recorder.study.best
        assert champion is not None
        values = experiment.measured(contract.protocol_id)
        decided = decision(self._recorder.study, experiment)
        if decided.action in ("again", "remeasure"):
            return
        kept = decided.action == "keep"
        if kept and decided.flag and not approved_by and contract.review == "flagged":
            self._recorder.record(e.ApprovalAsked(reason=decided.flag), experiment.id)
            return
        reason = decided.reason.partition(": ")[2]
        judged = e.ExperimentJudged(
            verdict=Outcome.KEPT if kept else Outcome.DISCARDED,
            reason=self._told(f"{reason}; {approved_by} has looked at it" if approved_by else reason),
            metric=sum(values) / len(values),
            effect=decided.effect,
            noise=decided.noise,
            confidence=decided.confidence,
            champion=champion.id,
            flags=(decided.flag,) if kept and decided.flag else (),
        )
        await self.give_verdict(experiment, judged)

    def _told(self, reason: str) -> str:
        """A reason, marked where the study's numbers are not verified."""
        return reason if self._recorder.study.contract.verify is not None else f"{reason} (self-reported)"

    async def give_verdict(
        self, experiment: Experiment, judged: e.ExperimentJudged, champion: Experiment | None = None
    ) -> None:
        """Give an experiment its verdict, and with it the study its champion.

        The branch moves first; the verdict and the change of champion are then one transaction, so that neither is ever
        seen without the other. A supervisor killed in between is followed by one that puts the branch back and judges
        the same. A branch that somebody else has moved is found at the next verdict, whatever it is.

        Args:
            champion: who is champion from now on; the experiment itself where it is kept, else nobody new.

        Raises:
            LineageError: the branch is not where the study left it; there is no verdict then.
        """
        facts: list[e.Entry] = [(judged, experiment.id, None)]
        successor = experiment if judged.verdict == Outcome.KEPT else champion
        if successor is None and self._recorder.study.best is not None:
            await asyncio.to_thread(self._lineage.branch.check, self._recorder.study.best.commit or "")
        elif successor is not None:
            await self._move_branch(successor)
            metric = judged.metric if successor is experiment else successor.metric
            changed = e.ChampionChanged(commit=successor.commit or "", metric=metric)
            facts.append((changed, successor.id, None))
        self._recorder.record_all(facts)
        await self.write_notes(experiment)

    async def make_champion(self, successor: Experiment) -> None:
        """Make an experiment that was kept the champion again. No verdict changes: what was measured was measured.

        Raises:
            LineageError: the branch is not where the study left it; the champion stays then.
        """
        await self._move_branch(successor)
        changed = e.ChampionChanged(commit=successor.commit or "", metric=successor.metric)
        self._recorder.record(changed, successor.id)

    async def _move_branch(self, successor: Experiment) -> None:
        assert successor.commit
        old = self._recorder.study.best
        if old is None:
            await self._recorder.disk.retry_when_space(partial(self._lineage.branch.begin, successor.commit))
        else:
            assert old.commit
            await self._recorder.disk.retry_when_space(
                partial(self._lineage.branch.advance, successor.commit, old.commit)
            )

    async def write_notes(self, *experiments: Experiment) -> None:
        """Bring git's notes and the run folders in line with the verdicts of experiments; may be done again.

        The notes come last, so that a start which finds one knows that the folders are done. An experiment that could
        not become a commit has no note; the journal has its edits.
        """
        notes = {x.commit: verdict_note.write(self._recorder.study.contract, x) for x in experiments if x.commit}
        for experiment in experiments:
            await asyncio.to_thread(self._put_away, experiment)
        await self._recorder.disk.retry_when_space(partial(self._lineage.notes.write, notes))

    async def remove_note(self, experiment: Experiment) -> None:
        """Bring git's note in line with an experiment that has no verdict any more; may be done again."""
        if experiment.commit is not None:
            await self._recorder.disk.retry_when_space(partial(self._lineage.notes.remove, experiment.commit))

    def _put_away(self, experiment: Experiment) -> None:
        """Limit what a judged experiment keeps on disk to its compressed logs and, if it was kept, its checkpoints.

        Checkpoints fill a disk in a day, logs in a month.
        """
        verifying = {run.number for x, run in self._recorder.study.verifying() if x.id == experiment.id}
        for run in experiment.runs.values():
            if run.outcome is None or run.number in verifying:
                continue  # a person may judge while it runs
            checkpoints = experiment.verdict == Outcome.KEPT and run.outcome != Outcome.LOST
            self._workspace.drop_written(experiment.id, run.number, but="out" if checkpoints else "")
            folder = self._workspace.run_folder(experiment.id, run.number)
            for log in (folder, folder / "verify"):
                compress_log(log)
