"""The workshop: where a command of the person's, such as a coding agent, works on a copy of the champion's files.

Invariants:
- Each piece of work has a worktree of its own, which is removed afterwards, however the work ends. It never happens in
  the person's checkout, and only the files that it leaves are looked at, never what its git says of them.
- Its processes belong to a warden, like those of a run: none outlives the deadline, a cancellation or the loop. What an
  accident leaves ends with the next start (`runs/local/orphans.py` knows it by LOOPTOP_RUN_DIR).

Unlike a run, it is the person's own tool, so it gets their whole environment, keys included, and no sandbox. Nothing
here judges what it did.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loop.journal.recorder import Recorder
from loop.lineage import Lineage, LineageError, TreeChanges
from loop.policy import guards
from loop.researchers.agents import said_by_tool
from loop.researchers.protocol import Work
from loop.runs.local.process import LocalProcess
from loop.runs.spec import RunResult, RunSpec
from loop.workspace import Workspace

EARLIER = 20
"""Pieces of work whose briefing and output are kept, beside the newest."""

_OF_ONE_REPOSITORY = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|(ALTERNATE_)?OBJECT_DIRECTOR(Y|IES)|COMMON_DIR|PREFIX|NAMESPACE)"
)
"""What git tells the programs that it starts (hooks, aliases) about their repository. With these variables a git in
our worktree would work on the person's checkout."""

_START = 'exec <"$1"\n'
"""Put before the command, so that its standard input is the file given as its argument. Nothing is put after it, since
a command may end in a comment or a here-document."""


class AgentWorktree:
    """One study's `Workshop`: a worktree for each piece of work."""

    def __init__(self, workspace: Workspace, lineage: Lineage, recorder: Recorder) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self._benches: set[int] = set()
        """Numbers of the pieces of work under way."""

    async def work(
        self,
        command: str,
        text: str,
        deadline: float,
        heard: Callable[[bytes], None],
        edits: Mapping[str, str] = MappingProxyType({}),
        stop: asyncio.Event | None = None,
        place: int = 0,
    ) -> Work:
        """See `Workshop`.

        What it was told and what it printed stays in `.looptop/workshop/N`, and of the pieces of work before in folders
        under `earlier` there.

        Raises:
            LineageError: git cannot make the worktree, or remove it.
        """
        wanted = (place, *range(1, len(self._benches) + 2)) if place > 0 else range(1, len(self._benches) + 2)
        bench = next(number for number in wanted if number not in self._benches)
        self._benches.add(bench)
        name = f"workshop-{bench}"
        study = self._recorder.study
        commit = study.champion_commit
        try:
            spec = self._lay_out(bench, command, text, deadline, self._lineage.trees.project(name))
            result = await self._run(spec, name, commit, heard, edits, stop or asyncio.Event())
            editable, said = study.contract.edit, said_by_tool.read(Path(spec.env["LOOPTOP_RUN_DIR"]))
            try:
                found = await asyncio.to_thread(self._lineage.trees.changes, name, commit, editable, guards.LARGEST)
            except LineageError as error:  # it may have done anything to its tree, and that must not end the loop
                found = TreeChanges({}, {}, ())
                refused = f"what it did cannot be looked at: {error}"
                return replace(_work(result, found, editable, refused), place=bench, said=said)
            return replace(_work(result, found, editable), place=bench, said=said)
        finally:
            removing = asyncio.get_running_loop().run_in_executor(None, self._lineage.trees.remove, name)
            await _settle(removing)
            self._benches.discard(bench)
            removing.result()

    def _lay_out(self, bench: int, command: str, text: str, deadline: float, tree: Path) -> RunSpec:
        folder = self._workspace.folder / "workshop" / str(bench)
        _put_aside(folder)
        out = folder / "out"
        out.mkdir(parents=True)
        briefing = folder / "briefing.md"
        briefing.write_text(text, encoding="utf-8", errors="replace")
        return RunSpec(
            argv=["sh", "-c", _START + command, "sh", str(briefing)],
            cwd=tree,
            env=_environment(os.environ, self._workspace.root, tree, out),
            log_dir=folder,
            deadline_s=deadline,
        )

    async def _run(
        self,
        spec: RunSpec,
        name: str,
        commit: str,
        heard: Callable[[bytes], None],
        edits: Mapping[str, str],
        stop: asyncio.Event,
    ) -> RunResult:
        """Make the tree and run the command in it to its end. However this ends, nothing of either goes on after it."""

        def make() -> None:
            self._lineage.trees.remove(name)
            self._lineage.trees.add(name, commit)
            for path, content in edits.items():
                file = spec.cwd / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content, encoding="utf-8")

        # No task but a thread's future: when the caller is cancelled git goes on all the same, and is waited for.
        making = asyncio.get_running_loop().run_in_executor(None, make)
        try:
            run = await LocalProcess.start(spec, after=asyncio.shield(making), on_output=heard)
        except BaseException:
            await _settle(making)
            raise
        ending = asyncio.create_task(_end_once(stop, run))
        try:
            return await run.wait()
        except asyncio.CancelledError:
            run.kill(by="the loop")
            await _settle(asyncio.ensure_future(run.wait()))
            raise
        finally:
            ending.cancel()


