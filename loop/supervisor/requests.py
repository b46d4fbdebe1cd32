"""Requests: when each of a person's requests takes effect, and what came of it, on record.

Whether a request may be carried out is asked of `request_table` at that very moment: the study may have moved since it
was made. Here is what is done then.
"""

from contextlib import nullcontext

from loop.journal.recorder import Recorder
from loop.lineage import LineageError
from loop.pipeline.ablating import Ablating
from loop.pipeline.climbing import Climbing
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.filing import Filing
from loop.pipeline.judging import Judging
from loop.pipeline.own import propose
from loop.pipeline.pool import ResearcherPool
from loop.pipeline.proposals import PERSON, Proposals, queued_again
from loop.pipeline.validating import Validating
from loop.policy import permissions, request_table, scheduler
from loop.policy.permissions import Refused
from loop.researchers.protocol import Proposal
from loop.study import events as e
from loop.study.asked import Request
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.state import Study


class Requests:
    """Fulfils one study's requests, in the order in which they were made."""

    def __init__(
        self,
        recorder: Recorder,
        pool: ResearcherPool,
        proposals: Proposals,
        dispatcher: Dispatcher,
        judging: Judging,
        filing: Filing,
        validating: Validating,
        ablating: Ablating,
        climbing: Climbing,
    ) -> None:
        self._recorder, self._pool, self._proposals = recorder, pool, proposals
        self._dispatcher, self._judging, self._filing = dispatcher, judging, filing
        self._validating, self._ablating, self._climbing = validating, ablating, climbing

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def fulfil_all(self) -> None:
        """Fulfil each request as soon as it is due, and record what came of it. Never returns."""
        while True:
            await self._recorder.until(lambda: any(map(self._is_due, self._study.open_requests())))
            for request in filter(self._is_due, self._study.open_requests()):
                if (outcome := await self._fulfil(request)) is not None:
                    self._recorder.record(e.RequestFulfilled(request=request.seq, outcome=outcome))

    def _is_due(self, request: Request) -> bool:
        """Whether something can be done about a request now."""
        match request.body:
            case e.Paused():
                return not self._study.paused or not self._study.running()
            case e.Stopped():
                return False  # fulfilled by the end itself
            case e.Steered(to=to):  # fulfilled by the researchers that hear the words
                unknown = isinstance(permissions.find_researcher(self._study, to), Refused)
                return unknown or self._pool.interrupts(request)
            case e.Submitted():  # there is nothing to compare it with before the baseline is a commit
                return self._study.baseline is not None and self._study.baseline.commit is not None
            case e.Validated():
                return self._study.champion is not None and not self._validating.has_begun(request.seq)
            case e.Ablated(end=end):
                return end or (self._study.champion is not None and not self._ablating.has_begun(request.seq))
            case e.Promoted(then="climb"):
                begun = self._study.climbs[-1].began.request if self._study.climbs else None
                return begun != request.seq  # its end fulfils the request
            case e.Killed():
                return not self._dispatcher.ends_for(request.seq)
            case _:
                return True

    async def _fulfil(self, request: Request) -> str | None:
        """What came of a request; None where that is still to come."""
        match request.body:
            case e.Paused():
                return "paused" if self._study.paused else "resumed before it took effect"
            case e.Resumed():
                return "resumed"
            case e.Steered(to=to):
                if isinstance(known := permissions.find_researcher(self._study, to), Refused):
                    return known.sentence
                self._pool.interrupt(request)
                return None
            case e.Pinned(text=text):
                return f"pinned: every briefing from now on says “{text:.60}”"
            case e.Unpinned():
                return "unpinned"
            case e.Drained(slot=slot) | e.Undrained(slot=slot):
                found = permissions.find_slot(self._study, slot)
                if isinstance(found, Refused):
                    return found.sentence
                again = isinstance(request.body, e.Undrained)
                return f"{slot} is used again" if again else f"{slot} starts no run any more"
            case e.Submitted():
                await self._submit(request, request.body)
                return None
            case e.Validated(runs=0, who=who):
                return await self._validating.end(who or "a person")
            case e.Validated():
                return self._validating.begin(request, request.body)
            case e.Ablated(end=True, who=who):
                return await self._ablating.end(who or "a person")
            case e.Ablated():
                return await self._ablating.begin(request, request.body)
            case e.Promoted(then=then) as body:
                x = permissions.find_experiment(self._study, request.experiment)
                answer = x if isinstance(x, Refused) else request_table.of(body).check(self._study, x)
                if isinstance(x, Refused) or isinstance(answer, Refused):
                    return answer.sentence
                if then == "climb":
                    return await self._climbing.begin(x, request, body)
                until = f"until `looptop promote {x.id}`"
                if then == "hold":
                    return f"no further run of experiment {x.id} starts on a larger rung {until}"
                return f"experiment {x.id} does not climb {until}"
            case _:
                return await self._fulfil_about(request)

    async def _submit(self, request: Request, body: e.Submitted) -> None:
        """Take in a person's own experiment; the request ends in the same transaction, so it is taken in once."""
        number = self._pool.next_number()
        parent = body.parent if body.parent in self._study.experiments else scheduler.reference(self._study)
        proposal = Proposal(body.title, body.hypothesis, body.edits, submitted=True)
        fulfilled = e.RequestFulfilled(request=request.seq, outcome=f"it is experiment {number}")
        who = request.who or PERSON
        await propose(self._recorder, self._proposals, self._judging, number, parent, proposal, who, fulfilled)

    # --- about one experiment ----------------------------------------------------------------------------------

    async def _fulfil_about(self, request: Request) -> str | None:
        """Carry out a request about one experiment, where it may be done now."""
        experiment = permissions.find_experiment(self._study, request.experiment)
        if isinstance(experiment, Refused):
            return experiment.sentence
        body = request.body
        assert isinstance(body, e.Request)
        moves_champion = isinstance(body, e.Approved | e.Overruled | e.Branched)
        async with self._judging.judging if moves_champion else nullcontext():
            answer = request_table.of(body).check(self._study, experiment)
            if isinstance(answer, Refused):
                return answer.sentence
            try:
                return await self._carry_out(experiment, body, request)
            except LineageError as error:  # nothing was changed but what its words say
                return str(error)

    async def _carry_out(self, experiment: Experiment, body: e.Request, request: Request) -> str | None:
        who = request.who or "a person"
        match body:
            case e.Approved():
                return await self._approve(experiment, who)
            case e.Rejected(why=why):
                judged = e.ExperimentJudged(verdict=Outcome.REJECTED, reason=why or "rejected without a reason", by=who)
                await self._judging.give_verdict(experiment, judged)
                return f"experiment {experiment.id} is rejected"
            case e.Killed():
                return await self._kill(experiment, who, request.seq)
            case e.Overruled(verdict=verdict, why=why) if experiment.doubted:
                await self._judging.overrule(
                    experiment, Outcome.KEPT if verdict == "kept" else Outcome.DISCARDED, who, why
                )
                return f"experiment {experiment.id} is {verdict}"
            case e.Overruled(verdict="kept", why=why):
                await self._judging.give_verdict(experiment, _overruling(experiment, Outcome.KEPT, who, why))
                return f"experiment {experiment.id} is the champion now"
            case e.Overruled(why=why):
                before = self._study.experiments[experiment.parent or 0]
                judged = _overruling(experiment, Outcome.DISCARDED, who, why)
                await self._judging.give_verdict(experiment, judged, champion=before)
                return f"experiment {experiment.id} is discarded, and experiment {before.id} is the champion again"
            case e.Requeued():
                self._queue_again(experiment)
                await self._filing.remove(experiment)
                return f"experiment {experiment.id} is queued again"
            case e.Branched():
                await self._judging.make_champion(experiment)
                return f"experiment {experiment.id} is the champion again; what comes next builds on it"
            case e.Without():
                return await self._ablating.do_without(request, experiment)
            case _:
                return "this version does nothing about such a request"

    async def _approve(self, experiment: Experiment, who: str) -> str:
        if experiment.counted() and experiment.parent == self._study.champion:
            await self._judging.confirm(experiment, who)
            return f"experiment {experiment.id} is {experiment.verdict or 'judged again'}"
        self._queue_again(experiment)
        return f"experiment {experiment.id} is queued"

    async def _kill(self, experiment: Experiment, who: str, request: int) -> str | None:
        if self._dispatcher.kill(experiment.id, who, request=request):
            return None
        if experiment.verdict is not None:  # a champion that was measured anew, and has just ended
            return permissions.not_running(experiment).sentence
        reason = "killed before it ran" if not experiment.counted() else "killed between two runs"
        await self._judging.give_verdict(experiment, e.ExperimentJudged(verdict=Outcome.KILLED, reason=reason, by=who))
        return f"experiment {experiment.id} is taken out of the queue"

    def _queue_again(self, experiment: Experiment) -> None:
        self._recorder.record(queued_again(experiment), experiment.id)


def _overruling(experiment: Experiment, verdict: Outcome, who: str, why: str) -> e.ExperimentJudged:
    """The person's verdict, with the figures of the judge's."""
    judged = experiment.verdict.word if experiment.verdict else ""
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
