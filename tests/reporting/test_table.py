"""The results as tables: the original's five columns, a crash as an empty metric, and nothing lost in CSV and JSON."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.lineage import verdict_note
from loop.policy.shares import brought
from loop.reporting import cost, summary, table
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.outcomes import Outcome
from loop.study.queries import uncounted
from loop.study.state import Study
from tests.recorded import record
from tests.stories import Story

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    record(folder / ".looptop" / "journal.db", experiments=30)
    return folder


@pytest.fixture(scope="module")
def study(workspace: Path) -> Study:
    with Journal(workspace / ".looptop" / "journal.db") as journal:
        return fold(journal.read(kinds=FOLDED))


def test_tsv_is_what_autoresearch_writes(study: Study) -> None:
    header, *rows = [line.split("\t") for line in table.as_tsv(study).splitlines()]
    assert header == ["commit", "val_bpb", "memory_gb", "status", "description"]
    assert len(rows) == 31 and {row[3] for row in rows} == {"keep", "discard", "crash"}
    assert rows[0][3:] == ["keep", "baseline"] and all(len(row[0]) == 7 for row in rows if row[0])
    for row in rows:
        assert (row[1] == "") == (row[3] == "crash"), "a crash has no number, and everything else has one"
    assert "0.000000" not in table.as_tsv(study)


def test_compat_writes_a_crash_as_the_original_does(study: Study) -> None:
    rows = [line.split("\t") for line in table.as_tsv(study, compat=True).splitlines()[1:]]
    assert {row[1] for row in rows if row[3] == "crash"} == {"0.000000"}
    assert all(row[1] and row[2] for row in rows)


def test_titles_with_tabs_and_lines_stay_in_their_cell(study: Study) -> None:
    study.experiments[1].title = "a\tb\nc"
    assert table.as_tsv(study).splitlines()[2].split("\t")[4] == "a b c"
    assert list(csv.DictReader(io.StringIO(table.as_csv(study))))[1]["title"] == "a\tb\nc"


def test_csv_and_json_say_the_same(study: Study) -> None:
    rows = list(csv.DictReader(io.StringIO(table.as_csv(study))))
    records = json.loads(table.as_json(study))
    assert [int(row["id"]) for row in rows] == [found["id"] for found in records] == list(range(31))
    assert rows[5]["value"] == ("" if records[5]["value"] is None else str(records[5]["value"]))


def test_who_measured_it_and_what_to_look_at_go_along(study: Study) -> None:
    for found in json.loads(table.as_json(study)):
        assert found["measured"] == (None if found["value"] is None else "verified")
    story = Story().baseline().propose(1)
    flags = ("train.py:3 touches the seed: seed = 42", "train.py:9 touches the clock: import time")
    story.tell(e.ExperimentQueued(commit="1" * 40, parent=0, parent_commit="0" * 40, flags=flags), 1).runs(1, [0.5])
    doubt = "better by 50 times the noise"
    story.tell(e.ExperimentJudged(verdict="kept", reason="because", metric=0.5, flags=(doubt,)), 1)
    found = json.loads(table.as_json(story.study()))[1]
    assert (found["measured"], found["flags"]) == ("self-reported", [*flags, doubt])
    row = list(csv.DictReader(io.StringIO(table.as_csv(story.study()))))[1]
    assert (row["measured"], row["flags"]) == ("self-reported", "; ".join([*flags, doubt]))


def test_the_command_prints_and_writes(workspace: Path, tmp_path: Path) -> None:
    def looptop(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "tui.cli", "-C", str(workspace), *words]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    target = tmp_path / "results.tsv"
    assert looptop("export").stdout.startswith("commit\tval_bpb\t")
    assert looptop("export", "csv", "-o", str(target)).returncode == 0 and target.read_text().startswith("id,")
    refused = looptop("export", "xlsx")
    assert refused.returncode == 2 and "known are tsv, csv, json, compat" in refused.stderr


def test_the_number_of_a_rejected_run_is_told_and_called_not_counted() -> None:
    story = Story().baseline().propose(1).queue(1).start(1, 1)
    printed = {"val_bpb": 0.5}
    story.tell(e.RunFinished(outcome="finished", metrics=printed, check="budget", reason="it took 32 s"), 1, 1)
    story.judge(1, "rejected")
    study = story.study()
    found = json.loads(table.as_json(study))[1]
    assert (found["value"], found["uncounted"]) == (None, 0.5)
    assert list(csv.DictReader(io.StringIO(table.as_csv(study))))[1]["uncounted"] == "0.5"
    assert table.as_tsv(study).splitlines()[2].endswith("\tcrash\tidea 1 (0.500000, not counted)")
    assert summary.experiment(study, study.experiments[1])["uncounted"] == 0.5
    assert verdict_note.write(study.contract, study.experiments[1])["Measured"] == "val_bpb 0.5, not counted"
    assert [json.loads(table.as_json(study))[0]["uncounted"], uncounted(study.experiments[0], study.contract)] == [
        None
    ] * 2


def looked_at_again() -> Story:
    """A champion that ran once more after its verdict, and then lent its number to a climb, an ablation and a
    validation, whose runs have other numbers and take a hundred times the memory."""
    story = Story().baseline().propose(1).queue(1).runs(1, (0.90, 0.92)).judge(1, "kept", 0.91).runs(1, (0.97,), 3)
    for run, more in enumerate(({"rung": "large"}, {"row": 2}, {}), 4):
        story.start(1, run, validates=9, **more)
        end = e.RunFinished(outcome=Outcome.FINISHED, metrics={"val_bpb": 0.1}, seconds=500, peak_memory=10**12)
        story.tell(end, 1, run)
    return story


def test_the_number_is_the_mean_of_all_runs_as_on_every_screen_and_of_no_others() -> None:
    study = looked_at_again().study()
    assert table.as_tsv(study).splitlines()[-1].split("\t")[1] == "0.930000"
    row = json.loads(table.as_json(study))[-1]
    assert (row["value"], row["runs"], row["seconds"]) == (pytest.approx(0.93), 3, 60)
    assert table.memory(study.experiments[1]) is None
    newest = study.experiments[1].newest
    assert newest is not None and newest.number == 3, "whose log and curve are shown"
    shown = summary.experiment(study, study.experiments[1])["runs"]
    assert [run["serves"] for run in shown] == ["experiment"] * 3 + ["climbing", "attribution", "validation"]
    researcher = brought(study)["r"]
    assert researcher.slot_hours == pytest.approx(60 / 3600), "nor are they the price of who proposed it"
    books = cost.books(study, ())
    assert (books.experiments[1].seconds, books.researchers["r"].runs) == (60, 3)
    assert books.accounts["climbing"].seconds == books.accounts["attribution"].seconds == 500
