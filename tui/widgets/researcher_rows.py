"""The researchers view as lines: what each does and has cost, its last words, and what it heard of a person. Pure."""

import time

from loop.reporting.researchers import Doing
from loop.study import events as e
from loop.study.asked import Request
from loop.study.state import Study
from loop.words import clock, listed
from tui.model.view_state import ViewState
from tui.model.voices import Voice
from tui.render.glyphs import Glyphs
from tui.render.packing import packed, part
from tui.render.text import Line, Span, cells, cut, line_cells, one_line, pad, wrap
from tui.render.troubles import trouble_words

_NAME = 12
"""Cells of a name, at most."""

_TOLD = 2
"""What a person said that is shown of: the newest."""

_QUIET = 30.0
"""Seconds after which what somebody says is not being said any more."""


def researcher_lines(
    state: ViewState, now: float, width: int, height: int, glyphs: Glyphs, at: int | None
) -> list[Line]:
    """All researchers in at most `height` lines: a line each, a second one for its last words where there is room for
    that of all, then what a person said and who has heard it.

    Args:
        at: which of them is under the cursor; None where none is.
    """
    minds = state.minds
    heard = heard_lines(state, width, glyphs)
    name = min(_NAME, max((cells(one_line(mind.name)) for mind in minds), default=1))
    if len(minds) > height:
        first = max(0, min((at or 0) - height + 1, len(minds) - height))
        return [_row(state, mind, now, width, name, glyphs) for mind in minds[first : first + height]]
    spare = height - len(minds)
    lines: list[Line] = []
    each = spare // len(minds) if minds else 0
    for mind in minds:
        lines.append(_row(state, mind, now, width, name, glyphs, alone=each > 0))
        said = _said_lines(state, mind, width, name, min(each, 3), glyphs) if each else []
        lines += said
    return [*lines, *heard[: height - len(lines)]]


def _row(
    state: ViewState, mind: Doing, now: float, width: int, name: int, glyphs: Glyphs, *, alone: bool = False
) -> Line:
    """One researcher: what it does, since when, tokens and money; its last words, unless they stand below."""
    doing, role = doing_words(state, mind, now)
    room = max(8, width - name - 2)
    since = clock(now - mind.since) if mind.doing == "thinking" and mind.since is not None else ""
    words, said = last_words(state, mind, glyphs)
    behind = bool(words) and not alone
    brought = f"{mind.proposals} proposed, {mind.kept} kept" if mind.proposals else ""
    forms = [doing, f"{doing}  {since}"] if since else [doing]
    parts = [
        part(0, *([(cut(form, room), role)] for form in forms)),
        part(2, *([(cost, "dim")] for cost in cost_words(mind, brief=behind)), grows=3),
        part(4, [] if behind or not brought else [(brought, "faint")]),
        part(5, [] if behind or mind.held is None else [(str(mind.held), "faint")]),
    ]
    line = packed(parts, room + 2)[1:]  # the name stands where a line has its margin
    spans: list[Span] = [(pad(one_line(mind.name), name) + "  ", "accent"), *line]
    left = width - line_cells(spans) - 2
    if behind and left >= 12:
        spans += [("  ", "text"), (cut(words, left), said)]
    return tuple(spans)


def doing_words(state: ViewState, mind: Doing, now: float) -> tuple[str, str]:
    """What a researcher does, and the role of that."""
    match mind.doing:
        case "thinking":
            thoughts = [one for one in state.study.minds.thoughts.values() if one.researcher == mind.name]
            voice = state.voices.get(mind.name)
            verb = "works on" if voice is not None and voice.tool and now - voice.at < _QUIET else "thinks about"
            return f"{verb} {listed([str(one.number) for one in thoughts], 3)}", "good"
        case "held up":
            trouble = state.study.troubles.get(mind.name)
            words = "waits" if trouble is None else trouble_words("", trouble, now).strip()
            return words, "warn"
        case "gone":
            return f"proposes nothing more: {one_line(mind.why)}", "faint"
        case _:
            return waits_for(state.study, mind), "dim"


