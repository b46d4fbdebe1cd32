"""Runs, researchers, top lines and detail of a study with eight GPUs and four researchers, as lines: no screen."""

from dataclasses import replace
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.policy import placebos, validation
from loop.study import events as e
from loop.study.validation import Validation
from tests.crowded import crowd
from tests.recorded import record
from tests.stories import Story
from tui.model.feed import Feed
from tui.model.slot_rows import SlotRow, slot_rows
from tui.model.view_state import ViewState
from tui.render.detail_lines import Extras, detail_lines
from tui.render.glyphs import ASCII, UNICODE
from tui.render.text import Line, line_cells
from tui.widgets.gauge_line import gauge_line
from tui.widgets.researcher_rows import heard_lines, researcher_lines
from tui.widgets.run_rows import header, row_line
from tui.widgets.status_line import Life, status_line
from tui.widgets.strip import strip_lines

LIVE = Life("live", "good")
WIDTHS = (40, 48, 58, 66, 76, 98, 118, 194)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[ViewState, float]:
    """A view state that has read the journal, and the time."""
    path = tmp_path_factory.mktemp("many") / ".looptop" / "journal.db"
    now = crowd(path, record(path, experiments=30, gpus=8))
    return read(path), now


def read(path: Path) -> ViewState:
    state = ViewState()
    with Journal(path) as journal:
        state.apply(journal.read())
        state.caught_up()
        Feed(journal, state).samples(state.leads.wanted())
    return state


def text(lines: list[Line] | Line) -> str:
    rows = lines if isinstance(lines, list) else [lines]
    return "\n".join("".join(part for part, _ in row) for row in rows)


def drawn(rows: list[SlotRow], width: int) -> str:
    return text([header(rows, width, UNICODE), *(row_line(row, rows, width, UNICODE) for row in rows)])


def test_there_is_a_row_a_slot_with_run_share_lead_and_gpu(seen: tuple[ViewState, float]) -> None:
    state, now = seen
    rows = slot_rows(state, now)
    assert [row.slot for row in rows] == [f"GPU {index}" for index in range(8)]
    assert [row.what for row in rows] == ["run", "run", "run", "verification", "run", "run", "idle", "run"]
    first = drawn(rows, 118).split("\n")[1]
    assert first.split()[:3] == ["0", "32.1", "llm-a"]
    assert "65%" in first and "3:15/5:00" in first and "σ ▲" in first and "91%" in first and "610" in first
    assert rows[0].lead is not None and rows[5].lead is not None and rows[0].lead > rows[1].lead > rows[5].lead  # type: ignore[operator]
    assert rows[7].by == "champion" and rows[7].lead is None, "a champion is not ahead of itself"


def test_a_verification_has_its_own_clock_and_an_idle_slot_its_reason(seen: tuple[ViewState, float]) -> None:
    state, now = seen
    rows = slot_rows(state, now)
    lines = drawn(rows, 118).split("\n")
    assert "verify 1:0" in lines[4] and "of about 0:04" in lines[4] and "+2.7σ ▲" in lines[4]
    assert "idle: waits for the champion" in lines[7]
    later = slot_rows(state, now + 60)
    assert later[0].done == rows[0].done, "the share is what the run reports, whatever the clock on the wall says"
    assert later[3].seconds == pytest.approx((rows[3].seconds or 0) + 60)


def test_a_run_that_reports_no_share_has_its_time_and_no_bar(seen: tuple[ViewState, float]) -> None:
    state, now = seen
    silent = next(row for row in slot_rows(state, now) if row.by == "champion")
    line = text(row_line(silent, [silent], 118, UNICODE))
    assert "no share told" in line and "━" not in line and "up 1:00" in line


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_rows_fit_any_width_and_stand_under_their_header(
    seen: tuple[ViewState, float], width: int, glyphs: object
) -> None:
    state, now = seen
    assert glyphs in (UNICODE, ASCII)
    chosen = UNICODE if glyphs is UNICODE else ASCII
    rows = slot_rows(state, now)
    lines = [header(rows, width, chosen), *(row_line(row, rows, width, chosen) for row in rows)]
    assert all(line_cells(line) <= width for line in lines)
    assert len({line_cells(line) for line in lines[1:]}) == 1
    if chosen.ascii:
        assert all(chosen.plain(text(line)).isascii() for line in lines)
    head, row = text(lines[0]), text(lines[1])
    if "GPU" in head[4:]:
        at = head.rindex("GPU") + 3
        assert row[at - 1] == "%", "the column ends where its title does"


