"""What scripts and plain terminals are told: status, experiments and single experiments, as data and as text. Pure."""

from collections.abc import Iterable
from typing import Any

from loop.policy import false_discovery, limits
from loop.reporting.table import flagged
from loop.study.experiment import Experiment, Run
from loop.study.state import Study
from tui.render.glyphs import UNICODE
from tui.render.text import clean, clock, one_line
from tui.render.troubles import trouble_words


def safe(lines: Iterable[str]) -> list[str]:
    """Lines as a terminal may have them: titles and reasons are a stranger's, and one line stays one line."""
    return [clean(line).replace("\n", " ") for line in lines]


def word(verdict: str | None) -> str:
    """A verdict as a person reads it."""
    return "open" if verdict is None else verdict.replace("_", " ")


def state(study: Study, pid: int | None) -> str:
    """What the loop is doing; a supervisor that is gone without a word has "died"."""
    if pid is None and study.state in ("baseline", "running", "paused", "no room", "stopping"):
        return "died"
    return "starting" if pid is not None and study.state in ("empty", "stopped", "failed") else study.state


def sign(verdict: str | None) -> str:
    """The sign that goes before a verdict's word."""
    return UNICODE.state["proposed" if verdict is None else verdict]


def change(study: Study, metric: float | None) -> str:
    """How far `metric` is from the baseline's, in per cent with its sign; empty where that says nothing."""
    base = study.baseline.metric if study.baseline is not None else None
    if metric is None or not base:
        return ""
    return f"{(metric - base) / abs(base):+.1%}"


def claimed(study: Study) -> str:
    """What stands behind every number that nobody but the edited program itself has measured."""
    return "" if study.contract.verify is not None else " (self-reported)"


def status(study: Study, pid: int | None, now: float) -> dict[str, Any]:
    """Everything `looptop status --json` says; seconds, and Unix seconds for times."""
    supervisor, best, baseline = study.supervisor, study.best, study.baseline
    return {
        "state": state(study, pid),
        "reason": supervisor.reason if supervisor is not None and pid is None else "",
        "supervisor": {
            "alive": pid is not None,
            "pid": pid,
            "host": supervisor.host if supervisor is not None else None,
            "slots": list(supervisor.slots) if supervisor is not None else [],
            "sandbox": supervisor.sandbox or None if supervisor is not None else None,
        },
        "study": {
            "tag": study.tag,
            "branch": study.branch,
            "base": study.base,
            "started_at": study.started_at or None,
            "hours": study.hours(now if pid is not None else None),
            "metric": study.contract.metric,
            "goal": study.contract.goal,
            "verified": study.contract.verify is not None,
        },
        "champion": {
            "id": best.id if best is not None else None,
            "metric": best.metric if best is not None else None,
            "title": best.title if best is not None else None,
            "commit": best.commit if best is not None else None,
        },
        "baseline": {
            "metric": baseline.metric if baseline is not None else None,
            "noise": baseline.noise if baseline is not None else None,
        },
        "experiments": study.verdicts(),
        "expected_false": false_discovery.of(study),
        "running": [_running(experiment, run, now) for experiment, run in study.running()] if pid is not None else [],
        "verifying": [f"{found.id}.{run.number}" for found, run in study.verifying()],
        "waiting": [experiment.id for experiment in study.experiments.values() if experiment.phase == "waiting"],
        "limits": {
            left.name: {"used": left.used, "limit": left.limit, "left": left.left}
            for left in limits.limits(study, now if pid is not None else None)
        },
        "troubles": {
            name: {"since": one.since, "next_at": one.next_at, "tries": one.tries, "message": one.message}
            for name, one in study.troubles.items()
        },
        "pins": {str(number): text for number, text in study.pins.items()},
        "edited": [] if study.checkout is None else list(study.checkout.files),
        "spent": {"tokens": study.tokens, "usd": None if study.usd_unknown else study.usd},
    }


def _running(experiment: Experiment, run: Run, now: float) -> dict[str, Any]:
    return {
        "id": experiment.id,
        "run": run.number,
        "title": experiment.title,
        "seconds": max(0.0, now - run.started_at),
        "budget": run.budget,
    }


