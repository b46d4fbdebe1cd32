"""Stopped at any moment, a loop has put on record what git has made by then."""

import asyncio
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.study import events as e
from loop.workspace import Workspace
from tests.repositories import git, git_wrapper
from tests.supervisor.house import House, Scripted, change

COMMITS_SLOWLY = """
"$real" "$@" || exit
case "$*" in *fast-import*) if "$real" rev-parse -q --verify refs/looptop/test/1; then
    touch "{here}/made"
    for i in $(seq 500); do [ -e "{here}/go on" ] && break; sleep 0.02; done
fi >&2 ;; esac
"""


async def test_a_commit_that_is_being_made_when_the_loop_is_stopped_is_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    house = House(tmp_path / "project")
    monkeypatch.setenv("PATH", git_wrapper(tmp_path / "bin", COMMITS_SLOWLY.format(here=tmp_path)))

    async def stop() -> None:
        while not (tmp_path / "made").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
        with Journal(Workspace(house.root).journal) as journal:
            journal.append(e.Stopped(now=True))
        await asyncio.sleep(0.5)  # it has been heard of by then; where it has not, this proves less
        (tmp_path / "go on").touch()

    stopping = asyncio.create_task(stop())
    study = await house.work(Scripted(change("A=5", "A=4")))
    await stopping
    assert study.supervisor is not None and study.supervisor.reason == "a person stopped it"
    assert study.experiments[1].commit == git(house.root, "rev-parse", "refs/looptop/test/1")
    assert study.experiments[1].phase == "queued"
