"""Validations: when one is owed, whose run is next, and what its runs say."""

import pytest

from loop.policy import limits, scheduler, supply, validation
from loop.reporting import summary
from loop.study import events as e
from loop.study.contract import Contract, Limits
from tests.stories import Story


def won(contract: Contract | None = None) -> Story:
    """A study whose experiment 1 is champion."""
    story = Story(contract or Contract(verify=None)).baseline()
    return story.propose(1).queue(1).runs(1, [0.8]).judge(1, "kept", 0.8)


def begun(story: Story, runs: int = 2, only: bool = False) -> Story:
    return story.tell(validation.begun(story.study(), runs, only=only))


def pair(story: Story, number: int, run: int, seed: int, value: float | None, outcome: str = "finished") -> Story:
    """A run of the validation under way."""
    now = story.study().validation
    assert now is not None
    return story.start(number, run, seed, validates=now.seq).finish(number, run, value, outcome)


def test_champion_and_baseline_take_turns_and_who_goes_first_changes() -> None:
    story, said = begun(won()), []
    values = {1: 0.8, 0: 1.0}
    while (work := scheduler.next_work(story.study())) is not None:
        seed = validation.next_seed(story.study(), work.experiment, ())
        said.append((work.experiment.id, seed))
        pair(story, work.experiment.id, work.run, seed, values[work.experiment.id])
    assert said == [(1, 100_001), (0, 100_001), (0, 100_002), (1, 100_002)]
    study = story.study()
    assert study.validation is not None and validation.is_complete(study, study.validation)
    found = validation.result(study, study.validation)
    assert (found.gain, found.pairs) == (pytest.approx(0.2), 2)
    assert study.measured(study.experiments[1]) == [0.8], "its runs count for nothing else"


def test_two_slots_have_the_two_of_a_pair_and_a_lost_run_is_done_again_with_its_seed() -> None:
    story = begun(won())
    first = scheduler.next_work(story.study())
    assert first is not None and first.validates
    other = scheduler.next_work(story.study(), {(first.experiment.id, first.run): 0}, 1, (0,))
    assert other is not None and (first.experiment.id, other.experiment.id) == (1, 0)
    pair(story, 1, 2, 100_001, None, "lost")
    again = scheduler.next_work(story.study())
    assert again is not None and again.experiment.id == 1
    assert validation.next_seed(story.study(), again.experiment, ()) == 100_001


def test_one_that_is_to_be_alone_lets_nothing_else_start() -> None:
    story = begun(won().propose(2, 1).queue(2, 1), only=True)
    for number, run, seed in ((1, 2, 100_001), (0, 4, 100_001), (0, 5, 100_002), (1, 3, 100_002)):
        pair(story, number, run, seed, 1.0 - number / 5)
    assert scheduler.next_work(story.study()) is None and not supply.wants_proposal(story.study(), 1, ahead=False)
    ended = validation.result(story.study(), story.study().validations[0])
    story.tell(ended)
    assert story.study().validated_alone == ended and scheduler.next_work(story.study()) is None
    story.tell(e.SupervisorStarted(pid=2, host="h", version="1"))
    assert story.study().validated_alone is None and scheduler.next_work(story.study()) is not None


def test_it_ends_where_its_runs_would_not_compare() -> None:
    def why(story: Story) -> str:
        study = story.study()
        assert study.validation is not None
        return validation.over(study, study.validation)

    assert why(begun(won())) == ""
    changed = begun(won()).tell(e.ProgramChanged(contract=Contract(verify=None, budget=7)))
    assert why(changed) == "program.md has changed what a run's number means"
    assert scheduler.next_work(changed.study()) is None or not scheduler.next_work(changed.study()).validates  # type: ignore[union-attr]
    elsewhere = begun(won().slots("H100")).slots("A100")
    assert why(elsewhere) == "no slot is H100 any more"
    assert why(begun(won()).queue(1)) == "", "the same commit"


def test_the_interval_is_students() -> None:
    found = validation.gain([0.1, 0.3, 0.2])
    assert found is not None and found.mean == pytest.approx(0.2)
    assert found.high - found.mean == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)
    assert validation.gain([0.1]) is None


def test_a_study_is_validated_at_its_end_where_that_is_cheap_or_its_program_says_so() -> None:
    assert not validation.is_owed(won().study()), "it began before there were validations"
    story = won()
    story.events[0] = story.events[0]._replace(body=story.events[0].body.model_copy(update={"rules": 1}))  # type: ignore[arg-type]
    assert validation.runs_at_end(story.study()) == 5 and not validation.is_owed(story.study())
    long = story.study()
    long.runs = 40
    assert validation.is_owed(long)
    asked = Contract(verify=None, validation=3)
    assert validation.is_owed(won(asked).study()) and not validation.is_owed(Story(asked).baseline().study())
    assert not validation.is_owed(won(Contract(verify=None, validation=0)).study())
    done = begun(won(asked))
    assert not validation.is_owed(done.tell(e.ValidationEnded(champion=1, reason="ada ended it")).study())


def test_of_a_limit_on_hours_the_time_for_it_is_kept_back() -> None:
    story = won(Contract(verify=None, validation=3, limits=Limits(hours=1)))
    study = story.study()
    start = study.supervisor.started_at if study.supervisor is not None else 0.0
    assert validation.reserved(study) == 7 * 20.0
    assert limits.reached(study, start + 3600 - 150) is None
    name, reason = limits.reached(study, start + 3600 - 130) or ("", "")
    assert name == "hours" and reason.endswith("the rest of 1 is for the validation of experiment 1")


def test_every_summary_quotes_it_until_there_is_another_champion() -> None:
    story = begun(won())
    for run, seed, value in ((2, 100_001, 0.95), (3, 100_002, 0.97)):
        pair(story, 1, run, seed, value)
    for run, seed, value in ((4, 100_001, 1.0), (5, 100_002, 0.98)):
        pair(story, 0, run, seed, value)
    story.tell(validation.result(story.study(), story.study().validations[0]))
    told = summary.sentences(story.study())[-1]
    assert told.startswith(
        "Validated: under 2 fresh seeds experiment 1 has val_bpb 0.96 and the baseline 0.99: better by"
    )
    assert "that may be no gain at all" in told and "said better by 0.200" in told
    assert summary.status(story.study(), None, 0.0)["validation"]["result"]["pairs"] == 2
    story.propose(2, 1).queue(2, 1).runs(2, [0.7]).judge(2, "kept", 0.7)
    assert story.study().validated is None and not summary.sentences(story.study())[-1].startswith("Validated")
