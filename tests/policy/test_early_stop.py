"""The end of hopeless runs: what a gap is worth, who is never stopped, and when the rule may act."""

import math

import pytest

from loop.policy import changes, early_stop
from loop.policy.early_stop import Past, Rule, account, condemn, mode, rule, sentence, spread, then, upper
from loop.policy.standing import standing
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.curves import PARTS, CurveReader, RunCurve
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.stories import Story

AUTO = {"verify": None, "metric": "val", "stop": {"after": 8}}


def curve(behind: float = 0.0, name: str = "loss", at_start: float = 0.0) -> RunCurve:
    """A loss that falls, so far behind; the gap moves in a straight line from `at_start` to `behind`."""
    ways = [(part + 1) / PARTS for part in range(PARTS)]
    return RunCurve(
        name=name, by="progress", values=tuple(5 - 2 * x + at_start + (behind - at_start) * x for x in ways)
    )


class Curves(Story):
    """A story whose runs have curves; its champion is the baseline, with noise 0.01."""

    def __init__(self, rules: int = 1, **contract: object) -> None:
        super().__init__(Contract.model_validate(AUTO | contract))
        started = self.events[0].body.model_copy(update={"rules": rules})
        self.events[0] = self.events[0]._replace(body=started)
        self.propose(0).queue(0, None)
        for run, value in enumerate((1.0, 1.01, 0.99), 1):
            self.start(0, run, seed=1336 + run).ended(0, run, value, curve())
        self.judge(0, "kept", 1.0)
        self.number = 0

    def ended(
        self, number: int, run: int, value: float | None, way: RunCurve | None, outcome: str = "finished"
    ) -> "Curves":
        metrics = {} if value is None else {"val": value}
        body = e.RunFinished(outcome=Outcome(outcome), metrics=metrics, seconds=20, curve=way)
        self.tell(body, number, run)
        return self

    def one(self, behind: float, condemned: str = "", verdict: str = "discarded", runs: int = 1) -> "Curves":
        """An experiment that came out so many noises behind."""
        self.number += 1
        self.propose(self.number).queue(self.number).start(self.number, 1)
        if condemned:
            self.condemn(condemned)
        self.ended(self.number, 1, 1.0 + 0.01 * behind, curve(0.005 * behind))
        for run in range(2, runs + 1):
            self.start(self.number, run, seed=1336 + run).ended(self.number, run, 1.0, curve())
        if verdict:
            self.judge(self.number, verdict, 1.0 + 0.01 * behind)
        return self

    def condemn(self, what: str) -> None:
        body = e.RunCondemned(
            then=what, curve="loss", share=0.4, value=4.3, beside=4.2, limit=0.03, champion=0  # type: ignore[arg-type]
        )  # fmt: skip
        self.tell(body, self.number, 1)

    def several(self, count: int, condemned: str = "") -> "Curves":
        """Experiments as they come: two level, one clearly worse."""
        for at in range(count):
            self.one((0.3, -0.4, 6.0)[at % 3] if not condemned else 6.0, condemned)
        return self

    def next(self) -> Rule | None:
        """The rule for an experiment that is proposed now."""
        study = self.study()
        study.experiments[99] = self.propose(99).queue(99).study().experiments[99]
        return rule(study, study.experiments[99], 1337, "")


def test_a_run_that_falls_behind_is_hopeless_and_one_that_keeps_up_is_not() -> None:
    story = Curves().several(12)
    found = story.next()
    assert found is not None
    looks = range(PARTS)
    assert not any(found.hopeless(curve(0.01), part) for part in looks)
    first = next(part for part in looks if found.hopeless(curve(0.5, at_start=0.5), part))
    assert (first + 1) / PARTS == pytest.approx(0.25)  # the second look; one before a fifth counts for nothing
    condemned = condemn(story.study(), found, curve(0.5, at_start=0.5), first)
    assert condemned is not None and condemned.then == "shadow" and condemned.champion == 0
    assert condemned.value - condemned.beside == pytest.approx(0.5)
    assert "loss 5 after 25% of its time, where experiment 0 had 4.5" in early_stop.told(condemned)
    one_bad_look = curve().model_copy(
        update={"values": tuple(9.0 if i == 7 else v for i, v in enumerate(curve().values))}
    )
    assert not any(found.hopeless(one_bad_look, part) for part in looks)


def test_a_run_that_sees_other_data_is_given_the_luck_of_its_batches() -> None:
    found = Curves().several(12).next()
    assert found is not None
    steady = curve(0.2, at_start=0.2)
    luck = [0.3 * (-1) ** part for part in range(PARTS)]
    shaken = steady.model_copy(update={"values": tuple(v + x for v, x in zip(steady.values, luck, strict=True) if v)})
    assert any(found.hopeless(steady, part) for part in range(PARTS))
    assert not any(found.hopeless(shaken, part) for part in range(PARTS))


