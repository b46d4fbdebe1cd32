"""Judging: when an experiment has run enough, its verdict and the branch in git; what follows, `filing` does.

Every step may be repeated without effect, so a supervisor that was killed halfway is followed by one that finishes.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Literal

from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.pipeline.filing import Filing
from loop.policy import neighbours, rejections, run_checks, scheduler
from loop.policy.noise import pooled
from loop.policy.standing import decision, lacks_champion, stale, standing
from loop.study import events as e
from loop.study.experiment import CLASH, Experiment
from loop.study.outcomes import Outcome


class Judging:
    """Judges one study's experiments, one at a time and in order.

    Args:
        opened: what a placebo's verdict becomes, with its open seal; None for any other experiment's.
    """

    def __init__(
        self,
        lineage: Lineage,
        recorder: Recorder,
        filing: Filing,
        opened: Callable[[Experiment, e.ExperimentJudged], tuple[e.ExperimentJudged, e.PlaceboOpened] | None]
        | None = None,
    ) -> None:
        self._opened = opened
        self._lineage, self._recorder, self._filing = lineage, recorder, filing
        self.judging = asyncio.Lock()
        """Held from looking at the champion until it is changed."""
        self._moving = asyncio.Lock()
        """Held while the branch and the champion on record may differ: whoever rejects a proposal compares them too,
        without `judging`."""

    async def consider(self, experiment: Experiment, run: int | None = None) -> str | None:
        """Give an experiment its verdict, if its runs so far allow one.

        Args:
            run: number of the run that has just ended; None: any.

        Returns:
            Why the study cannot go on, where the file that everything is measured against does not work; else None.
        """
        async with self.judging:
            stands, reason = standing(self._recorder.study, experiment, self._kind(experiment, run))
            self._measure_neighbours()
            if stands == "unfinished":
                return None
            if experiment.id == scheduler.reference(self._recorder.study):
                failure = await self._consider_reference(experiment, stands, reason, run)
                if failure is None and experiment.verdict is not None:
                    await self._consider_challengers()
                return failure
            if experiment.verdict is not None:
                if experiment.asked:
                    self._filing.later(experiment)  # its note tells all of its runs
                return None
            if stands != "measured":
                await self.give_verdict(experiment, e.ExperimentJudged(verdict=stands, reason=reason))
                if said := rejections.in_a_row(self._recorder.study):
                    self._recorder.record(e.Fault(where="checks", message=said))
            elif not stale(self._recorder.study, experiment):
                await self._compare(experiment)
            else:
                await self._compare_stale(experiment)
        return None

    def _measure_neighbours(self) -> None:
        """Record what company costs on each kind of slot, as soon as the runs tell it."""
        for kind in self._recorder.study.kinds:
            if (found := neighbours.measure(self._recorder.study, kind)) is not None:
                self._recorder.record(found)

    def _kind(self, experiment: Experiment, run: int | None) -> str | None:
        """The kind of slot in which a champion has just run: on another one it may still be running."""
        if run is None or experiment.verdict is None or experiment.id != self._recorder.study.champion:
            return None
        return experiment.runs[run].device or None

    async def confirm(self, experiment: Experiment, who: str) -> None:
        """Give an experiment that waited for a person after its runs the judge's verdict; the caller holds `judging`.

        One that was near enough to be asked about is kept, whatever else the judge would like to see.
        """
        await self._compare(experiment, approved_by=who)

    async def overrule(self, experiment: Experiment, verdict: Outcome, who: str, why: str) -> None:
        """Give it a person's own verdict instead, with the judge's figures; the caller holds `judging`."""
        reason = f"{why or 'no reason given'} (it waited: {experiment.waits_for})"
        await self.give_verdict(experiment, self._figures(experiment, verdict, reason, by=who))

    async def settle(self, experiment: Experiment, reason: str | None, by: str = "guard") -> None:
        """Give a proposal that was rejected, for `reason`, its verdict; None where it was not."""
        if reason is None:
            return
        if experiment.verdict is None:
            judged = e.ExperimentJudged(verdict=Outcome.REJECTED, reason=reason, by=by)
            await self.give_verdict(experiment, judged)
        else:  # it is on record with the commit
            self._filing.later(experiment)

    async def clash(self, experiment: Experiment, reason: str) -> None:
        """Settle an experiment that cannot be moved onto a new champion, for `reason`.

        One that has not run is nobody's result. Runs that were spent are judged by the champion that they were made
        beside: they say what the change is worth there, and it is not kept by that. Either way its researcher may make
        it anew.
        """
        async with self.judging:
            study = self._recorder.study
            measured = bool(experiment.counted()) and standing(study, experiment)[0] == "measured"
            if experiment.verdict is not None or not measured or lacks_champion(study, experiment):
                await self.settle(experiment, reason, CLASH)
                return
            found = decision(study, experiment).reason.partition(": ")[2]
            against = f"measured against experiment {experiment.parent}, which was champion when it started"
            told = self._told(f"{found}; {against}, and cannot be moved: {reason}")
            await self.give_verdict(experiment, self._figures(experiment, Outcome.DISCARDED, told, by=CLASH))

    async def _consider_reference(
        self, experiment: Experiment, stands: Outcome | Literal["measured"], why: str, run: int | None
    ) -> str | None:
        contract = self._recorder.study.contract
        values = self._recorder.study.measured(experiment)
        if experiment.verdict is not None and values:
            newest = experiment.counted()[-1] if run is None else experiment.runs[run]
            if newest.outcome != Outcome.LOST and newest.metric is None:
                # It worked before, so this is the machine's doing; the numbers that it has go on counting.
                message = f"run {experiment.id}.{newest.number} of the champion gave no number: {newest.reason}"
                self._recorder.record(e.Fault(where="champion", message=message))
            self._filing.later(experiment)  # its note tells all of its runs
            return None
        if stands != "measured":
            if experiment.verdict is None:
                await self.give_verdict(experiment, e.ExperimentJudged(verdict=stands, reason=why))
            what = "the baseline" if experiment.id == 0 else f"the champion (experiment {experiment.id})"
            if experiment.counted()[-1].check == run_checks.REQUIRE:
                return f"{what} does not meet `require:`: {why}; change its condition in program.md, or the program"
            return f"{what} {stands.said}: {why}"
        if experiment.verdict is None and len(values) >= contract.keep.baseline_runs:
            noise = pooled([values])
            sd = noise.sd if noise is not None else 0.0
            mean = sum(values) / len(values)
            reason = f"{len(values)} runs of the file as it stands: {mean:.6g}, noise {sd:.2g}"
            if (beside := self._recorder.study.company(self._recorder.study.kind_of(experiment))) is not None:
                reason += f"; {neighbours.told(beside, contract.metric)}"
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
                and not stale(self._recorder.study, experiment)
                and standing(self._recorder.study, experiment)[0] == "measured"
            ):
                await self._compare(experiment)

    async def _compare(self, experiment: Experiment, approved_by: str = "") -> None:
        contract = self._recorder.study.contract
        if lacks_champion(self._recorder.study, experiment):
            return  # it runs on this kind of slot first
        decided = decision(self._recorder.study, experiment)
        if decided.action in ("again", "remeasure") and not approved_by:
            return
        kept = decided.action != "discard"
        why = decided.doubt if contract.review == "flagged" or contract.verify is None else ""
        if kept and why and not approved_by:
            self._recorder.record(e.ApprovalAsked(reason=why), experiment.id)
            return
        reason = decided.reason.partition(": ")[2]
        reason = self._told(f"{reason}; {approved_by} has looked at it" if approved_by else reason)
        verdict = Outcome.KEPT if kept else Outcome.DISCARDED
        await self.give_verdict(experiment, self._figures(experiment, verdict, reason))

    async def _compare_stale(self, experiment: Experiment) -> None:
        """Discard what was no better than the champion that it was built on, though another has taken its place; the
        rest stays in the queue, and moves onto today's."""
        study = self._recorder.study
        parent = study.experiments[experiment.parent or 0]
        if lacks_champion(study, experiment):
            return
        decided = decision(study, experiment)
        if decided.action != "discard":
            return
        reason = decided.reason.partition(": ")[2]
        reason = f"{reason}; measured against experiment {parent.id}, which was champion when it started"
        await self.give_verdict(experiment, self._figures(experiment, Outcome.DISCARDED, self._told(reason)))

    def _figures(self, experiment: Experiment, verdict: Outcome, reason: str, by: str = "judge") -> e.ExperimentJudged:
        """A verdict with what the judge makes of the experiment's runs."""
        study = self._recorder.study
        values = study.measured(experiment)
        decided = decision(study, experiment)
        return e.ExperimentJudged(
            verdict=verdict,
            reason=reason,
            metric=sum(values) / len(values),
            effect=decided.effect,
            noise=decided.noise,
            confidence=decided.confidence,
            champion=experiment.parent,
            by=by,
            flags=(decided.flag,) if verdict == Outcome.KEPT and decided.flag else (),
        )

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
        opened = None
        if self._opened is not None and experiment.id not in self._recorder.study.placebos:
            opened = self._opened(experiment, judged)
        if opened is not None:
            judged = opened[0]
        facts: list[e.Entry] = [(judged, experiment.id, None)]
        if opened is not None:
            facts.append((opened[1], experiment.id, None))
        successor = experiment if judged.verdict == Outcome.KEPT else champion
        async with self._moving:
            if successor is None and self._recorder.study.best is not None:
                await asyncio.to_thread(self._lineage.branch.check, self._recorder.study.best.commit or "")
            elif successor is not None:
                await self._move_branch(successor)
                metric = judged.metric if successor is experiment else successor.metric
                changed = e.ChampionChanged(commit=successor.commit or "", metric=metric)
                facts.append((changed, successor.id, None))
            self._recorder.record_all(facts)
        self._filing.later(experiment)

    async def make_champion(self, successor: Experiment) -> None:
        """Make an experiment that was kept the champion again. No verdict changes: what was measured was measured.

        Raises:
            LineageError: the branch is not where the study left it; the champion stays then.
        """
        async with self._moving:
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
