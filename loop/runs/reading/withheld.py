"""What of a scratch run's output its researcher is not told: the number that the study compares. Pure.

A draft that is tried may be seen to work, and not to win. Else a researcher would choose among drafts by what is to
judge them, and the best of many would look better than it is.
"""

import regex

from loop.runs.reading.names import NameSearch, squash
from loop.runs.reading.source import LINE_S
from loop.study.contract import Contract

INSTEAD = "(withheld)"


def is_withheld(name: str, contract: Contract) -> bool:
    """Whether a value of that name is the metric."""
    return any(squash(one) in squash(name) for one in _names(contract)) and not _of_training(name)


def without_metric(text: str, contract: Contract) -> str:
    """`text` with the metric's numbers left out, and whole lines in which the program's own pattern finds it."""
    searches = [NameSearch(name) for name in _names(contract)]
    source = None if contract.source.pattern is None else regex.compile(contract.source.pattern)
    return "\n".join(_without(line, searches, source) for line in text.split("\n"))


def _names(contract: Contract) -> list[str]:
    key = (contract.source.key or "").rpartition(".")[2]
    return [name for name in dict.fromkeys((contract.metric, key)) if name]


def _without(line: str, searches: list[NameSearch], source: "regex.Pattern[str] | None") -> str:
    try:
        if source is not None and source.search(line, timeout=LINE_S):
            return INSTEAD
    except TimeoutError:
        return INSTEAD
    for search in searches:
        for found in reversed([one for one in search.numbers(line) if not _of_training(one.label)]):
            line = f"{line[: found.start]}{search.name} {INSTEAD}{line[found.end :]}"
    return line


def _of_training(label: str) -> bool:
    """Whether a name says that its number is of training data: "train loss", where the metric is "loss"."""
    return "train" in label.casefold()
