"""What plain terminals show of a study: its status, its experiments, and one experiment. Pure."""

from collections.abc import Iterable
from typing import Any

from loop.policy import early_stop, ladder, limits, neighbours
from loop.reporting import ablation
from loop.reporting import ladder as climbs
from loop.reporting.researchers import Doing, researchers, shortage
from loop.reporting.summary import status
from loop.reporting.table import claimed, elsewhere, flagged, had, moved, networked, not_counted, place, values_of
from loop.reporting.validation import progress
from loop.study.experiment import Experiment, Run
from loop.study.figures import Figure, Figures
from loop.study.outcomes import Outcome
from loop.study.queries import uncounted
from loop.study.state import Study
from loop.words import clock, decimal_size, duration, listed
from tui.model.slot_rows import run_title
from tui.render.glyphs import UNICODE, WORDS
from tui.render.text import clean, cut, one_line, plus_minus, sigmas
from tui.render.troubles import trouble_words


def safe(lines: Iterable[str]) -> list[str]:
    """Lines that are safe for a terminal: titles and reasons are untrusted, and one line stays one line."""
    return [clean(line).replace("\n", " ") for line in lines]


def word(verdict: str | None) -> str:
    """A verdict as a person reads it."""
    return "open" if verdict is None else WORDS.get(verdict, verdict)


def sign(verdict: str | None) -> str:
    """The sign that goes before a verdict's word."""
    return UNICODE.state["proposed" if verdict is None else verdict]


def status_lines(study: Study, pid: int | None, now: float) -> list[str]:
    """`looptop status` for a plain terminal."""
    told = status(study, pid, now)
    name = study.tag or "no study yet"
    lines = [f"{name}: {told['state']}" + (f", process {pid}" if pid is not None else "")]
    if told["reason"]:
        onward = limits.onward(study)
        lines.append(f"  {told['reason']}" + (f"; {onward}" if onward else ""))
    if pid is not None and (sandbox := told["supervisor"]["sandbox"]):
        open_to = "! runs are not confined: they can read what you can read, and use the network"
        confined = f"runs are confined by {sandbox}"
        if (open_too := networked(study)) and sandbox != "off":
            confined = f"! {confined}, but may use {open_too}: they can send away what they can read"
        lines.append(f"  {open_to if sandbox == 'off' else confined}")
    if study.best is not None:
        against = f" ({far} against the baseline)" if (far := moved(study)) else ""
        on = f" on {study.kind_of(study.best)}" if len(study.kinds) > 1 else ""
        best = f"{study.contract.metric} {_figure(Figures(study).best)}{on}{claimed(study)}{against}"
        lines.append(f"  best {best}, experiment {study.best.id}: {study.best.title}")
    under_way = (progress(study), ablation.progress(study), climbs.progress(study))
    lines += [f"  {going}" for going in under_way if going]
    if told_there := ladder.sentence(study):
        lines.append(f"  ladder: {told_there}")
    counted = {name: count for name, count in study.verdicts().items() if count and name != "open"}
    counts = [f"{sign(name)} {count} {word(name)}" for name, count in counted.items()]
    lines.append(f"  {study.judged()} experiments with a verdict" + (f": {', '.join(counts)}" if counts else ""))
    newest = study.experiments[next(reversed(study.closed))] if study.closed else None
    if newest is not None and (value := not_counted(study, newest)) is not None:
        became = f"{sign(newest.verdict)} {word(newest.verdict)} at {study.contract.metric} {value:.6g}"
        lines.append(f"  newest verdict: experiment {newest.id} {became}, not counted: {newest.reason}")
    if study.imported:
        lines.append(f"  {study.imported} imported experiments of another loop, whose numbers are its own word")
    if words := early_stop.sentence(study):
        lines.append(f"  {words}")
    lines += [f"  {_running(study, run)}" for run in told["running"]]
    lines += [f"  verifying {name}" for name in told["verifying"]]
    if pid is not None and told["busy"] is not None:
        lines.append(f"  {_busy_words(told)}")
    if pid is not None:
        lines += _idle_lines(study, told["slots"])
        lines += [_researcher(one, now) for one in researchers(study)]
        lines += [f"  {short}"] if (short := shortage(study)) else []
    lines += [
        f"  waiting for your approval: {number}" + (f" ({why})" if (why := study.experiments[number].waits_for) else "")
        for number in told["waiting"]
    ]
    if pid is not None:
        lines += _trouble_lines(study, now)
    if (edit := study.checkout) is not None:
        changed = f"{', '.join(edit.files)} changed in your checkout (+{edit.lines_added} -{edit.lines_removed})"
        lines.append(f"  {changed}: `looptop submit` runs it")
    lines += pin_lines(study)
    lines += [f"  ! {notice}" for notice in told["notices"]]
    lines += [
        f"  limit {name}: {_amount(name, left['used'])} of {_amount(name, left['limit'])}"
        for name, left in told["limits"].items()
    ]
    if study.tokens or study.usd:
        lines.append(f"  spent {spent_words(study)}")
    if study.contract.verify is None and study.tag:
        lines.append("  the metric is self-reported: program.md names no `verify:`")
    return safe(lines)


