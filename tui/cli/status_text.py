"""What plain terminals show of a study: its status, its experiments, and one experiment. Pure."""

from collections.abc import Iterable

from loop.reporting.summary import status
from loop.reporting.table import change, claimed, flagged
from loop.study.experiment import Experiment, Run
from loop.study.state import Study
from loop.words import clock
from tui.render.glyphs import UNICODE
from tui.render.text import clean, one_line, sigmas
from tui.render.troubles import trouble_words


def safe(lines: Iterable[str]) -> list[str]:
    """Lines that are safe for a terminal: titles and reasons are untrusted, and one line stays one line."""
    return [clean(line).replace("\n", " ") for line in lines]


def word(verdict: str | None) -> str:
    """A verdict as a person reads it."""
    return "open" if verdict is None else verdict.replace("_", " ")


def sign(verdict: str | None) -> str:
    """The sign that goes before a verdict's word."""
    return UNICODE.state["proposed" if verdict is None else verdict]


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
        f"  waiting for your approval: {number}" + (f" ({why})" if (why := study.experiments[number].waits_for) else "")
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
    """What the calls of models have cost so far; an unknown price is not zero."""
    tokens = f"{study.tokens:,} tokens"
    if not study.usd:
        return tokens + (" (price unknown)" if study.usd_unknown else "")
    return f"${study.usd:.2f}{' or more' if study.usd_unknown else ''}, {tokens}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(study: Study) -> list[str]:
    """`looptop experiments` for a plain terminal, oldest first."""
    lines = [f"{'id':>4}  {'verdict':<15} {study.contract.metric:>10}  {'effect':>7}  {'lines':>9}  title"]
    for found in study.experiments.values():
        metric = "" if found.metric is None else f"{found.metric:.6g}"
        size = f"+{found.lines_added} -{found.lines_removed}" if found.commit and found.id else ""
        verdict = f"{sign(found.verdict)} {word(found.verdict)}"
        effect = sigmas(found.effect, found.noise)
        title = found.title + ("  ← champion" if found.id == study.champion else "")
        title += "  ! flagged" if flagged(found) else ""
        lines.append(f"{found.id:>4}  {verdict:<15} {metric:>10}  {effect:>7}  {size:>9}  {title}")
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
        lines.append(f"  waiting for your approval: {found.waits_for}")
    if found.metric is not None:
        effect = sigmas(found.effect, found.noise)
        lines.append(f"  {study.contract.metric}: {found.metric:.6g}{claimed(study)} {effect}".rstrip())
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