def test_where_higher_is_better_the_curve_says_so_by_itself() -> None:
    story = Curves(goal="max")
    for at in range(12):  # an accuracy: what ends higher is better
        story.one((0.3, -0.4, -6.0)[at % 3])
    found = story.next()
    assert found is not None and found.spread.sign == -1
    assert found.hopeless(curve(-0.5, at_start=-0.5), 10) and not found.hopeless(curve(0.5, at_start=0.5), 10)


def test_nothing_is_said_before_enough_runs_nor_of_a_metric_that_is_not_on_the_curve() -> None:
    assert Curves().several(7).next() is None
    assert Curves().several(8).next() is not None
    assert Curves(stop={"after": 20}).several(19).next() is None
    assert Contract().stop.after == 20
    story = Curves()
    for at in range(30):  # its loss says nothing of its number
        story.number += 1
        number = story.number
        story.propose(number).queue(number).start(number, 1)
        story.ended(number, 1, 1.0 + 0.03 * (at % 3), curve(0.02 * (at % 2))).judge(number, "discarded", 1.0)
    assert story.next() is None
    silent = Curves()
    for number in range(1, 30):
        silent.propose(number).queue(number).start(number, 1)
        silent.ended(number, 1, 1.0 + number % 3, None).judge(number, "discarded", 1.0)
    assert silent.next() is None


def test_baseline_champion_second_runs_schedules_and_strangers_come_to_their_end() -> None:
    story = Curves().several(12)
    assert story.next() is not None
    study = story.propose(20).queue(20).start(20, 1, seed=1337).ended(20, 1, 0.98, curve()).study()
    assert rule(study, study.experiments[20], 1338, "") is None
    assert rule(study, study.experiments[0], 1337, "") is None
    assert rule(study, study.experiments[1], 1338, "") is None  # judged, and run once more
    study = story.propose(21).queue(21).study()
    assert rule(study, study.experiments[21], 1337, "") is not None
    assert rule(study, study.experiments[21], 1999, "") is None  # the champion has no run of that seed
    study.experiments[21].schedule = True
    assert rule(study, study.experiments[21], 1337, "") is None
    other = Rule(
        0, curve(name="val"), spread([Past([0.1 * i] * PARTS, 0.1 * i, -3.0 * i) for i in range(1, 9)], 8) or _none()
    )
    assert not other.hopeless(curve(0.5, at_start=0.5), 10)


def _none() -> early_stop.Spread:
    return early_stop.Spread(1, 0.01, [0.01] * PARTS, 8)


def test_it_can_be_switched_off_and_a_study_of_before_only_tells() -> None:
    assert Curves(stop={"hopeless": "off", "after": 8}).several(12).next() is None
    proved = Curves().several(12).several(20, "shadow")
    assert mode(proved.study()) == "on"
    assert mode(Curves(rules=0).several(12).several(20, "shadow").study()) == "shadow"
    assert mode(Curves(stop={"hopeless": "shadow"}).several(20, "shadow").study()) == "shadow"
    assert mode(Curves(stop={"hopeless": "on"}).study()) == "on"


def test_it_acts_after_twenty_right_ones_audits_one_in_ten_and_goes_back_when_it_was_wrong() -> None:
    story = Curves().several(19, "shadow")
    assert (mode(story.study()), account(story.study()).in_a_row) == ("shadow", 19)
    assert "0 of 19 audited, at most 15%; nothing is stopped yet" in sentence(story.study())
    story.several(1, "shadow")
    assert (mode(story.study()), then(story.study())) == ("on", "audited")
    story.several(1, "audited")
    for _ in range(9):
        assert then(story.study()) == "stopped"
        stopped(story)
    assert then(story.study()) == "audited"
    found = account(story.study())
    assert (found.stopped, found.audited, found.false, found.saved) == (9, 21, 0, pytest.approx(9 * 0.6 * 20))
    assert sentence(story.study()) == "9 stopped early; false stops: 0 of 21 audited, at most 13%"
    study = story.one(-3.0, "audited", verdict="", runs=2).study()  # it was worth another run
    assert (account(study).false, mode(study), then(study)) == (1, "shadow", "shadow")


def stopped(story: Curves) -> None:
    story.number += 1
    number = story.number
    story.propose(number).queue(number).start(number, 1)
    story.condemn("stopped")
    story.ended(number, 1, None, curve(0.5), "stopped_early").judge(number, "discarded")


