"""The sink of a researcher: what it says while it thinks goes into the journal, and a person's words come to it."""

import time
from collections.abc import Callable, Sequence

from loop.journal.recorder import Recorder
from loop.researchers.protocol import Researcher
from loop.study import events as e


class ResearcherSink:
    """One researcher's `Sink`, for one proposal.

    Args:
        number: the experiment it thinks about; None while it prepares.
    """

    def __init__(
        self, recorder: Recorder, researcher: Researcher, number: int | None, limited: Callable[[], bool]
    ) -> None:
        self._recorder, self._name, self._number, self._limited = recorder, researcher.name, number, limited

    def think(self, text: str) -> None:
        self._recorder.stream(e.Thought(researcher=self._name, text=text), self._number)

    def tool(self, intent: str, result: str, seconds: float) -> None:
        body = e.ToolCalled(researcher=self._name, intent=intent, result=result, seconds=seconds)
        self._recorder.record(body, self._number)

    def note(self, text: str) -> None:
        self._recorder.record(e.NoteWritten(researcher=self._name, text=text), self._number)

    def rewrite(self, text: str) -> None:
        self._recorder.record(e.NotebookRewritten(researcher=self._name, text=text), self._number)

    def messages(self) -> Sequence[str]:
        return self.deliver_messages("while it thought about")

    def deliver_messages(self, when: str) -> tuple[str, ...]:
        """What the person said and no researcher has heard yet; recorded as heard `when` experiment N."""
        self._recorder.catch_up()
        said = [request for request in self._recorder.study.open_requests() if isinstance(request.body, e.Steered)]
        if said:
            heard = f"heard {when} experiment {self._number}"
            self._recorder.record_all(
                [(e.RequestFulfilled(request=request.seq, outcome=heard), None, None) for request in said]
            )
        return tuple(request.body.text for request in said if isinstance(request.body, e.Steered))

    def spend(self, spent: e.Spent) -> None:
        self._recorder.record(spent.model_copy(update={"researcher": self._name}), self._number)

    def last_call(self) -> str | None:
        limit = self._recorder.study.limit
        return limit.reason if self._limited() and limit is not None else None

    def trouble(self, message: str, wait: float | None = None) -> None:
        next_at = None if wait is None else time.time() + wait
        self._recorder.record(e.Fault(where=self._name, message=message, next_at=next_at), self._number)

    def recovered(self) -> None:
        if self._name in self._recorder.study.troubles:
            self._recorder.record(e.Recovered(where=self._name), self._number)
