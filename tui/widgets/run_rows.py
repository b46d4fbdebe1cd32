"""The runs view as lines: a row a slot, with as many columns as leave room for the idea. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loop.words import duration, size
from tui.model.slot_rows import SlotRow
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, cells, cut, number, one_line, pad
from tui.widgets.gauge_line import bar

_IDEA = 14
"""Cells that an idea keeps in any width."""

_AHEAD = 1.0
"""Lead in units of the noise from which a sign stands beside it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column beside slot, run and idea."""

    name: str
    title: str
    width: int
    room: int
    """Cells that have to be left for the idea where it is shown."""
    gpu: bool = False
    """Only where a slot has GPUs."""
    right: bool = True


_COLUMNS = (
    Column("trained", "trained", 13, _IDEA, right=False),
    Column("lead", "vs champ.", 9, _IDEA),
    Column("use", "GPU", 4, 18, gpu=True),
    Column("by", "by", 8, 20, right=False),
    Column("memory", "mem", 4, 24, gpu=True),
    Column("heat", "°C", 3, 24, gpu=True),
    Column("power", "W", 4, 24, gpu=True),
    Column("clock", "time", 13, 24),
    Column("ram", "RAM", 7, 28),
)
"""The most important first; on screen they stand in `_ORDER`."""

_ORDER = ("by", "idea", "trained", "clock", "lead", "use", "memory", "heat", "power", "ram")


def columns_in(width: int, rows: Sequence[SlotRow]) -> tuple[int, list[Column]]:
    """Cells for the idea, and the columns for which a row of `width` cells has room."""
    gpus, authors = any(row.gpus for row in rows), len({row.by for row in rows} - {""}) > 1
    left = width - _slot_width(rows) - 1 - _run_width(rows) - 1
    found: list[Column] = []
    for column in _COLUMNS:
        if (column.gpu and not gpus) or (column.name == "by" and not authors):
            continue
        if left - column.width - 1 < column.room:
            break
        left -= column.width + 1
        found.append(column)
    return left, sorted(found, key=lambda column: _ORDER.index(column.name))


def _slot_width(rows: Sequence[SlotRow]) -> int:
    return max(cells(_head(rows)), *(cells(_slot(row, rows)) for row in rows)) if rows else 3


def _head(rows: Sequence[SlotRow]) -> str:
    """What stands above the slots."""
    return "GPU" if all(row.slot.startswith("GPU ") for row in rows) else "slot"


def _run_width(rows: Sequence[SlotRow]) -> int:
    return max(4, *(len(row.run) for row in rows)) if rows else 4


def _slot(row: SlotRow, rows: Sequence[SlotRow]) -> str:
    """Its name; where all are GPUs, the header says that, and the row has the number alone. On a cluster it is the node
    that is cut off, since the rest tells its slots apart."""
    name = one_line(row.slot)
    node, _, own = name.rpartition("/")
    if node:
        own = own.replace(" ", "").lower()
        return f"{cut(node, max(1, 14 - 1 - cells(own)))}/{own}"
    if all(one.slot.startswith("GPU ") for one in rows):
        name = name.replace("GPU ", "").replace(" + ", "+")
    return cut(name, 8)


def header(rows: Sequence[SlotRow], width: int, glyphs: Glyphs) -> Line:
    """What the columns are."""
    idea, columns = columns_in(width, rows)
    titles = [pad(_head(rows), _slot_width(rows)), pad("run", _run_width(rows))]
    names = [column.name for column in columns]
    for name in _ORDER:
        if name == "idea":
            titles.append(pad("idea", idea))
        elif name in names:
            column = columns[names.index(name)]
            titles.append(pad(glyphs.plain(column.title), column.width, right=column.right))
    return ((" ".join(titles).rstrip(), "faint"),)


def row_line(row: SlotRow, rows: Sequence[SlotRow], width: int, glyphs: Glyphs) -> Line:
    """One slot in `width` cells; the columns are those for which all the rows have room."""
    idea, columns = columns_in(width, rows)
    slot = (pad(_slot(row, rows), _slot_width(rows)) + " ", "dim")
    run = (pad(row.run or "-", _run_width(rows)) + " ", "verifying" if row.what == "verification" else "running")
    by_name = {column.name: column for column in columns}
    spans: list[Span] = [slot, run if row.run else (run[0], "faint")]
    said = 0  # cells of columns that an idle slot's reason takes over
    for name in _ORDER:
        if name == "idea":
            if row.what == "idle":
                said = idea + sum(by_name[one].width + 1 for one in ("trained", "clock", "lead") if one in by_name)
                spans.append((pad(_why(row, said, glyphs), said) + " ", "warn"))
            else:
                spans.append((pad(row.idea, idea) + " ", "text"))
        elif (column := by_name.get(name)) is not None and not (said and name in ("trained", "clock", "lead")):
            cell = _CELLS[name](row, glyphs, column.width)
            spans += [*cell, (" ", "text")]
    spans[-1] = (spans[-1][0][:-1], spans[-1][1])  # no gap behind the last
    return _joined(spans)


def _joined(spans: Sequence[Span]) -> Line:
    """The spans with their gaps taken in, and neighbours of one role as one: a change of style is 40 bytes on the wire,
    eight rows a second."""
    joined: list[Span] = []
    for text, role in spans:
        if joined and (joined[-1][1] == role or not text.strip()):
            joined[-1] = (joined[-1][0] + text, joined[-1][1])
        elif text:
            joined.append((text, role))
    return tuple(joined)


def _why(row: SlotRow, room: int, glyphs: Glyphs) -> str:
    """Why a slot is idle, and for how long."""
    since = "" if row.seconds is None or row.seconds < 1 else f" {duration(row.seconds)}"
    return glyphs.plain(cut(f"idle{since}: {row.idea or 'nothing to run'}", room))


# --- cells ---------------------------------------------------------------------------------------------------------


def short_clock(seconds: float) -> str:
    """`0:14`, `3:12`, `1:02:40`."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _trained(row: SlotRow, glyphs: Glyphs, width: int) -> list[Span]:
    """The share of its training that the run reports; never its time on the wall against the training budget."""
    if row.what == "verification":
        return [(pad(f"verify {short_clock(row.seconds or 0.0)}", width), "verifying")]
    if row.done is None:
        return [(pad("no share told" if row.seconds and row.seconds > 30 else "begins", width), "faint")]
    long = width - 5
    return [*bar(row.done, long, glyphs), (f" {min(row.done, 1.0):4.0%}", "text")]