def test_what_shares_a_gpu_or_has_several_reads_all_of_them(seen: tuple[ViewState, float]) -> None:
    state, now = seen
    row = slot_rows(state, now)[0]
    both = replace(row, slot="GPU 0 + GPU 1", gpus=(*row.gpus, *slot_rows(state, now)[1].gpus))
    line = text(row_line(both, [both], 118, UNICODE))
    assert line.startswith("0+1") and "139G" in line and "1230" in line


def test_each_researcher_has_a_row_and_its_last_words(seen: tuple[ViewState, float]) -> None:
    state, now = seen
    lines = text(researcher_lines(state, now, 100, 12, UNICODE, None)).split("\n")
    assert "llm-a   thinks about 40  01:00  31.4k tok $0.81  2 proposed, 0 kept" in lines[0]
    assert "“So steps are what is missing: halve" in lines[1] or "halve the batch in the first 20%.”" in lines[1]
    assert any(line.startswith("llm-b") and "waits since" in line and "next in 40 s" in line for line in lines)
    assert any("▸ Edit train.py" in line for line in lines)
    assert any(line.startswith("automl") and "waits for the verdict on 36" in line for line in lines)
    one_each = text(researcher_lines(state, now, 100, 4, UNICODE, None)).split("\n")
    assert len(one_each) == 4 and "$0.81  “" in one_each[0]


def test_what_was_said_says_who_has_heard_it(seen: tuple[ViewState, float]) -> None:
    state, _ = seen
    newest = text(heard_lines(state, 110, UNICODE)[0])
    assert "“leave the tokenizer alone”  heard by llm-a and claude, not yet by llm-b and automl" in newest


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200, 240])
def test_the_top_lines_are_packed_anew_at_every_width(seen: tuple[ViewState, float], width: int) -> None:
    state, now = seen
    first = text(status_line(state, LIVE, now, width, UNICODE))
    second = text(gauge_line(state, LIVE, now, width, UNICODE))
    assert len(first) <= width and len(second) <= width
    assert "6 running" in first and "exp 31" in first and "best 0.9671" in first and first.rstrip().endswith("live")
    assert "⚑ 2 wait" in second
    if width >= 80:
        assert "±" in first and "2 runs" in first and "$4.15" in first
        assert "GPU 6 idle" in second
    if width >= 160:
        assert "2 thinking" in first and "gain" in first and "/h" in first
        assert "(38 and 39; oldest" in second


@pytest.mark.parametrize("size", [(24, 3), (30, 2), (40, 3), (40, 6), (59, 12)])
def test_a_strip_has_state_best_and_what_waits_and_then_the_runs(
    seen: tuple[ViewState, float], size: tuple[int, int]
) -> None:
    state, now = seen
    width, height = size
    lines = [text(line) for line in strip_lines(state, LIVE, now, width, height, UNICODE)]
    assert len(lines) == min(height, 11) and all(len(line) <= width for line in lines)
    assert "6 running" in lines[0] and "live" in lines[0] and "best 0.967" in lines[1]
    if height > 2:
        assert "⚑ 2 wait" in lines[2]
    if height > 3:
        assert lines[3].startswith(" 32.1  65%") and "σ" in lines[3]
    over = [text(line) for line in strip_lines(state, Life("stopped", "dim", "5 of 5 done"), now, 40, 9, UNICODE)]
    assert len(over) == 3 and "`looptop` goes on" in over[2], "and no run as if it went on"


