"""Climbs: an experiment and the baseline measured side by side on a larger rung of the ladder. Plain data.

A search on a small model finds what is better on a small model. Whether that holds on a larger one is measured there,
by runs that count for nothing else: neither is a climb an experiment, nor does it change the champion.
"""

from dataclasses import dataclass
from typing import Literal

from loop.study.fact import Fact

Mark = Literal["stable", "bound", "harmful", ""]
"""What an experiment is on a rung: better there too; not better, so bound to the scale that it was found at; worse
there. Empty where the climb ended before that could be told."""


class ClimbBegan(Fact):
    """From here on the sides run on the rung; all of it is settled before the first run."""

    kind: Literal["climb_began"] = "climb_began"
    experiment: int
    rung: str
    to: str = ""
    """The rung up to which it goes on as long as it is better; empty: this one."""
    against: int | None = None
    """The newest ancestor that was better on this rung: what the experiment has to beat there. None: the baseline."""
    baseline: int = 0
    seeds: tuple[int, ...]
    """One for each run of a side; none of them has run under these."""
    protocol_id: str
    """Of the rung, see `rungs.At.protocol_id`."""
    commits: tuple[str, ...]
    """Of the sides, in their order."""
    device: str = ""
    """The kind of slot that all of it runs on."""
    why: Literal["asked", "share", "idle", "end"] = "asked"
    """Why now: a person asked, its share of the run time has room, slots have nothing else to do, or the study ends."""
    request: int | None = None
    """The request that it was asked for with."""
    only: bool = False
    """Nothing else starts until it is over, and the loop ends then."""


class ClimbEnded(Fact):
    """What a climb came to. Effects are in the rung's metric's units, positive is better, whatever the goal."""

    kind: Literal["climb_ended"] = "climb_ended"
    experiment: int
    rung: str
    mark: Mark = ""
    pairs: int = 0
    """Seeds under which all sides gave a number."""
    gain: float | None = None
    """How much better it is than the baseline on this rung; `low` and `high` bound its 95% interval."""
    low: float | None = None
    high: float | None = None
    against: int | None = None
    """What it had to beat, where that is not the baseline; `step` is how much better it is than that."""
    step: float | None = None
    step_low: float | None = None
    step_high: float | None = None
    confidence: float | None = None
    """One-sided confidence that it is better than what it had to beat."""
    scatter: float | None = None
    """Standard deviation of one difference at equal seeds on this rung, of `dof` degrees of freedom."""
    dof: int = 0
    metric: float | None = None
    """Mean over those seeds, as is the baseline's."""
    baseline_metric: float | None = None
    small: float | None = None
    """The same gain on the study's own rung, in its own metric's units, as known then."""
    time: float | None = None
    """Share of its training time in which its curve comes to where the baseline's ends; None where it never does, or
    no curve tells."""
    reason: str = ""
    """Why it ended before all had run, or what else is to be said; empty where nothing is."""

    @property
    def passed(self) -> bool:
        """Whether the gate is open: it goes on to the next rung."""
        return self.mark == "stable"


@dataclass(slots=True)
class Climb:
    """One of a study's climbs."""

    seq: int
    """Place of its beginning in the journal; its runs name it by that."""
    began: ClimbBegan
    began_at: float
    ended: ClimbEnded | None = None
    ended_at: float | None = None

    @property
    def sides(self) -> tuple[int, ...]:
        """What is compared: the experiment, what it has to beat, and the baseline."""
        between = () if self.began.against is None else (self.began.against,)
        return (self.began.experiment, *between, self.began.baseline)
