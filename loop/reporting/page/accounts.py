"""The costs on the report: rows of the books, as the templates show them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.reporting import cost
from loop.reporting.page import values as v
from loop.reporting.page.facts import Account
from loop.reporting.page.values import Value

_SAID = {
    "search": "first runs of experiments",
    "baseline": "the baseline",
    "repeats": "repeats, to be sure",
    "verification": "measuring again",
    "validation": "validation with fresh seeds",
    "attribution": "what each change is worth",
    "climbing": "climbing the ladder",
    "lost": "runs lost to the machine",
    "idle": "slots idle",
}


def account_row(name: str, of: str, spend: cost.Spend) -> Account:
    """A row of costs; what is nothing or not known is None."""
    return Account(
        name=name,
        runs=v.count(f"{of}.runs", spend.runs or None),
        time=v.time(f"{of}.seconds", spend.seconds or None),
        gpu=v.time(f"{of}.gpu_seconds", spend.gpu_seconds or None),
        energy=v.energy(f"{of}.joules", spend.joules if spend.metered else None),
        tokens=v.count(f"{of}.tokens", spend.tokens or None),
        usd=v.money(f"{of}.usd", spend.usd or None),
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """The books as rows."""

    accounts: Sequence[Account]
    researchers: Sequence[Account]
    days: Sequence[Account]
    total: Account
    each: Account | None
    """What one true improvement has cost."""
    true_improvements: Value | None
    ahead: Sequence[tuple[str, Value]]
    """What the next eight hours bring and cost at today's pace."""


def book_rows(found: cost.Books) -> Rows:
    """The books as rows; what took nothing is left out."""
    taken = ((name, spend) for name, spend in found.accounts.items() if spend.seconds)
    each = cost.per_improvement(found)
    return Rows(
        accounts=[account_row(_SAID[name], f"cost.accounts.{name}", spend) for name, spend in taken],
        researchers=[account_row(name, f"cost.researchers.{name}", s) for name, s in found.researchers.items()],
        days=[account_row(day, f"cost.days.{day}", spend) for day, spend in sorted(found.days.items())],
        total=account_row("all runs and calls", "cost.total", found.total),
        each=None if each is None else account_row("one true improvement", "cost.per_true_improvement", each),
        true_improvements=v.plain("cost.true_improvements", found.true_improvements, 3),
        ahead=_ahead(found),
    )


def _ahead(found: cost.Books) -> Sequence[tuple[str, Value]]:
    if found.pace is None:
        return ()
    told, of = cost.ahead(found.pace), "cost.next_eight_hours"
    rows = [
        ("experiments", v.count(f"{of}.experiments", told["experiments"])),
        ("kept", Value(f"{of}.kept", told["kept"], f"{told['kept']:.1f}")),
        ("GPU hours", v.count(f"{of}.gpu_hours", told["gpu_hours"] or None)),
        ("tokens", v.count(f"{of}.tokens", told["tokens"] or None)),
        ("of model calls", v.money(f"{of}.usd", told["usd"] or None)),
    ]
    return [(name, value) for name, value in rows if value is not None]
