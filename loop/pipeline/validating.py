"""Validating: a validation begins when a person asks for it, or at a study's end, and ends with its result on record.

Its runs are like any other's: the scheduler says which is next, the slots run them. What is on record is enough to go
on after any death.
"""

from collections.abc import Callable

from loop.journal.recorder import Recorder
from loop.pipeline.filing import put_away
from loop.policy import validation
from loop.policy.permissions import Refused
from loop.study import events as e
from loop.study.asked import Request
from loop.study.state import Study
from loop.study.validation import Validation
from loop.workspace import Workspace


class Validating:
    """Looks after one study's validations."""

    def __init__(self, workspace: Workspace, recorder: Recorder) -> None:
        self._workspace, self._recorder = workspace, recorder

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def follow(self, at_end: Callable[[], bool]) -> None:
        """Begin what is owed at the study's end, and end each validation that is over. Never returns.

        Args:
            at_end: whether nothing else is left to be done.
        """
        while True:
            await self._recorder.until(lambda: self._is_over() or (at_end() and validation.is_owed(self._study)))
            if self._is_over():
                await self._end(validation.over(self._study, self._now()))
            else:
                self._recorder.record(validation.begun(self._study, validation.runs_at_end(self._study)))

    def begin(self, request: Request, body: e.Validated) -> str | None:
        """Begin a validation that a person has asked for; the request ends with it.

        Returns:
            Why it cannot begin, in a sentence; None where it has.
        """
        answer = validation.may_begin(self._study)
        if isinstance(answer, Refused):
            return answer.sentence
        self._recorder.record(validation.begun(self._study, body.runs, request.seq, body.only))
        return None

    async def end(self, who: str) -> str:
        """End the validation that goes on, with what its runs say so far; returns a sentence on what came of it."""
        if self._study.validation is None:
            return "no validation is under way"
        await self._end(f"{who} ended it")
        return "the validation is ended; its runs so far are on record"

    def has_begun(self, request: int) -> bool:
        """Whether the validation of that request is under way, so that its end fulfils the request."""
        now = self._study.validation
        return now is not None and now.began.request == request

    def _now(self) -> Validation:
        now = self._study.validation
        assert now is not None
        return now

    def _is_over(self) -> bool:
        now = self._study.validation
        return now is not None and (bool(validation.over(self._study, now)) or validation.is_complete(self._study, now))

    async def _end(self, reason: str) -> None:
        """Record the result, and with it the end of the request."""
        now = self._now()
        ended = validation.result(self._study, now, reason)
        facts: list[e.Entry] = [(ended, None, None)]
        if now.began.request is not None:
            outcome = validation.told(self._study.contract.metric, ended)
            facts.append((e.RequestFulfilled(request=now.began.request, outcome=outcome), None, None))
        self._recorder.record_all(facts)
        await put_away(self._workspace, self._study, now.seq, now.sides)
