"""What `looptop doctor` finds out about a researcher: one question, and its answer. Plain data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """The answer to one question."""

    question: str
    good: bool
    said: str
    remedy: str = ""
