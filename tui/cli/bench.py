"""`looptop bench`: researchers held against one another on problems with known truth."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.open_study import AsJson, Refused, print_json

if TYPE_CHECKING:
    from loop.yardsticks.catalog import Problem
    from loop.yardsticks.results import StudyResult

METHODS = "random,automl,hybrid"
QUICK_RUNS, QUICK_SEEDS = 40, 3


def bench(
    problems: Annotated[
        str, typer.Option("--problems", help="With commas: surface, small-gains, compression, kernel, or folders.")
    ] = "surface",
    methods: Annotated[
        str,
        typer.Option(
            "--methods", help="With commas: random, automl, llm, hybrid, several as one (automl+llm), or a command."
        ),
    ] = METHODS,
    slots: Annotated[str, typer.Option("--slots", help="Runs at once, with commas.")] = "1,4",
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, max=100, help="Studies of each.")] = None,
    runs: Annotated[
        int | None,
        typer.Option("--runs", min=5, max=10000, help="Run lengths of a study.", show_default="each its own"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where studies, table and chart are kept.")] = Path(
        "looptop-bench"
    ),
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Studies at once; one a core without.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes: short studies, a scripted model.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold researchers against one another on problems whose truth is known.

    Runs a whole study for each method, number of slots and seed, all with the same run lengths (GPU-seconds, whatever
    the slots), and measures what its champion is truly worth. Prints a table; OUT gets it as table.md and table.json,
    and chart.svg. A bench that was ended or killed goes on where it was, and more seeds or methods are added to it.

    A folder with a program.md is a problem, too: its champions are run again under fresh seeds.

    Language models are your own (`--model` of `looptop`, LOOPTOP_MODEL); where none is set up, and with --quick, a
    script of ours plays one.

    Example: looptop bench --quick

    Example: looptop bench --problems compression --methods automl,llm,"codex exec -" --seeds 8
    """
    from loop.config import settings as personal
    from loop.yardsticks import catalog
    from loop.yardsticks import methods as who
    from loop.yardsticks.bench import Bench, plan
    from loop.yardsticks.results import plain, rows

    wanted = catalog.find(_words(problems))
    proposing = list({one.name: one for one in map(who.method, _words(methods))}.values())
    counts = sorted({_count(word) for word in _words(slots)})
    settings = personal.read()
    scripted = quick or not (settings.model or settings.base_url)
    seeds, runs = seeds or (QUICK_SEEDS if quick else 8), runs or (QUICK_RUNS if quick else None)
    if scripted and any(one.project for one in wanted) and any(one.asks_a_model for one in proposing):
        raise Refused(
            "the script that plays a model knows our own problems only; set LOOPTOP_MODEL, without --quick", 2
        )
    cells = plan(wanted, proposing, counts, seeds, runs)
    if out.exists() and not out.is_dir():
        raise Refused(f"{out} is a file; --out takes a folder", 2)
    out.mkdir(parents=True, exist_ok=True)
    if scripted and any(one.asks_a_model for one in proposing):
        typer.echo("looptop: a script of ours plays the language model", err=True)
    screen = _Screen()
    working = Bench(out.resolve(), screen.told, scripted, jobs or os.cpu_count() or 1, screen.seen)
    signal.signal(signal.SIGTERM, lambda *_: working.stop())
    try:
        found = working.run(cells)
    except KeyboardInterrupt:
        typer.echo("\nlooptop: stopped; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    table = rows(found, {one.name: one.best for one in wanted})
    _keep(out, wanted, found)
    if as_json:
        print_json([row.__dict__ for row in table])
    else:
        typer.echo(plain(table, {one.name: one.metric for one in wanted}, {one.name: one.best for one in wanted}))
        typer.echo(f"chart and table: {out / 'chart.svg'}, {out / 'table.md'}", err=True)


class _Screen:
    """What is said while the studies run: a line for each that has ended, and below it how far all are."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def told(self, line: str) -> None:
        clear = "\r\x1b[K" if self._live else ""
        typer.echo(f"{clear}{line}", err=True)

    def seen(self, had: float, of: float) -> None:
        if self._live:
            sys.stderr.write(f"\r\x1b[K{had:.0f} of {of:.0f} run lengths")
            sys.stderr.flush()


def _keep(out: Path, problems: "list[Problem]", found: "list[StudyResult]") -> None:
    """Write chart and table."""
    from loop.yardsticks.chart import chart
    from loop.yardsticks.results import curves, markdown, rows
    from tui.cli.open_study import json_of

    best = {one.name: one.best for one in problems}
    table = rows(found, best)
    (out / "table.md").write_text(markdown(table))
    told = {"rows": [row.__dict__ for row in table], "studies": [one.as_json() for one in found]}
    (out / "table.json").write_text(json_of(told, indent=1) + "\n")
    metrics = {one.name: one.metric for one in problems}
    (out / "chart.svg").write_text(chart(curves(found), best, metrics))


def _words(text: str) -> list[str]:
    """What stands between commas, at least one."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise Refused("a list is empty; write names with commas, such as random,automl", 2)
    return found


def _count(word: str) -> int:
    if not (word.isascii() and word.isdigit() and 1 <= int(word) <= 64):
        raise Refused(f"--slots {word!r:.40} is no number of slots from 1 to 64", 2)
    return int(word)
