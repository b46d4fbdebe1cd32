"""machine: each GPU and who uses it, processors, memory, disk, and what the current runs hold and report."""

from collections.abc import Sequence

from loop.study.curves import Sample
from loop.study.readings import GaugeRead, GpuGauge, GpuProcess, GpuUse, RunGauge
from loop.words import duration, size
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, cells, cut, number, one_line, pad
from tui.widgets.gauge_line import bar, heights
from tui.widgets.panel import Panel, centred


def machine_lines(
    gauge: GaugeRead,
    history: Sequence[GaugeRead],
    use: Sequence[GpuUse] | None,
    samples: Sequence[Sample],
    width: int,
    glyphs: Glyphs,
) -> list[Line]:
    """All readings, one to a line. Without a GPU there are no lines about any."""
    wide = max(6, min(24, width - 46))
    past = max(0, min(30, width - 44 - wide))
    lines = [gpu_line(gpu, history, wide, past, glyphs) for gpu in gauge.gpus]
    cpu = [(pad("CPU", 7), "dim"), *bar(gauge.cpu / 100, wide, glyphs), (f" {gauge.cpu:4.0f}%", "text")]
    ram = gauge.ram_used / max(1, gauge.ram_total)
    memory = f"  {size(gauge.ram_used)} of {size(gauge.ram_total)}"
    recent = [("  ", "text"), *heights([past.cpu for past in history[-past:]], glyphs)] if past > 5 else []
    lines.append((*cpu, *recent))
    lines.append(((pad("RAM", 7), "dim"), *bar(ram, wide, glyphs, 0.95), (f" {ram:5.0%}", "text"), (memory, "dim")))
    lines.append(((pad("disk", 7), "dim"), (f"{size(gauge.disk_free)} free", "text")))
    lines += [run_line(run, bool(gauge.gpus)) for run in gauge.runs]
    if gauge.gpus and use is not None:
        lines += use_lines(use, gauge.foreign_pids, width)
    if samples:
        lines += reported(samples, width)
    return lines


def run_line(run: RunGauge, gpus: bool) -> Line:
    """What one current run holds."""
    spans: list[Span] = [(pad("run", 7), "dim"), (f"{run.experiment}.{run.run}", "running")]
    spans.append((f"  RAM {size(run.memory)}", "text"))
    if gpus and run.gpu_memory is not None:
        spans.append((f"  GPU {size(run.gpu_memory)}", "text"))
    elif gpus:
        spans.append(("  GPU n/a", "faint"))
    return tuple(spans)


def others(use: Sequence[GpuUse]) -> list[tuple[int, GpuProcess]]:
    """Processes that belong to no current run, with their GPU; the largest first."""
    found = [(one.index, process) for one in use for process in one.processes or () if not process.run]
    return sorted(found, key=lambda pair: -(pair[1].memory or 0))


def use_lines(use: Sequence[GpuUse], foreign: bool, width: int) -> list[Line]:
    """Who else uses the GPUs, or why that cannot be told."""
    head = pad("others", 7)
    silent = [f"GPU {one.index}" for one in use if one.processes is None]
    lines: list[Line] = []
    if foreign:
        words = "in this container nobody can tell whose a process is; the driver counts"
        count = ", ".join(f"{len(one.processes)} on GPU {one.index}" for one in use if one.processes is not None)
        lines.append(((head, "dim"), (cut(f"{words} {count or 'none'}", width - 7), "faint")))
    else:
        for index, one in others(use):
            held = "memory n/a" if one.memory is None else size(one.memory)
            name = f"{one.user or 'somebody'}: {one.command or 'unknown'}"
            text = f"GPU {index}  {held}  {one_line(name)} ({one.pid})"
            lines.append(((head if not lines else " " * 7, "dim"), (cut(text, width - 7), "warn")))
        if not lines and len(silent) < len(use):
            lines.append(((head, "dim"), ("nobody else is on the GPUs", "dim")))
    if silent:
        text = f"{', '.join(silent)}: the driver does not tell who is on it"
        lines.append(((head if not lines else " " * 7, "dim"), (cut(text, width - 7), "faint")))
    return lines


