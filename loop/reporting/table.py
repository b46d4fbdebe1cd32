"""The results of a study as tables: `results.tsv` as autoresearch writes it, CSV, and JSON. Pure.

Each has the experiments with a verdict, oldest first, and ends with a newline. A crash has no metric, so its cell is
empty.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line reads the names of the forms for its help, and pydantic takes 0.1 s
    from loop.study.experiment import Experiment, Run
    from loop.study.figures import Figures
    from loop.study.state import Study

_COLUMNS = ("commit", "val_bpb", "memory_gb", "status", "description")
"""The original's five; the second has that name whatever the metric is called, because notebooks look for it."""

_FIELDS = (
    *("id", "parent", "commit", "metric", "value", "error", "measured", "uncounted"),
    *("effect", "noise", "verdict", "reason", "judged_by"),
    *(
        "runs",
        "seconds",
        "memory_bytes",
        "lines_added",
        "lines_removed",
        "flags",
        "researcher",
        "title",
        "hypothesis",
        "note",
    ),
    "values",
)

PEAK = "peak_vram_mb"
"""The summary line in which the original says how much GPU memory it took, in MiB."""


def as_tsv(study: Study, *, compat: bool = False) -> str:
    """The five columns of autoresearch's `results.tsv`.

    Args:
        compat: write 0.0 for a crash, as the original does, for notebooks that cannot read an empty cell. A column
            where lower is better then has its best value at a crash, so this is not the default.
    """
    figures = _figures(study)
    rows = [_COLUMNS, *(_row(study, experiment, figures, compat) for experiment in _judged(study))]
    return "".join("\t".join(row) + "\n" for row in rows)


def as_csv(study: Study) -> str:
    """Every field, as CSV, and a column for each name in `report:` and `require:`.

    The flags of an experiment are joined by `; `, and all that its runs printed is one JSON object.
    """
    out = io.StringIO()
    columns = [name for name in study.contract.beside if name not in _FIELDS]
    writer = csv.DictWriter(out, (*_FIELDS, *columns), lineterminator="\n")
    writer.writeheader()
    figures = _figures(study)
    for experiment in _judged(study):
        row, values = _record(study, experiment, figures), values_of(experiment)
        row |= {name: values.get(name) for name in columns}
        told = json.dumps(values, ensure_ascii=False) if values else ""
        writer.writerow(row | {"flags": "; ".join(flagged(experiment)), "values": told})
    return out.getvalue()


def as_json(study: Study) -> str:
    """Every field, as a JSON list of objects."""
    figures = _figures(study)
    return json.dumps([_record(study, x, figures) for x in _judged(study)], indent=2, ensure_ascii=False) + "\n"


def _figures(study: Study) -> Figures:
    from loop.study.figures import Figures  # late, as above

    return Figures(study)


def _judged(study: Study) -> list[Experiment]:
    return sorted((x for x in study.experiments.values() if x.verdict is not None), key=lambda x: x.id)


def status(experiment: Experiment) -> str:
    """Keep, discard or crash; without a metric it is a crash, whatever ended it."""
    if experiment.verdict == "kept":
        return "keep"
    return "discard" if experiment.metric is not None else "crash"


def _row(study: Study, experiment: Experiment, figures: Figures, compat: bool) -> tuple[str, ...]:
    none = ("0.000000", "0.0") if compat else ("", "")
    figure = None if experiment.metric is None else figures.of(experiment)
    metric = none[0] if figure is None else f"{figure.mean:.6f}"
    held, said = memory(experiment), values_of(experiment).get(PEAK)
    title, number = " ".join(experiment.title.split()), not_counted(study, experiment)
    gigabytes = said / 1024 if isinstance(said, float) else None if held is None else held / 1024**3
    return (
        (experiment.commit or _imported(experiment, "commit"))[:7],
        metric,
        none[1] if gigabytes is None else f"{gigabytes:.1f}",
        status(experiment),
        title if number is None else f"{title} ({number:.6f}, not counted)",
    )


def memory(experiment: Experiment) -> int | None:
    """The peak of its own runs, in bytes: of GPU memory where a GPU was used, else of main memory."""
    if told := _imported(experiment, "memory_gb"):
        return int(float(told) * 1024**3)
    runs: Iterable[int] = (run.peak_gpu_memory or run.peak_memory for run in experiment.own())
    return max(runs, default=0) or None


