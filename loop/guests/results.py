"""`results.tsv` as a prompt-driven autoresearch writes it: five columns, a row an experiment. Pure.

    commit<TAB>val_bpb<TAB>memory_gb<TAB>status<TAB>description

An agent wrote it by hand, so every row is taken by itself: one that is torn, or says what nobody knows, is told of and
takes no other with it.
"""

import re
from dataclasses import dataclass, field
from math import isfinite

from loop.study.outcomes import Outcome

NAME = "results.tsv"

_STATUS = {
    "keep": Outcome.KEPT,
    "kept": Outcome.KEPT,
    "baseline": Outcome.KEPT,
    "discard": Outcome.DISCARDED,
    "discarded": Outcome.DISCARDED,
    "crash": Outcome.CRASHED,
    "crashed": Outcome.CRASHED,
}
_COMMIT = re.compile(r"[0-9a-f]{4,64}")
_COLUMNS = 5


@dataclass(frozen=True)
class Row:
    """One experiment as its agent reported it."""

    line: int
    commit: str
    """As written, the beginning of a sha; empty where there is none."""
    metric: float | None
    memory_gb: float | None
    """Peak of GPU memory in GiB; None where it is not told."""
    outcome: Outcome
    description: str


@dataclass(frozen=True)
class Results:
    """The whole file."""

    metric: str = "val_bpb"
    """Name of the second column."""
    rows: list[Row] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """What was not understood, a sentence each."""


def read(text: str) -> Results:
    """Read the file, however much of it makes sense."""
    lines = text.removeprefix("\ufeff").split("\n")
    metric = "val_bpb"
    rows: list[Row] = []
    said: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if cells[0].lower() == "commit":
            metric = cells[1] if len(cells) > 1 and cells[1] else metric
            continue
        row = _row(number, cells, said)
        if row is not None:
            rows.append(row)
    return Results(metric, rows, said)


def _row(number: int, cells: list[str], said: list[str]) -> Row | None:
    if len(cells) < _COLUMNS - 1 or (len(cells) < _COLUMNS and cells[3].lower() not in _STATUS):
        said.append(f"line {number} is torn ({len(cells)} of {_COLUMNS} columns): left out")
        return None
    commit, status = cells[0].lower(), cells[3].lower()
    if not _COMMIT.fullmatch(commit):
        said.append(f"line {number} names no commit ({cells[0]!r:.40})")
        commit = ""
    metric, outcome = _number(cells[1]), _STATUS.get(status)
    if outcome is None:
        outcome = Outcome.DISCARDED if metric else Outcome.CRASHED
        said.append(f"line {number} has the status {cells[3]!r:.40}, which nobody knows: taken as {outcome.word}")
    elif outcome in (Outcome.KEPT, Outcome.DISCARDED) and metric is None:
        said.append(f"line {number} was to {status} without a number ({cells[1]!r:.40}): taken as crashed")
        outcome = Outcome.CRASHED
    if outcome.is_failure:
        metric = None  # the agent writes 0.000000, which would be the best of all
    description = " ".join(" ".join(cells[4:]).split())
    return Row(number, commit, metric, _number(cells[2]) or None, outcome, description or "(no description)")


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if isfinite(value) else None
