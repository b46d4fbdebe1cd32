"""Figures and pictures of a bench: pure."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from loop.study import events as e
from loop.study.outcomes import Outcome
from loop.yardsticks.chart import chart
from loop.yardsticks.results import StudyResult, cells, curves, interval, markdown, plain, rows, wilcoxon
from loop.yardsticks.study import course


def of(method: str, seed: int, *levels: float, slots: int = 1) -> StudyResult:
    at = tuple(3.0 + 5 * index for index in range(len(levels)))
    return StudyResult("surface", method, slots, seed, 40, 40, 40, 20, 9.0, 4.0, at, levels)


def test_gains_are_true_and_what_is_no_better_counts() -> None:
    one = of("automl", 1, 3.0, 2.8, 2.9, 2.6)
    assert one.gain == pytest.approx(0.4) and one.kept == 3 and one.no_better == 1
    assert (one.level_at(0), one.level_at(8), one.level_at(17.9), one.level_at(40)) == (3.0, 2.8, 2.9, 2.6)
    assert StudyResult.of(one.as_json()) == one
    up = replace(one, goal="max")
    assert up.gain == pytest.approx(-0.4) and up.no_better == 2


def test_methods_are_held_against_automl_seed_by_seed() -> None:
    found = [of("automl", seed, 3.0, 2.9) for seed in range(8)]
    found += [of("llm", seed, 3.0, 2.8 - seed / 1000) for seed in range(8)]
    beside, other = rows(found, {"surface": 2.0})
    assert beside.share == pytest.approx(0.1) and beside.beyond is None and beside.low == pytest.approx(0.1)
    assert other.beyond == pytest.approx(0.1035) and other.p == pytest.approx(2 / 2**8)
    text = markdown([beside, other])
    assert text.count("\n") == 4 and "| llm |" in text and "+0.104" in text
    assert len(set(map(len, map(cells, (beside, other))))) == 1
    shown = plain([beside, other], {"surface": "val_bpb"}, {"surface": 2.0})
    assert "surface: true gain in val_bpb" in shown and "+0.104, p 0.0078" in shown and "0.1 (0.1 to 0.1)" in shown
    assert max(map(len, shown.splitlines())) <= 110


def test_a_few_seeds_have_an_interval_and_no_p_value() -> None:
    assert interval([1.0]) == (1.0, None, None)
    mean, low, high = interval([1.0, 3.0])
    assert mean == 2 and low == pytest.approx(2 - 12.706, abs=0.01) and high == pytest.approx(2 + 12.706, abs=0.01)
    assert wilcoxon([0.1] * 5) is None and wilcoxon([0.0] * 8) == 1.0


def test_the_chart_has_a_line_for_each_method_and_number_of_slots() -> None:
    found = [
        of(name, seed, 3.0, 2.8 - seed / 10, slots=slots)
        for name in ("automl", "a<b")
        for seed in (1, 2)
        for slots in (1, 4)
    ]
    drawn = chart(curves(found), {"surface": 2.0}, {"surface": "val_bpb"})
    tree = ElementTree.fromstring(drawn)
    lines = [one for one in tree.iter() if one.tag.endswith("polyline")]
    assert len(lines) == 4 and len({one.attrib["stroke"] for one in lines}) == 2
    assert {one.attrib["stroke-dasharray"] for one in lines} == {"", "7 4"}
    assert "best there is: 2<" in drawn and 'class="best"' not in drawn and "a&lt;b, 4 slots" in drawn


def test_a_course_is_counted_in_run_lengths_and_cut_at_its_share() -> None:
    seq = 0

    def happened(body: e.Body, experiment: int | None = None, run: int | None = None) -> e.Event:
        nonlocal seq
        seq += 1
        return e.Event(seq, float(seq), experiment, run, body)

    def started(validates: int = 0) -> e.RunStarted:
        return e.RunStarted(
            seed=1, slot=0, budget=1, deadline=2, protocol_id="", pid=1, pid_started=1.0, validates=validates
        )

    done = e.RunFinished(outcome=Outcome.FINISHED, seconds=2.0)
    condemned = e.RunCondemned(then="stopped", curve="loss", share=0.3, value=1, beside=1, limit=1, champion=0)
    events = [
        happened(started(), 0, 1), happened(done, 0, 1), happened(e.ChampionChanged(commit="a"), 0),
        happened(started(), 1, 1), happened(condemned, 1, 1), happened(done, 1, 1),
        happened(started(validates=9), 0, 2), happened(done, 0, 2),
        happened(started(), 2, 1), happened(done, 2, 1), happened(e.ChampionChanged(commit="b"), 2),
        happened(started(), 3, 1), happened(done, 3, 1), happened(e.ChampionChanged(commit="c"), 3),
    ]  # fmt: skip
    found = course(events, 2)
    assert found.lengths == 2 and [step.commit for step in found.steps] == ["a", "b"]
    assert [step.at for step in found.steps] == [1.0, 2.0] and found.runs == 3 and not found.ended
    assert course(events, 9).lengths == pytest.approx(3.3)
    assert course([*events, happened(e.SupervisorStopped(reason="nothing left"))], 9).ended == "nothing left"
    assert not course([*events, happened(e.SupervisorStopped(reason="x", signal="SIGTERM"))], 9).ended
