"""`looptop mcp` as an agent meets it: the real command over real pipes, asked by the official client."""

import hashlib
import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.server.lowlevel import Server
from mcp.types import CallToolResult

from loop.journal import Journal
from loop.lineage import ExperimentMessage, Lineage
from loop.mcp.server import server
from loop.mcp.tools import StudyTools, handed_over
from loop.researchers.agents import said_by_tool
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from tests.repositories import TRAIN, git, make_repository

ACTS = ("note", "propose", "try_draft", "time_code")
EDITED = TRAIN.replace("LR = 0.1", "LR = 0.2")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a baseline, an experiment that was kept and many that were discarded or crashed."""
    root = make_repository(tmp_path_factory.mktemp("study") / "repo")
    lineage = Lineage(root, "study")
    lineage.prepare()
    base = lineage.checkout.head()
    contract = Contract(edit=("train.py",))
    with Journal(root / ".looptop" / "journal.db", create=True) as journal:
        journal.append(
            e.StudyStarted(tag="study", branch=lineage.branch.name, base=base, contract=contract, text="Lower it.")
        )
        journal.append(e.SupervisorStarted(pid=1, host="h", version="1"))
        _experiment(journal, lineage, 0, TRAIN, base, None, 1.0)
        first = _experiment(journal, lineage, 1, EDITED, base, 0, 0.9)
        for number in range(2, 25):
            text = EDITED.replace("DEPTH = 4", f"DEPTH = {number}")
            _experiment(journal, lineage, number, text, first, 1, None if number % 7 == 0 else 1.0)
        journal.append(e.NoteWritten(researcher="r", text="Depth does not help."))
        journal.append(e.SupervisorStopped(reason="a person asked"))
    return root


def _experiment(
    journal: Journal, lineage: Lineage, number: int, text: str, parent: str, on: int | None, metric: float | None
) -> str:
    title = "baseline" if number == 0 else f"idea {number}"
    proposed = e.ExperimentProposed(researcher="r", title=title, hypothesis=f"why \x1b[31m{number}", parent=on)
    journal.append(proposed, number)
    journal.append(e.EditsRecorded(edits={} if number == 0 else {"train.py": text}), number)
    done = lineage.commit(number, parent, {"train.py": text.encode()}, ExperimentMessage(title, "why"), 1e9)
    journal.append(e.ExperimentQueued(commit=done.sha, parent=on, parent_commit=parent), number)
    protocol = Contract().protocol_id
    started = e.RunStarted(seed=1, slot=0, budget=20, deadline=80, protocol_id=protocol, pid=1, pid_started=1.0)
    journal.append(started, number, 1, at=1000.0)
    if number == 1:
        values = ({"loss": math.nan if second == 0 else 5.0 / second, "mfu": 0.5} for second in range(200))
        journal.append_all([(e.StepSampled(values=one), 1, 1) for one in values], at=[1000.0 + s for s in range(200)])
    outcome = Outcome.CRASHED if metric is None else Outcome.FINISHED
    metrics = {} if metric is None else {"val_bpb": metric, "odd": math.nan}
    journal.append(e.RunFinished(outcome=outcome, metrics=metrics, seconds=20), number, 1)
    folder = lineage.root / ".looptop" / "runs" / f"{number}.1"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text(f"output of {number}\n\x1b[31mValueError: no\n")
    verdict = Outcome.CRASHED if metric is None else Outcome.KEPT if number < 2 else Outcome.DISCARDED
    journal.append(e.ExperimentJudged(verdict=verdict, reason="because", metric=metric), number)
    if verdict == Outcome.KEPT:
        journal.append(e.ChampionChanged(commit=done.sha, metric=metric), number)
    return done.sha


@asynccontextmanager
async def served(cwd: Path, *args: str, **env: str) -> AsyncIterator[Client]:
    started = StdioServerParameters(command=sys.executable, args=["-m", "tui.cli", *args, "mcp"], cwd=cwd, env=env)
    async with Client(stdio_client(started)) as client:
        yield client


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers, checked to be an object that keeps the tool's own schema."""
    answer = await client.call_tool(tool, arguments)
    assert isinstance(answer, CallToolResult) and not answer.is_error, answer
    listed = {one.name: one for one in (await client.list_tools()).tools}
    assert isinstance(answer.structured_content, dict)
    schema = listed[tool].output_schema
    assert schema is not None and schema["type"] == "object"
    jsonschema.validate(answer.structured_content, schema)
    json.dumps(answer.structured_content, allow_nan=False)
    return answer.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    answer = await client.call_tool(tool, arguments)
    assert isinstance(answer, CallToolResult) and answer.is_error
    (said,) = answer.content
    assert said.type == "text" and "\n" not in said.text and "Traceback" not in said.text
    return said.text