def test_a_stopped_run_discards_its_experiment_and_is_no_failure() -> None:
    story = Curves()
    story.propose(1).queue(1).start(1, 1)
    story.number = 1
    story.condemn("stopped")
    study = story.ended(1, 1, None, curve(0.5), "stopped_early").study()
    assert standing(study, study.experiments[1])[0] == Outcome.DISCARDED
    assert not Outcome.STOPPED_EARLY.is_failure and not Outcome.STOPPED_EARLY.has_number
    assert study.experiments[1].stopped_at is not None
    lost = story.start(1, 2).ended(1, 2, None, None, "lost").study()
    assert account(lost).audited == 0


def test_what_is_lost_killed_or_open_audits_nothing() -> None:
    for outcome in ("lost", "killed"):
        story = Curves()
        story.propose(1).queue(1).start(1, 1)
        story.number = 1
        story.condemn("audited")
        story.ended(1, 1, None, None, outcome)
        assert account(story.study()).audited == 0
    assert account(Curves().one(6.0, "audited", verdict="").study()).audited == 0
    assert account(Curves().one(6.0, "audited").study()).audited == 1
    assert account(Curves().one(-6.0, "audited", verdict="kept").study()).false == 1


def test_the_bound_of_what_was_never_seen() -> None:
    assert upper(0, 14) == pytest.approx(1 - 0.05 ** (1 / 14))
    assert f"{upper(0, 14):.0%}" == "19%"
    assert upper(2, 2) == 1.0 and upper(1, 20) == pytest.approx(0.216, abs=0.001)


def test_the_spread_is_that_of_what_came_out_level() -> None:
    """Runs that are far behind say nothing of how far a level one may be."""
    past = [Past([0.1 * (-1) ** i] * PARTS, 0.01 * (-1) ** i, -0.1 * (-1) ** i) for i in range(10)]
    far = [Past([float(i)] * PARTS, 0.5 * i, -5.0 * i) for i in range(1, 11)]
    found = spread([*past, *far], 20)
    assert found is not None and found.runs == 10
    assert found.noise == pytest.approx(0.1) and found.parts[0] == pytest.approx(0.09 * 1.4826)
    few = spread([*past[:5], *far], 15)  # then the nearest ones do, and the limit is the wider for it
    assert few is not None and few.runs == 6 and few.limit(0, 0.0) > found.limit(0, 0.0)
    assert found.limit(0, 1.0) > found.limit(0, 0.0)


def test_a_curve_is_read_in_parts_of_its_time() -> None:
    reader = CurveReader("val", budget=10.0)
    assert reader.curve() is None
    done = [reader.add(100 + second, None, {"loss": 5 - second / 4}) for second in (0, 0.25, 0.6, 1.2, 3.0)]
    assert done == [None, None, 0, 1, 2]
    found = reader.curve()
    assert found is not None and found.by == "clock" and found.values[:3] == (4.96875, 4.85, 4.7)
    assert found.at(4) == pytest.approx(4.7 + (4.25 - 4.7) / 2) and found.at(12) is None
    assert reader.add(103, None, {"loss": math.nan}) is None
    cpu = CurveReader("val", budget=None)  # the clock on the wall does not count, and the run says nothing
    assert cpu.add(1.0, None, {"loss": 1.0}) is None and cpu.curve() is None
    own = CurveReader("val", budget=None)
    own.add(1.0, 0.5, {"val": 1.0, "speed": 3.0})
    told = own.curve()
    assert told is not None and (told.name, told.by, told.at(10)) == ("val", "progress", 1.0)


@pytest.mark.parametrize(
    ("old", "new", "touches"),
    [
        ("WARMDOWN = 0.4", "WARMDOWN = 0.1", True),
        ("rate = 1.0", "rate = math.cos(step / total_steps)", True),
        ("strength = min(1.0, (1 - progress) / 0.4)", "strength = 1.0", True),
        ("WIDTH = 64", "WIDTH = 128", False),
        ("weight_decay = 0.1", "weight_decay = 0.2", False),
    ],
)
def test_a_change_of_the_schedule_is_known_by_its_words(old: str, new: str, touches: bool) -> None:
    before = {"train.py": f"import math\n{old}\nprint(1)\n"}
    assert changes.of_schedule(before, {"train.py": f"import math\n{new}\nprint(1)\n"}) == touches


def test_a_study_of_before_folds_as_it_did() -> None:
    study: Study = Story().baseline().propose(1).queue(1).runs(1, [1.2]).judge(1, "discarded", 1.2).study()
    assert (study.rules, study.condemned, sentence(study)) == (0, {}, "")
    assert study.experiments[1].runs[1].curve is None