def _idle_lines(study: Study, slots: list[dict[str, Any]]) -> list[str]:
    """Why slots are idle, a line for each reason; a trouble of each slot's own is told among the troubles."""
    why: dict[str, list[str]] = {}
    for slot in slots:
        if slot["why"]:
            why.setdefault(slot["why"], []).append(slot["name"])
    known = {one.message for one in study.troubles.values()}
    return [
        f"  {listed(names)} {'is' if len(names) == 1 else 'are'} idle: {reason}"
        for reason, names in why.items()
        if reason not in known
    ]


def _trouble_lines(study: Study, now: float) -> list[str]:
    """What waits for what is not ours to mend: a line for each cause, also where it is that of several."""
    causes: dict[str, list[str]] = {}
    for name, trouble in study.troubles.items():
        causes.setdefault(trouble.message, []).append(name)
    return [
        f"  {one_line(trouble_words(names[0], study.troubles[names[0]], now))}: {message}"
        + (f" ({', '.join(names[1:])} likewise)" if names[1:] else "")
        for message, names in causes.items()
    ]


def _running(study: Study, told: dict[str, Any]) -> str:
    """What runs, what for and since when; its budget apart, since start-up and waiting are no part of that."""
    experiment = study.experiments[told["id"]]
    run = experiment.runs[told["run"]]
    budget = f"{duration(run.budget)}{' of processor time' if run.clock == 'cpu' else ''}"
    title = run_title(study, experiment, run)
    return f"running {experiment.id}.{run.number} {title}: for {clock(told['seconds'])}, with a budget of {budget}"


def _busy_words(told: dict[str, Any]) -> str:
    count = len(told["slots"])
    slots = "1 slot" if count == 1 else f"{count} slots"
    return f"{slots}, busy {told['busy']:.0%} of the time, {told['an_hour']:.1f} experiments an hour"


def slot_lines(study: Study, pid: int | None, now: float) -> list[str]:
    """`looptop slots` for a plain terminal."""
    told = status(study, pid, now)
    lines = [_busy_words(told)] if told["busy"] is not None else []
    for slot in told["slots"]:
        since = "" if slot["since"] is None else f" for {clock(max(0.0, now - slot['since']))}"
        does = f"run {slot['run']}{since}" if slot["run"] else f"idle{since}: {slot['why']}"
        lines.append(f"{slot['name']:<8}  {slot['device']:<24}  {does}")
    lines += [
        f"{kind}: {neighbours.told(found, study.contract.metric)}"
        for kind in study.kinds
        if (found := study.company(kind)) is not None
    ]
    return safe(lines or ["no loop has run here yet"])


def _researcher(one: Doing, now: float) -> str:
    """A researcher in a line: what it does, and what it has brought."""
    doing = one.doing + (f" about {', '.join(one.thoughts)}" if one.thoughts else "")
    if one.since is not None:
        doing += f" for {clock(max(0.0, now - one.since))}"
    doing += f": {one.why}" if one.why else ""
    brought = f"{one.proposals} proposed, {one.kept} kept" + (f", ${one.usd:.2f}" if one.usd else "")
    held = f"; of its promises it {one.held}" if one.held is not None else ""
    return f"  researcher {one.name} is {doing}; {brought}{held}"


def pin_lines(study: Study) -> list[str]:
    """The person's standing guidance, a line each."""
    return [f"  pinned {number}: {one_line(text)}" for number, text in study.pins.items()]


def spent_words(study: Study) -> str:
    """What the calls of models have cost so far; an unknown price is not zero."""
    tokens = f"{study.tokens:,} tokens"
    if not study.usd:
        return tokens + (" (price unknown)" if study.usd_unknown else "")
    return f"${study.usd:.2f}{' or more' if study.usd_unknown else ''}, {tokens}"