def _imported(experiment: Experiment, key: str) -> str:
    """What the loop that an experiment was imported from said of it; empty for one of ours."""
    return str(experiment.notes.get(key, "")) if experiment.imported else ""


def values_of(experiment: Experiment) -> dict[str, float | str | None]:
    """What its runs printed at their end, means over them; None for what is no finite number."""
    values = experiment.values().items()
    return {name: None if isinstance(value, float) and not isfinite(value) else value for name, value in values}


LITTLE = 0.9
"""Share of the machine below which it is said beside a run's time."""


def had(run: Run) -> str:
    """What a run had of the machine, in words; empty where others took little of it, or that is not known."""
    return f"had {run.had:.0%} of the machine" if run.had < LITTLE else ""


def elsewhere(study: Study, experiment: Experiment) -> str:
    """The kind of slot that an experiment's number is from, where most are of another one: it was compared
    with its champion's runs there. Else empty."""
    devices = [run.device for run in experiment.counted() if run.metric is not None and run.device]
    kind = study.kind_of(experiment)
    its = kind if kind in devices else devices[-1] if devices else ""
    return "" if its in ("", study.kinds[0]) or not study.kinds[0] else its


def place(study: Study, run: Run) -> str:
    """Where a run was, such as "GPU 3 (NVIDIA A100)", in a study of several slots; else empty."""
    if not run.slot_name or study.supervisor is None:
        return ""
    kind = f" ({run.device})" if run.device not in ("", study.kinds[0]) or len(study.kinds) > 1 else ""
    return f"{run.slot_name}{kind}" if kind or len(study.supervisor.slots) > 1 else ""


def flagged(experiment: Experiment) -> tuple[str, ...]:
    """What a person should look at, in its edit and in its metric."""
    return experiment.flags + experiment.doubts


def measured(experiment: Experiment) -> str | None:
    """How its metric was measured: "verified", or "self-reported" by the edited program; None without a metric."""
    if experiment.metric is None:
        return None
    runs = [run for run in experiment.counted() if run.metric is not None]
    return "verified" if runs and all(run.verified for run in runs) else "self-reported"


def not_counted(study: Study, experiment: Experiment) -> float | None:
    """The number that was measured and does not count, of an experiment that was rejected, say; else None."""
    from loop.study.queries import uncounted  # late, as above

    return uncounted(experiment, study.contract)


def change(study: Study) -> str:
    """How far the champion's mean is from the baseline's, such as `+2.8%`; empty where there is no distance."""
    figures = _figures(study)
    best, base = figures.best, figures.of(study.baseline)
    if best is None or base is None or not study.champion or not base.mean:
        return ""
    return f"{(best.mean - base.mean) / abs(base.mean):+.1%}"


def moved(study: Study) -> str:
    """The same, and in units of the noise of one run, such as `-2.8%, 38σ`; without those where none is known."""
    found, figures = change(study), _figures(study)
    gain = figures.gain(study.best)
    if not found or gain is None or not figures.noise:
        return found
    far = abs(gain) / figures.noise
    return f"{found}, {far:.0f}σ" if far >= 100 else f"{found}, {far:.1f}σ"


def claimed(study: Study) -> str:
    """The remark after a number that only the edited program has measured; empty where a verification has."""
    return "" if study.contract.verify is not None else " (self-reported)"


def networked(study: Study) -> str:
    """What runs may reach of the network beyond their own sandbox, in a word or two; empty where that is nothing."""
    sandbox = study.supervisor.sandbox if study.supervisor is not None else ""
    if study.contract.network == "on":
        return "network"
    return "all of TCP" if study.contract.network == "loopback" and sandbox == "landlock" else ""


def _record(study: Study, experiment: Experiment, figures: Figures) -> dict[str, object]:
    figure = None if experiment.metric is None else figures.of(experiment)
    known = {
        "metric": study.contract.metric,
        "value": None if figure is None else figure.mean,
        "error": None if figure is None else figure.error,
        "measured": measured(experiment),
        "uncounted": not_counted(study, experiment),
        "flags": flagged(experiment),
        "runs": len(experiment.counted()),
        "seconds": round(sum(run.seconds for run in experiment.own()), 3),
        "memory_bytes": memory(experiment),
        "values": values_of(experiment),
    }
    return {name: known[name] if name in known else getattr(experiment, name) for name in _FIELDS}
