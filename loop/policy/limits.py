"""The program's limits and what is left of them: experiments, hours, money, tokens, failures in a row, disk. Pure."""

from dataclasses import dataclass

from loop.policy import validation
from loop.study import queries
from loop.study.state import Study
from loop.words import listed

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
        ("experiments", study.judged() + len(queries.doubted(study)), given.experiments),
        ("hours", study.hours(now), given.hours),
        ("usd", study.usd, given.usd),
        ("tokens", study.tokens, given.tokens),
        ("failures", queries.failures_in_a_row(study), given.failures),
        ("disk", disk_used, given.disk),
    ]
    return [Left(name, used, limit) for name, used, limit in pairs if limit is not None and used is not None]


_SENTENCES = {
    "experiments": "{used:.0f} of {limit:.0f} experiments have {done}",
    "hours": "{used:.1f} of {limit:g} hours are used",
    "usd": "${used:.2f} of ${limit:g} are spent",
    "tokens": "{used:,.0f} of {limit:,.0f} tokens are used",
    "failures": "{used:.0f} experiments in a row ended without a number",
    "disk": "{used:,.0f} of {limit:,.0f} bytes of disk are used",
}


def offered(study: Study) -> str:
    """That the person's checkout has an edit that the study knows nothing of, as the end of a sentence; or nothing."""
    if study.checkout is None:
        return ""
    size = f"+{study.checkout.lines_added} -{study.checkout.lines_removed} lines"
    return (
        f"; your checkout has another {listed(study.checkout.files)} ({size} against experiment "
        f"{study.checkout.parent}), of which the study knows nothing: `looptop submit` has it tried, and `looptop keep "
        "N` then makes it what others build on even if it is no better, such as one that only gives numbers names"
    )


def waiting(study: Study) -> str:
    """Which experiments wait for a person after their runs, as the end of a sentence; empty where none does."""
    if not (numbers := queries.doubted(study)):
        return ""
    several = f"experiments {listed([str(number) for number in numbers])} wait"
    who = several if len(numbers) > 1 else f"experiment {numbers[0]} waits"
    return f"; {who} for you: `looptop approve {numbers[0]}` or `looptop reject {numbers[0]}`"


def onward(study: Study) -> str:
    """How a loop that has stopped goes on, in a sentence; empty where its reason says so itself, or it never began."""
    supervisor, limit = study.supervisor, study.limit
    if supervisor is None or supervisor.failed or not supervisor.reason:
        return ""
    if limit is None:
        return "`looptop` goes on from here"
    given = getattr(study.contract.limits, limit.limit, None)
    if limit.limit in study.options and study.options[limit.limit] == given:
        return f"`looptop --{limit.limit} N` goes on from here, with a larger number"
    return f"to go on, raise `limits: {limit.limit}` in program.md and start `looptop` again"


def reached(study: Study, now: float | None = None, disk_used: int | None = None) -> tuple[str, str] | None:
    """The name of the first limit that is reached and a sentence about it, or None."""
    for left in limits(study, now, disk_used):
        kept = validation.reserved(study) / 3600 if left.name == "hours" else 0.0
        if left.used >= left.limit - kept:
            if left.used < left.limit:
                rest = f"the rest of {left.limit:g} is for the validation of experiment {study.champion}"
                return left.name, f"{left.used:.1f} hours are used, and {rest}"
            waits = waiting(study) if left.name == "experiments" else ""
            done = "run" if waits else "a verdict"
            return left.name, _SENTENCES[left.name].format(used=left.used, limit=left.limit, done=done) + waits
    return None