def _amount(name: str, value: float) -> str:
    """A quantity of a limit in its own unit."""
    if name == "hours":
        return duration(3600 * value)
    if name == "disk":
        return decimal_size(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _figure(figure: Figure | None) -> str:
    """`0.941234 ±0.0008 (4 runs)`."""
    if figure is None:
        return "no number"
    runs = f" ({figure.runs} run{'s' if figure.runs > 1 else ''})" if figure.runs else ""
    return f"{figure.mean:.6g}{runs}" if figure.error is None else f"{figure.mean:.6g} {plus_minus(figure.error)}{runs}"


def table(study: Study, rows: Iterable[Experiment]) -> list[str]:
    """`looptop experiments` for a plain terminal: these experiments in this order."""
    columns = study.contract.beside
    named = "".join(f"  {cut(name, 16):>10}" for name in columns)
    lines = [f"{'id':>4}  {'verdict':<15} {study.contract.metric:>10}  {'effect':>7}{named}  {'lines':>9}  title"]
    figures = Figures(study)
    uncounted_told = False
    for found in rows:
        figure = figures.of(found)
        metric = "" if figure is None else f"{figure.mean:.6g}"
        size = f"+{found.lines_added} -{found.lines_removed}" if found.commit and found.id else ""
        if (value := not_counted(study, found)) is not None:
            metric, uncounted_told = f"({value:.6g})", True
        elif (stopped := found.stopped_at) is not None:
            metric = f"stop {stopped.share:.0%}"
        verdict = f"{sign(found.verdict)} {word(found.verdict)}"
        effect = sigmas(figures.effect(found), figures.noise)
        values = values_of(found)
        said = "".join(f"  {cut(value_text(values.get(name)), 16):>10}" for name in columns)
        title = found.title + ("  ← champion" if found.id == study.champion else "")
        title += "  (imported)" if found.imported else ""
        title += "  ! flagged" if flagged(found) else ""
        title += f"  (on {kind})" if (kind := elsewhere(study, found)) else ""
        lines.append(f"{found.id:>4}  {verdict:<15} {metric:>10}  {effect:>7}{said}  {size:>9}  {title}")
    if uncounted_told:
        lines.append("a number in parentheses was measured and is not counted: its experiment was rejected or failed")
    if study.contract.verify is None and study.tag:
        lines.append(f"{study.contract.metric} is self-reported: program.md names no `verify:`")
    return safe(lines)


def value_text(value: float | str | None) -> str:
    """A value that a run printed; `-` for none."""
    return "-" if value is None else one_line(value) if isinstance(value, str) else f"{value:.6g}"


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
        if found.doubted:
            lines.append(f"  it has run: `looptop keep {found.id}` or `looptop discard {found.id}` decides")
    figures = Figures(study)
    if (figure := figures.of(found)) is not None and not_counted(study, found) is None:
        effect = sigmas(figures.effect(found), figures.noise)
        lines.append(f"  {study.contract.metric}: {_figure(figure)}{claimed(study)} {effect}".rstrip())
    if told := [f"{name} {value_text(x)}" for name, x in values_of(found).items() if name != study.contract.metric]:
        lines.append(f"  printed: {', '.join(told)}")
    if (value := not_counted(study, found)) is not None:
        lines.append(f"  measured: {study.contract.metric} {value:.6g}, not counted")
    if found.parts:
        lines.append(f"  brings together the changes of {listed([f'experiment {part}' for part in found.parts])}")
    for other in study.experiments.values():
        if found.id in other.parts:
            lines.append(f"  came back in experiment {other.id}, with others: {word(other.verdict)}")
    if whole := ablation.of_champion(study, found.id):
        lines.append(f"  its changes: {whole}")
    if worth := ablation.of_change(study, found.id):
        lines.append(f"  worth: {worth}")
    if found.lesson:
        lines.append(f"  learnt: {found.lesson}")
    if found.note:
        lines.append(f"  note by {found.noted_by or 'a person'}: {found.note}")
    if found.commit:
        lines.append(f"  commit {found.commit[:12]} (+{found.lines_added} -{found.lines_removed} lines)")
    lines += [f"  ladder: {ladder.told(study, one)}" for one in ladder.of_experiment(study, found)]
    lines += [_run_line(study, run) for run in found.runs.values() if not run.row]
    if rows := sum(bool(run.row) for run in found.runs.values()):
        lines.append(
            f"  {rows} more run{'s were rows' if rows > 1 else ' was a row'} of ablations: `looptop ablate --show`"
        )
    return safe(lines)


def _run_line(study: Study, run: Run) -> str:
    contract = study.contract_of(run)
    value = "no number" if run.metric is None else f"{contract.metric} {run.metric:.6g}"
    if (number := uncounted(run, contract)) is not None:
        value = f"{contract.metric} {number:.6g} (not counted)"
    how = f" ({run.reason})" if run.reason else ""
    memory = f", {run.peak_memory / 2**20:,.0f} MiB" if run.peak_memory else ""
    outcome = "under way" if run.outcome is None else run.outcome.word
    if run.row:
        outcome += f", row {run.row} of an ablation"
    else:
        outcome += f", on {run.rung}" if run.rung else ", of a validation" if run.validates else ""
    share = f" ({words})" if (words := had(run)) else ""
    share += f" on {where}" if (where := place(study, run)) else ""
    if run.condemned is not None and run.outcome != Outcome.STOPPED_EARLY:
        how += f"; it looked hopeless: {early_stop.told(run.condemned)}"
    return f"  run {run.number}: seed {run.seed}, {outcome}, {value}, {run.seconds:.1f} s{share}{memory}{how}"
