"""`looptop compare`: two or more experiments side by side."""

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.open_study import AsJson, Refused, find_experiment, find_root, folded, open_journal, print_json

if TYPE_CHECKING:
    from loop.journal import Journal
    from loop.study.curves import Sample
    from loop.study.experiment import Experiment
    from loop.study.state import Study

MOST = 8
"""Experiments that are compared at once."""


def compare(
    context: typer.Context,
    numbers: Annotated[list[int], typer.Argument(metavar="A B [...]", help="Their numbers; 0 is the baseline.", min=0)],
    diff: Annotated[bool, typer.Option(help="Show how the files of each differ from the first's.")] = True,
    as_json: AsJson = False,
) -> None:
    """Compare experiments: numbers, runs by seed, curves, and how their files differ.

    Each is set against the first. A difference has its error and is also in σ, the noise of one run; at equal seeds it
    is the mean of the differences seed by seed, which is surer. With one number it is compared with the experiment that
    it was measured against.

    Example: looptop compare 12 31 --json | jq '.experiments[1].difference'
    """
    from loop.reporting import compare as comparing
    from loop.reporting.seen import Seen

    root = find_root(context.obj)
    with open_journal(root) as journal:
        study = folded(journal)
        found = [find_experiment(study, number) for number in dict.fromkeys(numbers)]
        if len(found) == 1 and found[0].champion is not None:
            found.insert(0, study.experiments[found[0].champion])
        if len(found) < 2:
            raise Refused("name two experiments or more; `looptop experiments` lists them", 2)
        if len(found) > MOST:
            raise Refused(f"at most {MOST} experiments are compared at once, and these are {len(found)}", 2)
        samples = [samples_of(journal, x) for x in found]
    seen = Seen(study, now=time.time())
    if as_json:
        data = comparing.as_data(seen, found, samples)
        print_json(data | ({"diffs": _diffs(root, study, found)} if diff else {}))
        return
    typer.echo("\n".join(_lines(seen, found, samples, _diffs(root, study, found) if diff else {})))


def samples_of(journal: "Journal", found: "Experiment") -> "list[Sample]":
    """What its run that is nearest to its mean has reported over time, else its newest run."""
    measured = [run for run in found.counted() if run.metric is not None]
    mean = sum(run.metric or 0.0 for run in measured) / len(measured) if measured else 0.0
    run = min(measured, key=lambda run: abs((run.metric or 0.0) - mean), default=found.newest)
    if run is None:
        return []
    events = journal.read(kinds={"step_sampled"}, experiment=found.id, run=run.number)
    return [
        (
            event.at - run.started_at if event.body.progress is None else event.body.progress * run.budget,
            event.body.values,
        )
        for event in events
        if event.body.kind == "step_sampled"
    ]


def _diffs(root: Path, study: "Study", found: "list[Experiment]") -> dict[str, str]:
    """How the files of each differ from the first's, by its number: a unified diff, or a sentence in `#`."""
    from loop.lineage import Lineage, LineageError

    first, diffs = found[0], {}
    commits = Lineage(root, study.tag).commits
    for x in found[1:]:
        if not first.commit or not x.commit:
            diffs[str(x.id)] = f"# experiment {x.id if first.commit else first.id} has no commit to compare\n"
            continue
        try:
            diffs[str(x.id)] = commits.diff(first.commit, x.commit)
        except LineageError as error:
            diffs[str(x.id)] = f"# {error}\n"
    return diffs


def _lines(seen: object, found: "list[Experiment]", samples: "list[list[Sample]]", diffs: dict[str, str]) -> list[str]:
    from loop.reporting import compare as comparing
    from loop.reporting.seen import Seen
    from loop.sanitize import one_line
    from tui.cli.status_text import safe
    from tui.render.side_by_side import side_by_side

    assert isinstance(seen, Seen)
    wide = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 120
    heads = [f"#{x.id} {one_line(x.title)}" for x in found]
    rows = [("", heads), *comparing.numbers(seen, found)]
    name, curve = comparing.curves(seen.study.contract.metric, samples)
    rows += [("", [""] * len(found))] if curve else []
    rows += [(f"{name} to {row[0]}", row[1:]) for row in curve]
    lines = ["".join(line).rstrip() for line in laid_out(rows, wide)]
    for x in found[1:]:
        if (text := diffs.get(str(x.id))) is not None:
            lines += ["", f"files of {x.id} (right) against those of {found[0].id} (left)"]
            sides = ["".join(part for part, _ in line).rstrip() for line in side_by_side(text, wide)]
            lines += sides or [text.strip().removeprefix("# ") or "they are the same"]
    return safe(lines)


def laid_out(rows: list[tuple[str, list[str]]], width: int) -> list[list[str]]:
    """A table in at most `width` cells: the labels, and equal columns; what does not fit is cut."""
    from tui.render.text import cells, pad

    label = min(28, max(cells(name) for name, _ in rows)) + 2
    column = max(10, min(44, (width - label) // len(rows[0][1])))
    return [[pad(name, label), *(pad(cell, column - 2) + "  " for cell in row)] for name, row in rows]