def gpu_line(gpu: GpuGauge, history: Sequence[GaugeRead], wide: int, past: int, glyphs: Glyphs) -> Line:
    """One GPU: utilisation, memory, temperature, power; "n/a" for what it does not report."""
    use = gpu.utilisation
    spans: list[Span] = [(pad(f"GPU {gpu.index}", 7), "dim"), *bar(None if use is None else use / 100, wide, glyphs)]
    spans.append((f" {use:4.0f}%" if use is not None else "   n/a", "text" if use is not None else "faint"))
    if gpu.gone:
        return (*spans, ("  does not answer", "bad"))
    if gpu.memory_used is not None and gpu.memory_total:
        spans.append((f"  {gpu.memory_used / 1024**3:3.0f}/{size(gpu.memory_total)}", "text"))
    else:
        spans.append(("  memory n/a", "faint"))
    if gpu.temperature is not None:
        spans.append((f"  {gpu.temperature:.0f}°C", "hot" if gpu.temperature >= 80 else "dim"))
    spans.append((f"  {gpu.power:.0f} W" if gpu.power is not None else "  n/a W", "dim"))
    if past > 5:
        old = [g.utilisation for one in history[-past:] for g in one.gpus if g.index == gpu.index]
        spans += [("  ", "text"), *heights(old, glyphs)]
    return tuple(spans)


def reported(samples: Sequence[Sample], width: int) -> list[Line]:
    """The newest values that the run reports, as many to a line as fit."""
    lines: list[Line] = []
    line: list[Span] = [(pad("reports", 8), "dim")]
    used = 8
    for name, value in samples[-1][1].items():
        name = one_line(name)
        text = f"{value:,.0f}" if 1000 <= abs(value) < 1e12 else number(value, 4)
        room = cells(name) + cells(text) + 4
        if used + room > width and used > 8:
            lines.append(tuple(line))
            line, used = [(" " * 8, "text")], 8
        line += [(name + " ", "dim"), (text + "   ", "text")]
        used += room
    return [*lines, tuple(line)]


class MachinePanel(Panel):
    """The newest readings, in a fixed order."""

    view = "machine"

    def __init__(self) -> None:
        super().__init__()
        self.top = 0

    def content(self, width: int, height: int) -> list[Line]:
        state = self.cockpit.known
        if state.gauge is None:
            return centred("no reading of the machine yet: the supervisor takes one every few seconds", width, height)
        pair = state.in_flight()
        samples = state.samples.get((pair[0].id, pair[1].number), []) if pair else []
        lines = machine_lines(state.gauge, list(state.history), state.gpu_use, samples, width, self.cockpit.glyphs)
        if not self.cockpit.life.alive:  # nobody takes readings any more: they are of then, and look it
            ago = duration(max(0.0, self.cockpit.now() - state.heartbeat))
            lines = [tuple((text, "faint") for text, _ in line) for line in lines]
            lines.insert(0, ((f"as it was {ago} ago, when the loop ended", "warn"),))
        self.top = max(0, min(self.top, len(lines) - height))
        return lines[self.top : self.top + height]

    def move(self, rows: int) -> None:
        self.top = max(0, self.top + rows)
        self.redraw_with_note()

    def edge(self, direction: int) -> None:
        self.move(direction * 1000)

    def note(self) -> list[Span]:
        supervisor = self.cockpit.known.study.supervisor
        names = {gpu.name for gpu in self.cockpit.known.gauge.gpus} if self.cockpit.known.gauge else set()
        parts = [supervisor.host] if supervisor else []
        if supervisor and supervisor.sandbox:
            parts.append("no sandbox" if supervisor.sandbox == "off" else supervisor.sandbox)
        spans: list[Span] = []
        known = self.cockpit.known
        if known.gauge and not known.gauge.foreign_pids and (strangers := others(known.gpu_use or ())):
            on = sorted({index for index, _ in strangers})
            spans.append((f"others on GPU {', '.join(map(str, on))}  ", "warn"))
        return [*spans, (one_line("  ".join(parts + sorted(names))), "faint")]
