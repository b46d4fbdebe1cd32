"""Where a replay is: the moment of the journal that the screens show, how fast it goes on, and what is worth going to.

It reads the journal and holds no state of the study: that is folded up to the moment by the same code as live. Time
without any event passes in a moment, so that a night in which the loop was stopped is no night of waiting.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from loop.journal import Journal
from loop.reporting.moments import moment
from loop.study import events as e
from loop.study.state import Study

SPEEDS = (1, 4, 15, 60, 240, 960, 3600)
"""Seconds of the study in one of the replay."""

_DULL = 2.0
"""Seconds of a replay in which nothing happens before it goes on to the next event."""

_BEAT = 6.0
"""Seconds after its last event from which a supervisor that was killed is known to be gone: one beat and a bit."""


@dataclass(frozen=True, slots=True)
class Place:
    """A moment, and the newest event of it."""

    seq: int
    at: float
    """Unix seconds."""


class Replay:
    """A replay of one journal, at its end and standing still at first.

    Args:
        speed: seconds of the study in one second.
        alive: a supervisor is at work now, so that the end of the journal is not its death.
    """

    def __init__(self, journal: Journal, speed: int = 60, alive: bool = False) -> None:
        self._journal, self.speed, self.playing, self._alive = journal, speed, False, alive
        self._verdicts: list[Place] = []
        self._of: dict[int, Place] = {}
        self.gains: list[float] = []
        """When a champion took over."""
        self._deaths: dict[int, float] = {}
        """Events after which a supervisor was never heard of again, and when that was."""
        self._read_to = 0
        self.begin = self.end = Place(0, 0.0)
        self.look()
        self.place = self.end

    def look(self) -> None:
        """Take in what has come since: the loop may be at work."""
        last = self._journal.last_seq()
        if last <= self._read_to:
            return
        if not self._read_to:
            first = self._journal.read(limit=1)
            self.begin = Place(first[0].seq, first[0].at) if first else Place(0, 0.0)
        kinds = {"experiment_judged", "champion_changed", "supervisor_started"}
        for event in self._journal.read(self._read_to, until=last, kinds=kinds):
            place = Place(event.seq, event.at)
            if event.kind == "supervisor_started":
                self._began(event)
            elif event.kind == "champion_changed":
                self.gains.append(event.at)
            elif event.experiment is not None:
                self._verdicts.append(place)
                self._of[event.experiment] = place
        newest = self._journal.read(until=last, limit=1, newest=True)
        self.end = Place(last, newest[0].at if newest else self.begin.at)
        self._read_to = last

    def _began(self, event: e.Event) -> None:
        before = self._journal.read(until=event.seq - 1, limit=1, newest=True)
        if before and before[0].kind != "supervisor_stopped" and event.seq > 3:
            self._deaths[event.seq - 1] = before[0].at

    # --- where it is ---------------------------------------------------------------------------------------------

    @property
    def share(self) -> float:
        """How far it is, 0 to 1."""
        return self.share_of(self.place.at)

    def share_of(self, at: float) -> float:
        """The place of a time on the time line, 0 to 1."""
        length = self.end.at - self.begin.at
        return min(1.0, max(0.0, (at - self.begin.at) / length)) if length > 0 else 1.0

    def pid(self, study: Study, shown: Place) -> int | None:
        """The supervisor that was at work at the place shown; None where there was none, or it had been killed."""
        supervisor = study.supervisor
        if supervisor is None or supervisor.stopped_at is not None:
            return None
        died = self._deaths.get(shown.seq)
        if died is None and shown.seq == self.end.seq and not self._alive:
            died = self.end.at
        return None if died is not None and shown.at - died > _BEAT else supervisor.pid

    # --- going somewhere -----------------------------------------------------------------------------------------

    def at(self, when: float) -> Place:
        """The place of a time, within the journal."""
        when = min(self.end.at, max(self.begin.at, when))
        return Place(max(self.begin.seq, self._journal.seq_at(when)), when)

    def meant(self, words: str) -> Place:
        """The place that a person means: `37` is when experiment 37 got its verdict, else a moment.

        Raises:
            ValueError: there is none; the message is a sentence.
        """
        words = words.strip()
        name = words.removeprefix("#")
        if name.isdecimal() and len(name) < 10:
            if int(name) not in self._of:
                raise ValueError(f"experiment {int(name)} has no verdict to go to")
            return self._of[int(name)]
        return self.at(moment(words, self.end.at))

    def verdict(self, direction: int) -> Place:
        """The next verdict, or the one before; the end or the beginning behind the last one."""
        seqs = [place.seq for place in self._verdicts]
        index = bisect_right(seqs, self.place.seq) if direction > 0 else bisect_left(seqs, self.place.seq) - 1
        if 0 <= index < len(seqs):
            return self._verdicts[index]
        return self.end if direction > 0 else self.begin

    def wound(self, share: float) -> Place:
        """A place so much of the whole time further on, or back."""
        return self.at(self.place.at + share * (self.end.at - self.begin.at))

    def faster(self, direction: int) -> int:
        """Go on faster or slower; returns the new speed."""
        index = bisect_left(SPEEDS, self.speed) + direction
        self.speed = SPEEDS[min(len(SPEEDS) - 1, max(0, index))]
        return self.speed

    def after(self, seconds: float) -> Place:
        """Where it is `seconds` of the replay later; at the end it stands still."""
        self.look()
        when = self.place.at + seconds * self.speed
        ahead = self._journal.read(self.place.seq, kinds=e.KINDS - {"gauge_read"}, limit=1)
        if not ahead:
            self.playing = False
            return self.end
        if ahead[0].at - self.place.at > _DULL * self.speed:
            when = max(when, ahead[0].at)
        if when >= self.end.at:
            self.playing = False
            return self.end
        return Place(max(self.place.seq, self._journal.seq_at(when)), when)
