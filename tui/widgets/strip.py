"""A terminal with hardly any room: state, best and what waits, then a row for each run, for as many lines as there are.

Pure. The most important comes first, so a strip of any height says as much as it can; one line alone is
`status_line.brief_line`.
"""

from tui.model.slot_rows import SlotRow, slot_rows
from tui.model.view_state import ViewState
from tui.render.glyphs import Glyphs
from tui.render.packing import packed, part
from tui.render.text import Line, Span, cut, line_cells, one_line
from tui.widgets.gauge_line import doing_forms, idle_forms, trouble_parts, waiting_forms
from tui.widgets.run_rows import lead_span, short_clock
from tui.widgets.status_line import Life, best_forms, gained_forms, money_forms, open_to, state_forms


def strip_lines(state: ViewState, alive: Life, now: float, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """The strip in at most `height` lines."""
    study = state.study
    until = now if alive.alive else state.heartbeat
    first = [
        part(0, *state_forms(state, alive, glyphs), grows=3),
        part(2, [(f"exp {study.judged()}", "text")]),
        part(1, [(open_to(study, alive), "bad")] if open_to(study, alive) else [], right=True),
        part(0, [(alive.word, alive.role)] if alive.alive else [], right=True),
    ]
    second = [
        part(0, *best_forms(state), grows=1),
        part(3, *gained_forms(study, until), grows=4),
        part(2, *money_forms(study, until), grows=5, right=True),
    ]
    lines = [packed(first, width), packed(second, width) if state.figures.best else _no_best(state, width)]
    lines.append(_waits(state, alive, now, width, glyphs))
    if alive.alive:
        lines += [_row(row, width, glyphs) for row in slot_rows(state, now)]
    return lines[:height]


def _no_best(state: ViewState, width: int) -> Line:
    runs = state.study.contract.keep.baseline_runs
    words = f"no best yet: {runs} runs of your file measure its noise first" if runs > 1 else "no best yet"
    return ((" " + cut(words, width - 2), "dim"),)


def _waits(state: ViewState, alive: Life, now: float, width: int, glyphs: Glyphs) -> Line:
    """What waits for a person; else why something stands still, or what goes on."""
    if not alive.alive:
        go_on = "`looptop` starts it" if alive.word == "not started" else "`looptop` goes on"
        return packed([part(1, [(cut(one_line(alive.why), width - 4), "text")]), part(0, [(go_on, "accent")])], width)
    parts = [
        part(0, *waiting_forms(state, now, glyphs), grows=2),
        part(1, *idle_forms(state, now, glyphs), grows=4),
        *trouble_parts(state, now),
        part(3, *doing_forms(state, now, glyphs), grows=5, right=True),
    ]
    return packed(parts, width)


def _row(row: SlotRow, width: int, glyphs: Glyphs) -> Line:
    """One slot: run, share and lead, then the idea."""
    if row.what == "idle":
        return ((" " + glyphs.plain(cut(f"{row.slot} idle: {row.idea}", width - 2)), "warn"),)
    share = "" if row.done is None else f" {min(row.done, 1.0):4.0%}"
    if row.what == "verification":
        share = f" verify {short_clock(row.seconds or 0.0)}"
    lead, role = lead_span(row, glyphs)
    spans: list[Span] = [(f" {row.run}", "running"), (share, "text"), (f" {lead.strip()}" if lead else "", role)]
    return (*spans, (f"  {cut(row.idea, max(4, width - 3 - line_cells(spans)))}", "dim"))
