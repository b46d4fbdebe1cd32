"""The second line at the top: the machine, and the run of now; and the bars that the machine view has too.

Pure: text from a `ViewState` and a time. Readings are of now, so a loop that is not at work has none: the line says
why it is not, and how to go on.
"""

from collections.abc import Sequence

from loop.study import queries
from loop.study.experiment import Experiment, Run
from loop.study.readings import GaugeRead, GpuGauge
from loop.words import clock, duration, listed, size
from tui.model.doing import doing, newest_thought
from tui.model.slot_rows import idle_slots
from tui.model.view_state import ViewState
from tui.render.glyphs import Glyphs
from tui.render.packing import Part, packed, part
from tui.render.text import Line, Span, brief, cut, one_line
from tui.render.troubles import trouble_words
from tui.widgets.status_line import Life

_SHORT, _LONG = 8, 17
"""Cells of a bar."""

_IDLE = 60.0
"""Seconds from which an idle slot is worth a person's eye."""


def gauge_line(state: ViewState, alive: Life, now: float, width: int, glyphs: Glyphs) -> Line:
    """What waits for a person, which slot is idle and why; GPUs, or the processors where there are none; memory; the
    current run and how far it is; who waits for what."""
    if not alive.alive:
        return _ended(state, alive, width)
    doing_now = part(2, *doing_forms(state, now, glyphs), grows=5, right=True)
    waits = [part(0, *waiting_forms(state, now, glyphs), grows=3), part(1, *idle_forms(state, now, glyphs), grows=4)]
    trouble = trouble_parts(state, now)
    gauge = state.gauge
    if gauge is None:
        unread = part(4, [("no reading of the machine yet", "faint")])
        return packed([*waits, unread, doing_now, *trouble], width)
    machine = _gpus(gauge.gpus, glyphs) if gauge.gpus else _processors(gauge, glyphs)
    ram = [("RAM ", "dim"), (f"{_pair(gauge.ram_used, gauge.ram_total)}", "text")]
    return packed([*waits, part(3, *machine, grows=6), part(5, ram), doing_now, *trouble], width)


def _ended(state: ViewState, alive: Life, width: int) -> Line:
    """Why no supervisor is at work, and what to do about it."""
    go_on = "`looptop` starts it" if alive.word == "not started" else "`looptop` goes on"
    why = one_line(alive.why) or ("nothing has run yet" if alive.word == "not started" else "")
    role = alive.role if alive.role != "dim" else "text"
    cut_off = [f"{experiment.id}.{run.number}" for experiment, run in state.study.running()]
    parts = [
        part(0, *([(cut(why, max(16, room)), role)] for room in (width - len(go_on) - 4, width - 2) if why), grows=3),
        part(2, [(f"run {', '.join(cut_off[:3])} was cut off", "dim")] if cut_off else []),
        part(1, [(go_on, "accent")], [(f"q, then {go_on} from here", "accent")], grows=4, right=True),
    ]
    return packed(parts, width)


# --- what goes on --------------------------------------------------------------------------------------------------


def waiting_forms(state: ViewState, now: float, glyphs: Glyphs) -> list[list[Span]]:
    """How many experiments wait for a person, which, and for how long the oldest has."""
    waiting = state.waiting()
    if not waiting:
        return []
    several = f"{len(waiting)} wait" if len(waiting) > 1 else f"{waiting[0].id} waits"
    ended = [run.started_at + run.seconds for run in waiting[0].runs.values()]
    since = duration(max(0.0, now - max([waiting[0].proposed_at, *ended])))
    named = f"{listed([str(one.id) for one in waiting], 3)}; oldest {since}" if len(waiting) > 1 else since
    forms = [several, f"{several} for you, {since} (a)", f"{several} for you ({named}; a opens)"]
    return [[(f"{glyphs.flag} {words}", "waiting")] for words in forms]


def idle_forms(state: ViewState, now: float, glyphs: Glyphs) -> list[list[Span]]:
    """Which slot of several has had nothing to do for the longest time, and why; none where the loop itself rests."""
    study = state.study
    if study.state not in ("running", "baseline") or study.limit is not None or len(state.slots) < 2:
        return []
    idle = [slot for slot in idle_slots(state) if slot.since is None or now - slot.since > _IDLE]
    if not idle:
        return []
    first = idle[0]
    since = "" if first.since is None else f" {duration(now - first.since)}"
    name = one_line(first.name)
    words = f"! {name} idle{since}" if len(idle) == 1 else f"! {len(idle)} of {len(state.slots)} slots idle"
    longer = words if len(idle) == 1 else f"{words}, {name}{since}"
    forms = dict.fromkeys([words, longer, *(f"{longer}: {cut(one_line(first.why), room)}" for room in (30, 70))])
    return [[(glyphs.plain(form), "warn")] for form in forms]


def trouble_parts(state: ViewState, now: float) -> list[Part]:
    """Who waits for what is not theirs to mend."""
    found = next(iter(state.study.troubles.items()), None)
    if found is None:
        return []
    forms: list[list[Span]] = [[(trouble_words(*found, now, room), "warn")] for room in (0, 40, 60)]
    return [part(0, *forms, right=True)]


def doing_forms(state: ViewState, now: float, glyphs: Glyphs) -> list[list[Span]]:
    """The run of now and how far it is, from the shortest form to the longest; else what goes on in its place."""
    match doing(state.study):
        case "run":
            pair = state.in_flight()
            return [] if pair is None else _run(state, *pair, now, glyphs)
        case "verification":
            return _verification(state, now)
        case "thought" if (thought := newest_thought(state.study)) is not None:
            others = len(state.study.minds.thoughts) - 1
            more = f" +{others}" if others else ""
            text = f"{cut(one_line(thought.researcher), 20)} thinks about {thought.number}{more}"
            return [[(text, "text")], [(f"{text}  {clock(now - thought.since)}", "text")]]
        case "between":
            return [[("between runs", "text")]]
        case "nothing":
            names = ", ".join(mind.name for mind in state.study.minds.present()) or "anybody"
            return [
                [("waits for a proposal", "warn")],
                [(f"waits for a proposal of {cut(one_line(names), 30)}", "warn")],
            ]
        case _:
            return []