def waits_for(study: Study, mind: Doing) -> str:
    """Why a researcher with nothing to do is not asked."""
    if study.supervisor is None or study.supervisor.stopped_at is not None:
        return "not at work"
    if study.champion is None:
        return "waits for the baseline"
    if study.limit is not None:
        return "waits: a limit is reached"
    if study.paused:
        return "waits: the loop is paused"
    own = [x for x in study.open_experiments() if x.researcher == mind.name]
    if queued := [str(x.id) for x in own if x.phase == "queued"]:
        return f"{listed(queued, 2)} {'is' if len(queued) == 1 else 'are'} queued"
    measured = [str(x.id) for x in own if x.phase == "running"]  # in a run, a verification, or between them
    return f"waits for the verdict on {listed(measured, 3)}" if measured else "waits for its turn"


def cost_words(mind: Doing, *, brief: bool) -> list[str]:
    """Money, and tokens with it: `$0.81` and `31k tok $0.81`; none for whom nothing is paid.

    Args:
        brief: only the shortest.
    """
    if not mind.tokens and not mind.usd:
        return []
    tokens = f"{count_words(mind.tokens)} tok"
    forms = [tokens] if mind.usd is None else [f"${mind.usd:.2f}", f"{tokens} ${mind.usd:.2f}"]
    return forms[:1] if brief else forms


def count_words(count: int) -> str:
    """`812`, `3.1k`, `412k`, `1.2M`."""
    if count < 1000:
        return str(count)
    if count < 1_000_000:
        return f"{count / 1000:.1f}k" if count < 100_000 else f"{count / 1000:.0f}k"
    return f"{count / 1e6:.1f}M"


def last_words(state: ViewState, mind: Doing, glyphs: Glyphs) -> tuple[str, str]:
    """What it does with a tool now, or its last sentence, and the role of that; empty where it has said nothing."""
    voice: Voice | None = state.voices.get(mind.name)
    if voice is None:
        return "", "faint"
    if voice.tool:
        return f"{glyphs.arrow} {voice.tool}", "tool"
    return (f"“{voice.sentence}”" if voice.sentence else ""), "dim"


def _said_lines(state: ViewState, mind: Doing, width: int, name: int, rows: int, glyphs: Glyphs) -> list[Line]:
    words, role = last_words(state, mind, glyphs)
    if not words:
        return []
    room = max(8, width - name - 2)
    found = wrap(words, room)
    lines: list[Line] = []
    for index, (a, b) in enumerate(found[:rows]):
        text = words[a:b] if index < rows - 1 or len(found) <= rows else cut(words[a:], room)
        lines.append(((" " * (name + 2) + text, role),))
    return lines


# --- what was heard ------------------------------------------------------------------------------------------------


def heard_lines(state: ViewState, width: int, glyphs: Glyphs) -> list[Line]:
    """The newest things that a person said, and by whom they were heard; the newest first."""
    study = state.study
    said = [request for request in study.requests.values() if isinstance(request.body, e.Steered)]
    return [_heard(study, request, width) for request in reversed(said[-_TOLD:])]


def _heard(study: Study, request: Request, width: int) -> Line:
    assert isinstance(request.body, e.Steered)
    words, role = heard_words(study, request)
    to = f"to {one_line(request.body.to)} " if request.body.to else ""
    moment = time.strftime("%H:%M", time.localtime(request.at))
    head = f"{moment} {to}"
    room = width - cells(head) - cells(words) - 4
    text = cut(one_line(request.body.text), max(12, room))
    return ((head, "faint"), (f"“{text}”", "you"), (f"  {words}", role))


def heard_words(study: Study, request: Request) -> tuple[str, str]:
    """Who has heard a person's words, and the role of that: `heard by llm, not yet by claude`."""
    assert isinstance(request.body, e.Steered)
    body = request.body
    heard = list(request.heard)
    present = [mind.name for mind in study.minds.present()]
    missing = [name for name in present if name not in heard and body.to in ("", name)]
    if request.fulfilled_at is not None or not missing:
        if len(heard) > 2 and len(heard) >= len(present):
            return f"heard by all {len(heard)}", "good"
        if heard:
            return f"heard by {listed([one_line(name) for name in heard], 3)}", "good"
        return (one_line(request.outcome) or "heard"), "good"
    absent = "the others" if heard and len(missing) > 2 else listed([one_line(name) for name in missing], 2)
    if heard:
        return f"heard by {listed([one_line(name) for name in heard], 2)}, not yet by {absent}", "warn"
    return f"not heard yet{'' if len(present) == len(missing) else f' by {absent}'}", "warn"
