"""What keeps cost, what is left, and the bar that follows it."""

import pytest

from loop.config.program import ProgramError, parse
from loop.policy import error_account
from loop.policy.judge import Decision
from loop.policy.standing import decision
from loop.reporting import summary
from loop.study import events as e
from loop.study.contract import Contract, Keep
from tests.policy.test_false_discovery import judged
from tests.stories import Story


def story_of(**keep: object) -> Story:
    return Story(Contract(verify=None, keep=Keep.model_validate(keep))).baseline()


def test_each_candidate_costs_the_same_whatever_comes_of_it_and_early_ones_more() -> None:
    story = story_of()
    judged(story, 1, "kept", 0.3, 0.998)
    judged(story, 2, "discarded", 0.01, 0.7)
    judged(story, 3, "discarded", -0.2, 0.1)
    account = error_account.of(story.study())
    early = [0.0025 * 120 / (number + 13) for number in (1, 2, 3)]
    assert account.spent == pytest.approx(sum(early)) and account.left is None
    assert error_account.cost(Keep(), 107) == error_account.cost(Keep(), 5000) == pytest.approx(0.0025)
    judged(story, 4, "kept", 0.1, 0.6, by="ada")
    assert error_account.of(story.study()) == account, "a person decides by what no account knows"
    study = story.study()
    study.placebos[2] = e.PlaceboOpened(nonce="x", kept=False)
    assert error_account.of(study).spent == pytest.approx(sum(early[:2])), "one that cannot be kept costs nothing"
    assert error_account.bar(study) == 0


@pytest.mark.parametrize(("budget", "first"), [(3.0, 0.0025), (1.0, 0.0025), (0.2, 0.0005)])
def test_the_bar_rises_as_the_budget_is_spent_and_it_is_never_exceeded(budget: float, first: float) -> None:
    keep, left = Keep(false=budget), budget
    assert error_account.needed(keep, left) == pytest.approx(1 - first)
    for number in range(1, 3000):
        bar, left = error_account.needed(keep, left), left - error_account.cost(keep, number, left)
        assert left > 0 and bar <= error_account.needed(keep, left) < 1
    assert left < budget / 1000 or budget > 1 > left


def test_what_is_left_is_told() -> None:
    story = story_of(false="1 per study")
    assert error_account.bar(story.study()) == pytest.approx(0.9975)
    for number in range(1, 101):
        judged(story, number, "discarded", 0.01, 0.7)
    account = error_account.of(story.study())
    assert account.left is not None and 0.45 < account.spent < 0.5
    said = f"Error account: at most {account.spent:.2f} of 1 false keeps are spent, {account.left:.2f} left."
    assert said in summary.sentences(story.study())


def test_the_judge_follows_the_bar() -> None:
    def told(**keep: object) -> Decision:
        story = Story(Contract(verify=None, keep=Keep.model_validate(keep))).baseline((1.0, 1.01, 0.99, 1.0, 1.01))
        study = story.propose(1).queue(1).runs(1, [0.95, 0.952]).study()
        return decision(study, study.experiments[1])

    assert told().action == "keep"
    held = told(false=0.04)
    assert held.action == "again" and "99.99% needed" in held.reason


def test_a_program_says_it_in_words_or_as_a_number() -> None:
    for said, means in (("1 per study", 1.0), ("0.5", 0.5), ("2.5 per study", 2.5)):
        assert parse(f"---\nkeep: {{false: {said}}}\n---\n").contract.keep.false == means
    contract = parse("---\nkeep: {false: 1}\n---\n").contract
    assert Contract.model_validate_json(contract.model_dump_json()) == contract
    for wrong in ("none", "true", "-1", "per study"):
        with pytest.raises(ProgramError):
            parse(f"---\nkeep: {{false: {wrong}}}\n---\n")
