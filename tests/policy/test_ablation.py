"""Ablations: when one may begin, which row is next, and what its runs say."""

import pytest

from loop.policy import ablation, designs, scheduler, validation
from loop.policy.comparison import figure
from loop.policy.permissions import Allowed, Refused
from loop.study import events as e
from loop.study.ablation import Worth
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from tests.stories import Story


def grown(contract: Contract | None = None, changes: int = 3) -> Story:
    story = Story(contract).baseline()
    for number in range(1, changes + 1):
        story.propose(number, number - 1).queue(number, number - 1).runs(number, [1.0 - number / 10] * 3)
        story.judge(number, "kept", 1.0 - number / 10)
    return story


def began(story: Story, request: int | None = 7, only: bool = False) -> Story:
    study = story.study()
    factors = [(number,) for number in study.lineage[1:]]
    plan = designs.design(len(factors))
    commits = [f"{row:040d}" for row in range(len(plan.rows))]
    return story.tell(ablation.begun(study, factors, plan, commits, request, only))


def run(story: Story, row: int, value: float | None, run: int) -> Story:
    now = story.study().ablations[-1]
    started = e.RunStarted(
        seed=now.began.seeds[row - 1], slot=0, budget=20, deadline=80, protocol_id=story.contract.protocol_id, pid=1,
        pid_started=1.0, validates=now.seq, row=row,
    )  # fmt: skip
    story.tell(started, now.began.champion, run)
    return story.finish(now.began.champion, run, value, "finished" if value is not None else "crashed")


def test_when_a_person_may_ask() -> None:
    assert isinstance(ablation.may_begin(Story().study()), Refused)
    assert isinstance(ablation.may_begin(Story().baseline().study()), Refused)
    story = grown()
    assert isinstance(ablation.may_begin(story.study()), Allowed)
    under_way = ablation.may_begin(began(story).study())
    assert isinstance(under_way, Refused) and "(0 of 16 runs)" in under_way.sentence
    study = story.study()
    assert isinstance(ablation.may_do_without(study, study.experiments[2]), Allowed)
    assert isinstance(ablation.may_do_without(study, study.experiments[0]), Refused)


def test_a_loop_that_was_started_for_one_validates_nothing() -> None:
    story = grown(Contract(verify=None, validation=2))
    assert validation.is_owed(story.study())
    assert not validation.is_owed(began(story, only=True).study())


def test_idle_slots_begin_one_where_the_program_says_so_and_again_once_the_champion_has_grown() -> None:
    assert not ablation.is_owed(grown().study()), "off, where nobody says otherwise"
    idle = Contract(verify=None, ablate="idle")
    assert ablation.is_owed(grown(idle).study()) and not ablation.is_owed(grown(idle, 2).study())
    story = began(grown(idle), request=None)
    assert not ablation.is_owed(story.study())
    story.tell(e.AblationEnded(champion=3))
    assert not ablation.is_owed(story.study())
    for number in (4, 5):
        story.propose(number, number - 1).queue(number, number - 1).runs(number, [0.5]).judge(number, "kept", 0.5)
    assert ablation.is_owed(story.study())


def test_rows_of_a_request_come_before_ideas_and_those_of_idle_slots_after_everything() -> None:
    asked = began(grown()).propose(4, 3).queue(4, 3)
    work = scheduler.next_work(asked.study())
    assert work is not None and work.ablates and work.experiment.id == 3 and work.run == 4
    idle = began(grown(), request=None)
    assert (found := scheduler.next_work(idle.study())) is not None and found.ablates
    found = scheduler.next_work(idle.propose(4, 3).queue(4, 3).study())
    assert found is not None and found.experiment.id == 4 and not found.ablates
    assert scheduler.next_work(idle.tell(e.Paused()).study()) is None


def test_each_row_runs_its_commit_once_and_a_lost_one_again() -> None:
    story = began(grown())
    study = story.study()
    now = study.ablation
    assert now is not None and ablation.next_row(study, ()) == 1
    assert ablation.next_row(study, {(now.began.commits[0], now.began.seeds[0])}) == 2
    run(story, 1, 0.7, 4).tell(e.Fault(where="x", message="y"))
    run(story, 2, None, 5)
    study = story.study()
    assert ablation.next_row(study, ()) == 3
    champion = study.experiments[3]
    assert ablation.commit_of(study, champion, champion.runs[4]) == now.began.commits[0]
    assert ablation.commit_of(study, champion, champion.runs[1]) == champion.commit
    assert len(study.measured(champion)) == 3, "its rows count for nothing else"
    story.tell(e.RunStarted(seed=1, slot=0, budget=1, deadline=1, protocol_id="x", pid=1, pid_started=1.0,
                            validates=now.seq, row=3), 3, 6)  # fmt: skip
    story.tell(e.RunFinished(outcome=Outcome.LOST), 3, 6)
    assert ablation.next_row(story.study(), ()) == 3


