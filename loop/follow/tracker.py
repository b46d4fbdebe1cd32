"""What a follower asks of a tracker."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from loop.errors import UserError
from loop.follow.translation import Update


class TrackerTrouble(UserError):
    """The tracker does not answer, or refuses; what was to be sent is sent again."""


@dataclass(frozen=True)
class Details:
    """What is looked up in git once an experiment has its verdict."""

    constants: Callable[[int], Mapping[str, str]]
    """Values of the constants in its editable files, by name; empty where git does not tell, here and below."""
    diff: Callable[[int], str]
    """Its change."""


class Tracker(Protocol):
    """A place where studies are shown. All of it may block, and raises `TrackerTrouble` where the tracker fails."""

    where: str
    """Where it can be looked at, in a sentence."""

    def begin(self, study: str, title: str) -> Mapping[int, int]:
        """Go on with a study.

        Args:
            study: what tells it from all others.
            title: its name for a person.

        Returns:
            Of each experiment that the tracker has, by number (`STUDY` is the study itself), the `seq` of the newest
            event that it has whole.
        """
        ...

    def send(self, updates: Sequence[Update], details: Details) -> None:
        """Show these, one for each experiment, and note how far each has come. Sent again, nothing is doubled."""
        ...

    def close(self) -> None:
        """Let go; everything that was sent is kept."""