def test_a_validation_and_the_placebos_stand_in_the_first_line(seen: tuple[ViewState, float]) -> None:
    state, now = seen
    study, x = state.study, state.study.experiments[3]
    assert "placebo" not in text(status_line(state, LIVE, now, 300, UNICODE))
    sealed = x.seal
    try:
        x.seal = placebos.seal("n", 3, True)
        study.placebos[3] = e.PlaceboOpened(nonce="n", kept=False)
        study.validations.append(Validation(1, validation.begun(study, 4), now))
        line = text(status_line(state, LIVE, now, 300, UNICODE))
    finally:
        x.seal = sealed
        study.placebos.clear()
        study.validations.clear()
    assert "placebos 0/1 kept (0% to 98%, promised 1.0%)" in line and "validating 0/8" in line


def test_the_tightest_limit_says_when_it_will_be_reached(seen: tuple[ViewState, float]) -> None:
    state, now = seen
    limits = state.study.contract.limits.model_copy(update={"usd": 5.0, "hours": 24.0, "experiments": 200})
    contract = state.study.contract
    state.study.contract = contract.model_copy(update={"limits": limits})
    try:
        line = text(status_line(state, LIVE, now, 240, UNICODE))
    finally:
        state.study.contract = contract
    assert "exp 31/200" in line and "of 24 h" in line and "$4.15/5 ~$1.2/h, lasts 42 min" in line
    assert "ends ~" in line and "(money)" in line


def test_detail_gives_what_matters_first_and_fits_its_room(seen: tuple[ViewState, float]) -> None:
    state, _ = seen
    study = state.study
    best = study.best
    assert best is not None
    diff = "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-WIDTH = 768\n+WIDTH = 640\n" + "+line\n" * 40
    extras = Extras(diff, "step 540 (53%)", "What limits it is steps.")
    for height in range(1, 40):
        lines = detail_lines(best, study, state.figures, extras, ("", ""), [], 76, height, UNICODE)
        assert len(lines) <= height and all(line_cells(line) <= 76 for line in lines)
    whole = text(lines)
    assert "★ champion" in whole and "why " in whole and "+WIDTH = 640" in whole and "better than" in whole
    assert "more lines, enter shows them" in whole and "step 540" in whole and "What limits it is steps." in whole
    running = study.experiments[32]
    found = text(detail_lines(running, study, state.figures, None, ("+1.9σ ▲", "good"), [], 76, 9, UNICODE))
    assert "so far  +1.9σ ▲ at equal training time" in found and "reading its diff" in found


def test_a_voice_is_the_last_sentence_and_never_markup(seen: tuple[ViewState, float]) -> None:
    state = ViewState()
    pieces = ("# A plan\n\n", "**First** the wi", "dth. Then the ", "depth, and after that the rest")
    for seq, piece in enumerate(pieces, 1):
        state.apply([e.Event(seq=seq, at=1.0, experiment=3, run=None, body=e.Thought(researcher="llm", text=piece))])
    assert state.voices["llm"].sentence == "Then the depth, and after that the rest"
    call = e.ToolCalled(researcher="llm", intent="read\nit", result="9 lines", seconds=0.1)
    state.apply([e.Event(seq=9, at=2.0, experiment=3, run=None, body=call)])
    assert state.voices["llm"].tool == "read it"


def test_slots_of_nodes_are_told_apart_however_long_a_node_s_name_is() -> None:
    names = ("alpha/CPU 0", "alpha/CPU 1", "dgx-a100-rack17/GPU 3")
    rows = [SlotRow(name, "idle") for name in names]
    shown = ["".join(text for text, _ in row_line(row, rows, 60, UNICODE)).split()[0] for row in rows]
    assert shown == ["alpha/cpu0", "alpha/cpu1", "dgx-a100…/gpu3"]


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (Story().propose(0).queue(0, None).runs(0, [1.0]), "between runs"),
        (Story().baseline().propose(1).queue(1), "between runs"),
        (Story().baseline(), "waits for a proposal of anybody"),
    ],
)
def test_between_two_runs_nobody_is_said_to_wait_for_a_proposal(story: Story, said: str) -> None:
    state = ViewState()
    state.apply(story.events)
    assert text(gauge_line(state, LIVE, story.events[-1].at + 1, 118, UNICODE)).strip().endswith(said)
