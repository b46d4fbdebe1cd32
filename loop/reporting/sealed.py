"""What the milestones of a study have come to, as text and as data. Pure."""

from dataclasses import asdict
from typing import Any

from loop.policy.sealed import all_opened, told
from loop.study.state import Study


def as_data(study: Study) -> list[dict[str, Any]]:
    """Each milestone, oldest first; gains and gaps in the metric's units, positive gains are better."""
    return [{**asdict(one), "gap": one.gap} for one in all_opened(study)]


def lines(study: Study) -> list[str]:
    """A line each, the newest first."""
    found = all_opened(study)
    return [told(study.contract.metric, one, times) for times, one in reversed(list(enumerate(found, 1)))]


def newest(study: Study) -> str:
    """The newest one in a sentence; empty where there is none."""
    found = lines(study)
    return f"{found[0][:1].upper()}{found[0][1:]}." if found else ""