def _clock(row: SlotRow, glyphs: Glyphs, width: int) -> list[Span]:
    """Seconds of training done of those it has; where that is not told, its time since the start."""
    if row.seconds is None:
        return [(" " * width, "text")]
    if row.what == "verification":
        text = f"of about {short_clock(row.budget)}" if row.budget else ""
    elif row.done is not None and row.budget:
        text = f"{short_clock(_calm(row.done * row.budget))}/{short_clock(row.budget)}"
    else:
        text = f"up {short_clock(_calm(row.seconds))}"
    return [(pad(text, width, right=True), "dim")]


def lead_span(row: SlotRow, glyphs: Glyphs) -> Span:
    """Where it stands against the champion, signed so that more is better; empty while nothing tells."""
    if row.lead is None:
        return "", "faint"
    if not row.in_sigmas:
        sign = "+" if row.lead > 0 else glyphs.minus
        return sign + number(abs(row.lead), 2) + "  ", "dim"
    far = abs(row.lead)
    text = f"{row.lead:+.1f}" if far < 100 else f"{row.lead:+.0f}" if far < 1000 else f"{row.lead / 1000:+.0f}k"
    text = text.replace("-", glyphs.minus) + glyphs.sigma
    if abs(row.lead) < _AHEAD:
        return text + "  ", "dim"
    up, down = (" ^", " v") if glyphs.ascii else (" ▲", " ▼")
    return text + (up if row.lead > 0 else down), "good" if row.lead > 0 else "crashed"


def _calm(seconds: float) -> float:
    """A time of more than a minute in steps of five seconds: nobody reads more, and each step is sent for each row."""
    return seconds if seconds < 60 else seconds // 5 * 5


def _lead(row: SlotRow, glyphs: Glyphs, width: int) -> list[Span]:
    text, role = lead_span(row, glyphs)
    return [(pad(text, width, right=True), role)]


def _by(row: SlotRow, glyphs: Glyphs, width: int) -> list[Span]:
    return [(pad(row.by, width), "dim")]


def _use(row: SlotRow, glyphs: Glyphs, width: int) -> list[Span]:
    if any(gpu.gone for gpu in row.gpus):
        return [(pad("gone", width, right=True), "bad")]
    known = [gpu.utilisation for gpu in row.gpus if gpu.utilisation is not None]
    text = f"{sum(known) / len(known):.0f}%" if known else "n/a" if row.gpus else ""
    return [(pad(text, width, right=True), "text" if known else "faint")]


def _held(row: SlotRow, glyphs: Glyphs, width: int) -> list[Span]:
    known = [gpu.memory_used for gpu in row.gpus if gpu.memory_used is not None]
    text = f"{sum(known) / 1024**3:.0f}G" if known else "n/a" if row.gpus else ""
    return [(pad(text, width, right=True), "text" if known else "faint")]


def _heat(row: SlotRow, glyphs: Glyphs, width: int) -> list[Span]:
    hottest = max((gpu.temperature for gpu in row.gpus if gpu.temperature is not None), default=None)
    text = "" if hottest is None else f"{hottest:.0f}"
    return [(pad(text, width, right=True), "hot" if (hottest or 0) >= 80 else "dim")]


def _power(row: SlotRow, glyphs: Glyphs, width: int) -> list[Span]:
    known = [gpu.power for gpu in row.gpus if gpu.power is not None]
    return [(pad(f"{round(sum(known), -1):.0f}" if known else "", width, right=True), "dim")]  # it never rests


def _ram(row: SlotRow, glyphs: Glyphs, width: int) -> list[Span]:
    return [(pad("" if row.memory is None else size(row.memory), width, right=True), "dim")]


_CELLS: dict[str, Callable[[SlotRow, Glyphs, int], list[Span]]] = {
    "trained": _trained,
    "clock": _clock,
    "lead": _lead,
    "by": _by,
    "use": _use,
    "memory": _held,
    "heat": _heat,
    "power": _power,
    "ram": _ram,
}
