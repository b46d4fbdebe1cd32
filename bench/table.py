"""The table of experiments against its budget: filters, orders and the screen they are for. Prints, never asserts.

    python -m bench.table [--experiments 10000] [--rounds 5]

A study of that many experiments is folded, as a cockpit does it; then each filter and each order is timed as a person
meets it: from the key to the rows, in a panel of 120x40 cells. The first look makes the texts and the means once.
Times are processor time, so that what else the machine does is not counted.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from loop.reporting import query
from loop.reporting.seen import Seen
from loop.study import events as e
from loop.study.figures import Figures
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.recorded import IDEAS
from tests.stories import Story
from tui.model.view_state import ViewState
from tui.render.glyphs import UNICODE
from tui.widgets.context import Context
from tui.widgets.experiments import ExperimentsPanel

BUDGET = "100 ms"
FILTERS = ("dropout", "head rate", "is:kept", "by:claude", "effect>1", "age<6h", "!is:crashed effect>0.5 age<2h warm")
ORDERS = ("effect", "metric", "age", "time", "usd", "mem", "lines", "runs", "by", "title")


def study_of(count: int) -> Study:
    """A study of so many experiments: about one in a hundred kept, one in ten without a number, some with two runs."""
    chance, story = random.Random(7), Story().baseline()
    names = ("claude", "llm-a", "automl")
    champion, best = 0, 1.0
    for number in range(1, count + 1):
        title, why, *_ = IDEAS[number % len(IDEAS)]
        body = e.ExperimentProposed(
            researcher=names[number % 3], title=f"{title}, take {number}", hypothesis=why, parent=champion,
            expected="about 0.003 lower", notes={"rate": number / count},
        )  # fmt: skip
        story.tell(body, number).tell(e.Spent(researcher=names[number % 3], tokens=9000, usd=0.02), number)
        story.queue(number, champion)
        kept, broken = number % 100 == 50, number % 10 == 3
        best -= 0.001 if kept else 0.0
        values = [] if broken else [best + abs(chance.gauss(0, 0.01)) for _ in range(1 + number % 2)]
        story.runs(number, values)
        outcome = Outcome.KEPT if kept else Outcome.CRASHED if broken else Outcome.DISCARDED
        effect = None if broken else chance.gauss(-0.01, 0.01)
        judged = e.ExperimentJudged(
            verdict=outcome, reason="no clear gain", metric=None if broken else sum(values) / len(values),
            effect=effect, noise=0.01, confidence=0.4, champion=champion,
        )  # fmt: skip
        story.tell(judged, number)
        if kept:
            champion = number
            story.tell(e.ChampionChanged(commit=f"{number:040d}", metric=best), number)
    return story.study()


def timed(work: Callable[[], object], rounds: int) -> str:
    """The median of some rounds, and the worst."""
    took = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        took.append(1000 * (time.process_time() - start))
    return f"{statistics.median(took):.0f} ms (worst of {rounds}: {max(took):.0f})"


class _Panel(ExperimentsPanel):
    """The panel without an app around it."""

    def __init__(self, known: ViewState) -> None:
        super().__init__()
        self._outside = cast(
            "Context", SimpleNamespace(known=known, glyphs=UNICODE, now=lambda: known.study.at, bars=lambda: None)
        )

    @property
    def cockpit(self) -> Context:
        return self._outside

    def redraw_with_note(self) -> None:
        self.content(120, 40)


def say(what: str, measured: str) -> None:
    print(f"{what:<58} {BUDGET:>10}   {measured}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    known = ViewState()
    known.study = study_of(given.experiments)
    known.figures = Figures(known.study)
    known.seen = Seen(known.study, known.figures)
    panel = _Panel(known)
    start = time.process_time()
    panel.content(120, 40)
    panel.filter("effect>0 dropout")
    print(f"{given.experiments} experiments; the first look at all of them took {time.process_time() - start:.2f} s")
    panel.filter("")
    for text in FILTERS:

        def filtered(text: str = text) -> None:
            panel.filter("")
            panel.filter(text)

        say(f"filter {text} (and back)", timed(filtered, given.rounds))
    panel.filter("")
    for name in ORDERS:

        def ordered(name: str = name) -> None:
            panel.sort(name, reverse=False)

        say(f"sort by {name}", timed(ordered, given.rounds))
    panel.sort("", reverse=False)

    def anew() -> None:
        panel.changed()
        panel.content(120, 40)

    say("a verdict comes in: the rows anew", timed(anew, given.rounds))
    say(
        "looptop experiments, filter and sort alone",
        timed(lambda: query.chosen(known.study, "!is:crashed effect>0", "effect"), given.rounds),
    )


if __name__ == "__main__":
    main()
