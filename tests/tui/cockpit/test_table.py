"""The table of experiments: filters, orders, columns and marks, as a person uses them; and side by side."""

from dataclasses import replace
from pathlib import Path

import pytest

from loop.reporting import query
from loop.reporting.seen import Seen
from loop.study.folding import FOLDED
from tests.recorded import record
from tests.tui.cockpit.cockpits import opened, screen, settle
from tui.cockpit.app import Cockpit
from tui.model import filters
from tui.model.view_state import ViewState
from tui.render.commit_graph import Row
from tui.render.experiment_rows import COLUMNS, automatic, fitting, header, row_line
from tui.render.glyphs import UNICODE
from tui.render.text import line_cells
from tui.screens.columns import ColumnChoice
from tui.screens.compare import CompareSheet


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    record(tmp_path / ".looptop" / "journal.db", experiments=40)
    return tmp_path


def shown(app: Cockpit, text: str) -> list[int]:
    return [x.id for x in query.chosen(app.known.study, text, reverse=True, now=app.now())]


async def test_a_filter_works_while_it_is_typed_and_half_a_term_changes_nothing(workspace: Path) -> None:
    async with opened(workspace, (120, 40), view="experiments") as (app, pilot):
        await pilot.press("z", "j", "j", "slash", *"is:crashed")
        await pilot.pause(0.05)
        assert app.prompt is not None and app.experiments_view.keys == shown(app, "is:crashed") != []
        assert app.experiments_view.at is None or app.experiments_view.at in app.experiments_view.keys, (
            "no key is about what is not there"
        )
        await pilot.press(*" eff")
        await pilot.press("tab")
        assert app.prompt.text == "is:crashed effect>"
        assert app.experiments_view.keys == shown(app, "is:crashed eff"), "what was whole stays in force"
        await pilot.press("enter")
        await settle(app, pilot)
        assert "effect is compared with a number" in screen(app)[-1]
        await pilot.press("slash", "ctrl+u", *"!is:crashed effect>0 head", "enter")
        await settle(app, pilot)
        assert app.experiments_view.keys == shown(app, "!is:crashed effect>0 head") != []
        assert f"{len(app.experiments_view.keys)} of 42" in screen(app)[2]
        await pilot.press("slash")
        assert app.prompt is not None and app.prompt.text == "!is:crashed effect>0 head", "it can be gone on with"
        await pilot.press("ctrl+u", *"on:3", "enter")
        await settle(app, pilot)
        assert any("there is no term on:; there is is:, by:" in line for line in screen(app))


async def test_what_a_column_shows_is_what_it_sorts_by(workspace: Path) -> None:
    async with opened(workspace, (160, 40), view="experiments") as (app, pilot):
        await pilot.press("z")
        for name in ("time", "mem", "lines", "runs", "metric", "age", "verdict", "title", "note", "by", "usd"):
            app.obey(f"sort {name}") if name in COLUMNS else app.experiments_view.sort(name, reverse=False)
            seen = app.known.seen
            values = [seen.number(app.known.study.experiments[key], name) for key in app.experiments_view.keys]
            told = [value for value in values if value is not None]
            assert told == sorted(told, reverse=not seen.least_first(name)), name
            assert values[: len(told)] == told, "what has none comes last"
        app.obey("sort metric")
        assert app.experiments_view.order() == "by metric"
        app.obey("sort metric")
        assert app.experiments_view.order() == "by metric, the other way round"
        app.obey("sort nonsense")
        assert app.message is not None and app.message[0].startswith("sort takes one of")


async def test_columns_are_chosen_and_the_automatic_ones_come_back(workspace: Path) -> None:
    kept: list[tuple[str, ...]] = []
    async with opened(workspace, (200, 50), view="experiments", keep_columns=kept.append) as (app, pilot):
        before = [column.name for column in app.experiments_view.shown]
        await pilot.press("C", *"jjjjjjj", "space")
        await pilot.pause(0.05)
        assert isinstance(app.screen, ColumnChoice)
        assert {column.name for column in app.experiments_view.shown} == {*before, "time"}
        await pilot.press("o")
        assert app.experiments_view.sorted == "time"
        await pilot.press("a", "escape")
        await pilot.pause(0.05)
        assert [column.name for column in app.experiments_view.shown] == before
        assert not isinstance(app.screen, ColumnChoice) and app.experiments_view.sorted == "time"
        await pilot.press("C", "space", "escape")
        await pilot.pause(0.05)
    assert kept == [(), tuple(name for name in before if name != "verdict")]
    async with opened(workspace, (200, 50), view="experiments", columns=(*kept[-1], "gone")) as (app, _):
        assert [column.name for column in app.experiments_view.shown] == before[1:], "those of the screen before"


