"""What each researcher has promised, on the page of a report. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.reporting.page import values as v
from loop.reporting.page.values import Value
from loop.reporting.promises import of_all
from loop.study.state import Study


@dataclass(frozen=True, slots=True)
class Promises:
    """The medians of what a researcher promised and of what came, in the metric's units; above zero is better."""

    researcher: str
    said: Value | None
    measured: Value | None
    count: Value | None


def promises(study: Study) -> Sequence[Promises]:
    """Of each researcher of whom enough have a result."""
    found = []
    for name, held in of_all(study).items():
        of = f"promises.{name}"
        said, measured = v.signed(f"{of}.said", held.said), v.signed(f"{of}.measured", held.measured)
        found.append(Promises(name, said, measured, v.count(f"{of}.count", held.count)))
    return found
