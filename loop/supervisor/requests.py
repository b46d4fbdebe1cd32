"""Requests: when each of a person's requests takes effect, and what came of it, on record.

Those about the loop as a whole (pause, resume, steer, stop) are fulfilled here, those about one experiment by
`experiment_requests`.
"""

from loop.journal.recorder import Recorder
from loop.lineage import LineageError
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.judging import Judging
from loop.pipeline.pool import ResearcherPool
from loop.pipeline.proposals import PERSON, Proposals
from loop.policy import scheduler
from loop.researchers.protocol import Proposal
from loop.study import events as e
from loop.study.state import Request, Study
from loop.supervisor.experiment_requests import ExperimentRequests


class Requests:
    """Fulfils one study's requests, in the order in which they were asked."""

    def __init__(
        self,
        recorder: Recorder,
        pool: ResearcherPool,
        proposals: Proposals,
        dispatcher: Dispatcher,
        judging: Judging,
        requests: ExperimentRequests,
    ) -> None:
        self._recorder, self._pool, self._proposals = recorder, pool, proposals
        self._dispatcher, self._judging, self._requests = dispatcher, judging, requests

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def fulfil_all(self) -> None:
        """Carry out what a person asked for, and record when."""
        while True:
            await self._recorder.until(lambda: any(map(self._can_fulfil, self._study.open_requests())))
            for request in filter(self._can_fulfil, self._study.open_requests()):
                if (outcome := await self._fulfil(request)) is not None:
                    self._recorder.record(e.RequestFulfilled(request=request.seq, outcome=outcome))

    def _can_fulfil(self, request: Request) -> bool:
        """Whether something can be done about a request now."""
        match request.body:
            case e.Paused():
                return not self._study.paused or not self._study.running()
            case e.Stopped():
                return False  # fulfilled by the end itself
            case e.Steered():  # fulfilled by whoever hears the words
                return self._pool.interrupts(request)
            case e.Submitted():  # there is nothing to compare it with before the baseline is a commit
                return self._study.baseline is not None and self._study.baseline.commit is not None
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
            case e.Steered():
                self._pool.interrupt(request)
                return None
            case e.Pinned(text=text):
                return f"pinned: every briefing from now on says “{text:.60}”"
            case e.Unpinned():
                return "unpinned"
            case e.Submitted():
                await self._submit(request, request.body)
                return None
            case _:
                experiment = self._study.experiments.get(-1 if request.experiment is None else request.experiment)
                if experiment is None:
                    return f"there is no experiment {request.experiment}"
                try:
                    return await self._requests.fulfil(experiment, request)
                except LineageError as error:
                    return str(error)

    async def _submit(self, request: Request, body: e.Submitted) -> None:
        """Take in a person's own experiment; the request ends in the same transaction, so it is taken in once."""
        number = self._pool.next_number()
        parent = body.parent if body.parent in self._study.experiments else scheduler.reference(self._study)
        proposal = Proposal(body.title, body.hypothesis, body.edits, submitted=True)
        fulfilled = e.RequestFulfilled(request=request.seq, outcome=f"it is experiment {number}")
        self._proposals.record(number, parent, proposal, request.who or PERSON, fulfilled)
        experiment = self._study.experiments[number]
        await self._judging.settle(experiment, await self._proposals.commit(experiment))
