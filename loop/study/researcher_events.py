"""What researchers say and do before they propose."""

from typing import Literal

from loop.study.fact import Fact


class ResearcherJoined(Fact):
    kind: Literal["researcher_joined"] = "researcher_joined"
    name: str
    about: str
    """What it is, in one line for a person."""
    at_once: int = 1
    """Conversations that it may hold at once."""


class ThoughtBegan(Fact):
    """A researcher has begun to think about the experiment in the envelope."""

    kind: Literal["thought_began"] = "thought_began"
    researcher: str
    champion: int
    """The experiment that its briefing had as champion."""


class Claimed(Fact):
    """It has said what it is about to try, so that no other researcher thinks about the same."""

    kind: Literal["claimed"] = "claimed"
    researcher: str
    title: str


class ThoughtEnded(Fact):
    """It ended without a proposal, and its claim with it."""

    kind: Literal["thought_ended"] = "thought_ended"
    researcher: str
    why: str
    repeated: bool = False
    """It came to a proposal that an earlier experiment has made."""


class Heard(Fact):
    """A person's words have reached a researcher, who thought about the experiment in the envelope then."""

    kind: Literal["heard"] = "heard"
    request: int
    """Its `seq`."""
    researcher: str


class Thought(Fact):
    """A piece of the reasoning stream. Pieces are joined without a separator."""

    kind: Literal["thought"] = "thought"
    researcher: str
    text: str
    thinking: bool = False
    """It is a model's reasoning and no part of its answer; False also where the two cannot be told apart."""


class ToolCalled(Fact):
    kind: Literal["tool_called"] = "tool_called"
    researcher: str
    intent: str
    result: str
    seconds: float


class NoteWritten(Fact):
    kind: Literal["note_written"] = "note_written"
    researcher: str
    text: str


class LessonWritten(Fact):
    """What the result of an experiment taught, in a sentence; a second one replaces the first."""

    kind: Literal["lesson_written"] = "lesson_written"
    researcher: str
    text: str


class IdeaWritten(Fact):
    """An idea for another day. It is numbered by its place among all of them, from 1 on, and is off the list when an
    experiment names that number in its notes as `idea`."""

    kind: Literal["idea_written"] = "idea_written"
    researcher: str
    text: str


class NotebookRewritten(Fact):
    """The notebook had outgrown its share of a briefing; `text` stands for all that the researcher had read of it."""

    kind: Literal["notebook_rewritten"] = "notebook_rewritten"
    researcher: str
    text: str
    read: int | None = None
    """`seq` of the study as it was read: what others have noted since stays. None: all of the notebook was read."""


class Spent(Fact):
    """What one call of a model cost, in tokens as the endpoint counted them."""

    kind: Literal["spent"] = "spent"
    researcher: str
    tokens: int
    """Read and written together."""
    usd: float | None = None
    """None: the price is not known, which is not zero."""
    model: str = ""
    read: int = 0
    """Tokens of the prompt, those from a cache included."""
    cached: int = 0
    written: int = 0
    """Tokens of the answer, those of its reasoning included."""
    reasoning: int = 0
