"""The ladder: who climbs when, whose run is next, what the runs say, and how well small predicts large."""

import random

import pytest

from loop.policy import climbing, ladder, scheduler
from loop.policy.permissions import Allowed, Refused
from loop.reporting import cost, page
from loop.reporting.ladder import as_data, lines
from loop.study import events as e
from loop.study import rungs
from loop.study.climb import Climb
from loop.study.contract import Contract
from loop.study.curves import PARTS, RunCurve
from loop.study.state import Study
from tests.reporting.page import Page, ask
from tests.stories import Story

SCALES = {"small": {}, "large": {"set": {"DEPTH": 24}, "budget": "1h", "runs": 2}, "huge": {"budget": "2h", "runs": 2}}


def program(**more: object) -> Contract:
    return Contract.model_validate({"verify": None, "scales": SCALES, **more})


def won(contract: Contract | None = None) -> Story:
    """A study whose experiment 1 is champion."""
    story = Story(contract or program()).baseline()
    return story.propose(1).queue(1).runs(1, [0.8]).judge(1, "kept", 0.8)


def keep(story: Story, number: int, parent: int, value: float) -> Story:
    return story.propose(number, parent).queue(number, parent).runs(number, [value]).judge(number, "kept", value)


def began(story: Story, number: int = 1, rung: str = "large", to: str = "", why: climbing.Why = "asked") -> Story:
    study = story.study()
    return story.tell(climbing.begun(study, study.experiments[number], rung, why, to=to))


def now(study: Study) -> Climb:
    assert study.climb is not None
    return study.climb


def step(story: Story, values: dict[int, float | None], outcome: str = "finished") -> bool:
    """Make the next run of the climb, which ends with its experiment's number; False where there is none."""
    study = story.study()
    if (work := scheduler.next_work(study)) is None or not work.climbs:
        return False
    climb, number = now(study), work.experiment.id
    seed = climbing.next_seed(study, work.experiment, ())
    value = values[number]
    said = value if value is None else value + seed % 2 / 1000
    began = {"protocol_id": climb.began.protocol_id, "validates": climb.seq, "rung": climb.began.rung}
    ending = outcome if value is None else "finished"
    story.start(number, work.run, seed, **began).finish(number, work.run, said, ending)
    return True


def climbed(story: Story, values: dict[int, float | None]) -> e.ClimbEnded:
    """The climb under way to its end."""
    while step(story, values, "crashed"):
        pass
    study = story.study()
    reason = "" if climbing.is_complete(study, now(study)) else climbing.over(study, now(study))
    ended = ladder.result(study, now(study), reason)
    story.tell(ended)
    return ended


# --- what holds on a rung ------------------------------------------------------------------------------------------


def test_a_rung_is_the_program_with_what_differs_and_no_number_of_it_compares_with_another_rungs() -> None:
    contract = program(env={"A": "1"})
    large, huge = rungs.at(contract, "large"), rungs.at(contract, "huge")
    assert large is not None and huge is not None
    assert (large.contract.budget, large.contract.deadline, large.contract.metric) == (3600, 7200, "val_bpb")
    assert large.contract.env == {"A": "1"}
    assert len({contract.protocol_id, large.protocol_id, huge.protocol_id, large.contract.protocol_id}) == 4
    assert rungs.names(contract) == ["large", "huge"] and rungs.above(contract, "large") == "huge"
    assert rungs.above(contract, "huge") == "" and rungs.at(contract, "tiny") is None
    again = Contract.model_validate_json(contract.model_dump_json())
    assert again == contract and list(again.scales) == ["small", "large", "huge"]


def test_a_rung_may_have_a_metric_and_a_command_of_its_own() -> None:
    own = {"small": {}, "large": {"metric": {"name": "core", "json": "a.b"}, "goal": "max", "run": "sh big.sh"}}
    there = rungs.at(program(scales=own), "large")
    assert there is not None and (there.contract.metric, there.contract.goal) == ("core", "max")
    assert there.contract.source.key == "a.b" and there.contract.run == "sh big.sh"


