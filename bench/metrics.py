"""The output reader on what people's programs print: what it finds, what it misses, what it takes for something else.

    python -m bench.metrics [FORMAT ...]

Each file of `metrics_corpus/` is one format: what `program.md` asks for, the value that counts ("none" where nothing
may be taken), a line of equals signs, and the output. Then bytes made to hurt it: 10 MB each, with the speed and what
the reader has grown to. The budgets: everything found, nothing misread, 150 kB, and 0.3 MB a second of processor time;
a run that prints faster waits in its own write calls, and never holds up the loop (`runs/local/process`).
"""

import argparse
import math
import pickle
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from loop.runs.output import OutputReader
from loop.runs.reading.search import Answers
from loop.runs.reading.wanted import Wanted
from loop.study.contract import Contract
from loop.study.measure import MetricSource

CORPUS = Path(__file__).parent / "metrics_corpus"
MOST_KB, LEAST_MB_S = 150, 0.3
PIECE = 16 * 1024
FLOOD = 10_000_000


@dataclass(frozen=True)
class Format:
    """One file of the corpus."""

    name: str
    wanted: Wanted
    value: float | None
    """What counts; None where nothing may be taken."""
    unit: str
    says: str
    """What the reason of a missing metric has to say."""
    output: bytes

    def read(self) -> Answers:
        """What the reader finds."""
        reader = OutputReader(self.wanted)
        for start in range(0, len(self.output), PIECE):
            reader.feed(self.output[start : start + PIECE], 0.0)
        reader.finish(0.0)
        return reader.answers()

    def outcome(self) -> str:
        """ "found", "missed" or "misread"; empty where nothing was to be found and nothing was taken."""
        answers = self.read()
        found = answers.metrics.get(self.wanted.metric)
        if self.value is None:
            return "misread" if found is not None or self.says not in answers.missing else ""
        if found is None:
            return "missed"
        unit = answers.printed.unit if answers.printed else ""
        return "found" if math.isclose(found, self.value, rel_tol=1e-12) and unit == self.unit else "misread"


def corpus() -> list[Format]:
    """All formats, by name."""
    return [_format(path) for path in sorted(CORPUS.glob("*.txt"))]


def _format(path: Path) -> Format:
    head, _, output = path.read_bytes().partition(b"\n====\n")
    asked = dict(line.split(": ", 1) for line in head.decode().splitlines())
    source = {key: asked[key] for key in ("pattern", "json", "take") if key in asked}
    contract = Contract(metric=asked["metric"], source=MetricSource.model_validate(source))
    value = None if asked["value"] == "none" else float(asked["value"])
    wanted = Wanted(contract.metric, contract.source)
    return Format(path.stem, wanted, value, asked.get("unit", ""), asked.get("says", ""), output)


FLOODS = {
    "lines of words": b"the quick brown fox jumps over\n",
    "step lines": b"step 00500 (52.4%) | loss: 2.31 | lrm: 1.00 | tok/sec: 1,204,331 | mfu: 39.8%\n",
    "the metric, lone": b"val_loss: 0.5\n",
    "the metric, in words": b"step 1: train loss 1.9, val loss 2.0\n",
    "its name, no number": b"val_loss " * 400 + b"\n",
    "its name, no end": b"val_loss=1 " * 10_000,
    "JSON": b'{"val_loss": 0.5, "acc": 0.9, "step": 3}\n',
    "JSON, nested": b'{"val_loss":' * 1300 + b"\n",
    "tables": b"| val_loss | acc |\n" + b"| 1 | 2 |\n" * 50,
    "wide tables": b"val_loss  " * 300 + b"\n" + b"1  2  " * 900 + b"\n",
    "pairs": b"a: 1 b: 2 " * 100 + b"\n",
    "keys": b"".join(b"key%d: %d\n" % (number, number) for number in range(3000)),
    "spellings": b"".join(b"w%d val loss: 1\n" % number for number in range(3000)),
    "close lines": b"".join(b"word%s loss 1\n" % (b"x" * (number % 97)) for number in range(3000)),
    "spaces": b"val_loss" + b" " * 4000 + b"1\n",
    "digits": b"val_loss: " + b"1" * 5000 + b"\n",
    "commas": b"val_loss: " + b"1,234," * 700 + b"\n",
    "brackets": b"[" * 4000 + b"(" * 4000 + b"\n",
    "logging": b"INFO: [a] 2026-01-01 10:00:00 - " * 100 + b"\n",
    "escapes": b"\x1b[31m\x1b]0;" * 600 + b"\n",
    "random bytes": random.Random(0).randbytes(200_000),
    "one line": b"w" * 1000,
}
"""Bytes that a run could print to hurt the reader, over and over."""


def flood(piece: bytes) -> tuple[float, float]:
    """MB a second of processor time, and kB that the reader has grown to."""
    reader = OutputReader(Wanted("val_loss", others=("quality", "status")))
    data = piece * max(1, FLOOD // 20 // len(piece))
    spent = taken = 0.0
    while taken < FLOOD and spent < 5:  # what is slow has shown all it has by then
        began = time.process_time()
        for start in range(0, len(data), PIECE):
            reader.feed(data[start : start + PIECE], spent)
        spent += time.process_time() - began
        taken += len(data)
    reader.answers()
    return taken / spent / 1e6, len(pickle.dumps(reader)) / 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("formats", nargs="*", help="only these, with what was found")
    only = parser.parse_args().formats
    formats = [one for one in corpus() if not only or one.name in only]
    told = {one.name: one.outcome() for one in formats}
    for one in formats:
        word = told[one.name] or "nothing, as it should"
        print(f"{one.name:28} {one.wanted.metric:28.28} {word}")
        if only or told[one.name] in ("missed", "misread"):
            print(f"    {one.read()}")
    counts = {word: sum(each == word for each in told.values()) for word in ("found", "missed", "misread")}
    nothing = sum(not word for word in told.values())
    print(f"{len(formats)} formats: {counts['found']} found, {nothing} with nothing to find; ", end="")
    print(f"{counts['missed']} missed, {counts['misread']} misread, budget 0")
    failed = bool(counts["missed"] or counts["misread"])
    for name, piece in () if only else FLOODS.items():
        speed, size = flood(piece)
        failed |= speed < LEAST_MB_S or size > MOST_KB
        print(f"{name:24} {speed:8.1f} MB/s, budget {LEAST_MB_S}; {size:6.1f} kB, budget {MOST_KB}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
