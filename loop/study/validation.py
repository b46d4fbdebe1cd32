"""Validations: champion and baseline measured anew, side by side, with seeds that neither has run under. Plain data.

Whoever wins many comparisons has won some of them by luck, so the sum of what was kept says too much. The runs here
were chosen by nobody, and what they say of the total gain needs nothing taken off.
"""

from dataclasses import dataclass
from typing import Literal

from loop.study.fact import Fact


class ValidationBegan(Fact):
    """From here on the champion and the baseline run side by side; all of it is settled before the first run."""

    kind: Literal["validation_began"] = "validation_began"
    champion: int
    baseline: int = 0
    seeds: tuple[int, ...]
    """One a pair; neither of the two has run under them."""
    protocol_id: str
    commits: tuple[str, str]
    """Of the champion and of the baseline."""
    device: str = ""
    """The kind of slot that all of it runs on."""
    request: int | None = None
    """The request that it was asked for with; None where it came by itself, at a study's end."""
    only: bool = False
    """Nothing else starts until it is over, and the loop ends then."""


class ValidationEnded(Fact):
    """What a validation came to. Metrics are means over the pairs; effects are in the metric's units, positive is
    better, whatever the goal."""

    kind: Literal["validation_ended"] = "validation_ended"
    champion: int
    baseline: int = 0
    pairs: int = 0
    """Pairs in which both runs gave a number."""
    gain: float | None = None
    """How much better the champion is than the baseline; None where too few pairs tell."""
    low: float | None = None
    high: float | None = None
    """The bounds of its 95% interval."""
    champion_metric: float | None = None
    baseline_metric: float | None = None
    claimed: float | None = None
    """The same gain by the runs that made the champion what it is: it flatters."""
    reason: str = ""
    """Why it ended before all pairs had run, or what else is to be said; empty where nothing is."""


@dataclass(slots=True)
class Validation:
    """One of a study's validations."""

    seq: int
    """Place of its beginning in the journal; its runs name it by that."""
    began: ValidationBegan
    began_at: float
    ended: ValidationEnded | None = None
    ended_at: float | None = None

    @property
    def sides(self) -> tuple[int, int]:
        """The experiments that are compared: the champion, and the baseline."""
        return self.began.champion, self.began.baseline