def status_lines(study: Study, pid: int | None, now: float) -> list[str]:
    """`looptop status` for a plain terminal."""
    told = status(study, pid, now)
    name = study.tag or "no study yet"
    lines = [f"{name}: {told['state']}" + (f", process {pid}" if pid is not None else "")]
    if told["reason"]:
        lines.append(f"  {told['reason']}")
    if pid is not None and (sandbox := told["supervisor"]["sandbox"]):
        open_to = "! runs are not confined: they can read what you can read, and use the network"
        lines.append(f"  {open_to if sandbox == 'off' else f'runs are confined by {sandbox}'}")
    if study.best is not None:
        moved = change(study, study.best.metric)
        against = f" ({moved} against the baseline)" if moved else ""
        number = f"{study.best.metric:.6g}{claimed(study)}" if study.best.metric is not None else "no number"
        best = f"{study.contract.metric} {number}{against}"
        lines.append(f"  best {best}, experiment {study.best.id}: {study.best.title}")
    counted = {name: count for name, count in study.verdicts().items() if count and name != "open"}
    counts = [f"{sign(name)} {count} {word(name)}" for name, count in counted.items()]
    lines.append(f"  {study.judged()} experiments with a verdict" + (f": {', '.join(counts)}" if counts else ""))
    lines += [
        f"  running {run['id']}.{run['run']} {run['title']}: {clock(run['seconds'])} of {clock(run['budget'])}"
        for run in told["running"]
    ]
    lines += [f"  verifying {name}" for name in told["verifying"]]
    lines += [
        f"  waits for your approval: {number}" + (f" ({why})" if (why := study.experiments[number].waits_for) else "")
        for number in told["waiting"]
    ]
    if pid is not None:
        lines += [f"  {one_line(trouble_words(*one, now))}: {one[1].message}" for one in study.troubles.items()]
    if (edit := study.checkout) is not None:
        changed = f"{', '.join(edit.files)} changed in your checkout (+{edit.lines_added} -{edit.lines_removed})"
        lines.append(f"  {changed}: `looptop submit` runs it")
    lines += pin_lines(study)
    lines += [
        f"  limit {name}: {_amount(left['used'])} of {_amount(left['limit'])}" for name, left in told["limits"].items()
    ]
    if study.tokens or study.usd:
        lines.append(f"  spent {spent_words(study)}")
    if study.contract.verify is None and study.tag:
        lines.append("  the metric is self-reported: program.md names no `verify:`")
    return safe(lines)


def pin_lines(study: Study) -> list[str]:
    """The person's standing guidance, a line each."""
    return [f"  pinned {number}: {one_line(text)}" for number, text in study.pins.items()]


def spent_words(study: Study) -> str:
    """What the calls of models have cost so far; a price that is not known is not zero."""
    tokens = f"{study.tokens:,} tokens"
    if not study.usd:
        return tokens + (" (price not known)" if study.usd_unknown else "")
    return f"${study.usd:.2f}{' or more' if study.usd_unknown else ''}, {tokens}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def experiment(study: Study, found: Experiment) -> dict[str, Any]:
    """One experiment as `looptop experiments --json` lists it."""
    return {
        "id": found.id,
        "parent": found.parent,
        "title": found.title,
        "hypothesis": found.hypothesis,
        "expected": found.expected,
        "researcher": found.researcher,
        "phase": found.phase,
        "verdict": found.verdict,
        "reason": found.reason,
        "metric": found.metric,
        "effect": found.effect,
        "noise": found.noise,
        "confidence": found.confidence,
        "judged_by": found.judged_by or None,
        "flags": list(flagged(found)),
        "champion": found.id == study.champion,
        "runs": [
            {
                "run": run.number,
                "seed": run.seed,
                "metric": run.metric,
                "seconds": run.seconds,
                "outcome": run.outcome,
                "reason": run.reason,
                "verified": run.verified,
                "peak_memory": run.peak_memory,
                "peak_gpu_memory": run.peak_gpu_memory,
                "metrics": run.metrics,
            }
            for run in found.runs.values()
        ],
        "commit": found.commit,
        "lines_added": found.lines_added,
        "lines_removed": found.lines_removed,
    }


