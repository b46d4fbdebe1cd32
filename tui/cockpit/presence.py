"""Whether a person is there: by their keys. From that follows since when a digest tells.

A cockpit left open over night is attached, and nobody looks; so what counts is the last key, not the time of detaching.
"""

from pathlib import Path

from loop.machine import looks
from loop.machine.looks import AWAY, Look

_EVERY = 60.0
"""Seconds after which a look is noted again."""


class Presence:
    """One person at one cockpit.

    Args:
        folder: the `.looptop/` of the study; None: nothing is remembered, as in a study of somebody else.
        who: the person.
        now: in Unix seconds.
    """

    def __init__(self, folder: Path | None, who: str, now: float) -> None:
        self._folder, self._who = folder, who
        self.since: Look | None = None if folder is None else looks.before(folder, who, now)
        """The end of their last visit: where a digest begins. None where there was none."""
        self._newest = None if folder is None else looks.last(folder, who)
        self._noted = 0.0

    def was_away(self, now: float) -> bool:
        """Whether whoever presses a key at `now` (Unix seconds) has been away; not where they never looked before."""
        return self._newest is not None and now - self._newest.at > AWAY

    def there(self, seq: int, now: float) -> bool:
        """A person is there and sees the study as of `seq`; says whether they had been away before.

        Args:
            now: in Unix seconds.
        """
        away = self.was_away(now)
        if away:
            self.since = self._newest
        self._newest = Look(seq, now)
        if now - self._noted > _EVERY:
            self.note()
        return away

    def note(self) -> None:
        """Remember the newest look."""
        if self._folder is not None and self._newest is not None:
            self._noted = self._newest.at
            looks.remember(self._folder, self._who, self._newest, self.since)
