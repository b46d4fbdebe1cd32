"""All studies of a machine: on the screen and on the command line, and the way from one to the other."""

import json
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.machine import studies
from loop.reporting.overview import overview
from loop.study import events as e
from tests.recorded import record
from tests.tui.cockpit.cockpits import opened, screen
from tui.cli.studies import ls
from tui.screens.studies import StudiesSheet


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two studies of one machine, one of them with a proposal that waits; and a third that cannot be read."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    first, second, broken = (tmp_path / name for name in ("first", "second", "broken"))
    record(first / ".looptop" / "journal.db", experiments=6)
    record(second / ".looptop" / "journal.db", experiments=9, stopped="a person stopped it")
    with Journal(second / ".looptop" / "journal.db") as journal:
        journal.append(e.ExperimentProposed(researcher="llm", title="bold", parent=0), 10)
        journal.append(e.ApprovalAsked(reason="review: all"), 10)
    (broken / ".looptop").mkdir(parents=True)
    (broken / ".looptop" / "journal.db").write_text("no database")
    for root in (broken, second, first):
        studies.note(root)
    return first, second


def test_a_study_in_one_row(two: tuple[Path, Path]) -> None:
    found = overview(two[1])
    assert (found.state, found.alive, found.experiments, found.waiting) == ("stopped", False, 9, (10,))
    assert found.best is not None and found.change.startswith("-") and found.tag == "h100-a"
    assert overview(two[0]).state == "died" and "journal.db" in overview(two[0].parent / "broken").refused


def test_the_command_lists_them_for_people_and_for_scripts(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    ls()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[0].split()[:2] == ["state", "best"]
    assert "died" in lines[1] and "stopped" in lines[2] and "⚑ 1" in lines[2] and "unreadable" in lines[3]
    assert lines[4].startswith("! ") and "broken" in lines[4]
    ls(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [row["waiting"] for row in told] == [[], [10], []] and told[1]["root"] == str(two[1])


async def test_enter_goes_to_the_study_under_the_cursor(two: tuple[Path, Path]) -> None:
    async with opened(two[0], (100, 24)) as (app, pilot):
        await pilot.press("L")
        for _ in range(100):
            await pilot.pause(0.02)
            if isinstance(app.sheet, StudiesSheet) and len(app.sheet.rows) == 3:
                break
        await pilot.pause(0.05)
        text = "\n".join(screen(app))
        assert "unreadable" in text and "⚑ 1" in text and screen(app)[3].startswith(" ○ died")
        await pilot.press("enter")
        assert app.sheet is None and app.goes_to is None, "it is the one that is open"
        await pilot.press("L")
        await pilot.pause(0.3)
        await pilot.press("j", "enter")
        await pilot.pause(0.05)
        assert app.goes_to == two[1] and app._exit
