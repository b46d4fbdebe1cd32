"""The program's limits and what is left of them: experiments, hours, money, tokens, failures in a row, disk. Pure."""

from dataclasses import dataclass

from loop.study import queries
from loop.study.state import Study

PAID = frozenset({"usd", "tokens"})
"""Limits on what proposals cost. Those that are paid for are still run and judged."""


@dataclass(frozen=True)
class Left:
    """One limit of the program and how much of it is used, in the limit's own unit."""

    name: str
    used: float
    limit: float

    @property
    def left(self) -> float:
        return max(0.0, self.limit - self.used)


def limits(study: Study, now: float | None = None, disk_used: int | None = None) -> list[Left]:
    """Every limit that the program sets for the study as a whole.

    Args:
        now: Unix seconds, while a supervisor is at work; None: up to the newest event.
        disk_used: bytes in `.looptop/`; None leaves the disk limit out.
    """
    given = study.contract.limits
    pairs: list[tuple[str, float | None, float | None]] = [
        ("experiments", study.judged(), given.experiments),
        ("hours", study.hours(now), given.hours),
        ("usd", study.usd, given.usd),
        ("tokens", study.tokens, given.tokens),
        ("failures", queries.failures_in_a_row(study), given.failures),
        ("disk", disk_used, given.disk),
    ]
    return [Left(name, used, limit) for name, used, limit in pairs if limit is not None and used is not None]


_SENTENCES = {
    "experiments": "{used:.0f} of {limit:.0f} experiments have a verdict",
    "hours": "{used:.1f} of {limit:g} hours are used",
    "usd": "${used:.2f} of ${limit:g} are spent",
    "tokens": "{used:,.0f} of {limit:,.0f} tokens are used",
    "failures": "{used:.0f} experiments in a row ended without a number",
    "disk": "{used:,.0f} of {limit:,.0f} bytes of disk are used",
}


def reached(study: Study, now: float | None = None, disk_used: int | None = None) -> tuple[str, str] | None:
    """The name of the first limit that is reached and a sentence about it, or None."""
    for left in limits(study, now, disk_used):
        if left.used >= left.limit:
            return left.name, _SENTENCES[left.name].format(used=left.used, limit=left.limit)
    return None
