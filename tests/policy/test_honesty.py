"""Whether a program takes its budget and its seed, and what follows where it does not."""

from collections.abc import Iterable

import pytest

from loop.policy import honesty
from loop.policy.judge import judge
from loop.policy.noise import Floor, pooled
from loop.policy.run_checks import CLAIM
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.stories import Story


def story(
    names: tuple[str, ...] | None,
    values: Iterable[float] = (1.0, 1.0, 1.0),
    contract: Contract | None = None,
    seconds: float = 20,
    **printed: float,
) -> Story:
    """A study whose files name `names`, with a baseline of these values and times."""
    told = Story(contract)
    begun = told.events[0].body.model_copy(update={"names": names})
    told.events[0] = told.events[0]._replace(body=begun)
    told.propose(0).queue(0, None)
    for run, value in enumerate(values, 1):
        told.start(0, run)
        metrics = {told.contract.metric: value} | printed
        told.tell(e.RunFinished(outcome=Outcome.FINISHED, metrics=metrics, seconds=seconds), 0, run)
    return told.judge(0, "kept", 1.0)


def notices(told: Story) -> str:
    return " | ".join(honesty.notices(told.study()))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('budget = float(os.environ["LOOPTOP_BUDGET_S"])', ("LOOPTOP_BUDGET_S",)),
        ("seed=${LOOPTOP_SEED:-1}", ("LOOPTOP_SEED", "chance")),
        ("./solve --key $LOOPTOP_SEED", ("LOOPTOP_SEED",)),
        ("echo loss: 5.$((LOOPTOP_SEED % 2))", ("LOOPTOP_SEED",)),
        ("./solve $(LOOPTOP_SEED)", ("LOOPTOP_SEED",)),
        ("const s = process.env.LOOPTOP_SEED", ("LOOPTOP_SEED",)),
        ('std::env::var("LOOPTOP_SEED")', ("LOOPTOP_SEED",)),
        ("# LOOPTOP_SEED is unknown to this file", ()),
        ("import torch", ("chance",)),
        ("operand = brand", ()),
    ],
)
def test_what_a_programs_files_name(line: str, names: tuple[str, ...]) -> None:
    assert honesty.named(line) == names


def test_a_program_that_takes_both_and_varies_has_nothing_to_be_told() -> None:
    both = ("LOOPTOP_BUDGET_S", "LOOPTOP_SEED", "chance")
    assert notices(story(both, (1.0, 1.01, 0.99))) == ""
    assert notices(story(None, (1.0, 1.01, 0.99))) == "", "nobody has looked into the files of an older study"
    passed = Contract(run="python train.py --seed {seed} --seconds {budget}")
    assert notices(story(("chance",), (1.0, 1.01, 0.99), passed)) == ""
    assert notices(story((), (1.0, 1.01, 0.99), Contract(run="x {seed}", ends="at-budget"))) == ""


def test_runs_that_agree_mean_what_the_files_say() -> None:
    assert "whatever the seed: any difference counts" in notices(story(("LOOPTOP_SEED", "LOOPTOP_BUDGET_S", "chance")))
    assert "nothing in the program's files draws numbers" in notices(story(("LOOPTOP_BUDGET_S",)))
    said = notices(story(("LOOPTOP_BUDGET_S", "chance")))
    assert "so its noise cannot be known: gains of up to 0.01 prove nothing" in said and "`{seed}` in `run:`" in said
    certain = Contract.model_validate({"keep": {"deterministic": True}})
    assert notices(story(("LOOPTOP_BUDGET_S", "chance"), contract=certain)) == ""


def test_a_gpu_that_adds_in_another_order_does_not_hide_a_fixed_seed() -> None:
    assert "cannot be known" in notices(story(("LOOPTOP_BUDGET_S", "chance"), (1.0, 1.000003, 1.0)))


def test_a_baseline_of_sentinels_is_said_so() -> None:
    assert "is exactly 0: programs print that where they have no number" in notices(story(None, (0.0, 0.0, 0.0)))


def test_time_is_the_budgets_doing_where_the_program_is_given_it_or_says_so() -> None:
    def takes(names: tuple[str, ...], contract: Contract | None = None, **printed: float) -> bool:
        return honesty.takes_budget(story(names, contract=contract or Contract(budget=20), **printed).study())

    assert takes(("LOOPTOP_BUDGET_S",))
    assert takes((), Contract(run="make BUDGET={budget}"))
    assert takes((), **{CLAIM: 20.4}), "a constant of its own"
    assert not takes((), **{CLAIM: 7.0})
    assert not takes(("LOOPTOP_SEED", "chance")), "as long as the budget, and by chance"
    said = notices(story(("LOOPTOP_SEED",), (1.0, 1.1, 0.9), Contract(budget=300), seconds=41.3))
    assert said.startswith(
        "the program does not take its budget: its runs last 41.3 s where `budget:` is 300 s, so time"
    )


# --- a fixed seed -------------------------------------------------------------------------------------------------


def judged(told: Story, effects: Iterable[float]) -> Study:
    for number, effect in enumerate(effects, 1):
        told.propose(number).queue(number).runs(number, [1.0 - effect])
        verdict = e.ExperimentJudged(verdict=Outcome.DISCARDED, reason="so", metric=1.0 - effect, effect=effect)
        told.tell(verdict, number)
    return told.study()


def test_the_scatter_of_experiments_tells_what_an_edit_moves_by_chance() -> None:
    fixed = ("LOOPTOP_BUDGET_S", "chance")
    assert honesty.floor(judged(story(fixed), [0.002, -0.001])) == Floor(pytest.approx(0.01))
    moved = [0.0021, -0.0008, 0.0, 0.0017, -0.0026, 0.0004, -0.003, 0.0011, -0.0001]
    told = honesty.floor(judged(story(fixed), moved))
    assert told is not None and told.told == 8, "one changed nothing at all, and says nothing"
    assert 0.0004 < told.sd < 0.004 and told.bound == pytest.approx(3 * told.sd)
    assert honesty.floor(judged(story(("LOOPTOP_BUDGET_S",)), moved)) is None


def test_below_the_floor_no_gain_is_kept_and_above_it_one_run_is_enough() -> None:
    exact, floor = pooled([[1.0, 1.0, 1.0]]), Floor(0.01)

    def decide(value: float, lines: int = 0) -> tuple[str, str]:
        decision = judge(Contract().keep, "min", [1.0] * 3, [value], exact, lines, floor=floor, verified=False)
        return decision.action, decision.reason

    assert decide(0.985)[0] == "keep"
    assert decide(0.995) == (
        "discard",
        "discarded: better by 0.00500 (the program's seed is fixed, so its noise is not known: a gain of up to 0.010 "
        "proves nothing)",
    )
    assert decide(1.005)[0] == "discard" and decide(1.005, -3)[0] == "discard"
    assert decide(1.0, -3)[0] == "keep" and decide(0.995, -3)[0] == "keep", "no worse, and shorter"
