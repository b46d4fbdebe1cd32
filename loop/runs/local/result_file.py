"""The file that a run leaves its metric in, where `program.md` names one: read when no process of the run is left.

It is a stranger's file: it is read where it is a plain file reached without a link, and no more than MOST_BYTES of it.
One that was there before the run and has not been written to since (git has it) is nothing that this run has measured.
Of several that a pattern stands for, such as `outputs/*/*/metrics.json`, the one written last counts.
"""

import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath

from loop.runs.local.exit_reason import Ending
from loop.runs.local.redirected import State, open_plain, state_of
from loop.runs.reading import in_file
from loop.runs.reading.search import Answers
from loop.runs.reading.wanted import Wanted
from loop.study.measure import MetricSource

MOST_BYTES = 4 << 20
HINTS, HINT_BYTES = 20, 256 << 10
"""Files that are looked into where no file is named and no metric was printed, and bytes of each."""

MOST_MATCHES = 1000
"""Files of a pattern that are looked at."""

_PATTERN = re.compile(r"[*?\[]")
_WHEN = re.compile(r"\d{4}-?\d\d-?\d\d|\d\d[-_.:]\d\d[-_.:]\d\d|\d{6}|[0-9a-f]{8}")
"""In the name of a folder that each run names anew."""
_LIKELY = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".log", ".yaml", ".yml", ".md")


class ResultFile:
    """The file of one run.

    Args:
        wanted: its `source.file` is the name; where there is none, nothing is read.
        folders: where it may be, the first that has it counting. As the run knows them: relative names begin there.
    """

    def __init__(self, wanted: Wanted, folders: Sequence[Path]) -> None:
        self._wanted, self._folders = wanted, folders
        self._before: dict[tuple[Path, str], State] = {}
        self._began = 0.0

    def look(self) -> None:
        """Take note of what is there before the run. Blocks, as all of this does."""
        self._began = time.time()
        for folder, path in self._places():
            if (opened := open_plain(folder, path)) is not None:
                self._before[folder, path] = state_of(opened)
                os.close(opened)

    def complete(self, printed: Answers, ending: Ending | None) -> Answers:
        """What was printed, and what the file has; where nothing has the metric, the file that a person could name."""
        if self._wanted.source.file is not None:
            return self._answers(self._wanted.source.file).over(printed)
        if printed.missing and ending is not None and ending.code == 0 and ending.leftovers:
            work = "a process" if ending.leftovers == 1 else f"{ending.leftovers} processes"
            left = f"its command ended with {work} of its own still at work, which ended with it"
            return replace(printed, missing=f"{printed.missing}; {left}: have `run:` wait for them")
        if printed.missing and ending is not None and ending.code == 0:
            return replace(printed, missing=printed.missing + self._hint())
        return printed

    def _answers(self, name: str) -> Answers:
        why = f"it has not written {name}, where its {self._wanted.metric} should be"
        for folder, path in self._places():
            opened = open_plain(folder, path)
            if opened is None:
                if os.path.lexists(folder / path):
                    why = f"{path} is no plain file, or is behind a link, and is not read"
                continue
            with os.fdopen(opened, "rb") as file:
                if state_of(opened) == self._before.get((folder, path)):
                    why = f"it has not written {path}, which is as it was before the run"
                elif state_of(opened)[1] > MOST_BYTES:
                    why = f"{path} has more than {MOST_BYTES >> 20} MB and is not read"
                else:
                    return in_file.read(file.read(MOST_BYTES), self._wanted)
        return Answers(missing=why)

    def _places(self) -> Iterator[tuple[Path, str]]:
        """Where the file may be: each folder, and the path in it; of a pattern's the newest first."""
        name = os.path.normpath(self._wanted.source.file or "")
        for folder in self._folders if self._wanted.source.file else ():
            if not _PATTERN.search(name):
                yield folder, name
                continue
            found: list[tuple[int, str]] = []
            for path in islice(folder.glob(name), MOST_MATCHES):
                with suppress(OSError):
                    found.append((path.lstat().st_mtime_ns, str(path.relative_to(folder))))
            yield from ((folder, path) for _, path in sorted(found, reverse=True))

    def _hint(self) -> str:
        """Which file of the run has the metric, behind a sentence that misses it; empty where none has."""
        metric = self._wanted.metric
        for folder in self._folders:
            for path in islice(_written(folder, self._began), HINTS):
                opened = open_plain(folder, path)
                if opened is None:
                    continue
                with os.fdopen(opened, "rb") as file:
                    found = in_file.read(file.read(HINT_BYTES), Wanted(metric, MetricSource(file=path)))
                if metric in found.metrics and found.printed is not None and found.printed.name:
                    mend = f"metric: {{name: {metric}, file: {_any_of(path)}}}"
                    return f"; {path}, which it has written, has it -> {mend}"
        return ""


def _any_of(path: str) -> str:
    """The path, with a star for each part in which a date, a time or an id stands: the next run has another."""
    parts = (f"*{PurePosixPath(part).suffix}" if _WHEN.search(part) else part for part in path.split("/"))
    path = "/".join(parts)
    return f'"{path}"' if path.startswith("*") else path  # which YAML takes for something else


def _written(folder: Path, since: float) -> Iterator[str]:
    """Files with a likely name in a folder and in those that are in it, four deep, written to since then."""
    for depth, pattern in enumerate(("*", "*/*", "*/*/*", "*/*/*/*")):
        for path in islice(folder.glob(pattern), HINTS * 50 * (depth + 1)):
            try:
                status = path.lstat()
            except OSError:
                continue
            if path.suffix.lower() in _LIKELY and status.st_mtime >= since and stat.S_ISREG(status.st_mode):
                yield str(path.relative_to(folder))
