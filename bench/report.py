"""How long a report takes and how large it is, and how fast a follower reads a journal.

    python -m bench.report [--experiments 700]

Recorded studies: one of 30 experiments, and a long one. Measured from the folded study to the finished text; and from
an empty follower to the end of the journal, with a tracker that only counts. The budgets are 1 s and 2 MB for the page
of 30, 5 s for the long one, and 5,000 events a second for a follower.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loop.follow.follower import Follower
from loop.follow.tracker import Details
from loop.follow.translation import Update
from loop.journal import Journal
from loop.reporting import cost, page
from loop.study.folding import FOLDED, fold
from tests.recorded import record

DIFF = "".join(f"@@ -{n} +{n} @@\n context\n-LR = 0.{n}\n+LR = 0.{n + 1}\n" for n in range(12))


class Counting:
    """A tracker that counts what it gets."""

    where = "nowhere"

    def __init__(self) -> None:
        self.points = 0

    def begin(self, study: str, title: str) -> Mapping[int, int]:
        """It has nothing."""
        return {}

    def send(self, updates: Sequence[Update], details: Details) -> None:
        """Count."""
        self.points += sum(len(update.points) for update in updates)

    def close(self) -> None:
        """Nothing is open."""


def a_page(path: Path) -> tuple[float, int]:
    """Seconds from a folded study to its page, and the page's bytes."""
    with Journal(path) as journal:
        study, events = fold(journal.read(kinds=FOLDED)), journal.read(kinds=cost.KINDS)
    began = time.perf_counter()
    books = cost.books(study, events)
    text = page.as_html(page.gather(study, books, lambda x: DIFF), books)
    return time.perf_counter() - began, len(text.encode())


def followed(path: Path) -> tuple[float, int, int]:
    """Seconds to read and translate a journal, its events, and the points they came to."""
    tracker = Counting()
    with Journal(path) as journal:
        began = time.perf_counter()
        count = Follower(path.parent, tracker, print).catch_up(journal)
        return time.perf_counter() - began, count, tracker.points


def main() -> None:
    """Print each figure beside its budget."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--experiments", type=int, default=700)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for count, most in ((30, 1.0), (given.experiments, 5.0)):
            path = Path(folder, f"{count}.db")
            record(path, experiments=count)
            a_page(path)  # the first one imports Jinja and SciPy
            seconds, size = a_page(path)
            limit = " (at most 2 MB)" if count == 30 else ""
            print(f"report of {count} experiments: {seconds:.2f} s (at most {most:g} s), {size / 1e6:.2f} MB{limit}")
        seconds, events, points = followed(path)
        print(f"follower: {events:,} events, {points:,} points: {events / seconds:,.0f} events/s (at least 5,000)")


if __name__ == "__main__":
    main()
