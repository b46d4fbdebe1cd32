"""The views of many at once on the screen: the first view, its cursor, whom words are for, and the detail."""

from pathlib import Path

import pytest

from loop.study import events as e
from tests.crowded import crowd
from tests.recorded import record
from tests.tui.cockpit.cockpits import journal_of, opened, requests, screen, settle
from tui.screens.confirm import Confirm
from tui.screens.experiment import ExperimentSheet


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / ".looptop" / "journal.db"
    crowd(path, record(path, experiments=12, gpus=8))
    return tmp_path


async def test_a_new_screen_shows_runs_researchers_and_the_mind(study: Path) -> None:
    async with opened(study, (80, 30), view="runs") as (app, _):
        text = "\n".join(screen(app))
        assert app.active == "runs"
        assert "─ 2 researchers ─" in text and "─ 6 mind ─" in text and "idle: " in text and "llm-b" in text
        assert text.count("━") > 20 and "vs champ." in text


async def test_keys_are_about_the_run_under_the_cursor(study: Path) -> None:
    async with opened(study, (80, 24), view="runs") as (app, pilot):
        first = app.runs_view.rows[0].experiment
        await pilot.press("j", "x")
        await pilot.pause(0.05)
        assert isinstance(app.screen, Confirm) and app.screen.question.title == f"Kill run {first}.1?"
        await pilot.press("escape", "j", "enter")
        await pilot.pause(0.05)
        assert isinstance(app.sheet, ExperimentSheet) and app.sheet.experiment == app.runs_view.rows[1].experiment
        await pilot.press("escape", "escape")
        await pilot.pause(0.05)
        assert app.runs_view.at is None and app.sheet is None


async def test_a_run_is_ended_and_its_researcher_told_why_in_one_go(study: Path) -> None:
    async with opened(study, (80, 24), view="runs") as (app, pilot):
        row = app.runs_view.rows[2]
        await pilot.press("j", "j", "j", "x")
        await pilot.pause(0.05)
        assert "and tell claude why" in "\n".join(screen(app))
        await pilot.press("s", *"it diverges", "enter")
        await pilot.pause(0.1)
        killed, told = requests(study)[-2:]
        assert isinstance(killed.body, e.Killed) and (killed.experiment, killed.run) == (row.experiment, 1)
        assert isinstance(told.body, e.Steered) and told.body.to == "claude"
        assert told.body.text == f"I ended {row.experiment} ({row.idea}): it diverges"


async def test_capital_s_talks_to_one_and_small_s_to_all(study: Path) -> None:
    async with opened(study, (100, 30), view="researchers") as (app, pilot):
        await pilot.press("j", "j", "j", "S")
        await pilot.pause(0.05)
        assert "say to claude ▸" in screen(app)[-1]
        await pilot.press(*"wider", "enter", "s", *"all of you", "enter", "1", "j", "S", *"@automl slower", "enter")
        await pilot.pause(0.1)
        said = [event.body for event in requests(study) if isinstance(event.body, e.Steered)][-3:]
        assert [(body.to, body.text) for body in said] == [
            ("claude", "wider"), ("", "all of you"), ("automl", "slower")
        ]  # fmt: skip
        assert "sent to automl" in screen(app)[-1]


async def test_the_detail_follows_the_cursor_and_the_mind_comes_back(study: Path) -> None:
    (study / ".looptop" / "runs" / "12.2").mkdir(parents=True)
    (study / ".looptop" / "runs" / "12.2" / "log.txt").write_text("step 1\nstep 2, the last line\n")
    async with opened(study, (200, 50), view="experiments") as (app, pilot):
        assert "6 mind" in "\n".join(screen(app)) and "7 detail" not in "\n".join(screen(app))
        while app.experiments_view.selected() != 12:
            await pilot.press("j")
        for _ in range(100):
            app.flush()
            await pilot.pause(0.02)
            if "the last line" in "\n".join(screen(app)):
                break
        text = "\n".join(screen(app))
        assert "7 detail" in text and "6 mind" not in text and "why " in text and "step 2, the last line" in text
        await pilot.press("g")
        app.flush()
        await pilot.pause(0.05)
        assert "6 mind" in "\n".join(screen(app))
        await pilot.press("7")
        await settle(app, pilot)
        assert "7 detail" in "\n".join(screen(app)) and app.chosen() is not None


async def test_curves_and_log_are_of_the_run_under_the_cursor_and_the_others_beside_it(study: Path) -> None:
    async with opened(study, (100, 30), view="runs") as (app, pilot):
        rows = [row for row in app.runs_view.rows if row.what == "run"]
        (study / ".looptop" / "runs" / rows[1].run).mkdir(parents=True)
        (study / ".looptop" / "runs" / rows[1].run / "log.txt").write_text("of the second run\n")
        await pilot.press("5")
        await settle(app, pilot)
        legend = screen(app)[3]
        assert legend.startswith(f" ━ {rows[-2].run} loss"), "the newest that has reported a step"
        assert f"champion {app.known.study.champion}" in legend
        assert all(str(row.experiment) in legend for row in rows[:3])
        await pilot.press("1", "j", "j", "5")
        for _ in range(3):
            app.flush()
            await pilot.pause(0.02)
        assert screen(app)[3].startswith(f" ━ {rows[1].run} loss"), "\n".join(screen(app))
        await pilot.press("9")
        await settle(app, pilot)
        assert "of the second run" in "\n".join(screen(app))
        await pilot.press("7")
        await settle(app, pilot)
        assert app.detail_view.target == rows[1].experiment


async def test_a_loop_that_has_ended_shows_no_run_as_if_it_went_on(study: Path) -> None:
    async with opened(study, (80, 24), view="runs", alive=None) as (app, _):
        text = "\n".join(screen(app))
        assert "was cut off" in text and "`looptop` goes on" in text and "vs champ." not in text


async def test_what_comes_and_goes_changes_the_rows(study: Path) -> None:
    async with opened(study, (80, 24), view="runs") as (app, pilot):
        row = app.runs_view.rows[0]
        with journal_of(study) as journal:
            journal.append(e.RunFinished(outcome="crashed", reason="NaN", seconds=9), row.experiment, 1)
            journal.append(e.ExperimentJudged(verdict="crashed", reason="NaN"), row.experiment)
        await settle(app, pilot)
        assert app.runs_view.rows[0].what == "idle" and row.run not in "\n".join(screen(app)[3:13])
