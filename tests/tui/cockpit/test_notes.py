"""A person's note on an experiment: written in the cockpit or in the shell, read by all."""

from pathlib import Path

from typer.testing import CliRunner

from loop.journal.recorder import Recorder
from loop.reporting import summary, table
from loop.researchers.briefing.page import for_command
from loop.study import events as e
from tests.policy.test_permissions import told
from tests.researchers.history import briefing
from tests.tui.cockpit.cockpits import journal_of, opened, requests, screen, settle
from tests.tui.cockpit.test_requests import workspace_of
from tui.cli.main import app as command_line


def shell(root: Path, *words: str) -> str:
    done = CliRunner().invoke(command_line, ["-C", str(root), *words])
    return done.output.strip() or str(done.exception)


async def test_a_note_is_written_changed_and_taken_back_and_everybody_reads_it(tmp_path: Path) -> None:
    root = workspace_of(told(), tmp_path)
    assert shell(root, "note", "3") == "there is no note on experiment 3"
    assert shell(root, "note", "3", "check", "on", "2", "seeds") == "noted", "no loop has to run for it"
    async with opened(root, view="experiments", alive=None) as (app, pilot):
        app.experiments_view.at = 3
        await pilot.press("N")
        await settle(app, pilot)
        assert app.prompt is not None and app.prompt.text == "check on 2 seeds", "the note of before can be changed"
        await pilot.press(*", then keep", "enter")
        await settle(app, pilot)
        assert screen(app)[-1].strip() == "noted on 3"
        app.open_experiment(3)
        await pilot.pause(0.05)
        assert any(line.split()[:7] == ["note", "check", "on", "2", "seeds,", "then", "keep"] for line in screen(app))
    body = requests(root)[-1].body
    assert isinstance(body, e.Noted) and body.text == "check on 2 seeds, then keep" and body.who
    with journal_of(root) as journal:
        study = Recorder(journal).study
    found = study.experiments[3]
    assert not [one for one in study.open_requests() if one.kind == "noted"], "nobody has to do anything about it"
    assert summary.experiment(study, found)["note"] == found.note
    assert found.note in table.as_csv(study) and found.note in table.as_json(study)
    assert f"#3 {found.title}: {found.note}" in for_command(briefing([*study.experiments.values()]))
    assert f"note by {found.noted_by}: {found.note}" in shell(root, "show", "3")
    assert shell(root, "note", "3", "--clear").startswith("taken back\nit was “check on 2 seeds, then keep” by ")
    assert shell(root, "note", "3", "--clear") == "there is no note on experiment 3"