def _bytes(root: Path) -> Mapping[str, str]:
    """What a study consists of, but for the journal's shared memory, which readers register in."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("journal.db-shm", "journal.db-wal")
    }


async def test_the_record_is_told_and_nothing_changes(root: Path) -> None:
    before = _bytes(root)
    async with served(root) as client:
        names = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {"briefing", "status", "experiments", "experiment", "diff", "file", "log", "curve", "notebook"} <= set(
            names
        )
        assert all(
            tool.annotations is not None and tool.annotations.read_only_hint == (name not in ACTS)
            for name, tool in names.items()
        )

        rows = await ask(client, "experiments", limit=2)
        assert [row["id"] for row in rows["experiments"]] == [24, 23]
        assert (rows["total"], rows["next_offset"]) == (25, 2)
        rest = await ask(client, "experiments", offset=23, limit=50)
        assert [row["id"] for row in rest["experiments"]] == [1, 0] and rest["next_offset"] is None
        crashed = await ask(client, "experiments", filter="is:crashed", limit=100)
        assert [row["id"] for row in crashed["experiments"]] == [21, 14, 7]
        assert (await ask(client, "experiments", filter="IDEA 17"))["total"] == 1

        one = await ask(client, "experiment", number=1)
        assert one["champion"] and one["verdict"] == "kept" and one["hypothesis"] == "why 1"
        assert one["values"]["odd"] is None  # JSON has no NaN
        assert "+LR = 0.2" in (await ask(client, "diff", number=1))["text"]
        assert (await ask(client, "log", number=7))["text"] == "output of 7\nValueError: no\n"
        assert (await ask(client, "file", path="train.py"))["text"] == EDITED
        assert "DEPTH = 9" in (await ask(client, "file", path="train.py", number=9))["text"]
        assert (await ask(client, "notebook"))["text"] == "Depth does not help."
        assert (await ask(client, "status"))["champion"]["id"] == 1

        curve = await ask(client, "curve", number=1, points=5)
        assert curve["names"] == ["loss", "mfu"] and curve["name"] == "loss"
        assert [point["seconds"] for point in curve["points"]] == [0.0, 50.0, 100.0, 149.0, 199.0]
        assert curve["points"][0]["value"] is None
        assert (await ask(client, "curve", number=1, value="mfu"))["points"][3]["value"] == 0.5
        assert (await ask(client, "curve", number=2))["points"] == []

        whole, offset = "", 0
        while offset is not None:
            piece = await ask(client, "briefing", offset=offset, limit=3000)
            whole, offset = whole + piece["text"], piece["next_offset"]
        assert len(whole) == piece["total"] and "Lower it." in whole and "experiment #25" in whole
    assert _bytes(root) == before


async def test_what_is_asked_wrongly_is_refused_in_a_sentence(root: Path) -> None:
    with Journal(root / ".looptop" / "journal.db") as journal:
        await _asked_wrongly(server(StudyTools(root, journal, None)))


async def _asked_wrongly(served: Server[Any]) -> None:
    async with Client(served) as client:
        assert await refused(client, "experiment", number=99) == "there is no experiment 99; they go from 0 to 24"
        assert "number" in await refused(client, "experiment", nr=1)
        assert "number" in await refused(client, "diff", number="first")
        for path in ("../../etc/passwd", "/etc/passwd", ".looptop/journal.db", ".git/config", "lib", "", "a\0b"):
            assert "there is no text file" in await refused(client, "file", path=path)
        assert "it changed train.py" in await refused(client, "file", path="lib/data.py", number=1)
        assert "is:dropped means nothing" in await refused(client, "experiments", filter="is:dropped")
        assert "it reports loss, mfu" in await refused(client, "curve", number=1, value="speed")
        assert "`looptop submit`" in await refused(client, "propose", title="a", hypothesis="b")
        assert "`looptop submit`" in await refused(client, "note", text="a")
        assert "there is no tool" in await refused(client, "delete_everything")
        assert (await ask(client, "diff", number=1, offset=10**9, limit=-5))["text"] == ""


async def test_what_the_loop_s_agent_says_lies_beside_its_worktree(root: Path) -> None:
    out = root / ".looptop" / "workshop" / "1" / "out"
    out.mkdir(parents=True)
    async with served(root.parent, LOOPTOP_WORKSPACE=str(root), LOOPTOP_RUN_DIR=str(out)) as client:
        await ask(client, "note", text="Wide is slow.\nVery.")
        await ask(client, "propose", title="first", hypothesis="why")
        await ask(client, "propose", title="LR 0.1 → 0.3", hypothesis="It is\nlow.", expected="better by 0.1")
        assert "the title is empty" in await refused(client, "propose", title=" ", hypothesis="why")
    said = said_by_tool.read(out)
    assert said is not None and (said.title, said.hypothesis) == ("LR 0.1 → 0.3", "It is low.")
    assert (said.expected, said.notes) == ("better by 0.1", ("Wide is slow. Very.",))
    assert git(root, "status", "--porcelain") == ""


async def test_a_draft_is_tried_where_it_stands_and_recorded_nowhere(root: Path) -> None:
    """The folder that the server is started in tells which, for agents that keep their environment back."""
    tree, out = root / ".looptop" / "trees" / "workshop-4", root / ".looptop" / "workshop" / "4" / "out"
    for folder in (tree, out):
        folder.mkdir(parents=True)
    with Journal(root / ".looptop" / "journal.db") as journal:
        before = journal.last_seq()
        async with served(tree) as client:
            (tree / "train.py").write_text(EDITED.replace("def main():", "print('the draft', WIDTH)\n\n\ndef main():"))
            tried = await ask(client, "try_draft")
            assert "the draft 64" in tried["text"] and "came to its end by itself" in tried["text"]
            assert "val_bpb: 0.2" not in tried["text"], "its metric is withheld"
            code = "print('two', 1 + 1)\nopen('/etc/hostname.looptop', 'w')"
            timed = await ask(client, "time_code", code=code)
            assert "two 2" in timed["text"] and "failed" in timed["text"]
            (tree / "train.py").write_text("def main(:\n")
            assert "it cannot be tried: " in await refused(client, "try_draft")
            (tree / "train.py").write_bytes(b"\xff\xfe")
            assert await refused(client, "try_draft") == "train.py cannot be read as text"
            (tree / "train.py").unlink()
            (tree / "train.py").symlink_to("/etc/passwd")
            assert "is gone, or is no file of text" in await refused(client, "time_code", code="1")
            await ask(client, "propose", title="tried", hypothesis="It runs.")
        assert journal.last_seq() == before
    said = said_by_tool.read(out)
    assert said is not None and said.title == "tried"
    assert not (root / ".looptop" / "scratch" / "0").exists()


def test_nothing_is_written_but_where_the_loop_lets_an_agent_work(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert handed_over(root) is None
    out = root / ".looptop" / "workshop" / "2" / "out"
    out.mkdir(parents=True, exist_ok=True)
    (root / ".looptop" / "workshop" / "3").symlink_to(tmp_path)
    for elsewhere in ("lib", ".looptop/runs/1.1", ".looptop/workshop/../runs", ".looptop/workshop/3", "missing"):
        monkeypatch.setenv("LOOPTOP_RUN_DIR", str(root / elsewhere))
        assert handed_over(root) is None, elsewhere
    monkeypatch.setenv("LOOPTOP_RUN_DIR", str(out))
    assert handed_over(root) == out


def test_what_it_lacks_is_said(root: Path, tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['mcp'] = None; from tui.cli.main import main; main()"
    for where, said in ((root, "pip install 'looptop[mcp]'"), (tmp_path, "looptop init")):
        code = hidden if where == root else hidden.replace("sys.modules['mcp'] = None; ", "")
        done = subprocess.run(
            [sys.executable, "-c", code, "mcp"], cwd=where, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1 and done.stdout == ""
        assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr


async def test_what_the_sealed_part_of_the_data_says_is_told_to_no_agent(root: Path) -> None:
    with Journal(root / ".looptop" / "journal.db") as journal:
        told = await StudyTools(root, journal, handed_over(root)).status()
    assert told["champion"]["id"] == 1 and "milestones" not in told
