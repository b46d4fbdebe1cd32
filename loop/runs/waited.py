"""How the time grew that a run waited for others on its machine, so that each part of it can be asked for. Pure.

A run trains until its budget is up by the clock, whatever the machine does. Only what lies outside of that takes longer
where others have the processors: start-up, the last step, scoring. So only what was waited there may be allowed for; a
run that trains on has had as much of the machine as one on an idle machine had, and no more.
"""

from bisect import bisect_right

POINTS = 4096
"""Looks that are kept; of more, every other one: half a second apart in a run of half an hour, 16 s in one of a day."""


class Curve:
    """Seconds of something that a run had had by a time, by the monotonic clock of its machine."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._seconds: list[float] = []

    def add(self, at: float, seconds: float) -> None:
        """Take in a look: by `at` it was so much in all."""
        if len(self._times) >= POINTS:
            self._times, self._seconds = self._times[::2], self._seconds[::2]
        self._times.append(at)
        self._seconds.append(seconds)

    @property
    def total(self) -> float:
        return self._seconds[-1] if self._seconds else 0.0

    def until(self, at: float) -> float:
        """What it was by then, on a straight line between two looks."""
        after = bisect_right(self._times, at)
        if after == 0:
            return 0.0
        if after == len(self._times):
            return self.total
        begin, end = self._times[after - 1], self._times[after]
        share = (at - begin) / (end - begin)
        return self._seconds[after - 1] + share * (self._seconds[after] - self._seconds[after - 1])

    def between(self, begin: float, end: float) -> float:
        """What came from `begin` to `end`; 0 where the end comes first."""
        return max(0.0, self.until(end) - self.until(begin))


class WaitedCurve(Curve):
    """Seconds of the clock that a run had waited for others."""

    def outside(self, budget: float) -> float:
        """What it waited outside of its budget, by its best `budget` seconds in a row: nobody sees when it trained."""
        if not self._times or self._times[-1] - self._times[0] <= budget:
            return 0.0
        first, last = self._times[0], self._times[-1] - budget
        starts = {*self._times, *(at - budget for at in self._times)}
        return self.total - min(self.between(at, at + budget) for at in starts if first <= at <= last)

    def most(self, seconds: float, begin: float, end: float) -> float:
        """The most that it waited in so many seconds in a row, somewhere between `begin` and `end`."""
        last = end - seconds
        starts = {begin, last, *self._times, *(at - seconds for at in self._times)}
        return max((self.between(at, at + seconds) for at in starts if begin <= at <= last), default=0.0)
