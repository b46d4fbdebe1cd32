"""Reads a run's output: step samples, summary, what the program asks for, and the tail that explains a crash.

The bytes come from a stranger: they are never trusted, never kept beyond a fixed few kilobytes, and mean the same in
whatever pieces they arrive. Pure: no clock, no file, no process; the time is passed in.

What counts, whatever a logger or a launcher writes before it:

- A sample: a line that begins with `step N` (also `step: N`, `step N/M`, `iter N`), with `(52.4%)` as its progress, or
  any line with two or more `key: value` / `key=value` pairs of a word and a number.
- The summary: a line that is one such pair and nothing else, lines `METRIC key=value`, and JSON objects in a line that
  have no step. From the first line `---` on, plain pairs from before it no longer count. The last of a key wins.
- The names that the program asks for, in everything that people print (`reading/search`); without a summary line the
  last value of such a name that any line had.
- A number and its unit: see `reading/numbers`.
"""

from dataclasses import dataclass, field

from loop.runs.reading import documents, lines
from loop.runs.reading.search import Answers, Search
from loop.runs.reading.wanted import Wanted
from loop.sanitize import plain

SAMPLE_EVERY_S = 0.5
LINE_BYTES = 16 * 1024  # the rest of a longer line is not read; a JSON object of all results has been seen with 9 kB
SAMPLE_KEYS = 64  # distinct keys in all samples of a run
SUMMARY_KEYS = 256  # distinct keys of the summary; the one not heard of for longest gives way
RECENT_BYTES = 32 * 1024  # kept for the tail: a deep traceback with long lines
TAIL_LINES = 60
TAIL_CHARS = 8000


@dataclass(frozen=True)
class Sample:
    """What a run said of itself at one moment."""

    at: float
    """Time of the last line in it, on the clock of whoever feeds the reader (seconds)."""
    step: int | None
    """Training steps done, where the line says."""
    progress: float | None
    """Share of the run that is done, 0 to 1, where the line says."""
    values: dict[str, float] = field(default_factory=dict)
    """Everything else, as printed. NaN and infinity included: they are news."""


def decode(line: bytes, tab: str = " ") -> str:
    """One line of output as text that is safe to show."""
    return plain(line.decode("utf-8", "replace"), tab)


