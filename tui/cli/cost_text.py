"""What a plain terminal shows of a study's costs. Pure."""

from collections.abc import Sequence

from loop.reporting.cost import Books
from loop.reporting.page.accounts import book_rows
from loop.reporting.page.facts import Account
from loop.reporting.page.values import Value
from tui.cli.status_text import safe

_COLUMNS = ("runs", "slot time", "GPU time", "energy", "tokens", "model calls")


def cost_lines(found: Books) -> list[str]:
    """`looptop cost` for a plain terminal; what nothing is known of has no column."""
    rows = book_rows(found)
    parts = [("for", [*rows.accounts, rows.total, *([rows.each] if rows.each is not None else [])])]
    if len(rows.researchers) > 1:
        parts.append(("researcher", list(rows.researchers)))
    if len(rows.days) > 1:
        parts.append(("day", list(rows.days)))
    every = [row for _, part in parts for row in part]
    shown = [column for column in range(len(_COLUMNS)) if any(_cells(row)[column] for row in every)]
    lines = []
    for head, part in parts:
        table = [[head, *(_COLUMNS[column] for column in shown)]]
        table += [[row.name, *(_cells(row)[column] for column in shown)] for row in part]
        lines += [*_aligned(table), ""]
    if rows.ahead:
        told = ", ".join(f"{value.text} {name}" for name, value in rows.ahead)
        lines.append(f"the next eight hours, at the pace of the last day: {told}")
    if found.total.unpriced:
        lines.append(f"{found.total.unpriced:,} calls have no known price and count as nothing")
    return safe(lines[:-1] if lines and not lines[-1] else lines)


def _cells(row: Account) -> list[str]:
    return [_text(value) for value in (row.runs, row.time, row.gpu, row.energy, row.tokens, row.usd)]


def _text(value: Value | None) -> str:
    return "" if value is None else value.text


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    ]
