"""The lines at the top: is the loop alive, is it any good, what is it doing; and how is the machine.

Pure: text from a `ViewState` and a time. In a narrow terminal the least important words go first, whole ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.reporting.table import change
from loop.study.outcomes import NO_NUMBER
from loop.study.readings import GaugeRead, GpuGauge
from loop.study.state import Study
from loop.words import clock, size
from tui.model.view_state import ViewState
from tui.render.glyphs import Glyphs
from tui.render.layout import VIEWS
from tui.render.text import Line, Span, cut, fit, line_cells, number, one_line, spread
from tui.render.troubles import trouble_words

STALE = 15.0
"""Seconds without a heartbeat after which a living supervisor counts as stale; the slowest beat is 5 s."""


@dataclass(frozen=True, slots=True)
class Life:
    """Whether a supervisor is at work, in one word, and what there is to say about it."""

    word: str
    role: str
    why: str = ""


def life(state: ViewState, pid: int | None, now: float) -> Life:
    """What the lock (`pid` of its holder, or None) and the heartbeat say together."""
    supervisor = state.study.supervisor
    age = now - state.heartbeat
    if pid is not None:
        if supervisor is not None and supervisor.stopped_at is None and age > STALE and state.heartbeat:
            return Life("stale", "warn", f"no heartbeat for {clock(age)}")
        return Life("live", "good")
    if supervisor is None:
        return Life("not started", "dim")
    if supervisor.stopped_at is not None:
        return Life(
            "failed" if supervisor.failed else "stopped", "bad" if supervisor.failed else "dim", supervisor.reason
        )
    return Life("died", "bad", "its process is gone without a word")


def state_word(study: Study, alive: Life, glyphs: Glyphs) -> tuple[str, str, str]:
    """Sign, word and role of what the loop is doing."""
    if alive.word in ("died", "failed", "stopped", "not started"):
        return ("!" if alive.role == "bad" else "○" if not glyphs.ascii else "o"), alive.word, alive.role
    return {
        "baseline": (glyphs.live, "baseline", "running"),
        "running": (glyphs.live, "running", "good"),
        "paused": ("‖" if not glyphs.ascii else "=", "paused", "warn"),
        "no room": ("‖" if not glyphs.ascii else "=", "no room", "warn"),
        "stopping": ("■" if not glyphs.ascii else "#", "stopping", "warn"),
    }.get(study.state, (glyphs.dot, "starting", "dim"))


def status_line(state: ViewState, alive: Life, now: float, width: int, glyphs: Glyphs, read_only: bool = False) -> Line:
    """Study, state and time, experiments by verdict, best, money, liveness."""
    study = state.study
    sign, word, role = state_word(study, alive, glyphs)
    seconds = 3600 * study.hours(now if alive.word in ("live", "stale") else state.heartbeat)
    parts: list[tuple[int, Sequence[Span]]] = [
        (2, [(cut(one_line(study.tag) or "looptop", 24), "strong")]),
        (0, [(f"{sign} {word}", role), (f" {clock(seconds)}", "dim")]),
        (1, _counts(study, glyphs)),
        (1, _best(study)),
        (3, _claimed(study)),
        (5, _money(study)),
        (6, _left(study)),
    ]
    ends: list[tuple[int, Sequence[Span]]] = []
    if read_only:
        ends.append((4, [("read-only", "warn")]))
    if unconfined(study, alive):
        ends.append((0, [("no sandbox", "bad")]))
    if state.share < 1:
        ends.append((0, [(f"reading the journal {state.share:.0%}", "warn")]))
    if alive.why and alive.word != "live":
        ends.append((3, [(cut(one_line(alive.why), max(16, width // 2)), alive.role)]))
    if alive.word in ("live", "stale"):
        ends.append((0, [(alive.word, alive.role)]))
    return _squeeze(parts, ends, width)


def unconfined(study: Study, alive: Life) -> bool:
    """Whether the loop at work has no sandbox, so that a run can do whatever the person can."""
    supervisor = study.supervisor
    return alive.word in ("live", "stale") and supervisor is not None and supervisor.sandbox == "off"


def _squeeze(parts: list[tuple[int, Sequence[Span]]], ends: list[tuple[int, Sequence[Span]]], width: int) -> Line:
    """Drop the least important parts until the rest fits, with two columns between two of them."""
    parts = [part for part in parts if part[1]]
    while True:
        needed = sum(line_cells(spans) + 2 for _, spans in parts + ends) + 1
        worst = max((rank for rank, _ in parts + ends), default=0)
        if needed <= width or worst == 0:
            break
        parts = [part for part in parts if part[0] != worst]
        ends = [part for part in ends if part[0] != worst]
    left = [(" ", "text"), *(span for _, spans in parts for span in (*spans, ("  ", "text")))]
    right = [span for _, spans in ends for span in (("  ", "text"), *spans)]
    return spread(left, [*right, (" ", "text")] if right else [], width)


def _counts(study: Study, glyphs: Glyphs) -> list[Span]:
    verdicts = study.verdicts()
    failed = sum(verdicts[name] for name in NO_NUMBER)
    spans = [(f"exp {study.judged()}", "text")]
    for name, count in (("kept", verdicts["kept"]), ("discarded", verdicts["discarded"]), ("crashed", failed)):
        if count or name != "crashed":
            spans.append((f" {glyphs.state[name]}{count}", name))
    return spans


def _best(study: Study) -> list[Span]:
    best = study.best
    if best is None or best.metric is None:
        return []
    spans = [("best ", "dim"), (number(best.metric), "strong")]
    if best.id and (moved := change(study, best.metric)):
        spans.append((f" ({moved})", "kept"))
    return spans


def _claimed(study: Study) -> list[Span]:
    """What is said of a best number that only the edited program itself has measured."""
    return [("self-reported", "warn")] if study.best is not None and study.contract.verify is None else []


def _money(study: Study) -> list[Span]:
    limits = study.contract.limits
    if not study.usd and not study.tokens and not study.usd_unknown:
        return []  # an optimiser costs nothing, and `$0.00/25` would only take room
    if limits.tokens is not None or (not study.usd and study.usd_unknown):
        most = "" if limits.tokens is None else f"/{limits.tokens / 1000:,.0f}k"
        text, near = f"{study.tokens / 1000:,.0f}k{most} tokens", study.tokens > 0.9 * (limits.tokens or float("inf"))
    else:
        most = "" if limits.usd is None else f"/{limits.usd:g}"
        text, near = f"${study.usd:.2f}{'+' * study.usd_unknown}{most}", study.usd > 0.9 * (limits.usd or float("inf"))
    return [(text, "warn" if near else "dim")]


def _left(study: Study) -> list[Span]:
    limit = study.contract.limits.experiments
    return [] if limit is None else [(f"stops at {limit}", "dim")]


# --- gauges --------------------------------------------------------------------------------------------------------


def bar(share: float | None, width: int, glyphs: Glyphs, alarm: float = 2.0) -> list[Span]:
    """A bar in exactly `width` cells, empty for None; from a share of `alarm` on in the colour of an alarm."""
    share = 0.0 if share is None else min(1.0, max(0.0, share))
    role = "full" if share >= alarm else "bar"
    if glyphs.ascii:
        full = round(share * width)
        return [("#" * full, role), ("." * (width - full), "track")]
    full, part = divmod(round(share * width * 2), 2)
    spans = [("━" * full, role)]
    if part and full < width:
        spans.append(("╸", role))
        full += 1
    return [*spans, ("━" * (width - full), "track")]


def gauge_line(state: ViewState, alive: Life, now: float, width: int, glyphs: Glyphs) -> Line:
    """GPUs, or the processors where there are none; memory; the current run and its time."""
    gauge = state.gauge
    run = _run(state, alive, now)
    if gauge is None:
        return spread([(" no reading of the machine yet", "faint")], [*run, (" ", "text")] if run else [], width)
    machine = _gpus(gauge.gpus, width, glyphs) if gauge.gpus else _processors(gauge, width, glyphs)
    ram = [("RAM ", "dim"), (f"{_pair(gauge.ram_used, gauge.ram_total)}", "text")]
    ends: list[tuple[int, Sequence[Span]]] = [(1, run)] if run else []
    if (trouble := next(iter(state.study.troubles.items()), None)) and alive.word in ("live", "stale"):
        room = width - line_cells(machine) - line_cells(run) - 9
        ends.insert(0, (0, [(trouble_words(*trouble, now, room), "warn")]))
    return _squeeze([(0, machine), (2, ram)], ends, width)


def _pair(used: int, total: int) -> str:
    return f"{used / 1024**3:.0f}/{size(total)}"


def _gpus(gpus: Sequence[GpuGauge], width: int, glyphs: Glyphs) -> list[Span]:
    known = [gpu.utilisation for gpu in gpus if gpu.utilisation is not None]
    mean = sum(known) / len(known) if known else None
    used, total = sum(gpu.memory_used or 0 for gpu in gpus), sum(gpu.memory_total or 0 for gpu in gpus)
    hot = max((gpu.temperature for gpu in gpus if gpu.temperature is not None), default=None)
    power = sum(gpu.power or 0.0 for gpu in gpus)
    if len(gpus) == 1:
        spans = [
            (f"GPU{gpus[0].index} ", "dim"),
            *bar(None if mean is None else mean / 100, 17 if width > 90 else 8, glyphs),
        ]
    else:
        spans = [(f"{len(gpus)} GPUs ", "dim"), *heights([gpu.utilisation for gpu in gpus], glyphs)]
    spans.append((" n/a" if mean is None else f" {mean:3.0f}%", "text"))
    if total:
        spans.append((f"  {_pair(used, total)}", "text"))
    if hot is not None:
        spans.append((f"  {hot:.0f}°C" if not glyphs.ascii else f"  {hot:.0f}C", "hot" if hot >= 80 else "dim"))
    if power and width > 70:
        spans.append((f" {power:.0f} W" if power < 10_000 else f" {power / 1000:.1f} kW", "dim"))
    return spans


def _processors(gauge: GaugeRead, width: int, glyphs: Glyphs) -> list[Span]:
    return [("CPU ", "dim"), *bar(gauge.cpu / 100, 17 if width > 90 else 8, glyphs), (f" {gauge.cpu:3.0f}%", "text")]


def heights(values: Sequence[float | None], glyphs: Glyphs) -> list[Span]:
    """One sign for each percentage, by height; an unknown one is a dot."""
    signs = glyphs.spark
    text = "".join(
        glyphs.dot if value is None else signs[min(len(signs) - 1, max(0, int(value / 100 * len(signs))))]
        for value in values
    )
    return [(text, "bar")]


def _run(state: ViewState, alive: Life, now: float) -> list[Span]:
    pair = state.in_flight()
    if pair is None:
        if alive.word in ("live", "stale") and (verifying := state.study.verifying()):
            checked, run = verifying[0]
            return [("verifying ", "dim"), (f"{checked.id}.{run.number}", "verifying")]
        waiting = state.waiting()
        return [] if waiting is None else [(f"{waiting.id} waits for you", "waiting")]
    experiment, run = pair
    if alive.word not in ("live", "stale"):
        return [(f"run {experiment.id}.{run.number} was cut off", "dim")]
    more = len(state.study.running()) - 1
    done = min(max(0.0, now - run.started_at), run.deadline)
    spans = [("run ", "dim"), (f"{experiment.id}.{run.number}", "running")]
    if more:
        spans.append((f" +{more}", "dim"))
    return [*spans, (f"  {clock(done)}/{clock(run.budget)}", "text" if done <= run.budget else "warn")]


def tabs_line(active: str, width: int, note: Sequence[Span] = ()) -> Line:
    """The views by number, the one on screen marked; a word of that view's own on the right."""
    spans: list[Span] = [(" ", "text")]
    for index, view in enumerate(VIEWS, 1):
        here = view == active
        spans += [(f" {index}", "key+cursor" if here else "faint"), (f" {view} ", "strong+cursor" if here else "dim")]
    room = width - line_cells(spans) - 3
    return spread(spans, [*fit(note, room), (" ", "text")] if note and room > 8 else [], width)


def tiny_line(state: ViewState, alive: Life, now: float, width: int, glyphs: Glyphs) -> Line:
    """The only line in a terminal under 60x18."""
    sign, word, role = state_word(state.study, alive, glyphs)
    best = state.study.best
    parts: list[Span] = [(f"{sign} {word}", role), (f" exp {state.study.judged()}", "text")]
    if unconfined(state.study, alive):
        parts.append((" no sandbox", "bad"))
    if best is not None and best.metric is not None:
        parts.append((f" best {number(best.metric)}", "strong"))
    return fit([*parts, ("  widen to 60x18", "dim")], width)
