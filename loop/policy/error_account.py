"""The error account: how many false keeps a study may have made so far, at most, and what is left of its budget. Pure.

Every candidate that comes to the judge's verdict costs the probability that it would be kept if it had no effect, which
is set before it is measured, whatever comes of it. So the false keeps never outgrow, on average, the sum of the costs:
whichever candidates are without effect, and whenever the study is looked at or stopped.

Without a budget a candidate costs what the judge's first look permits (1 in 400 at a confidence of 99%). That later
looks permit more is outweighed by what they ask for besides. The first hundred cost more: the baseline is known by few
runs, and where those had bad luck, what is nothing soon beats it. `bench/trust.py` has the figures, in whole studies.

Where the program gives a budget (`keep: {false: 1 per study}`), a candidate costs that share of what is left once less
than one is left, and the bar is as high: it rises as the budget is spent, so that it is never exceeded, and something
can always be kept that is clear enough.
"""

from dataclasses import dataclass

from loop.policy.judge import needed as needed_at
from loop.study.contract import Keep
from loop.study.outcomes import Outcome
from loop.study.state import Study

EARLY = 120.0, 13.0
"""The candidate number k costs 120 / (k + 13) times as much as a late one, while that is more. In studies in which
nothing is true, and no two runs are alike, 2% of first candidates are kept, 1% of tenths and 0.3% of sixtieths."""


@dataclass(frozen=True)
class Account:
    """False keeps, in numbers of experiments."""

    spent: float
    """So many false keeps are to be expected so far at most."""
    budget: float | None
    """None where the program gives none."""

    @property
    def left(self) -> float | None:
        return None if self.budget is None else max(0.0, self.budget - self.spent)


def cost(keep: Keep, number: int, left: float | None = None) -> float:
    """The probability that a candidate is kept if it has no effect, at most.

    Args:
        number: which candidate of the study it is, from 1 on.
        left: of the budget; None where there is none.
    """
    times, after = EARLY
    return _share(keep, left) * max(1.0, times / (number + after))


def needed(keep: Keep, left: float) -> float:
    """The confidence below which nothing is kept, whatever the look, with so much left of the budget."""
    return 1 - _share(keep, left)


def _share(keep: Keep, left: float | None) -> float:
    return (1 - needed_at(keep, 1)) * (1.0 if left is None else min(1.0, max(0.0, left)))


def of(study: Study) -> Account:
    """The account of a study as it is now."""
    keep = study.contract.keep
    account, judged = Account(0.0, keep.false), 0
    for number in study.closed:
        x = study.experiments[number]
        decided = x.verdict in (Outcome.KEPT, Outcome.DISCARDED) and x.confidence is not None
        if decided and x.judged_by == "judge" and number not in study.placebos:
            judged += 1
            account = Account(account.spent + cost(keep, judged, account.left), keep.false)
    return account


def bar(study: Study) -> float:
    """The confidence below which nothing is kept now, whatever the look; 0 where the program gives no budget."""
    left = of(study).left
    return 0.0 if left is None else needed(study.contract.keep, left)


def told(account: Account) -> str:
    """The account in a sentence without its full stop."""
    spent = "less than 0.01" if 0 < account.spent < 0.01 else f"{account.spent:.2f}"
    if account.budget is None:
        return f"at most {spent} false keeps are to be expected so far"
    return f"at most {spent} of {account.budget:g} false keeps are spent, {account.left:.2f} left"
