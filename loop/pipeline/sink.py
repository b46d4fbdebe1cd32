"""The sink of a researcher: what it says while it thinks goes into the journal, and a person's words come to it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loop.journal.recorder import Recorder
from loop.policy import claims, supply
from loop.researchers.protocol import Researcher
from loop.sanitize import one_line
from loop.study import events as e
from loop.study.asked import Request
from loop.study.team import Member
from loop.words import listed

LONGEST_CLAIM = 120
"""Characters of a claim's title."""


@dataclass(eq=False)
class Chair:
    """One of the conversations that a researcher may hold at once."""

    researcher: Researcher
    terms: Member
    idle: bool = False
    """It could be asked now."""
    number: int | None = None
    """The experiment that is thought about here; kept over an interrupt, after which the thought goes on."""
    resting: bool = False
    """A thought failed here, and for a while the researcher is not asked again."""
    dry: bool = False
    """Its researcher has nothing to propose from this champion, and waits for another."""
    interrupted: bool = False
    """A person has cut that thought short, and it has not gone on yet."""
    since: int = 0
    """`seq` of the study when that thought began."""
    told: set[int] = field(default_factory=set)
    """Requests whose words have reached this conversation."""

    @property
    def name(self) -> str:
        return self.researcher.name


class ResearcherSink:
    """One researcher's `Sink`, for one thought, or for its preparation."""

    def __init__(self, recorder: Recorder, chair: Chair, limited: Callable[[], bool]) -> None:
        self._recorder, self._chair, self._limited = recorder, chair, limited
        self._name, self._number = chair.name, chair.number
        self._read = recorder.study.seq
        """What the briefing of this thought knows of."""

    def think(self, text: str, thinking: bool = False) -> None:
        self._recorder.stream(e.Thought(researcher=self._name, text=text, thinking=thinking), self._number)

    def tool(self, intent: str, result: str, seconds: float) -> None:
        body = e.ToolCalled(researcher=self._name, intent=intent, result=result, seconds=seconds)
        self._recorder.record(body, self._number)

    def note(self, text: str) -> None:
        self._recorder.record(e.NoteWritten(researcher=self._name, text=text), self._number)

    def lesson(self, experiment: int, text: str) -> None:
        self._recorder.record(e.LessonWritten(researcher=self._name, text=text), experiment)

    def idea(self, text: str) -> None:
        self._recorder.record(e.IdeaWritten(researcher=self._name, text=text), self._number)

    def rewrite(self, text: str) -> None:
        self._recorder.record(e.NotebookRewritten(researcher=self._name, text=text, read=self._read), self._number)

    def claim(self, title: str) -> str:
        self._recorder.catch_up()
        thought = self._recorder.study.minds.thoughts.get(-1 if self._number is None else self._number)
        if thought is None or not (title := one_line(title, LONGEST_CLAIM)):
            return ""
        if title != thought.title:
            self._recorder.record(e.Claimed(researcher=self._name, title=title), self._number)
        return claims.near(self._recorder.study, title, thought.number)

    def claimed(self) -> Sequence[str]:
        self._recorder.catch_up()
        return claims.others(self._recorder.study, -1 if self._number is None else self._number)

    def messages(self) -> Sequence[str]:
        return self.deliver_messages("while it thought about")

    def deliver_messages(self, when: str) -> tuple[str, ...]:
        """What the person said and this researcher has not heard yet; recorded as heard `when` experiment N.

        Its other conversations hear it too, where they were under way when it was said.
        """
        self._recorder.catch_up()
        requests = self._recorder.study.requests.values()
        said = [(request, request.body) for request in requests if isinstance(request.body, e.Steered)]
        said = [(request, body) for request, body in said if body.to in ("", self._name) and self._unheard(request)]
        new = [request for request, _ in said if self._name not in request.heard]
        self._chair.told.update(request.seq for request, _ in said)
        if new:
            facts = [(e.Heard(request=request.seq, researcher=self._name), self._number, None) for request in new]
            self._recorder.record_all([*facts, *fulfilments(self._recorder, (self._name, self._number, when), new)])
        return tuple(body.text for _, body in said)

    def _unheard(self, request: Request) -> bool:
        if request.seq in self._chair.told:
            return False
        started = self._chair.number is not None and request.seq > self._chair.since
        return started or (request.fulfilled_at is None and self._name not in request.heard)

    def spend(self, spent: e.Spent) -> None:
        self._recorder.record(spent.model_copy(update={"researcher": self._name}), self._number)

    def last_call(self) -> str | None:
        limit = self._recorder.study.limit
        if self._limited() and limit is not None:
            return limit.reason
        return supply.spent_up(self._recorder.study.minds.of.get(self._name), self._chair.terms.usd) or None

    def trouble(self, message: str, wait: float | None = None) -> None:
        next_at = None if wait is None else time.time() + wait
        self._recorder.record(e.Fault(where=self._name, message=message, next_at=next_at), self._number)

    def recovered(self) -> None:
        if self._name in self._recorder.study.troubles:
            self._recorder.record(e.Recovered(where=self._name), self._number)


def fulfilments(
    recorder: Recorder, hearer: tuple[str, int | None, str] | None = None, new: Sequence[Request] = ()
) -> list[e.Entry]:
    """The ends of requests whose words everybody has heard that they are for.

    Args:
        hearer: a researcher that hears those of `new` in the same transaction, the experiment it thinks about, and when
            it heard them.
    """
    ends: list[e.Entry] = []
    present = {mind.name for mind in recorder.study.minds.present()}
    for request in recorder.study.open_requests():
        if not isinstance(body := request.body, e.Steered):
            continue
        heard, when = dict(request.heard), "for"
        if hearer is not None and request in new:
            heard[hearer[0]], when = hearer[1], hearer[2]
        if heard and ({body.to} if body.to else present) <= heard.keys():
            experiments = [f"{name} for experiment {number}" for name, number in heard.items()]
            only = f"heard {when} experiment {next(iter(heard.values()))}"
            told = f"heard by {listed(experiments)}" if len(heard) > 1 else only
            ends.append((e.RequestFulfilled(request=request.seq, outcome=told), None, None))
    return ends
