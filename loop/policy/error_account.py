"""The error account: what the keeps so far have spent of the false ones that a study may keep, and what is left. Pure.

Each keep costs how likely it is false: what its confidence leaves open, times how many changes without effect were
tried since the keep before it, of which it looked best. The cost is settled with the keep and never changes, so at any
time, whenever the study is looked at or stopped, the sum is the number of false keeps to be expected.

Where the program gives a budget (`keep: {false: 1 per study}`), no keep may cost more than half of what is left: the
bar rises as it is spent, so that it is never exceeded, and something can always be kept that is clear enough.
"""

from dataclasses import dataclass

from loop.policy.judge import FUTILE
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.state import Study

PART = 0.5
"""Share of what is left that one keep may cost."""


@dataclass(frozen=True)
class Account:
    """False keeps, in numbers of experiments."""

    spent: float
    budget: float | None
    """None where the program gives none."""

    @property
    def left(self) -> float | None:
        return None if self.budget is None else max(0.0, self.budget - self.spent)


def cost(confidence: float, better: int) -> float:
    """How likely a keep is false.

    Args:
        confidence: at the look that kept it.
        better: changes since the keep before it that measured better than their champion and were discarded. Half of
            all changes without effect do.
    """
    return min(1.0, (1 + 2 * better) * (1 - confidence))


def of(study: Study) -> Account:
    """The account of a study as it is now."""
    return _told(study)[0]


def bar(study: Study) -> float:
    """The confidence below which nothing is kept now, whatever the look; 0 where the program gives no budget."""
    account, better = _told(study)
    if account.left is None:
        return 0.0
    return needed(account.left, better)


def needed(left: float, better: int) -> float:
    """The confidence from which a keep costs no more than its part of what is left."""
    return max(0.0, 1 - PART * left / (1 + 2 * better))


def _told(study: Study) -> tuple[Account, int]:
    """The account, and how many measured better since the last keep."""
    spent, better = 0.0, 0
    for number in study.closed:
        x = study.experiments[number]
        if number in study.placebos or x.judged_by != "judge" or x.confidence is None:
            continue
        if x.verdict == Outcome.KEPT and _claims(x):
            spent += cost(x.confidence, better)
            better = 0
        elif x.verdict == Outcome.DISCARDED and (x.effect or 0.0) > 0:
            better += 1
    return Account(spent, study.contract.keep.false), better


def _claims(x: Experiment) -> bool:
    """Whether it was kept for being better, and not for being simpler and no worse."""
    return (x.confidence or 0.0) >= FUTILE


def told(account: Account) -> str:
    """The account in a sentence without its full stop."""
    spent = "less than 0.01" if 0 < account.spent < 0.01 else f"{account.spent:.2f}"
    if account.budget is None:
        return f"{spent} false keeps are to be expected so far"
    return f"{spent} of {account.budget:g} false keeps are spent, {account.left:.2f} left"
