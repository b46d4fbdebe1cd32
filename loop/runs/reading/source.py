"""The metric by a pattern or a path, where `program.md` gives one in the place of its name. Pure.

A person's pattern may take for ever on a line that a run has made for it, so it is `regex` that searches, which can be
told to give up: after LINE_S on one line, and for good after SLOW such lines.
"""

import json
from typing import Any

import regex

from loop.runs.reading import documents
from loop.runs.reading.numbers import Number, of_text
from loop.runs.reading.wanted import Series
from loop.study.measure import MetricSource

LINE_S = 0.02
SLOW = 25


class SourceSearch:
    """Finds the metric in lines where a pattern or a path says where it stands.

    Args:
        source: from the program; one that names a file is not searched for in the output.
    """

    def __init__(self, source: MetricSource) -> None:
        self._source = source
        self._series = Series("")
        self._slow, self._matched = 0, ""
        self._fault = ""
        self._pattern: Any = None
        if source.pattern is not None:
            try:
                self._pattern = regex.compile(source.pattern)
            except (regex.error, RecursionError, OverflowError) as error:
                self._fault = f"`{source.pattern}` is no pattern: {error}"

    @property
    def active(self) -> bool:
        """Whether lines of the output are searched."""
        return self._source.file is None and (self._pattern is not None or self._source.key is not None)

    def take(self, line: str) -> None:
        """Read one line of plain text."""
        if not self.active:
            return
        if self._source.key is not None:
            self.document(documents.in_line(line))
        elif self._slow < SLOW:
            try:
                match = self._pattern.search(line, timeout=LINE_S)
            except TimeoutError:
                self._slow += 1
                return
            if match and match[1] is not None:
                self._matched = match[1]
                self._add(of_text(match[1]))

    def document(self, document: Any) -> None:
        """Read what the path leads to in a JSON document, if there is one."""
        if document is not None and self._source.key and (leaf := documents.at(document, self._source.key)):
            self._matched = leaf.text
            self._add(leaf.number)

    def number(self, tail: str) -> Number | None:
        """The number that counts; where no line had it, one in a document of several lines at the end counts."""
        if not self._series.count and self._source.key and self._source.file is None:
            self.document(_at_the_end(tail))
        return self._series.taken(self._source.take) if self._series.count else None

    def why_missing(self) -> str:
        """Why there is no number, behind the name of what was searched."""
        if self._fault:
            return f"cannot be searched: {self._fault}"
        looked = f"`{self._source.pattern}`" if self._source.pattern is not None else f"{self._source.key} in JSON"
        if self._slow >= SLOW:
            return f"was not searched to its end for {looked}, which takes too long on its lines: simplify the pattern"
        if self._matched:
            return f'has no number where {looked} looks, but "{self._matched[:60]}"'
        return f"has no {looked}; `metric:` in program.md says where to look"

    def _add(self, number: Number | None) -> None:
        if number is not None:
            self._series.add(number)


def _at_the_end(tail: str) -> Any:
    """The JSON document of several lines that an output ends with; None without one."""
    rows = tail.splitlines()
    for at in range(len(rows) - 1, -1, -1):
        if rows[at][:1] in ("{", "["):
            try:
                return json.JSONDecoder().raw_decode("\n".join(rows[at:]))[0]
            except (ValueError, RecursionError):
                continue
    return None
