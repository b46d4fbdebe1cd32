"""What the loop is at, in one word. Plain data, no clock."""

from typing import Literal

from loop.study.minds import Thinking
from loop.study.state import Study

Doing = Literal["run", "verification", "thought", "between", "person", "nothing"]
"""What goes on now, the first of these that does: a run, a verification, a thought; else the next run of what is under
way is about to begin, or the loop waits for a person, or for a proposal."""


def doing(study: Study) -> Doing:
    """What goes on, as far as the journal tells."""
    if study.running():
        return "run"
    if study.verifying():
        return "verification"
    if study.minds.thoughts:
        return "thought"
    if any(experiment.phase in ("queued", "running") for experiment in study.open_experiments()):
        return "between"
    waits = any(experiment.phase == "waiting" for experiment in study.open_experiments())
    return "person" if waits else "nothing"


def newest_thought(study: Study) -> Thinking | None:
    """The thought that began last."""
    return max(study.minds.thoughts.values(), key=lambda one: one.since, default=None)
