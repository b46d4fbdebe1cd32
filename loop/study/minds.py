"""The researchers of a study as its events tell of them: who is there, what each thinks about, what it has cost.

Filled in by `state`, read by all. Pure: no clock, no file.
"""

from collections import deque
from dataclasses import dataclass, field

from loop.study import events as e

THOUGHTS_TIMED = 20
"""Newest thoughts of each researcher whose length is known: models and machines change in the course of a study."""


@dataclass(slots=True)
class Thinking:
    """A thought under way."""

    researcher: str
    number: int
    """Of the experiment that it is to become."""
    since: float
    champion: int
    title: str = ""
    """What it is about, once the researcher has claimed that."""


@dataclass(slots=True)
class Mind:
    """One researcher."""

    name: str
    about: str = ""
    at_once: int = 1
    present: bool = False
    """It takes part under the present supervisor."""
    left: str = ""
    """Why it proposes nothing more, where it does not."""
    tokens: int = 0
    usd: float = 0.0
    usd_unknown: bool = False
    """Some of its calls have no known price, so `usd` is a lower bound."""
    lengths: deque[float] = field(default_factory=lambda: deque(maxlen=THOUGHTS_TIMED))
    """Seconds of its newest thoughts that ended in a proposal."""
    new: deque[bool] = field(default_factory=lambda: deque(maxlen=THOUGHTS_TIMED))
    """Of its newest thoughts that came to a proposal, whether each was a new one; one that is not becomes none."""

    def spend(self, spent: e.Spent) -> None:
        self.tokens += spent.tokens
        self.usd += spent.usd or 0.0
        self.usd_unknown |= spent.usd is None


@dataclass(slots=True)
class Minds:
    """All researchers of a study, and the notebook that they share."""

    of: dict[str, Mind] = field(default_factory=dict)
    """By name, in the order in which they joined."""
    thoughts: dict[int, Thinking] = field(default_factory=dict)
    """What is being thought about, by the number of the experiment."""
    notebook: list[str] = field(default_factory=list)
    _noted: list[int] = field(default_factory=list)
    """`seq` of each line of the notebook."""

    def present(self) -> list[Mind]:
        """Those that take part and may still propose."""
        return [mind for mind in self.of.values() if mind.present and not mind.left]

    def named(self, name: str) -> Mind:
        return self.of.setdefault(name, Mind(name))

    def apply(self, event: e.Event) -> None:
        """Take in an event of a researcher."""
        match event.body:
            case e.ResearcherJoined(name=name, about=about, at_once=at_once):
                mind = self.named(name)
                mind.about, mind.at_once, mind.present, mind.left = about, at_once, True, ""
            case e.ThoughtBegan(researcher=name, champion=champion) if event.experiment is not None:
                self.thoughts[event.experiment] = Thinking(name, event.experiment, event.at, champion)
            case e.Claimed(title=title) if event.experiment in self.thoughts:
                self.thoughts[event.experiment].title = title
            case e.ThoughtEnded(repeated=repeated):
                thought = self.thoughts.pop(-1 if event.experiment is None else event.experiment, None)
                if thought is not None and repeated:
                    self.named(thought.researcher).new.append(False)
            case e.Spent(researcher=name) as spent:
                self.named(name).spend(spent)
            case e.NoteWritten(text=text):
                self.notebook.append(text)
                self._noted.append(event.seq)
            case e.NotebookRewritten(text=text, read=read):
                later = [n for n, seq in enumerate(self._noted) if read is not None and seq > read]
                self.notebook = [text, *(self.notebook[n] for n in later)]
                self._noted = [event.seq, *(self._noted[n] for n in later)]
            case _:
                pass

    def proposed(self, number: int, at: float) -> None:
        """A thought has become an experiment."""
        if (thought := self.thoughts.pop(number, None)) is not None:
            mind = self.named(thought.researcher)
            mind.lengths.append(max(0.0, at - thought.since))
            mind.new.append(True)

    def failed(self, fault: e.Fault) -> None:
        """A fault after which its researcher proposes nothing more."""
        if fault.gone and fault.where in self.of:
            self.of[fault.where].left = fault.message

    def begin(self) -> None:
        """Another supervisor has begun: whoever takes part joins anew, and no thought goes on."""
        self.thoughts.clear()
        for mind in self.of.values():
            mind.present = False

    def shift(self, by: float) -> None:
        """The machine's clock was set, or it slept."""
        for thought in self.thoughts.values():
            thought.since += by