async def _end_once(stop: asyncio.Event, run: LocalProcess) -> None:
    await stop.wait()
    run.kill(by="the loop")


async def _settle(going: asyncio.Future[Any]) -> None:
    """Wait for the end of what nothing stops, however often the caller is cancelled meanwhile."""
    cancelled = False
    while not going.done():
        try:
            await asyncio.wait([going])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


def _environment(parent: Mapping[str, str], workspace: Path, tree: Path, out: Path) -> dict[str, str]:
    """The person's own environment, and where the command is.

    Args:
        workspace: as LOOPTOP_WORKSPACE, for commands that use files which are not in git.
        tree: the project's folder in its worktree, as PWD, which some programs believe more than the system.
        out: as LOOPTOP_RUN_DIR, by which the processes are found if everything that guards them is killed.
    """
    kept = {name: value for name, value in parent.items() if not _OF_ONE_REPOSITORY.fullmatch(name)}
    return kept | {"PWD": str(tree), "LOOPTOP_WORKSPACE": str(workspace), "LOOPTOP_RUN_DIR": str(out)}


def _put_aside(folder: Path) -> None:
    """Keep what the last piece of work there was told and printed, and make room for the next."""
    if not folder.exists():
        return
    earlier = folder / "earlier"
    kept = sorted(int(path.name) for path in earlier.glob("*") if path.name.isdigit()) if earlier.exists() else []
    place = earlier / str(kept[-1] + 1 if kept else 1)
    place.mkdir(parents=True)
    for path in list(folder.iterdir()):
        if path.name == "out":
            shutil.rmtree(path)
        elif path != earlier:
            path.rename(place / path.name)
    for number in kept[: max(0, len(kept) + 1 - EARLIER)]:
        shutil.rmtree(earlier / str(number))


def _is_aside(path: str, editable: Collection[str]) -> bool:
    """Whether a file that git tracks is one of those that tools write for themselves: below a name with a dot."""
    return path not in editable and any(part.startswith(".") for part in Path(path).parts)


def _work(result: RunResult, found: TreeChanges, editable: Collection[str], refused: str = "") -> Work:
    """What came of it, from how the command ended and what it changed.

    A change of a dotfile that git tracks (`.gitignore`, `.aider.conf.yml`, `.claude/settings.json`) is set aside: many
    agents write them unasked. A change of any other file is the proposal's, and guards refuse what it may not change.
    """
    edits: dict[str, str] = {}
    aside = sorted(path for path in (*found.contents, *found.lost) if _is_aside(path, editable))
    lost = {path: why for path, why in found.lost.items() if path not in aside}
    for path, content in found.contents.items():
        if path in aside:
            continue
        try:
            edits[path] = content.decode()
        except UnicodeDecodeError:
            lost[path] = "is no UTF-8 text any more"
        else:
            if "\0" in edits[path]:
                lost[path] = "is no text file any more"
                del edits[path]
    if lost and not refused:
        refused = "; ".join(f"{path} {why}" for path, why in sorted(lost.items())[:5])
        refused += f"; and {len(lost) - 5} more files" if len(lost) > 5 else ""
    return Work(
        edits=edits,
        strays=[*found.strays, *aside],
        refused=refused,
        outcome=result.outcome,
        reason=result.reason,
        seconds=result.seconds,
        output=result.tail,
    )