def crash_line(tail: str) -> str:
    """The line of a tail that says most: what the last traceback ends in, else the last line that is not blank."""
    lines = [line for line in tail.splitlines() if line.strip()]
    begins = [at for at, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if begins:
        for line in lines[begins[-1] + 1 :]:
            if not line.startswith((" ", "\t")):
                return line.strip()
    return lines[-1].strip() if lines else ""


class OutputReader:
    """Takes a run's output in pieces and says what was in it.

    Args:
        wanted: what is looked for besides samples and the summary.
    """

    def __init__(self, wanted: Wanted = Wanted()) -> None:  # noqa: B008 - it is frozen
        self._search = Search(wanted)
        self._partial = b""  # the line that has not ended yet, at most LINE_BYTES of it
        self._recent = b""
        self._summary: dict[str, float] = {}
        self._from_metric: set[str] = set()
        self._ruled = False  # a line `---` has been seen
        self._known: set[str] = set()  # keys of samples
        self._waiting: Sample | None = None  # read, and held back until SAMPLE_EVERY_S have passed
        self._last_at: float | None = None

    def feed(self, data: bytes, now: float) -> list[Sample]:
        """Take the next piece of output; `b""` only asks whether a sample that was held back is due.

        Args:
            data: any bytes, cut anywhere.
            now: seconds on a clock that never goes back.

        Returns:
            The samples that are due: at most one per SAMPLE_EVERY_S, what was said in between merged into the next one.
        """
        due: list[Sample] = []
        if data:
            self._recent = (self._recent + data[-RECENT_BYTES:])[-RECENT_BYTES:]
            rows = data.splitlines()  # of bytes: at \n, \r and \r\n, and nowhere else
            rows[0] = self._partial + rows[0][: LINE_BYTES - len(self._partial)]
            self._partial = b"" if data[-1] in b"\r\n" else rows.pop()[:LINE_BYTES]
            # Most lines of a flood go no further than this: one search in all of them, two for a byte in each, and a
            # look at its first one.
            wanted = self._search.may_hold(b"\n".join(rows))
            for row in rows:
                if row and (b":" in row or b"=" in row or row[0] in b" \t\x1b-sSiI[("):
                    self._read(row[:LINE_BYTES], now, due)
                elif wanted and self._search.may_hold(row[:LINE_BYTES]):
                    self._look(decode(row[:LINE_BYTES], tab="\t"), now, due)
        self._release(now, due)
        return due

    def finish(self, now: float) -> list[Sample]:
        """The output has ended: read the line that had no end, and let go of what was held back."""
        due: list[Sample] = []
        line, self._partial = self._partial, b""
        self._read(line, now, due)
        if self._waiting is not None:
            due.append(self._waiting)
            self._waiting = None
        return due

    @property
    def waiting(self) -> bool:
        """Whether a sample is held back, so that someone should come again with `feed(b"", now)`."""
        return self._waiting is not None

    def summary(self) -> dict[str, float]:
        """The numbers of the summary so far. NaN and infinity are in it as such."""
        return dict(self._summary)

    def answers(self) -> Answers:
        """What of the things that the program asks for was found so far, and the summary with them."""
        recent = "\n".join(decode(row) for row in self._recent.splitlines())
        found = self._search.answers(recent, self._summary)
        # The metric is what the program says it is: a summary line of that name does not stand in for its pattern.
        summary = {key: value for key, value in self._summary.items() if key != self._search.wanted.metric}
        found.metrics = summary | found.metrics
        return found

    def tail(self) -> str:
        """The end of the output as text: at most TAIL_LINES lines and TAIL_CHARS characters.

        Of a line that was overwritten with `\\r` (a progress bar) only the last state is in it.
        """
        lines = [decode(line.rstrip(b"\r").rpartition(b"\r")[2]).rstrip() for line in self._recent.split(b"\n")]
        while lines and not lines[-1]:
            lines.pop()
        return "\n".join(lines[-TAIL_LINES:])[-TAIL_CHARS:]

    def _read(self, raw: bytes, now: float, due: list[Sample]) -> None:
        line = decode(raw, tab="\t")
        begins = lines.header(line)
        pairs = lines.pairs(line)
        if lines.is_metric(line):
            for key, number in pairs.items():
                self._note(key, number.value)
                self._from_metric.add(key)
        elif (alone := lines.lone(line[begins:])) is not None:
            self._note(alone[0], alone[1].value)
        elif lines.is_rule(line) and not self._ruled:
            self._ruled = True
            self._summary = {key: value for key, value in self._summary.items() if key in self._from_metric}
            self._search.rule()
        elif line[begins : begins + 1] == "{":
            self._note_document(line)
        asked = self._search.take(line, begins) if self._search.may_hold(raw) else {}
        several = len(pairs) > 1
        progress = lines.Progress(line, begins, pairs)
        if progress.is_step or several or asked:
            values = dict(list(progress.values.items())[: lines.LINE_KEYS]) | asked
            self._merge(Sample(now, progress.step, progress.share, values))
            self._release(now, due)

    def _look(self, line: str, now: float, due: list[Sample]) -> None:
        """Read a line that is of no form of ours, and may have what the program asks for."""
        if asked := self._search.take(line, lines.header(line)):
            self._merge(Sample(now, None, None, asked))
            self._release(now, due)

    def _note_document(self, line: str) -> None:
        """A JSON object that says nothing of progress is part of the summary."""
        document = documents.in_line(line)
        found = list(documents.leaves(document)) if isinstance(document, dict) else []
        if not any(leaf.name in documents.STEP_KEYS for leaf in found):
            for leaf in found[: lines.LINE_KEYS]:
                if leaf.number is not None:
                    self._note(leaf.path, leaf.number.value)

    def _note(self, key: str, value: float) -> None:
        self._summary.pop(key, None)  # so that the order is that of the last mention
        self._summary[key] = value
        if len(self._summary) > SUMMARY_KEYS:
            oldest = next(iter(self._summary))
            del self._summary[oldest]
            self._from_metric.discard(oldest)

    def _merge(self, sample: Sample) -> None:
        before = self._waiting
        values = dict(before.values) if before else {}
        for key, value in sample.values.items():
            if key in self._known or len(self._known) < SAMPLE_KEYS:
                self._known.add(key)
                values[key] = value
        step = before.step if before and sample.step is None else sample.step
        progress = before.progress if before and sample.progress is None else sample.progress
        self._waiting = Sample(sample.at, step, progress, values)

    def _release(self, now: float, due: list[Sample]) -> None:
        if self._waiting and (self._last_at is None or now - self._last_at >= SAMPLE_EVERY_S):
            due.append(self._waiting)
            self._waiting, self._last_at = None, now
