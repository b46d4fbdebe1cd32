"""What keeps cost, what is left, and the bar that follows it."""

import pytest

from loop.config.program import ProgramError, parse
from loop.policy import error_account
from loop.policy.judge import Decision
from loop.policy.standing import decision
from loop.reporting import summary
from loop.study.contract import Contract, Keep
from tests.policy.test_false_discovery import judged
from tests.stories import Story


def story_of(**keep: object) -> Story:
    return Story(Contract(verify=None, keep=Keep.model_validate(keep))).baseline()


def test_a_keep_costs_what_was_open_for_as_many_as_were_tried_since_the_one_before() -> None:
    story = story_of()
    judged(story, 1, "kept", 0.3, 0.998)
    for number in (2, 3):
        judged(story, number, "discarded", 0.01, 0.7)
    judged(story, 4, "discarded", -0.2, 0.1)
    judged(story, 5, "kept", 0.1, 0.99)
    judged(story, 6, "kept", 0.001, 0.55)
    judged(story, 7, "kept", 0.1, 0.6, by="ada")
    account = error_account.of(story.study())
    assert account.spent == pytest.approx(0.002 + 5 * 0.01) and account.left is None
    for number in (8, 9):
        judged(story, number, "discarded", 0.01, 0.7)
    assert error_account.of(story.study()) == account, "what is spent stays as it is"
    assert error_account.bar(story.study()) == 0


def test_no_keep_costs_more_than_half_of_what_is_left() -> None:
    story = story_of(false="1 per study")
    assert error_account.bar(story.study()) == 0.5
    spent, number = 0.0, 0
    for _ in range(40):
        for _ in range(3):
            number += 1
            judged(story, number, "discarded", 0.01, 0.7)
        number += 1
        bar = error_account.bar(story.study())
        judged(story, number, "kept", 0.1, bar)
        now = error_account.of(story.study())
        assert spent < now.spent < 1 and now.spent - spent == pytest.approx((1 - spent) / 2)
        spent = now.spent
        if spent > 0.999:
            break
    assert any(line.startswith("Error account: 1.00 of 1 false keeps") for line in summary.sentences(story.study()))


def test_the_judge_follows_the_bar() -> None:
    def told(**keep: object) -> Decision:
        story = Story(Contract(verify=None, keep=Keep.model_validate(keep))).baseline((1.0, 1.01, 0.99, 1.0, 1.01))
        study = story.propose(1).queue(1).runs(1, [0.95, 0.952]).study()
        return decision(study, study.experiments[1])

    assert told().action == "keep"
    held = told(false=0.0002)
    assert held.action == "again" and "99.99% needed" in held.reason


def test_a_program_says_it_in_words_or_as_a_number() -> None:
    for said, means in (("1 per study", 1.0), ("0.5", 0.5), ("2.5 per study", 2.5)):
        assert parse(f"---\nkeep: {{false: {said}}}\n---\n").contract.keep.false == means
    contract = parse("---\nkeep: {false: 1}\n---\n").contract
    assert Contract.model_validate_json(contract.model_dump_json()) == contract
    for wrong in ("none", "true", "-1", "per study"):
        with pytest.raises(ProgramError):
            parse(f"---\nkeep: {{false: {wrong}}}\n---\n")
