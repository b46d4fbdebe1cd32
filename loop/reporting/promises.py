"""What each researcher has promised, held against what was measured. Pure."""

from dataclasses import asdict
from typing import Any

from loop.policy import calibration
from loop.policy.calibration import Held
from loop.study.state import Study


def of_all(study: Study) -> dict[str, Held]:
    """How the promises of each researcher have held, by its name, in the order in which they first proposed; without
    those of whom too few have a result."""
    names = dict.fromkeys(x.researcher for x in study.experiments.values() if x.id and not (x.submitted or x.imported))
    found = {name: calibration.held(study, name) for name in names}
    return {name: held for name, held in found.items() if held is not None}


def as_data(study: Study) -> dict[str, Any]:
    """The same for scripts: medians in the metric's units, above zero where better, of how many, and the advice."""
    return {name: asdict(held) | {"advice": held.advice} for name, held in of_all(study).items()}
