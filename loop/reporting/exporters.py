"""The forms in which the results of a study leave looptop: one row each.

`looptop export NAME`, `:export NAME`, the key `e` and their helps are made from these rows. A new form is a new row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loop.reporting import table

if TYPE_CHECKING:
    from loop.journal import Journal
    from loop.study.state import Study


@dataclass(frozen=True)
class Exporter:
    """One form.

    Args:
        name: what a person types.
        suffix: of its files, without the dot.
        help: what it is, as the end of "the results as ...".
        write: makes the text from the folded study; reads from the journal what the study does not keep, such as the
            samples of runs. The text ends with a newline.
    """

    name: str
    suffix: str
    help: str
    write: Callable[[Study, Journal], str]


_ROWS = (
    Exporter("tsv", "tsv", "autoresearch's results.tsv", lambda study, journal: table.as_tsv(study)),
    Exporter("csv", "csv", "CSV with every column", lambda study, journal: table.as_csv(study)),
    Exporter("json", "json", "JSON with every field", lambda study, journal: table.as_json(study)),
    Exporter("compat", "tsv", "tsv with 0.0 for a crash", lambda study, journal: table.as_tsv(study, compat=True)),
)

EXPORTERS: dict[str, Exporter] = {row.name: row for row in _ROWS}