# --- when ----------------------------------------------------------------------------------------------------------


def test_a_person_may_ask_for_what_has_run_and_nothing_else() -> None:
    study = won().propose(2, 1).queue(2, 1).study()
    for number, to, why in ((0, "", "measured against"), (2, "", "no verdict yet"), (1, "x", "no rung 'x'")):
        answer = climbing.may_climb(study, study.experiments[number], to)
        assert isinstance(answer, Refused) and why in answer.sentence
    assert isinstance(climbing.may_climb(study, None, "huge"), Allowed)
    bare = won(Contract(verify=None)).study()
    answer = climbing.may_climb(bare, bare.experiments[1])
    assert isinstance(answer, Refused) and "names no ladder" in answer.sentence
    busy = began(won()).study()
    answer = climbing.may_climb(busy, busy.experiments[1])
    assert isinstance(answer, Refused) and "0 of 4 runs" in answer.sentence


def test_by_itself_a_champion_climbs_in_idle_slots_or_within_its_share_and_at_the_end() -> None:
    def why(story: Story, **when: bool) -> str | None:
        found = climbing.owed(story.study(), **({"idle": False, "at_end": False} | when))
        return None if found is None else found.why

    assert (why(won()), why(won(), idle=True), why(won(), at_end=True)) == (None, "idle", "end")
    assert why(won(program(climb=False)), at_end=True) is None
    assert why(won(program(climb=0.1)), idle=True) is None, "one climb would be much more than a tenth"
    rich = won(program(climb=0.5))
    study = rich.study()
    study.run_seconds = 100 * 3600.0
    found = climbing.owed(study, idle=False, at_end=False)
    assert found is not None and (found.why, found.rung, found.to) == ("share", "large", "huge")
    assert why(Story(program()).baseline(), idle=True) is None, "nothing was kept"
    grounded = won().tell(e.Promoted(who="ada", then="hold"), 1)
    assert why(grounded, at_end=True) is None
    over = won().tell(e.LimitReached(limit="hours", reason="used"))
    assert why(over, at_end=True) is None, "time that is used up is used up for climbing too"
    ended = won().tell(e.LimitReached(limit="experiments", reason="used"))
    assert (why(ended, idle=True), why(ended, at_end=True)) == (None, "end")


def test_what_was_better_goes_on_to_the_next_rung_and_nothing_climbs_twice() -> None:
    story = began(won(), to="huge", why="idle")
    story.tell(e.LimitReached(limit="experiments", reason="used")).slots("", "")
    climb = now(story.study())
    ended = ladder.result(story.study(), climb).model_copy(update={"mark": "stable"})
    study = story.tell(ended).study()
    further = climbing.owed(study, idle=False, at_end=False)
    assert further is not None and (further.rung, further.why) == ("huge", "idle")
    story.tell(further).tell(e.ClimbEnded(experiment=1, rung="huge", mark="bound"))
    assert climbing.owed(story.study(), idle=True, at_end=True) is None


# --- which run is next ---------------------------------------------------------------------------------------------


def test_the_sides_take_turns_under_fresh_seeds_and_nothing_of_it_counts_in_the_search() -> None:
    story, said = began(won()), []
    while step(story, {1: 0.5, 0: 0.6}):
        run = next(reversed([*story.study().experiments[1].runs.values(), *story.study().experiments[0].runs.values()]))
        said.append(run.seed)
    study = story.study()
    runs = {number: [run.seed for run in study.experiments[number].runs.values() if run.rung] for number in (0, 1)}
    assert runs == {0: [200_001, 200_002], 1: [200_001, 200_002]}
    order = [event.experiment for event in story.events if isinstance(event.body, e.RunStarted) and event.body.rung]
    assert order == [1, 0, 0, 1]
    assert study.measured(study.experiments[1]) == [0.8] and study.judged() == 1 and study.champion == 1
    assert study.climb_seconds == 80 and study.run_seconds == 80 + 4 * 20