def sigmas(found: Experiment) -> str:
    """An effect in units of the noise, with its sign: `+3.1σ` is better."""
    if found.effect is None or not found.noise:
        return ""
    return f"{found.effect / found.noise:+.1f}σ"


def table(study: Study) -> list[str]:
    """`looptop experiments` for a plain terminal, oldest first."""
    lines = [f"{'id':>4}  {'verdict':<15} {study.contract.metric:>10}  {'effect':>7}  {'lines':>9}  title"]
    for found in study.experiments.values():
        metric = "" if found.metric is None else f"{found.metric:.6g}"
        size = f"+{found.lines_added} -{found.lines_removed}" if found.commit and found.id else ""
        verdict = f"{sign(found.verdict)} {word(found.verdict)}"
        title = found.title + ("  ← champion" if found.id == study.champion else "")
        title += "  ! flagged" if flagged(found) else ""
        lines.append(f"{found.id:>4}  {verdict:<15} {metric:>10}  {sigmas(found):>7}  {size:>9}  {title}")
    if study.contract.verify is None and study.tag:
        lines.append(f"{study.contract.metric} is self-reported: program.md names no `verify:`")
    return safe(lines)


def details(study: Study, found: Experiment) -> list[str]:
    """`looptop show N` for a plain terminal."""
    lines = [f"experiment {found.id}: {found.title}", f"  by {found.researcher}"]
    if found.parent is not None:
        lines[-1] += f", on top of experiment {found.parent}"
    for label, text in (("hypothesis", found.hypothesis), ("expected", found.expected)):
        if text:
            lines.append(f"  {label}: {text}")
    verdict = f"  verdict: {sign(found.verdict)} {word(found.verdict)}"
    lines.append(verdict + (f": {found.reason}" if found.reason else ""))
    lines += [f"  flag: {flag}" for flag in flagged(found)]
    if found.phase == "waiting":
        lines.append(f"  waits for your approval: {found.waits_for}")
    if found.metric is not None:
        lines.append(f"  {study.contract.metric}: {found.metric:.6g}{claimed(study)} {sigmas(found)}".rstrip())
    if found.commit:
        lines.append(f"  commit {found.commit[:12]} (+{found.lines_added} -{found.lines_removed} lines)")
    lines += [_run_line(study, run) for run in found.runs.values()]
    return safe(lines)


def _run_line(study: Study, run: Run) -> str:
    value = "no number" if run.metric is None else f"{study.contract.metric} {run.metric:.6g}"
    how = f" ({run.reason})" if run.reason else ""
    memory = f", {run.peak_memory / 2**20:,.0f} MiB" if run.peak_memory else ""
    outcome = "under way" if run.outcome is None else run.outcome.replace("_", " ")
    return f"  run {run.number}: seed {run.seed}, {outcome}, {value}, {run.seconds:.1f} s{memory}{how}"


def summary(study: Study) -> list[str]:
    """What a study has come to so far, in a few sentences."""
    best, baseline = study.best, study.baseline
    if best is None or baseline is None or baseline.metric is None or best.metric is None:
        return []
    if not study.judged():
        return []
    kept = [number for number in dict.fromkeys(study.lineage) if number != 0]
    if not kept:
        return [
            f"None of {study.judged()} experiments beat the noise of {baseline.noise or 0:.2g} "
            f"in {study.contract.metric}; the baseline stands at {baseline.metric:.6g}."
        ]
    lines = [
        f"{len(kept)} of {study.judged()} experiments kept: {study.contract.metric} went from {baseline.metric:.6g} "
        f"to {best.metric:.6g} ({change(study, best.metric)}){claimed(study)}; "
        f"the result is on the branch {study.branch}."
    ]
    false = false_discovery.of(study)
    if false is not None:
        told = "fewer than 0.1" if false < 0.1 else f"about {false:.1f}"
        lines.append(f"Of those, {told} are expected to be false, by their confidences and by how many were tried.")
    return lines


def newest(experiments: Iterable[Experiment]) -> Experiment | None:
    """The experiment that ran last, or that is running."""
    ran = [found for found in experiments if found.runs]
    return max(ran, key=lambda found: max(run.started_at for run in found.runs.values()), default=None)
