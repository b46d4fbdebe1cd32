"""Looks in a run's output for what its program asks for: the metric, and the names it requires or reports. Pure.

Most lines hold none of it: they are told apart by one search in the raw bytes, and go no further. Of the others only
the numbers are kept, a few lines for each name, and the columns of one table.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from loop.runs.reading import documents, lines, nearest, tables
from loop.runs.reading.names import ALIKE, LOOSE, Found, NameSearch, closeness, sieve, sieve_bytes
from loop.runs.reading.source import SourceSearch
from loop.runs.reading.wanted import METRIC_LINE, SAMPLE, SUMMARY, Findings, Wanted
from loop.study.measure import Printed

LONGEST_TEXT = 80
"""Characters of a text that is kept."""

_DIGIT = re.compile(r"\d")
_DRESS = " \t*•>|│┃\"'`-#"
_COCO = re.compile(
    r"Average (?:Precision|Recall)\s{1,4}\((?P<what>AP|AR)\) "
    r"@\[ IoU=0?\.(?P<low>\d\d)(?P<high>:0?\.\d\d)?\s{0,8}\| "
    r"area=\s{0,8}(?P<area>\w{1,10}) \| maxDets=\s{0,4}(?P<most>\d{1,4}) \]"
)


@dataclass
class Answers:
    """What of the things asked for was found."""

    metrics: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    printed: Printed | None = None
    """How the metric was printed; None where there is none."""
    missing: str = ""
    """Why there is no metric, in a sentence; empty where there is one."""

    def over(self, other: "Answers") -> "Answers":
        """These, and what else was found elsewhere."""
        return replace(self, metrics=other.metrics | self.metrics, texts=other.texts | self.texts)


class Search:
    """Takes lines and says at the end what was in them.

    Args:
        wanted: what is looked for.
        place: what the lines are of, for a sentence.
    """

    def __init__(self, wanted: Wanted, place: str = "its output") -> None:
        self.wanted, self._place = wanted, place
        named = [wanted.metric] if wanted.metric and wanted.by_name else []
        self._names = [_Name(name) for name in dict.fromkeys([*named, *wanted.others])]
        self._source = SourceSearch(wanted.source)
        self._needles = {needle for name in self._names for needle in name.needles}
        self._close = nearest.CloseLines(wanted.metric)

    def may_hold(self, data: bytes) -> bool:
        """Whether there may be anything in these bytes, a line or many; almost free where there is not."""
        if not self._names and not self._source.active:
            return False
        if self._source.active or b"\x1b" in data or any(name.columns for name in self._names):
            return True
        sieved = sieve_bytes(data)
        return any(needle in sieved for needle in self._needles) or self._close.may_hold(sieved)

    def take(self, line: str, begins: int) -> dict[str, float]:
        """Read one line.

        Args:
            line: plain text.
            begins: where it begins behind what a logger has written.

        Returns:
            Values of progress, by the names that were asked for.
        """
        progress: dict[str, float] = {}
        self._source.take(line)
        if "maxDets=" in line:
            line = _COCO.sub(_coco_name, line)
        document = documents.in_line(line) if "{" in line and self._names else None
        leaves = list(documents.leaves(document)) if document is not None else None
        sieved = sieve(line)
        row: tables.Row | None = None
        for name in self._names:
            if leaves is not None:
                found = name.leaf(leaves)
            elif name.last in sieved:
                found = name.line(line, begins)
            elif name.columns and _DIGIT.search(line):
                row = row or tables.split(line)
                found = name.row(row)
            else:
                continue
            if found is not None:
                progress[name.search.name] = found
        if self.wanted.by_name and not any(name.findings.series for name in self._names[:1]):
            self._close.take(line)
        return progress

    def take_document(self, document: Any) -> None:
        """Read a JSON document of many lines; the parts of a list come one after another, as the lines of a log."""
        self._source.document(document)
        for part in document if isinstance(document, list) else [document]:
            leaves = list(documents.leaves(part))
            for name in self._names:
                name.leaf(leaves)

    def rule(self) -> None:
        """A line `---`: the summary begins."""
        for name in self._names:
            name.findings.demote()

    def answers(self, tail: str, others: dict[str, float]) -> Answers:
        """All that was found, and why there is no metric where there is none.

        Args:
            tail: the end of the output.
            others: all other numbers that it has, by name.
        """
        found = Answers()
        for name in self._names:
            if (counts := name.findings.counts(self._take(name))) is not None:
                found.metrics[name.search.name] = counts[0].value
                if name.search.name == self.wanted.metric:
                    found.printed = counts[1]
            if name.text:
                found.texts[name.search.name] = name.text
        wanted = self.wanted
        if not wanted.by_name and (number := self._source.number(tail)) is not None:
            found.metrics[wanted.metric] = number.value
            found.printed = Printed(unit=number.unit, comma=number.comma)
        if wanted.metric and found.printed is None:
            found.missing = f"{self._place} {self._why_missing(tail, others)}"
        return found

    def _take(self, name: "_Name") -> str:
        return self.wanted.source.take if name.search.name == self.wanted.metric else "last"

    def _why_missing(self, tail: str, others: dict[str, float]) -> str:
        if not self.wanted.by_name:
            return self._source.why_missing()
        metric = self.wanted.metric
        name = next(one for one in self._names if one.search.name == metric)
        if torn := name.findings.torn_between():
            return f"has {torn} and no {metric} of its own: name in `metric:` the one that counts"
        return f"has no {metric}{nearest.told(metric, self._close.lines(tail), others)}"


class _Name:
    """One name, and all that was found of it."""

    def __init__(self, name: str) -> None:
        self.search, self.findings = NameSearch(name), Findings()
        self.columns: list[tables.Column] = []
        self.text = ""
        self.last = sieve(name.rpartition(" ")[2])
        """What a line that has the name or a column of it has, sieved."""
        needle = self.last.encode() if self.last.isascii() else b""
        self.needles = {needle, b"maxdets="} if self.search.squashed[:2] in ("ap", "ar") else {needle}

    def line(self, line: str, begins: int) -> float | None:
        """Read one line; returns a value of progress."""
        found = self.search.numbers(line)
        if not found:
            text = self.search.text(line)
            if text:
                self.text = text[:LONGEST_TEXT]
                return None
            row = tables.split(line)
            if header := tables.columns(row, self.search.name):
                self.columns = header
            return self.row(row)
        firmness = METRIC_LINE if lines.is_metric(line) else SUMMARY if _alone(line, begins, found) else SAMPLE
        for one in found:
            self.findings.add(one.label, one.closeness, firmness, one.number)
        best = max(found, key=lambda one: one.closeness)
        return best.number.value if firmness == SAMPLE else None

    def row(self, row: tables.Row) -> float | None:
        """Read a line that may be a row of the last table; returns a value of progress."""
        found = [cell for column in self.columns if (cell := tables.in_row(row, column))]
        for one in found:
            self.findings.add(one.label, one.closeness, SAMPLE, one.number)
        return max(found, key=lambda one: one.closeness).number.value if found else None

    def leaf(self, leaves: list[documents.Leaf]) -> float | None:
        """Read a line that is a document."""
        firmness = SAMPLE if any(leaf.name in documents.STEP_KEYS for leaf in leaves) else SUMMARY
        best = 0, 0.0
        for leaf in leaves:
            near = closeness(leaf.path, self.search.name)
            if not near and closeness(leaf.path.replace(".", "_"), self.search.name):
                near = LOOSE
            elif not near and closeness(leaf.name, self.search.name):
                near = ALIKE
            if near and leaf.number is not None:
                self.findings.add(leaf.path, near, firmness, leaf.number)
                best = max(best, (near, leaf.number.value))
            elif near and leaf.text:
                self.text = leaf.text[:LONGEST_TEXT]
        return best[1] if best[0] else None


def _alone(line: str, begins: int, found: list[Found]) -> bool:
    """Whether a line says this one number, and nothing else."""
    if len(found) != 1:
        return False
    one = found[0]
    before = line[begins : one.start].strip(_DRESS)
    return one.label.startswith(before) and lines.ends_after(line, one.end)


def _coco_name(match: re.Match[str]) -> str:
    """The short name of a line of COCO's evaluation, such as AP, AP50, APs or AR@100."""
    iou = "" if match["high"] else match["low"]
    area = "" if match["area"] == "all" else match["area"][0]
    most = f"@{match['most']}" if match["what"] == "AR" and not area else ""
    return f"{match['what']}{iou}{area}{most}"
