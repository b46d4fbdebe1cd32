"""What a verification says: the metric measured anew, or the check that failed. Pure.

A verification is any command. It passes by printing the metric as a run would and exiting with 0; it rejects by a line
`rejected: CHECK: SENTENCE` and exit code 3. Anything else means that it could not be done.
"""

import math
import re
from dataclasses import dataclass

from loop.runs.spec import RunResult

REJECTED = 3
"""Exit code of a verification that has found a reason to reject."""

_REJECTION = re.compile(r"^rejected: *([\w-]+): *(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Verification:
    """The outcome; `metric` is None exactly where `check` names what failed."""

    metric: float | None
    check: str | None
    reason: str


def read(result: RunResult, metric: str) -> Verification:
    """The verification that ended as `result`.

    `check` is "verification" where it could not be done, "memory" where memory ran out, and "killed" where a person
    ended it.
    """
    if result.exit_code == REJECTED and (found := _REJECTION.search(result.tail)):
        return Verification(None, found[1], found[2].strip())
    if result.outcome == "killed":
        return Verification(None, "killed", result.reason)
    if result.outcome == "out_of_memory":
        return Verification(None, "memory", f"the run came to its end, and its verification {result.reason}")
    if result.outcome != "finished":
        return Verification(None, "verification", f"the verification failed: {result.reason}")
    value = result.metrics.get(metric)
    if value is None or not math.isfinite(value):
        said = "printed no" if value is None else f"printed {value} as"
        return Verification(None, "verification", f"the verification {said} {metric}")
    return Verification(value, None, "")
