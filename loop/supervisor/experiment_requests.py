"""What a person asks of one experiment: approve, reject, kill, overrule, requeue, branch; in words.

Those about the loop as a whole (pause, resume, steer, stop) are `requests`'.
"""

from loop.journal.recorder import Recorder
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.judging import Judging
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.state import Request


class ExperimentRequests:
    """Fulfils a person's requests about experiments."""

    def __init__(self, recorder: Recorder, dispatcher: Dispatcher, judging: Judging) -> None:
        self._recorder, self._dispatcher, self._judging = recorder, dispatcher, judging

    async def fulfil(self, experiment: Experiment, request: Request) -> str | None:
        """Carry out a request about `experiment`; returns what came of it, in words. None where that is to come.

        Raises:
            LineageError: git did not allow it; nothing was changed then but what the words say.
        """
        who = request.who or "a person"
        match request.body:
            case e.Approved():
                return await self._approve(experiment, who)
            case e.Rejected(why=why):
                return await self._reject(experiment, who, why)
            case e.Killed():
                return await self._kill(experiment, who, request.seq)
            case e.Overruled(verdict="kept", why=why):
                async with self._judging.judging:
                    return await self._keep(experiment, who, why)
            case e.Overruled(why=why):
                async with self._judging.judging:
                    return await self._discard(experiment, who, why)
            case e.Requeued():
                return await self._requeue(experiment)
            case e.Branched():
                async with self._judging.judging:
                    return await self._branch(experiment)
            case _:
                return "nothing is known about such a request"

    async def _approve(self, experiment: Experiment, who: str) -> str:
        if experiment.phase != "waiting":
            return f"experiment {experiment.id} does not wait for approval"
        if experiment.counted() and experiment.parent == self._recorder.study.champion:
            await self._judging.confirm(experiment, who)
            return f"experiment {experiment.id} is {experiment.verdict or 'judged again'}"
        self._queue_again(experiment)
        return f"experiment {experiment.id} is queued"

    async def _reject(self, experiment: Experiment, who: str, why: str) -> str:
        if experiment.phase != "waiting":
            return f"experiment {experiment.id} does not wait for approval"
        reason = why or "rejected without a reason"
        await self._judging.give_verdict(experiment, e.ExperimentJudged(verdict="rejected", reason=reason, by=who))
        return f"experiment {experiment.id} is rejected"

    async def _kill(self, experiment: Experiment, who: str, request: int) -> str | None:
        if self._dispatcher.kill(experiment.id, who, request=request):
            return None
        if experiment.verdict is not None:
            return f"experiment {experiment.id} is not running; it was {experiment.verdict.replace('_', ' ')}"
        reason = "killed before it ran" if not experiment.counted() else "killed between two runs"
        await self._judging.give_verdict(experiment, e.ExperimentJudged(verdict="killed", reason=reason, by=who))
        return f"experiment {experiment.id} is taken out of the queue"

    async def _keep(self, experiment: Experiment, who: str, why: str) -> str:
        study = self._recorder.study
        number = experiment.id
        if experiment.verdict is None or experiment.commit is None:
            return f"experiment {number} has no verdict to overrule yet"
        if number == study.champion:
            return f"experiment {number} is the champion already"
        if experiment.metric is None:
            return f"experiment {number} has no number, and everything later would be measured against it"
        if experiment.parent != study.champion:
            return f"experiment {number} was made on another champion; requeue it first, so that it runs on today's"
        await self._judging.give_verdict(experiment, self._overruling(experiment, "kept", who, why))
        return f"experiment {number} is the champion now"

    async def _discard(self, experiment: Experiment, who: str, why: str) -> str:
        study = self._recorder.study
        number = experiment.id
        if experiment.verdict != "kept":
            return f"experiment {number} was not kept"
        if number == 0:
            return "the baseline cannot be discarded"
        if number not in study.built_on():
            return f"today's champion does not build on experiment {number}, so there is nothing to take back"
        if number != study.champion:
            return f"later champions build on experiment {number}; discard those first, the newest first"
        before = study.experiments[experiment.parent or 0]
        await self._judging.give_verdict(
            experiment, self._overruling(experiment, "discarded", who, why), champion=before
        )
        return f"experiment {number} is discarded, and experiment {before.id} is the champion again"

    def _overruling(self, experiment: Experiment, verdict: e.Verdict, who: str, why: str) -> e.ExperimentJudged:
        """The person's verdict, with the figures of the judge's."""
        judged = (experiment.verdict or "").replace("_", " ")
        return e.ExperimentJudged(
            verdict=verdict,
            reason=(why or "no reason given") + f" (overruled; the judge: {judged}, {experiment.reason})",
            metric=experiment.metric,
            effect=experiment.effect,
            noise=experiment.noise,
            confidence=experiment.confidence,
            champion=experiment.champion,
            by=who,
        )

    async def _requeue(self, experiment: Experiment) -> str:
        number = experiment.id
        if experiment.verdict is None:
            return f"experiment {number} is open already"
        if number in self._recorder.study.built_on():
            return f"experiment {number} was kept; discard it first"
        if experiment.commit is None:
            return f"experiment {number} never became a commit, so there is nothing to run"
        self._queue_again(experiment)
        await self._judging.remove_note(experiment)
        return f"experiment {number} is queued again"

    async def _branch(self, experiment: Experiment) -> str:
        number = experiment.id
        if number == self._recorder.study.champion:
            return f"experiment {number} is the champion already"
        if experiment.verdict != "kept":
            return f"experiment {number} was not kept, so nothing can go on from it; keep it first"
        await self._judging.make_champion(experiment)
        return f"experiment {number} is the champion again; what comes next builds on it"

    def _queue_again(self, experiment: Experiment) -> None:
        assert experiment.commit and experiment.parent_commit
        queued = e.ExperimentQueued(
            commit=experiment.commit,
            parent=experiment.parent,
            parent_commit=experiment.parent_commit,
            lines_added=experiment.lines_added,
            lines_removed=experiment.lines_removed,
            flags=experiment.flags,
        )
        self._recorder.record(queued, experiment.id)