def test_what_the_runs_say() -> None:
    story = began(grown())
    now = story.study().ablation
    assert now is not None
    for row, signs in enumerate(now.began.rows, 1):
        on = [sign == "+" for sign in signs]
        run(story, row, 1.0 - 0.3 * on[0] - 0.1 * on[1] + 0.05 * on[2] + (row % 3) * 0.001, 3 + row)
    study = story.study()
    assert study.ablation is not None and ablation.is_complete(study, study.ablation)
    ended = ablation.result(study, study.ablation)
    assert ended.runs == 16 and not ended.failed and ended.reason == ""
    assert [one.worth for one in ended.worths] == pytest.approx([0.3, 0.1, -0.05], abs=0.005)
    assert [ablation.opinion(one) for one in ended.worths] == ["helps", "helps", "harms"]
    assert ended.whole is not None and ended.whole_from == "runs" and ended.together is not None
    story.tell(ended)
    study = story.study()
    assert [one.changes for one in ablation.barnacles(study)] == [(3,)]
    worth = ablation.worth_of(study, 1)
    assert worth is not None and worth.changes == (1,) and ablation.worth_of(study, 99) is None
    assert "#1 0.30" in ablation.for_researchers(study) and "Worth nothing there: #3" in ablation.for_researchers(study)
    changed = story.tell(e.ProgramChanged(contract=Contract(verify=None, budget=1)))
    assert ablation.newest(changed.study()) is None, "numbers of another protocol say nothing"


@pytest.mark.parametrize(
    ("whole", "says"),
    [
        (0.30, "they add up, as far as these runs tell"),
        (0.20, "there is an interaction, some of the changes overlap: together they do less than singly"),
        (0.45, "there is an interaction, some of the changes need each other: together they do more than singly"),
    ],
)
def test_the_sum_beside_the_whole_with_the_interval_of_the_difference(whole: float, says: str) -> None:
    def worth(value: float, reach: float) -> Worth:
        return Worth(changes=(), worth=value, error=reach / 2, low=value - reach, high=value + reach)

    ended = e.AblationEnded(champion=3, together=worth(0.31, 0.03), whole=worth(whole, 0.04))
    assert ended.gap is not None and ended.gap.high - ended.gap.worth == pytest.approx(0.05)
    assert ablation.agreement(ended) == says
    between = f"({figure(ended.gap.low, 3)} to {figure(ended.gap.high, 3)})"
    assert f"the difference {figure(ended.gap.worth, 3)} {between}: {says}" in ablation.compared(ended)


def test_changes_that_cannot_be_told_apart_are_counted_and_are_no_sum() -> None:
    def worth(*changes: int) -> Worth:
        return Worth(changes=changes, worth=0.3, error=0.02, low=0.26, high=0.34)

    one = e.AblationEnded(champion=3, worths=(worth(2, 3),), together=worth(), whole=worth(), runs=4)
    assert ablation.told(one) == "the 2 kept changes in experiment 3 can only be measured together, and help (4 runs)"
    assert ablation.compared(one) == "", "there is nothing to add up"
    several = e.AblationEnded(champion=3, worths=(worth(1), worth(2, 3)), together=worth(), whole=worth(), runs=4)
    assert ablation.told(several) == "of 3 kept changes in experiment 3, measured in 2 groups, 2 help (4 runs)"
    assert ablation.compared(several)


def test_one_that_ends_early_says_why() -> None:
    story = began(grown())
    run(story, 1, 0.7, 4)
    run(story, 2, None, 5)
    study = story.study()
    assert study.ablation is not None
    ended = ablation.result(study, study.ablation, "ada ended it")
    assert ended.worths == () and (ended.runs, ended.failed) == (1, 1)
    assert ablation.told(ended) == "the ablation of experiment 3 gave no result: ada ended it"