def test_one_in_idle_slots_comes_last_and_one_that_was_asked_for_first() -> None:
    def next_in(story: Story, others: tuple[int, ...]) -> bool:
        work = scheduler.next_work(story.study(), {}, 0, others)
        return work is not None and work.climbs

    queued = won().propose(2, 1).queue(2, 1)
    assert next_in(began(queued), ())
    assert not next_in(began(won().propose(2, 1).queue(2, 1), why="idle"), (1,))
    alone = won().runs(1, [0.8, 0.8], first=2)  # as often as it would run in an idle slot
    assert next_in(began(alone, why="idle"), (1,)) and not next_in(began(won(), why="idle"), ())


def test_a_person_holds_forbids_and_asks_again() -> None:
    story = began(won()).tell(e.Promoted(who="ada", then="hold"), 1)
    assert not step(story, {1: 0.5, 0: 0.6}) and climbing.over(story.study(), now(story.study())) == ""
    assert "held until `looptop promote N`: 1" in lines(story.study())
    story.tell(e.Promoted(who="ada"), 1)
    assert step(story, {1: 0.5, 0: 0.6})
    story.tell(e.Promoted(who="ada", then="forbid"), 1)
    assert climbing.over(story.study(), now(story.study())) == "a person forbade it"


def test_it_ends_where_its_runs_would_not_compare() -> None:
    other = program(scales={"small": {}, "large": {"budget": "7h"}})
    changed = began(won()).tell(e.ProgramChanged(contract=other))
    assert climbing.over(changed.study(), now(changed.study())).startswith("program.md has changed what")
    gone = began(won()).tell(e.ProgramChanged(contract=Contract(verify=None)))
    assert climbing.over(gone.study(), now(gone.study())) == "program.md names no rung large any more"
    overtaken = keep(began(won(), why="idle"), 2, 1, 0.7)
    assert climbing.over(overtaken.study(), now(overtaken.study())) == "experiment 2 was champion before it had run"


# --- what the runs say ----------------------------------------------------------------------------------------------


def test_what_is_better_there_passes_and_its_successor_has_to_beat_it() -> None:
    story = began(won())
    ended = climbed(story, {1: 0.5, 0: 0.6})
    assert ended.passed and ended.gain == pytest.approx(0.1) and ended.small == pytest.approx(0.2)
    keep(story, 2, 1, 0.7)
    began(story, 2)
    assert now(story.study()).sides == (2, 1, 0)
    second = climbed(story, {2: 0.501, 1: 0.5, 0: 0.6})
    assert second.mark == "harmful" and second.gain == pytest.approx(0.099) and second.step == pytest.approx(-0.001)
    assert "does not" not in ladder.told(story.study(), ended)
    assert "worse by 0.00100 than experiment 1, which it had to beat" in ladder.told(story.study(), second)
    keep(story, 3, 2, 0.6)
    study = story.study()
    assert climbing.incumbent(study, study.experiments[3], "large") == 1, "2 was not better there"
    assert [one["mark"] for one in as_data(study)["rungs"][1]["results"]] == ["stable", "harmful"]
    assert ladder.sentence(study) == "1 of 2 that climbed to large transfer"


def test_what_does_not_run_there_is_harmful_and_a_failing_baseline_says_nothing() -> None:
    ended = climbed(began(won()), {1: None, 0: 0.6})
    assert ended.mark == "harmful" and "run 2 of experiment 1 gave no number there" in ended.reason
    broken = climbed(began(won()), {1: 0.5, 0: None})
    assert broken.mark == "" and broken.reason.startswith("run 4 of the baseline gave no number there")


