"""Supply in the course of a study: thoughts and runs of given lengths, in a time of their own, asked of the same rules
that the loop asks. So what it says of busy slots hangs on no machine."""

import heapq
import math
import random
from collections.abc import Callable

import pytest

from loop.policy import supply
from loop.study import events as e
from loop.study.folding import apply
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.stories import Story

Length = Callable[[random.Random], float]

RUN = 20.0
"""Seconds of a run, as those of the stories' baseline."""


class InTime:
    """One researcher, and slots that take what is ready; every run ends in a verdict."""

    def __init__(self, slots: int, thought: Length, at_once: int = 64, fruitless: float = 0.0) -> None:
        self._slots, self._thought, self._fruitless = slots, thought, fruitless
        self._chance = random.Random(slots)
        self.study = Study()
        story = Story()
        story.baseline().tell(e.ResearcherJoined(name="llm", about="", at_once=at_once))
        for event in story.events:
            apply(self.study, event)
        self._now, self._number = self.study.at, 0
        self._coming: list[tuple[float, str, int]] = []
        self._ready: list[int] = []
        self._running = 0
        self.starts: list[float] = []
        self.most_ahead = 0

    def _tell(self, body: e.Body, number: int, run: int | None = None) -> None:
        apply(self.study, e.Event(self.study.seq + 1, self._now, number, run, body))

    def go(self, runs: int) -> "InTime":
        """Until so many runs have started."""
        while len(self.starts) < runs:
            self._ask()
            self._place()
            assert self._coming, "nobody thinks, and nothing runs"
            if self._now + 1 < self._coming[0][0]:  # the loop looks anew about once a second
                self._now += 1
                continue
            self._now, what, number = heapq.heappop(self._coming)
            self._thought_ends(number) if what == "thought" else self._run_ends(number)
        return self

    def _ask(self) -> None:
        while supply.wants_proposal(self.study, self._slots, ahead=True, now=self._now):
            if len(self.study.minds.thoughts) >= self.study.minds.of["llm"].at_once:
                return
            self._number += 1
            self._tell(e.ThoughtBegan(researcher="llm", champion=0), self._number)
            heapq.heappush(self._coming, (self._now + self._thought(self._chance), "thought", self._number))

    def _thought_ends(self, number: int) -> None:
        if self._chance.random() < self._fruitless:
            self._tell(e.ThoughtEnded(researcher="llm", why="x", repeated=True), number)
            return
        self._tell(e.ExperimentProposed(researcher="llm", title="x", parent=0), number)
        self._tell(e.ExperimentQueued(commit=f"{number:040d}", parent=0, parent_commit="0" * 40), number)
        self._ready.append(number)
        self.most_ahead = max(self.most_ahead, len(self._ready))

    def _place(self) -> None:
        while self._ready and self._running < self._slots:
            number = self._ready.pop(0)
            started = e.RunStarted(seed=1, slot=0, budget=RUN, deadline=99, protocol_id="m", pid=1, pid_started=1.0)
            self._tell(started, number, 1)
            self._running += 1
            self.starts.append(self._now)
            heapq.heappush(self._coming, (self._now + RUN, "run", number))

    def _run_ends(self, number: int) -> None:
        self._running -= 1
        self._tell(e.RunFinished(outcome=Outcome.FINISHED, seconds=RUN, metrics={"val_bpb": 1.1}), number, 1)
        self._tell(e.ExperimentJudged(verdict=Outcome.DISCARDED, reason="x", metric=1.1), number)

    @property
    def busy(self) -> float:
        """Share of the slots' time between the first start and the last in which a run was in them."""
        first, last = self.starts[0], self.starts[-1]
        return sum(min(RUN, last - start) for start in self.starts) / (self._slots * (last - first))


def lasts(runs: float, sigma: float = 0.0) -> Length:
    """Thoughts whose median is so many runs, log-normal."""
    return lambda chance: RUN * runs * math.exp(chance.gauss(0, sigma))


@pytest.mark.parametrize(
    ("slots", "thought", "least"),
    [
        (1, lasts(1), 0.97),
        (4, lasts(4), 0.95),
        (4, lasts(0.25), 0.97),
        (8, lasts(0.6, 0.5), 0.97),
        (4, lasts(4, 1.0), 0.8),
        (1, lasts(1, 1.0), 0.9),
    ],
)
def test_the_slots_are_busy_from_the_first_run_on_whatever_a_thought_lasts(
    slots: int, thought: Length, least: float
) -> None:
    found = InTime(slots, thought).go(25 * slots)
    assert found.busy >= least


def test_thoughts_that_repeat_do_not_starve_the_slots() -> None:
    assert InTime(4, lasts(2), fruitless=0.4).go(160).busy >= 0.93


@pytest.mark.parametrize(("slots", "runs"), [(8, 0.2), (64, 0.2), (16, 0.1)])
def test_slots_that_come_free_together_find_a_commit_each(slots: int, runs: float) -> None:
    assert InTime(slots, lasts(runs)).go(3 * slots).busy >= 0.98
