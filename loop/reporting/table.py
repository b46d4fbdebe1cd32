"""The results of a study as tables: `results.tsv` as autoresearch writes it, CSV, and JSON. Pure.

Each has the experiments with a verdict, oldest first, and ends with a newline. A crash has no metric, so its cell is
empty.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line reads the names of the forms for its help, and pydantic takes 0.1 s
    from loop.study.experiment import Experiment
    from loop.study.state import Study

_COLUMNS = ("commit", "val_bpb", "memory_gb", "status", "description")
"""The original's five; the second has that name whatever the metric is called, because notebooks look for it."""

_FIELDS = (
    *("id", "parent", "commit", "metric", "value", "measured", "effect", "noise", "verdict", "reason", "judged_by"),
    *("runs", "seconds", "memory_bytes", "lines_added", "lines_removed", "flags", "researcher", "title", "hypothesis"),
)


def as_tsv(study: Study, *, compat: bool = False) -> str:
    """The five columns of autoresearch's `results.tsv`.

    Args:
        compat: write 0.0 for a crash, as the original does, for notebooks that cannot read an empty cell. A column
            where lower is better then has its best value at a crash, so this is not the default.
    """
    rows = [_COLUMNS, *(_row(experiment, compat) for experiment in _judged(study))]
    return "".join("\t".join(row) + "\n" for row in rows)


def as_csv(study: Study) -> str:
    """Every field, as CSV; the flags of an experiment are joined by `; `."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**_record(study, x), "flags": "; ".join(flagged(x))} for x in _judged(study))
    return out.getvalue()


def as_json(study: Study) -> str:
    """Every field, as a JSON list of objects."""
    return json.dumps([_record(study, x) for x in _judged(study)], indent=2, ensure_ascii=False) + "\n"


def _judged(study: Study) -> list[Experiment]:
    return sorted((x for x in study.experiments.values() if x.verdict is not None), key=lambda x: x.id)


def status(experiment: Experiment) -> str:
    """Keep, discard or crash; without a metric it is a crash, whatever ended it."""
    if experiment.verdict == "kept":
        return "keep"
    return "discard" if experiment.metric is not None else "crash"


def _row(experiment: Experiment, compat: bool) -> tuple[str, ...]:
    none = ("0.000000", "0.0") if compat else ("", "")
    metric = none[0] if experiment.metric is None else f"{experiment.metric:.6f}"
    held = memory(experiment)
    return (
        (experiment.commit or "")[:7],
        metric,
        none[1] if held is None else f"{held / 1024**3:.1f}",
        status(experiment),
        " ".join(experiment.title.split()),
    )


def memory(experiment: Experiment) -> int | None:
    """The peak of all its runs, in bytes: of GPU memory where a GPU was used, else of main memory."""
    runs: Iterable[int] = (run.peak_gpu_memory or run.peak_memory for run in experiment.runs.values())
    return max(runs, default=0) or None


def flagged(experiment: Experiment) -> tuple[str, ...]:
    """What a person should look at, in its edit and in its metric."""
    return experiment.flags + experiment.doubts


def measured(experiment: Experiment) -> str | None:
    """How its metric was measured: "verified", or "self-reported" by the edited program; None without a metric."""
    if experiment.metric is None:
        return None
    runs = [run for run in experiment.counted() if run.metric is not None]
    return "verified" if runs and all(run.verified for run in runs) else "self-reported"


def change(study: Study, metric: float | None) -> str:
    """The distance of `metric` from the baseline's, such as `+2.8%`; empty where there is none."""
    base = study.baseline.metric if study.baseline is not None else None
    if metric is None or not base:
        return ""
    return f"{(metric - base) / abs(base):+.1%}"


def claimed(study: Study) -> str:
    """The remark after a number that only the edited program has measured; empty where a verification has."""
    return "" if study.contract.verify is not None else " (self-reported)"


def _record(study: Study, experiment: Experiment) -> dict[str, object]:
    seconds = round(sum(run.seconds for run in experiment.runs.values()), 3)
    known = {
        "metric": study.contract.metric,
        "value": experiment.metric,
        "measured": measured(experiment),
        "flags": flagged(experiment),
        "runs": len(experiment.runs),
        "seconds": seconds,
        "memory_bytes": memory(experiment),
    }
    return {name: known[name] if name in known else getattr(experiment, name) for name in _FIELDS}