def _run(state: ViewState, experiment: Experiment, run: Run, now: float, glyphs: Glyphs) -> list[list[Span]]:
    """A run with the share of its training that it reports; one that reports none has only its time."""
    more = len(state.study.running()) - 1
    name: list[Span] = [("run ", "dim"), (f"{experiment.id}.{run.number}", "running")]
    if more:
        name.append((f" +{more}", "dim"))
    if experiment.id == 0 and experiment.verdict is None:
        runs = state.study.contract.keep.baseline_runs
        name.append((f" of {runs}: measures the noise" if runs > 1 else "", "dim"))
    since: Span = (f"  {clock(now - run.started_at)} since its start", "dim")
    done = state.progress.get((experiment.id, run.number))
    if done is None:
        return [[*name, (f"  {clock(now - run.started_at)}", "text")], [*name, since]]
    share: Span = (f" {min(done, 1.0):.0%}", "text")
    budget: Span = (f" of {brief(run.budget)}", "dim")
    line = bar(done, _SHORT, glyphs)
    drawn: list[Span] = [*name, (" ", "text"), *line, share, budget]
    return [[*name, share], [*name, share, budget], drawn, [*drawn, since]]


def _verification(state: ViewState, now: float) -> list[list[Span]]:
    """The verification of now, its time and how long one usually takes."""
    experiment, run = state.study.verifying()[0]
    name: list[Span] = [("verifying ", "dim"), (f"{experiment.id}.{run.number}", "verifying")]
    done = clock(now - queries.verifying_since(state.study, run))
    usual = [one.verify_seconds for one in queries.usual_runs(state.study) if one.verified]
    about = f" of about {clock(sum(usual) / len(usual))}" if usual else ""
    return [[*name, (f"  {done}", "text")], [*name, (f"  {done}", "text"), (about, "dim")]]


# --- gauges --------------------------------------------------------------------------------------------------------


def bar(share: float | None, width: int, glyphs: Glyphs, alarm: float = 2.0) -> list[Span]:
    """A bar in exactly `width` cells, empty for None; from a share of `alarm` on in the colour of an alarm."""
    share = 0.0 if share is None else min(1.0, max(0.0, share))
    role = "full" if share >= alarm else "bar"
    if glyphs.ascii:
        full = round(share * width)
        return [("#" * full, role), ("." * (width - full), "track")]
    full, piece = divmod(round(share * width * 2), 2)
    spans = [("━" * full, role)]
    if piece and full < width:
        spans.append(("╸", role))
        full += 1
    return [*spans, ("━" * (width - full), "track")]


def heights(values: Sequence[float | None], glyphs: Glyphs) -> list[Span]:
    """One sign for each percentage, by height; an unknown one is a dot."""
    signs = glyphs.spark
    text = "".join(
        glyphs.dot if value is None else signs[min(len(signs) - 1, max(0, int(value / 100 * len(signs))))]
        for value in values
    )
    return [(text, "bar")]


def _pair(used: int, total: int) -> str:
    return f"{used / 1024**3:.0f}/{size(total)}"


def _gpus(gpus: Sequence[GpuGauge], glyphs: Glyphs) -> list[list[Span]]:
    """Utilisation, memory, temperature and power over all GPUs."""
    known = [gpu.utilisation for gpu in gpus if gpu.utilisation is not None]
    mean = sum(known) / len(known) if known else None
    used, total = sum(gpu.memory_used or 0 for gpu in gpus), sum(gpu.memory_total or 0 for gpu in gpus)
    hot = max((gpu.temperature for gpu in gpus if gpu.temperature is not None), default=None)
    power = sum(gpu.power or 0.0 for gpu in gpus)
    name: Span = (f"GPU{gpus[0].index} " if len(gpus) == 1 else f"{len(gpus)} GPUs ", "dim")
    percent: Span = ("n/a" if mean is None else f"{mean:3.0f}%", "text")

    def drawn(width: int) -> list[Span]:
        if len(gpus) > 1:
            return heights([gpu.utilisation for gpu in gpus], glyphs)
        return bar(None if mean is None else mean / 100, width, glyphs)

    memory: list[Span] = [(f"  {_pair(used, total)}", "text")] if total else []
    warm: list[Span] = []
    if hot is not None:
        warm.append((f"  {hot:.0f}°C" if not glyphs.ascii else f"  {hot:.0f}C", "hot" if hot >= 80 else "dim"))
    drawing: list[Span] = []
    if power:
        drawing.append((f" {power:.0f} W" if power < 10_000 else f" {power / 1000:.1f} kW", "dim"))
    gap: Span = (" ", "text")
    short = [name, *drawn(_SHORT), gap, percent]
    return [
        [name, percent],
        [name, percent, *memory],
        [*short, *memory],
        [*short, *memory, *warm],
        [*short, *memory, *warm, *drawing],
        [name, *drawn(_LONG), gap, percent, *memory, *warm, *drawing],
    ]


def _processors(gauge: GaugeRead, glyphs: Glyphs) -> list[list[Span]]:
    percent: Span = (f" {gauge.cpu:3.0f}%", "text")
    name: Span = ("CPU ", "dim")
    bars = [[name, *bar(gauge.cpu / 100, width, glyphs), percent] for width in (_SHORT, _LONG)]
    return [[name, percent], *bars]
