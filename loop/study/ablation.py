"""Ablations: what each kept change is worth in today's champion, by runs with some taken out. Plain data.

What a change was worth when it was kept says little of what it is worth beside all that came later. The rows of an
ablation are commits of their own, champions with some kept changes left out; they are no experiments and change nothing
that is on the branch.
"""

from dataclasses import dataclass
from math import hypot
from typing import Literal

from pydantic import BaseModel, ConfigDict

from loop.study.fact import Fact


class AblationBegan(Fact):
    """From here on its rows are run; all of it is settled before the first run."""

    kind: Literal["ablation_began"] = "ablation_began"
    champion: int
    baseline: int = 0
    factors: tuple[tuple[int, ...], ...]
    """The kept experiments, or parts of a kept bundle, that are switched together; in the order of the branch."""
    rows: tuple[str, ...]
    """One a run: "+" where a factor is in, "-" where it is out, in the order of `factors`."""
    commits: tuple[str, ...]
    """Of each row, in their order."""
    seeds: tuple[int, ...]
    """Of each row; rows that share one are compared with each other."""
    champion_commit: str
    protocol_id: str
    device: str = ""
    """The kind of slot that all of it runs on."""
    request: int | None = None
    """The request that it was asked for with; None where it came by itself, in idle slots."""
    only: bool = False
    """Nothing else starts until it is over, and the loop ends then."""
    rung: str = ""
    """The scale that it is measured at; empty for the study's own."""


class Worth(BaseModel):
    """What a factor is worth in the champion, in the metric's units; positive is better, whatever the goal."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    changes: tuple[int, ...]
    """The experiments that are switched together."""
    worth: float
    error: float
    """Its standard error."""
    low: float
    high: float
    """The bounds of its 95% interval."""


class AblationEnded(Fact):
    """What an ablation came to."""

    kind: Literal["ablation_ended"] = "ablation_ended"
    champion: int
    worths: tuple[Worth, ...] = ()
    """Of each factor; empty where its runs do not tell."""
    runs: int = 0
    """Runs that gave a number."""
    failed: int = 0
    """Runs that gave none."""
    sd: float | None = None
    """The noise of one run by which the intervals are made."""
    dof: int = 0
    noise_from: Literal["", "study", "runs", "both"] = ""
    """Whose noise that is: the study's, that which the rows themselves leave unexplained, or both together."""
    together: Worth | None = None
    """The sum of all worths; `changes` is empty."""
    whole: Worth | None = None
    """The champion against the baseline, all changes at once; `changes` is empty."""
    whole_from: Literal["", "validation", "runs"] = ""
    """Where that is from: a validation with fresh seeds, or all runs of the two."""
    reason: str = ""
    """Why it ended before all rows had run, or what else is to be said; empty where nothing is."""

    @property
    def gap(self) -> Worth | None:
        """The sum less the whole: what changes do beside each other that none of them does alone. Its interval is that
        of two numbers which share no run; these share some, so it is no narrower than it should be. None where one of
        the two is not known, or where there is nothing to add up."""
        if self.together is None or self.whole is None or len(self.worths) == 1:
            return None
        ours, all_of_it = self.together, self.whole
        worth, error = ours.worth - all_of_it.worth, hypot(ours.error, all_of_it.error)
        reach = hypot(ours.high - ours.low, all_of_it.high - all_of_it.low) / 2
        return Worth(changes=(), worth=worth, error=error, low=worth - reach, high=worth + reach)


@dataclass(slots=True)
class Ablation:
    """One of a study's ablations."""

    seq: int
    """Place of its beginning in the journal; its runs name it by that, in `Run.validates`."""
    began: AblationBegan
    began_at: float
    ended: AblationEnded | None = None
    ended_at: float | None = None
