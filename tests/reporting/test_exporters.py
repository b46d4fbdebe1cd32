"""One table of exporters: a new row is in every list of forms, and writes a study, with no other change."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.reporting.exporters import EXPORTERS
from loop.study.folding import FOLDED, fold
from tests.recorded import record

ROOT = Path(__file__).parents[2]

NEW_ROW = """
import sys
from loop.reporting import exporters

def write(study, journal):
    return "".join(x.title + "\\n" for x in study.experiments.values())

exporters.EXPORTERS["names"] = exporters.Exporter("names", "txt", "a list of titles", write)
"""


def with_new_row(program: str, *arguments: str) -> str:
    """What a fresh interpreter prints that knows one more exporter, without the white space of its layout."""
    command = [sys.executable, "-c", NEW_ROW + program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    record(folder / ".looptop" / "journal.db", experiments=5)
    return folder


def test_each_row_writes_text_that_its_suffix_promises(workspace: Path) -> None:
    with Journal(workspace / ".looptop" / "journal.db") as journal:
        study = fold(journal.read(kinds=FOLDED))
        texts = {name: row.write(study, journal) for name, row in EXPORTERS.items()}
    assert all(name == row.name and row.help and texts[name].endswith("\n") for name, row in EXPORTERS.items())
    rows = len(json.loads(texts["json"]))
    assert rows == len(list(csv.DictReader(io.StringIO(texts["csv"])))) > 1
    assert len(texts["tsv"].splitlines()) == len(texts["compat"].splitlines()) == rows + 1


def test_a_new_row_is_a_form_of_the_command_with_its_help(workspace: Path) -> None:
    run = "sys.argv[0] = 'looptop'\nfrom tui.cli.main import main\nmain()\n"
    told = " ".join(with_new_row(run, "export", "--help").split())
    assert "names: a list of titles" in told and "json: " in told
    printed = with_new_row(run, "-C", str(workspace), "export", "names")
    assert printed.startswith("baseline\n") and len(printed.splitlines()) > 4


def test_a_new_row_is_a_form_of_the_cockpit(workspace: Path) -> None:
    completes = """
from loop.study.state import Study
from tui.model.commands import completions, parse
from tui.model.keys import KEYS
print(completions("export n", Study()), parse("export names", Study()).text)
print(next(key.help for key in KEYS if key.id == "export"))
"""
    told = with_new_row(completes).splitlines()
    assert told[0] == "['export names'] names" and told[1].endswith(", names")
    asks = """
import asyncio
from pathlib import Path
from tests.tui.cockpit.cockpits import opened, screen, settle

async def main():
    async with opened(Path(sys.argv[1])) as (app, pilot):
        await pilot.press("e")
        await settle(app, pilot)
        print("\\n".join(screen(app)))
        await pilot.press("n")
        await settle(app, pilot)

asyncio.run(main())
"""
    assert "n the results as a list of titles" in with_new_row(asks, str(workspace))
    (path,) = (workspace / ".looptop" / "exports").iterdir()
    assert path.suffix == ".txt" and path.read_text().startswith("baseline\n")
