"""Runs of several slots among runs of one: whole schedules, simulated event by event with the real scheduler."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from loop.policy import climbing, idle, reservations, scheduler, slot_units
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.folding import apply
from loop.study.outcomes import Outcome
from loop.study.slot_record import SlotRecord
from tests.stories import Story

WIDE = 100.0
"""Seconds of a run of several slots here."""


def records(count: int, kind: str = "H100", each: int = 1, sharing: int = 1, node: str = "") -> list[SlotRecord]:
    return [
        SlotRecord(
            name=f"{node}GPU {n // sharing}{chr(97 + n % sharing) if sharing > 1 else ''}",
            kind=kind,
            gpus=tuple(range(n // sharing * each, (n // sharing + 1) * each)),
        )
        for n in range(count)
    ]


@dataclass
class Floor:
    """Slots with a queue of short runs, and a climb of experiment 1 whose runs need several of them."""

    slots: list[SlotRecord]
    gpus: int
    queue: int = 60
    why: climbing.Why = "asked"
    seed: int = 0
    out: set[int] = field(default_factory=set)
    claims: dict[tuple[int, int], int] = field(default_factory=dict)
    together: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)
    ends: dict[tuple[int, int], float] = field(default_factory=dict)
    begun: list[tuple[float, str, tuple[int, ...]]] = field(default_factory=list)
    """When each run began, "wide" or "one", and its slots."""
    sets: list[tuple[float, e.SlotsReserved]] = field(default_factory=list)
    freed: dict[int, float] = field(default_factory=dict)
    """When each slot was last free again."""

    def __post_init__(self) -> None:
        scales = {"small": {}, "large": {"gpus_per_run": self.gpus, "runs": 2}}
        story = Story(Contract.model_validate({"verify": None, "scales": scales, "climb": 0.5}))
        story.baseline().propose(1).queue(1).runs(1, [0.8, 0.8, 0.8]).judge(1, "kept", 0.8)
        for number in range(2, 2 + self.queue):
            story.propose(number, 1).queue(number, 1)
        names = tuple(one.name for one in self.slots)
        kinds = [one.kind for one in self.slots]
        device = max(kinds, key=kinds.count)
        story.tell(
            e.SupervisorStarted(pid=1, host="h", version="1", slots=names, device=device, records=tuple(self.slots))
        )
        self.study, self.story, self.now = story.study(), story, 10_000.0
        self.chance = random.Random(self.seed)

    def tell(self, body: e.Body, experiment: int | None = None, run: int | None = None) -> None:
        self.story.tell(body, experiment, run, self.now)
        apply(self.study, self.story.events[-1])

    def climb(self) -> None:
        self.tell(climbing.begun(self.study, self.study.experiments[1], "large", self.why))

    @property
    def working(self) -> list[int]:
        return [slot for slot in range(len(self.slots)) if slot not in self.out]

    def is_idle(self, slot: int) -> bool:
        others = [other for other in self.working if other != slot]
        busy = slot in self.claims.values()
        return not busy and scheduler.work_of_one(self.study, self.claims, slot, others) is None

    def plan(self) -> None:
        planned = reservations.planned(
            self.study, self.claims, self.working, self.together.values(), self.is_idle, self.now
        )
        if planned != self.study.reserved:
            self.tell(planned)
            self.sets.append((self.now, planned))

    def fill(self) -> None:
        """Have every free slot take what is next, until nobody finds anything."""
        while True:
            self.plan()
            free = [slot for slot in self.working if slot not in self.claims.values()]
            found = next((w for slot in free if (w := self.next_work(slot)) is not None), None)
            if found is None:
                return
            self.begin(*found)

    def next_work(self, slot: int) -> tuple[int, scheduler.Work] | None:
        work = scheduler.next_work(self.study, self.claims, slot, [one for one in self.working if one != slot])
        return None if work is None else (slot, work)

    def begin(self, slot: int, work: scheduler.Work) -> None:
        key, slots = (work.experiment.id, work.run), work.slots or (slot,)
        climb = self.study.climb if work.climbs else None
        busy = {one for key in self.claims for one in self.together.get(key, (self.claims[key],))}
        assert not busy & set(slots), "a slot has two runs"
        self.claims[key] = slot
        if work.slots:
            self.together[key] = work.slots
        seed = climbing.next_seed(self.study, work.experiment, ()) if climb else scheduler.next_seed(work.experiment)
        started = e.RunStarted(
            seed=seed,
            slot=slot,
            budget=20,
            deadline=80,
            protocol_id=climb.began.protocol_id if climb else self.study.contract.protocol_id,
            pid=1,
            pid_started=1.0,
            device="" if climb else self.slots[slot].kind,
            gpus=work.gpus or 1,
            validates=climb.seq if climb else 0,
            rung=climb.began.rung if climb else "",
            also=slots[1:],
        )
        self.ends[key] = self.now + (WIDE if climb else self.chance.uniform(15, 40))
        self.tell(started, *key)
        self.begun.append((self.now, "wide" if climb else "one", slots))

    def end(self, key: tuple[int, int], outcome: str = "finished") -> None:
        """End a run, and judge an experiment with it."""
        x, run = self.study.experiments[key[0]], self.study.experiments[key[0]].runs[key[1]]
        metrics = {} if outcome == "lost" else {"val_bpb": 0.8 if key[0] == 1 else 0.99}
        self.tell(e.RunFinished(outcome=Outcome(outcome), metrics=metrics, seconds=self.now - run.started_at), *key)
        for slot in (run.slot, *run.also):
            self.freed[slot] = self.now
        del self.claims[key], self.ends[key]
        self.together.pop(key, None)
        if not run.rung and x.verdict is None and outcome != "lost":
            self.tell(e.ExperimentJudged(verdict=Outcome.DISCARDED, reason="no"), x.id)
        if (now := self.study.climb) is not None and climbing.is_complete(self.study, now):
            self.tell(e.ClimbEnded(experiment=1, rung="large", mark="stable"))

    def step(self) -> bool:
        """On to the next end of a run; False where none goes on."""
        self.fill()
        if not self.ends:
            return False
        key = min(self.ends, key=lambda one: (self.ends[one], one))
        self.now = self.ends[key]
        self.end(key)
        return True

    def to_the_end(self) -> None:
        while self.step():
            pass
        assert self.study.climb is None and not any(x.verdict is None for x in self.study.experiments.values())
        assert self.study.reserved == reservations.NONE

    def wide(self) -> list[tuple[float, tuple[int, ...]]]:
        return [(at, slots) for at, what, slots in self.begun if what == "wide"]


def busy_for(floor: Floor, seconds: float) -> None:
    until = floor.now + seconds
    while floor.now < until:
        floor.step()
    floor.fill()


def test_a_run_of_all_eight_waits_for_what_goes_on_and_for_nothing_else_and_the_set_is_kept() -> None:
    floor = Floor(records(8), 8)
    busy_for(floor, 60)
    floor.climb()
    asked, under_way = floor.now, dict(floor.ends)
    floor.to_the_end()
    starts = [at for at, _ in floor.wide()]
    last = max(under_way.values())
    assert starts == [last + n * WIDE for n in range(4)], "one after another, as soon as the last of them is free"
    between = [begun for begun in floor.begun if asked < begun[0] < starts[-1] + WIDE and begun[1] == "one"]
    assert not between and len(floor.sets) == 2, "reserved once, given back once"
    waste = sum(last - end for end in under_way.values())
    assert waste <= 8 * (last - asked) <= 8 * 40, "at most the rest of the longest run, in each slot, once a climb"


def test_runs_of_two_go_side_by_side_and_leave_the_other_slots_to_the_search() -> None:
    floor = Floor(records(8), 2)
    busy_for(floor, 60)
    floor.climb()
    asked = floor.now
    floor.to_the_end()
    wide = floor.wide()
    assert len(wide) == 4 and wide[-1][0] < wide[0][0] + WIDE, "all four at once in the end"
    assert sorted(slot for _, slots in wide for slot in slots) == list(range(8))
    assert any(asked < at < wide[-1][0] and what == "one" for at, what, _ in floor.begun)


def test_the_set_is_the_one_that_is_free_soonest_and_of_one_kind_and_machine() -> None:
    floor = Floor([*records(2, "A100"), *records(3, node="a/"), *records(3, node="b/")], 2, queue=0)
    assert slot_units.kind_for(floor.study, "large") == "H100" == floor.study.kinds[0]
    floor.climb()
    ends = {2: 900.0, 3: 50.0, 4: 60.0, 5: 10.0, 6: 800.0, 7: 20.0}
    for number, (slot, seconds) in enumerate(ends.items(), 100):
        floor.story.propose(number, 1).queue(number, 1).start(number, 1, slot=slot, device="H100")
        for event in floor.story.events[-3:]:
            apply(floor.study, event)
        run = floor.study.experiments[number].runs[1]
        run.started_at, run.budget = floor.now - 1000 + seconds, 1000.0
        floor.claims[number, 1] = slot
    floor.plan()
    assert floor.study.reserved.sets == ((5, 7),), "not 5 and 3, which are sooner, and of two machines"
    assert idle.states(floor.study)[5].why == "" and reservations.told(floor.study, 5) == (
        "reserved for experiment 1 on large; waits for b/GPU 2 (105.1)"
    )


def test_a_slot_that_falls_out_is_replaced_and_with_too_few_all_are_given_back_and_it_is_told() -> None:
    floor = Floor(records(4), 3)
    busy_for(floor, 60)
    floor.climb()
    floor.fill()
    ((first,),) = [floor.study.reserved.sets]
    (spare,) = set(range(4)) - set(first)
    floor.out.add(first[1])
    floor.plan()
    assert floor.study.reserved.sets == (tuple(sorted({*first, spare} - {first[1]})),)
    floor.out.add(spare)
    floor.plan()
    assert floor.study.reserved.sets == () and "needs 3 GPUs of one machine" in floor.study.reserved.why
    assert climbing.told_progress(floor.study, floor.study.climbs[-1]).startswith("0 of 4 runs; a run needs 3 GPUs")
    assert climbing.told_progress(floor.study, floor.study.climbs[-1], short=True) == "0 of 4 runs, waits for GPUs"
    assert set(reservations.out_of_work(floor.study, floor.working)) == {first[1], spare}
    busy_for(floor, 50)
    assert not floor.wide() and floor.begun[-1][1] == "one", "the others go on with the search"
    floor.out.clear()
    floor.to_the_end()
    assert len(floor.wide()) == 4


def test_what_nobody_asked_for_waits_until_enough_slots_have_nothing_else_to_do() -> None:
    floor = Floor(records(4), 4, queue=20, why="idle")
    floor.climb()
    floor.to_the_end()
    last_of_search = max(at for at, what, _ in floor.begun if what == "one")
    assert len(floor.wide()) == 4 and floor.wide()[0][0] > last_of_search


def test_slots_that_share_a_gpu_go_together_and_a_rung_of_one_whole_gpu_takes_both() -> None:
    floor = Floor(records(4, "H100, 1 of 2", sharing=2), 2, queue=6)
    assert slot_units.slots_of_a_run(floor.study, "large", "H100, 1 of 2") == 4
    floor.climb()
    floor.to_the_end()
    assert {slots for _, slots in floor.wide()} == {(0, 1, 2, 3)}
    whole = Floor(records(4, "H100, 1 of 2", sharing=2), 1, queue=6)
    whole.climb()
    whole.to_the_end()
    assert {slots for _, slots in whole.wide()} == {(0, 1), (2, 3)}
    pairs = Floor(records(2, "2 x H100", each=2), 2)
    assert slot_units.width(pairs.study, "large", "2 x H100") == 0, "a slot has as many"


def test_a_person_who_holds_the_climb_gets_the_slots_back_when_its_run_is_over() -> None:
    floor = Floor(records(3), 2, queue=30)
    floor.climb()
    while not floor.wide():
        floor.step()
    floor.tell(e.Promoted(then="hold"), 1)
    floor.plan()
    assert len(floor.study.reserved.sets) == 1, "its run goes on"
    busy_for(floor, WIDE + 50)
    assert floor.study.reserved == reservations.NONE and len(floor.wide()) == 1
    floor.tell(e.Promoted(), 1)
    floor.to_the_end()
    assert len(floor.wide()) == 4


@pytest.mark.parametrize("seed", range(12))
def test_nothing_starves_and_nothing_waits_for_ever_whatever_fails(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.choice([2, 3, 5, 8])
    floor = Floor(records(count), chance.randint(2, count), queue=25, seed=seed)
    floor.climb()
    for _ in range(60):
        happens = chance.random()
        if happens < 0.15:
            floor.out.add(chance.randrange(count))
        elif happens < 0.5:
            floor.out.clear()
        elif happens < 0.6 and floor.ends:
            floor.end(chance.choice(sorted(floor.ends)), "lost")
        if not floor.step():
            floor.out.clear()
    floor.out.clear()
    floor.to_the_end()
    held: Iterable[tuple[int, ...]] = [slots for _, slots in floor.wide()]
    assert all(len(slots) == floor.gpus for slots in held)