def test_scatter_is_pooled_over_the_climbs_of_a_rung() -> None:
    found = ladder.pooled([ladder.Scatter(1.0, 4), ladder.Scatter(2.0, 4)])
    assert found is not None and (found.sd, found.dof) == (pytest.approx(2.5**0.5), 8)
    few = ladder.confidence([0.3, 0.5], ladder.Scatter(0.14, 1))
    many = ladder.confidence([0.3, 0.5], ladder.Scatter(0.14, 20))
    assert few is not None and many is not None and few < 0.95 < 0.99 < many
    assert ladder.marked(0.99, 0.99) == "stable" and ladder.marked(0.5, 0.99) == "bound"
    assert ladder.marked(0.005, 0.99) == "harmful" and ladder.marked(None, 0.99) == ""


def test_at_most_a_twentieth_of_what_is_worth_nothing_there_passes() -> None:
    dice, passed = random.Random(7), 0
    for _ in range(2000):
        differences = [dice.gauss(0, 1) for _ in range(5)]
        mean = sum(differences) / 5
        sd = (sum((one - mean) ** 2 for one in differences) / 4) ** 0.5
        sure = ladder.confidence(differences, ladder.Scatter(sd, 4))
        passed += ladder.marked(sure, 0.99) == "stable"
    assert 0.004 < passed / 2000 < 0.016, "1 in 100, as the judge promises"


def test_a_run_reaches_itself_at_the_end_of_its_time_and_a_quicker_one_before() -> None:
    def curve(speed: float) -> RunCurve:
        values = tuple(3.0 - min(1.0, speed * (part + 1) / PARTS) for part in range(PARTS))
        return RunCurve(name="loss", by="progress", values=values)

    contract = Contract(verify=None)
    assert ladder.time_to(contract, curve(0.5), curve(0.5)) == 1.0
    faster = ladder.time_to(contract, curve(0.8), curve(0.4))
    assert faster is not None and 0.5 < faster < 0.6
    assert ladder.time_to(contract, curve(0.3), curve(0.5)) is None and ladder.time_to(contract, None, curve(1)) is None


def test_the_rank_correlation_has_its_interval() -> None:
    assert ladder.correlation([(1, 1), (2, 2)]) is None and ladder.correlation([(1, 1)] * 5) is None
    found = ladder.correlation([(1, 1), (2, 3), (3, 2), (4, 5), (5, 4), (6, 6)])
    assert found is not None and found.rank == pytest.approx(0.8857, abs=1e-3)
    assert found.low is not None and found.high is not None and found.low < 0.2 < 0.97 < found.high < 1
    turned = ladder.correlation([(n, -n) for n in range(6)])
    assert turned is not None and turned.rank == -1 and turned.low == -1
    assert ladder.correlation([(1, 1), (1, 2), (3, 3)]) is not None, "ties share their rank"


def test_the_report_the_briefing_and_the_lines_say_what_held_and_what_did_not() -> None:
    story = began(won())
    climbed(story, {1: 0.5, 0: 0.6})
    keep(story, 2, 1, 0.7)
    climbed(began(story, 2), {2: 0.6, 1: 0.5, 0: 0.6})
    study = story.study()
    assert ladder.briefed(study) == [
        "#1 (idea 1) holds on large, better by 0.100 than the baseline there",
        "#2 (idea 2) is worse on large, worse by 0.100 than #1 there",
    ]
    text = "\n".join(lines(study))
    assert "large: DEPTH 24, budget 3600 s; 2 runs of each side" in text and "nothing has climbed here yet" in text
    assert "stable" in text and "harmful there" in text
    books = cost.books(study, [])
    assert books.accounts["climbing"].runs == 4 + 6
    page_ = page.as_html(page.gather(study, books, lambda experiment: ""), books)
    numbers = [(of, value) for of, value in Page(page_).numbers if of.startswith("rung.")]
    assert len(numbers) == 10 and all(value == pytest.approx(ask(study, books, of)) for of, value in numbers)
    markdown = page.as_markdown(page.gather(study, books, lambda experiment: ""), books)
    assert "On a larger scale" in page_ and "| 2. idea 2 | harmful there |" in markdown