async def test_a_row_says_why_it_has_no_number_and_a_word_is_looked_for_in_what_was_said(workspace: Path) -> None:
    async with opened(workspace, (200, 50), view="experiments") as (app, pilot):
        await pilot.press("slash", *"is:failed loss", "enter")
        await pilot.pause(0.05)
        rows = [line for line in screen(app) if "crashed" in line[:30]]
        assert rows and all("loss is NaN at step 212" in line for line in rows)
        tuned = replace(app.known.study.experiments[1], notes={"params": {"DROPOUT": 0.0}})
        assert "dropout" not in Seen(app.known.study, app.known.figures).text(tuned)


async def test_marked_experiments_are_set_side_by_side_and_drawn(workspace: Path) -> None:
    async with opened(workspace, (200, 50), view="experiments") as (app, pilot):
        for key in (18, 29):
            app.experiments_view.at = key
            await pilot.press("M")
        await settle(app, pilot)
        assert list(app.known.marked) == [18, 29] and any("29◆" in line for line in screen(app))
        assert "┈ 29  ╍ 18" in "\n".join(screen(app)) or "┈ 18" in "\n".join(screen(app))
        await pilot.press("equals_sign")
        await pilot.pause(0.1)
        sheet = app.sheet
        assert isinstance(sheet, CompareSheet) and sheet.numbers == [18, 29]
        text = "\n".join(screen(app))
        assert "#18 " in text and "#29 " in text and "against 18" in text and "better by" in text
        assert "seed 1337" in text and "━ 18 loss" in text and "┅ 29" in text
        assert app.experiments_view.filter("num_params_M>0") == ""
        past = ViewState()
        past.apply(app.journal.read(until=8, kinds=FOLDED))
        past.share = 1
        assert 0 in past.study.experiments and not past.seen.printed(), "nothing has run at that moment"
        app.show(past)
        app.experiments_view.redraw()
        sheet.redraw()
        await pilot.pause(0.05)
        assert "none of these is there yet" in "\n".join(screen(app)), "as a replay shows it"
        assert list(app.known.marked) == [18, 29], "marks are of the person, and not of a moment"
        await pilot.press("escape")
        app.obey("compare 0 99")
        assert app.message == ("there is no experiment 99", "warn")


def test_completion_offers_what_the_language_has(workspace: Path) -> None:
    from loop.journal.recorder import Recorder
    from loop.reporting.seen import Seen
    from tests.tui.cockpit.cockpits import journal_of

    with journal_of(workspace) as journal:
        seen = Seen(Recorder(journal).study)
    assert filters.candidates("is:k", seen) == ["is:kept", "is:killed"]
    assert filters.candidates("dropout !by:", seen) == ["dropout !by:llm"]
    assert filters.candidates("a", seen) == ["age<"]
    assert filters.hint("age<", seen).endswith("such as 90s, 30m, 6h, 2d")
    assert filters.hint("is:kept", seen).endswith(" of 42")
    for text in (word for name in query.IS for word in (f"is:{name}", f"!is:{name}")):
        query.parse(text)
    champion = seen.study.experiments[seen.study.champion or 0]
    for width in range(30, 160, 7):
        for columns in (automatic(width, 2, authors=2, noted=True), fitting(COLUMNS, width, 2)):
            head = header(columns, "val_bpb", 2, width, "effect")
            row = row_line(Row(champion.id, "", "x", ""), champion, seen, columns, 2, width, UNICODE, marked=True)
            assert line_cells(head) <= width and line_cells(row) <= width
            assert width < 60 or "idea" in "".join(text for text, _ in head), "the idea is never pushed out"
