"""Reads a run's output: step samples, summary, and the tail that explains a crash.

The bytes come from a stranger: they are never trusted, never kept beyond a fixed few kilobytes, and mean the same in
whatever pieces they arrive. Pure: no clock, no file, no process; the time is passed in.

What counts, and it is the whole of it:

- A sample: a line that begins with `step N` (also `step: N`, `step N/M`, `iter N`), with `(52.4%)` as its progress, or
  any line with two or more `key: value` / `key=value` pairs of a word and a number.
- The summary: a line that is one such pair and nothing else, and lines `METRIC key=value`. From the first line `---`
  on, plain pairs from before it no longer count. The last of a key wins.
- A number: `2.31`, `1e-3`, `1,204,331`, `nan`, `-inf`. One of the letters k K M G B T right behind it multiplies
  (`1.2k` is 1200); any other unit (`%`, `ms`, `GB`, `tok/s`) is left off and the number stays as printed.
"""

import re
from dataclasses import dataclass, field

from loop.sanitize import plain

SAMPLE_EVERY_S = 0.5
LINE_BYTES = 4096  # the rest of a longer line is not read
LINE_KEYS = 32  # pairs of one sample
SAMPLE_KEYS = 64  # distinct keys in all samples of a run
SUMMARY_KEYS = 256  # distinct keys of the summary; the one not heard of for longest gives way
RECENT_BYTES = 32 * 1024  # kept for the tail: a deep traceback with long lines
TAIL_LINES = 60
TAIL_CHARS = 8000

_SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}

# Every repetition is bounded or possessive, so no line costs more than its length times a constant.
_NUMBER = (
    r"(?:(?P<number>[-+]?(?>\d{1,3}(?:,\d{3})++(?:\.\d*+)?|\d++(?:\.\d*+)?(?:[eE][-+]?\d++)?|\.\d++(?:[eE][-+]?\d++)?))"
    r"(?P<unit>[ \t]?%|[A-Za-zµ]{1,8}(?:/[A-Za-z]{1,8})?|/[A-Za-z]{1,8})?"
    r"|(?P<odd>[-+]?(?i:inf(?:inity)?+|nan))(?:%|ms|s)?)"  # of words that begin like this there are many: "nanogpt"
)
_KEY = r"(?P<key>[A-Za-z_][\w./%@+-]{0,63})[\"']?[ \t]{0,40}[:=][ \t]{0,40}"
_PAIR = re.compile(r"(?<![\w./:=@+-])" + _KEY + _NUMBER + r"(?=\.?(?:[\s,;|)\]}\"']|$))")
_WHOLE_PAIR = re.compile(r"\s*" + _KEY + _NUMBER + r"(?:[ \t][A-Za-zµ]{1,8}(?:/[A-Za-z]{1,8})?)?\s*$")
_METRIC = re.compile(r"\s*METRIC\s")
_RULE = re.compile(r"\s*---\s*$")
_STEP = re.compile(
    r"[\s\[(]*(?:step|iter|iteration)[\s:=#]+(?P<step>\d{1,15}+)(?!\.\d)(?:\s?/\s?(?P<of>\d{1,15}+))?", re.I
)
_PROGRESS = re.compile(r"\((?P<percent>\d{1,3}(?:\.\d{1,6})?)\s?%\)")
_STEP_KEYS = ("step", "global_step", "iter", "iteration")


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


def decode(line: bytes) -> str:
    """One line of output as text that is safe to show."""
    return plain(line.decode("utf-8", "replace"))


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
    """Takes a run's output in pieces and says what was in it."""

    def __init__(self) -> None:
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
            lines = data.splitlines()  # of bytes: at \n, \r and \r\n, and nowhere else
            lines[0] = self._partial + lines[0][: LINE_BYTES - len(self._partial)]
            self._partial = b"" if data[-1] in b"\r\n" else lines.pop()[:LINE_BYTES]
            for line in lines:
                # Most lines of a flood go no further than this: two searches for a byte, and a look at the first one.
                if line and (b":" in line or b"=" in line or line[0] in b" \t\x1b-sSiI[("):
                    self._read(line[:LINE_BYTES], now, due)
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

    def tail(self) -> str:
        """The end of the output as text: at most TAIL_LINES lines and TAIL_CHARS characters.

        Of a line that was overwritten with `\\r` (a progress bar) only the last state is in it.
        """
        lines = [decode(line.rstrip(b"\r").rpartition(b"\r")[2]).rstrip() for line in self._recent.split(b"\n")]
        while lines and not lines[-1]:
            lines.pop()
        return "\n".join(lines[-TAIL_LINES:])[-TAIL_CHARS:]

    def _read(self, raw: bytes, now: float, due: list[Sample]) -> None:
        line = decode(raw)
        if _METRIC.match(line):
            for pair in _PAIR.finditer(line):
                self._note(pair["key"], _number(pair))
                self._from_metric.add(pair["key"])
        elif whole := _WHOLE_PAIR.match(line):
            self._note(whole["key"], _number(whole))
        elif _RULE.match(line) and not self._ruled:
            self._ruled = True
            self._summary = {key: value for key, value in self._summary.items() if key in self._from_metric}
        if sample := _sample(line, now):
            self._merge(sample)
            self._release(now, due)

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


def _number(match: re.Match[str]) -> float:
    if match["odd"]:
        return float(match["odd"])
    return float(match["number"].replace(",", "")) * _SCALES.get(match["unit"] or "", 1.0)


def _sample(line: str, now: float) -> Sample | None:
    """The sample in one line of plain text, if it is one."""
    begins = _STEP.match(line)
    values: dict[str, float] = {}
    for pair in _PAIR.finditer(line):
        if len(values) < LINE_KEYS:
            values[pair["key"]] = _number(pair)
    if not begins and len(values) < 2:
        return None
    step = int(begins["step"]) if begins else None
    progress = None
    if begins and begins["of"]:
        progress = int(begins["step"]) / max(1, int(begins["of"]))
    if percent := _PROGRESS.search(line):
        progress = float(percent["percent"]) / 100
    for key in _STEP_KEYS:
        if key in values and abs(stated := values.pop(key)) < 1e15 and step is None:
            step = int(stated)
    return Sample(now, step, None if progress is None else min(1.0, progress), values)
