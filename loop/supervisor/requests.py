"""Wishes: when each of a person's wishes takes effect, and what came of it, on record.

Those about the loop as a whole (pause, resume, steer, stop) are granted here, those about one experiment by `wishes`.
"""

from loop.journal.recorder import Recorder
from loop.lineage import LineageError
from loop.pipeline.dispatcher import Flights
from loop.pipeline.pool import Asking
from loop.pipeline.proposals import PERSON, Intake
from loop.policy import scheduler as schedule
from loop.researchers.protocol import Proposal
from loop.study import events as e
from loop.study.state import Study, Wish
from loop.supervisor.experiment_requests import Wishes


class Granting:
    """Grants one study's wishes, in the order in which they were asked."""

    def __init__(self, recorder: Recorder, asking: Asking, intake: Intake, flights: Flights, wishes: Wishes) -> None:
        self._recorder, self._asking, self._intake = recorder, asking, intake
        self._flights, self._wishes = flights, wishes

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def grant_all(self) -> None:
        """Carry out what a person asked for, and record when."""
        while True:
            await self._recorder.until(lambda: any(map(self._grantable, self._study.open_wishes())))
            for wish in filter(self._grantable, self._study.open_wishes()):
                if (outcome := await self._grant(wish)) is not None:
                    self._recorder.record(e.WishGranted(wish=wish.seq, outcome=outcome))

    def _grantable(self, wish: Wish) -> bool:
        """Whether something can be done about a wish now."""
        match wish.body:
            case e.Paused():
                return not self._study.paused or not self._study.running()
            case e.Stopped():
                return False  # granted by the end itself
            case e.Steered():  # granted by whoever hears the words
                return self._asking.interrupts(wish)
            case e.Submitted():  # there is nothing to compare it with before the baseline is a commit
                return self._study.baseline is not None and self._study.baseline.commit is not None
            case e.Killed():
                return not self._flights.ends_for(wish.seq)
            case _:
                return True

    async def _grant(self, wish: Wish) -> str | None:
        """What came of a wish; None where that is still to come."""
        match wish.body:
            case e.Paused():
                return "paused" if self._study.paused else "resumed before it took effect"
            case e.Resumed():
                return "resumed"
            case e.Steered():
                self._asking.interrupt(wish)
                return None
            case e.Pinned(text=text):
                return f"pinned: every briefing from now on says “{text:.60}”"
            case e.Unpinned():
                return "unpinned"
            case e.Submitted():
                await self._submit(wish, wish.body)
                return None
            case _:
                experiment = self._study.experiments.get(-1 if wish.experiment is None else wish.experiment)
                if experiment is None:
                    return f"there is no experiment {wish.experiment}"
                try:
                    return await self._wishes.grant(experiment, wish)
                except LineageError as error:
                    return str(error)

    async def _submit(self, wish: Wish, body: e.Submitted) -> None:
        """Take in a person's own experiment; the wish is granted in the same transaction, so it is taken in once."""
        number = self._asking.next_number()
        parent = body.parent if body.parent in self._study.experiments else schedule.reference(self._study)
        proposal = Proposal(body.title, body.hypothesis, body.edits, submitted=True)
        granted = e.WishGranted(wish=wish.seq, outcome=f"it is experiment {number}")
        self._intake.accept(number, parent, proposal, wish.who or PERSON, granted)
        await self._intake.commit(self._study.experiments[number])
