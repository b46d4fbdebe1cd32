"""Results that come out of order: whatever the timing, nothing is lost, nothing counts twice, and what is kept was
measured on the champion that it replaces.

A loop of many slots, by events alone: `next_work` says what starts, a schedule of Hypothesis's which run ends next, and
`standing` and `decision` judge, as `pipeline/judging` does it.
"""

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from loop.policy import scheduler
from loop.policy.standing import decision, lacks_champion, stale, standing
from loop.study import events as e
from loop.study.contract import Contract, Keep
from loop.study.folding import fold
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.stories import Story

NOISE = 0.01


class Machine:
    """One study on several slots.

    Args:
        effects: what each change is worth, in noises; all of them are proposed at once.
        order: which of the runs under way ends next, and who starts, as the schedule wants it.
        kinds: the kind of each slot; none: nothing is known of them.
        offset: what the kind "B" adds to every number, in noises.
    """

    def __init__(
        self,
        slots: int,
        effects: Sequence[float],
        order: Sequence[int],
        kinds: Sequence[str] = (),
        offset: float = 0.0,
    ) -> None:
        self.story = Story(Contract(verify=None, keep=Keep(max_runs=3)))
        if kinds:
            self.story.slots(*kinds)
        self.kinds, self.offset = kinds or [""] * slots, offset * NOISE
        self.slots, self.order, self.at = slots, order, 0
        self.worth = {0: 0.0} | {number: effect * NOISE for number, effect in enumerate(effects, 1)}
        self.study = Study()
        self.under_way: list[tuple[int, int, int, int]] = []
        self.story.propose(0).queue(0, None)
        for number in range(1, len(effects) + 1):
            self.story.propose(number).queue(number)

    def go(self) -> Study:
        for _ in range(400):
            self.fold()
            work = self._next()
            if work is not None and (not self.under_way or self._choose(3)):
                self._start(*work)
            elif self.under_way:
                self._end(*self.under_way.pop(self._choose(len(self.under_way))))
            else:
                return self.study
        raise AssertionError("it never ends")

    def _next(self) -> tuple[scheduler.Work, int] | None:
        """What starts next, and in which of the free slots."""
        claimed = {(number, run): slot for number, run, _, slot in self.under_way}
        free = sorted(set(range(self.slots)) - set(claimed.values()))
        for at in range(len(free)):
            slot = free[(at + self.at) % len(free)]
            others = [other for other in range(self.slots) if other != slot]
            if (work := scheduler.next_work(self.study, claimed, slot, others)) is not None:
                return work, slot
        return None

    def fold(self) -> None:
        fold(self.story.events[self.study.seq :], self.study)

    def _choose(self, among: int) -> int:
        self.at += 1
        return self.order[self.at % len(self.order)] % among

    def _start(self, work: scheduler.Work, slot: int) -> None:
        experiment, kind = work.experiment, self.kinds[slot]
        if experiment.id and experiment.verdict is None and experiment.parent != self.study.champion:
            assert not experiment.running(), "nothing of it runs while it moves"
            self.story.queue(experiment.id, self.study.champion)  # it is rebased
            self.fold()
        seed = scheduler.next_seed(experiment, kind=kind)
        assert (kind, seed) not in {(run.device, run.seed) for run in experiment.running()}
        self.story.start(experiment.id, work.run, seed, slot, kind)
        self.under_way.append((experiment.id, work.run, seed, slot))

    def _end(self, number: int, run: int, seed: int, slot: int) -> None:
        self.fold()
        experiment = self.study.experiments[number]
        level, at = self.worth[number], experiment.parent
        while at is not None:
            level, at = level + self.worth[at], self.study.experiments[at].parent
        kind = self.kinds[slot]
        luck = random.Random(f"{number} {seed} {kind if kind == 'B' else ''}").gauss(0, NOISE)
        self.story.finish(number, run, 10 - level + luck + (self.offset if kind == "B" else 0.0))
        self.fold()
        self._consider(number, kind)

    def _consider(self, number: int, kind: str) -> None:
        experiment = self.study.experiments[number]
        judged = number == self.study.champion and experiment.verdict is not None
        if standing(self.study, experiment, kind if judged else None)[0] != "measured":
            return
        if number == scheduler.reference(self.study):
            if experiment.verdict is None and len(self.study.measured(experiment)) >= 3:
                self.story.judge(0, "kept", 10.0)
            for other in list(self.study.open):
                if self.study.champion is not None and self.study.experiments[other].phase == "queued":
                    self._judge(other)
        elif experiment.verdict is None:
            self._judge(number)

    def _judge(self, number: int) -> None:
        self.fold()
        experiment = self.study.experiments[number]
        if standing(self.study, experiment)[0] != "measured" or lacks_champion(self.study, experiment):
            return
        decided = decision(self.study, experiment)
        if decided.action == "discard":
            verdict = Outcome.DISCARDED
        elif decided.action == "keep" and not stale(self.study, experiment):
            verdict = Outcome.KEPT
        else:
            return
        values = self.study.measured(experiment)
        judged = e.ExperimentJudged(
            verdict=verdict, reason="x", metric=sum(values) / len(values), effect=decided.effect, noise=decided.noise
        )
        self.story.tell(judged, number)
        if verdict == Outcome.KEPT:
            self.story.tell(e.ChampionChanged(commit=f"{number:040d}", metric=judged.metric), number)
        self.fold()


ORDERS = st.lists(st.integers(0, 50), min_size=5, max_size=60)


def audit(events: Sequence[e.Event]) -> None:
    """What holds of the events of any study: each keep was measured on the champion that it replaced, by all the runs
    that the experiment had there, and the rule allows it; and no seed counts twice."""
    study, queued = Study(), dict[int, int]()
    for event in events:
        body = event.body
        if body.kind == "experiment_queued":
            queued[event.experiment or 0] = event.seq
        if body.kind == "experiment_judged" and event.experiment and body.verdict == Outcome.KEPT:
            kept = study.experiments[event.experiment]
            assert kept.parent == study.champion, f"experiment {kept.id} was kept on a stale comparison"
            began = [x.run for x in events if x.kind == "run_started" and queued[kept.id] < x.seq < event.seq
                     and x.experiment == kept.id]  # fmt: skip
            assert {run.number for run in kept.counted()} <= set(began)
            assert decision(study, kept).action == "keep"
        fold([event], study)
    for x in study.experiments.values():
        seeds = [(run.device, run.seed) for run in x.counted()]
        assert len(seeds) == len(set(seeds)), f"a seed counts twice in experiment {x.id}"
    judged = [event.experiment for event in events if event.kind == "experiment_judged"]
    assert sorted(judged, key=int) == sorted(study.experiments), "each has one verdict"  # type: ignore[arg-type]
    assert not study.open and not study.running()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 8), st.lists(st.sampled_from([-9.0, -2.0, 0.0, 1.0, 3.0, 9.0]), min_size=1, max_size=7), ORDERS)
def test_in_any_order_nothing_is_lost_or_double_and_what_is_kept_the_rule_allows(
    slots: int, effects: list[float], order: list[int]
) -> None:
    machine = Machine(slots, effects, order)
    machine.go()
    audit(machine.story.events)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 8), ORDERS)
def test_where_each_change_is_clear_the_same_ones_are_kept_in_any_order(slots: int, order: list[int]) -> None:
    machine = Machine(slots, [30.0, -30.0, 30.0, -30.0, 30.0], order)
    study = machine.go()
    audit(machine.story.events)
    assert {x.id for x in study.experiments.values() if x.verdict == Outcome.KEPT} == {0, 1, 3, 5}
