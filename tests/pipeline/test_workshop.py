"""The workshop: a command works in a worktree of its own, and whatever happens nothing of it goes on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage, LineageError
from loop.pipeline.workshop import AgentWorktree, _work
from loop.runs.local.orphans import sweep_leftovers
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from loop.workspace import Workspace
from tests.repositories import TRAIN, fingerprint, git, make_repository


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[AgentWorktree]:
    root = make_repository(tmp_path / "repo")
    lineage = Lineage(root, "study")
    lineage.prepare()
    with Journal(root / ".looptop" / "journal.db", create=True) as journal:
        contract = Contract(edit=("train.py", "lib/new.py"))
        journal.append(
            e.StudyStarted(
                tag="study", branch=lineage.branch.name, base=lineage.checkout.head(), contract=contract, text=""
            )
        )
        yield AgentWorktree(Workspace(root), lineage, Recorder(journal))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "repo"


def nothing_left(root: Path) -> bool:
    trees = list((root / ".looptop" / "trees").iterdir())
    return not trees and sweep_leftovers(root / ".looptop") == [] and "workshop" not in git(root, "worktree", "list")


async def until(path: Path) -> None:
    async with asyncio.timeout(20):
        while not path.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)


async def test_it_reads_the_text_and_what_it_changed_comes_back(workshop: AgentWorktree, root: Path) -> None:
    before = fingerprint(root)
    heard: list[bytes] = []
    command = "cat; echo 'WIDTH = 1' > lib/new.py; sed -i 's/0.1/0.2/' train.py; touch stray; exit 3 # (an end"
    work = await workshop.work(command, "what to do: é\n", 30, heard.append)
    assert work.edits == {"train.py": TRAIN.replace("0.1", "0.2"), "lib/new.py": "WIDTH = 1\n"}
    assert (work.strays, work.refused) == (["stray"], "")
    assert (work.outcome, work.reason) == ("crashed", "exit code 3: what to do: é")
    assert b"".join(heard).decode() == "what to do: é\n" and work.output == "what to do: é"
    assert nothing_left(root) and fingerprint(root) == before
    assert (root / ".looptop" / "workshop" / "1" / "briefing.md").read_text() == "what to do: é\n"
    assert (root / ".looptop" / "workshop" / "1" / "log.txt").read_text() == "what to do: é\n"


async def test_dotfiles_that_tools_write_are_set_aside_and_other_files_are_not(
    workshop: AgentWorktree, root: Path
) -> None:
    (root / ".gitignore").write_text(".looptop\n")
    (root / ".tool").mkdir()
    (root / ".tool" / "settings.json").write_text("{}\n")
    git(root, "add", "-A")
    git(root, "commit", "--quiet", "-m", "Tools")
    commit = git(root, "rev-parse", "HEAD")
    tree = workshop._lineage.trees
    tree.add("compared", commit)
    folder = tree.project("compared")
    (folder / ".gitignore").write_text(".looptop\n.aider*\n")
    (folder / ".tool" / "settings.json").unlink()
    (folder / "train.py").write_text("WIDTH = 1\n")
    found = tree.changes("compared", commit, ("train.py",), 1000)
    tree.remove("compared")
    ended = RunResult(Outcome.FINISHED, "", 0, None, 1.0, 1.0, 0, None, 0, {}, "")
    work = _work(ended, found, ("train.py",))
    assert (work.edits, work.strays, work.refused) == (
        {"train.py": "WIDTH = 1\n"},
        [".gitignore", ".tool/settings.json"],
        "",
    )
    assert _work(ended, found, (".gitignore",)).edits.keys() == {"train.py", ".gitignore"}, "where it may be changed"


async def test_it_begins_with_the_edits_that_it_is_given(workshop: AgentWorktree) -> None:
    given = {"train.py": "WIDTH = 2\n", "lib/new.py": "é\n"}
    work = await workshop.work("cat train.py lib/new.py", "", 30, lambda _: None, given)
    assert (work.edits, work.output) == (given, "WIDTH = 2\né")


async def test_it_is_ended_when_it_is_told_to_stop_and_what_it_did_comes_back(
    workshop: AgentWorktree, root: Path
) -> None:
    stop = asyncio.Event()
    command = "echo 'WIDTH = 3' > train.py; echo done; sleep 600"
    work = await workshop.work(command, "", 600, lambda _: stop.set(), stop=stop)
    assert (work.edits, work.outcome) == ({"train.py": "WIDTH = 3\n"}, Outcome.KILLED)
    assert nothing_left(root)


async def test_what_it_printed_before_is_kept_for_a_while(
    workshop: AgentWorktree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loop.pipeline.workshop.EARLIER", 2)
    for number in range(1, 5):
        await workshop.work(f"echo {number}", "", 30, lambda _: None)
    folder = root / ".looptop" / "workshop" / "1"
    assert (folder / "log.txt").read_text() == "4\n"
    kept = {path.parent.name: path.read_text() for path in folder.glob("earlier/*/log.txt")}
    assert kept == {"2": "2\n", "3": "3\n"}


async def test_two_at_once_do_not_meet(workshop: AgentWorktree, root: Path) -> None:
    def write(word: str) -> str:
        return f"echo {word} > train.py; sleep 0.2; cat train.py"

    works = await asyncio.gather(*(workshop.work(write(word), "", 30, lambda _: None) for word in ("one", "two")))
    assert [work.edits for work in works] == [{"train.py": "one\n"}, {"train.py": "two\n"}]
    assert nothing_left(root)


async def test_cancelled_however_often_it_ends_its_processes_first(workshop: AgentWorktree, root: Path) -> None:
    out = root / ".looptop" / "workshop" / "1" / "out"
    stubborn = "trap '' TERM; (trap '' TERM; exec sleep 600) & touch \"$LOOPTOP_RUN_DIR/ready\"; sleep 600; sleep 600"
    task = asyncio.create_task(workshop.work(stubborn, "", 600, lambda _: None))
    await until(out / "ready")
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.05)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_left(root)


@pytest.mark.parametrize("turns", range(1, 12))
async def test_cancelled_while_it_begins_it_leaves_no_tree(workshop: AgentWorktree, root: Path, turns: int) -> None:
    task = asyncio.create_task(workshop.work("sleep 600", "", 600, lambda _: None))
    for _ in range(turns):
        await asyncio.sleep(0.004)
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_left(root)


async def test_what_an_accident_left_is_found_at_the_next_start(workshop: AgentWorktree, root: Path) -> None:
    out = root / ".looptop" / "workshop" / "1" / "out"
    task = asyncio.create_task(workshop.work('touch "$LOOPTOP_RUN_DIR/ready"; sleep 600', "", 600, lambda _: None))
    await until(out / "ready")
    found = await asyncio.to_thread(sweep_leftovers, root / ".looptop")
    assert {one.run_dir for one in found} == {out}
    assert any("sleep 600" in one.command for one in found)
    assert (await task).outcome == "crashed"
    assert nothing_left(root)


async def test_a_tree_that_cannot_be_made_is_said_and_leaves_nothing(workshop: AgentWorktree, root: Path) -> None:
    git(root, "config", "filter.broken.smudge", "false")
    git(root, "config", "filter.broken.required", "true")
    (root / ".git" / "info" / "attributes").write_text("*.py filter=broken\n")
    with pytest.raises(LineageError, match="git worktree failed"):
        await workshop.work("true", "", 30, lambda _: None)
    assert nothing_left(root)
    (root / ".git" / "info" / "attributes").unlink()
    assert (await workshop.work("true", "", 30, lambda _: None)).outcome == "finished"
