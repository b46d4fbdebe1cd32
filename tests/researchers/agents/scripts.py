"""A workspace whose researcher is a command line, and small scripts that play one."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil

from loop.researchers.agents.command import Command
from loop.study import events as e
from loop.study.state import Study
from loop.workspace import Workspace
from tests.repositories import fingerprint, git
from tests.supervisor.house import House

LOWER = """\
a=$(sed -n 's/^A=//p' run.sh)
sed -i "s/^A=.*/A=$((a - 1))/" run.sh
"""
IMPROVE = 'cat > "$LOOPTOP_RUN_DIR/told"\n' + LOWER
CLOSE = (
    'echo "**Title:** one less"; echo "hypothesis: less is less"; echo "expected: -1"; echo "note: it is additive"\n'
)


class Agents(House):
    """A workspace, with a place outside it for agents' scripts."""

    def __init__(self, folder: Path, front: str = "limits: {experiments: 2}\n") -> None:
        root = folder / "a project"
        root.mkdir()
        super().__init__(root, front)
        self.folder = folder

    def agent(self, script: str, deadline: float = 30) -> Command:
        path = self.folder / "agent.sh"
        path.write_text(script)
        return self.command(f"sh '{path}'", deadline)

    def command(self, line: str, deadline: float = 30) -> Command:
        command = Command(line, deadline)
        command.ahead = False  # these scripts do the same again and again: each needs the result of the one before
        return command

    async def work_with(self, script: str, deadline: float = 30) -> Study:
        """Run the loop with an agent until it ends by itself; nothing is left then, nothing of the person's changed."""
        before = fingerprint(self.root)
        study = await self.work(self.agent(script, deadline))
        self.at_rest()
        assert fingerprint(self.root) == before
        return study

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds; a journal that is not there yet counts as not."""
        async with asyncio.timeout(60):
            while not (Workspace(self.root).journal.exists() and condition()):  # noqa: ASYNC110 - files and processes
                await asyncio.sleep(0.02)

    def at_rest(self) -> None:
        assert self.agents_alive() == []
        assert list((self.root / ".looptop" / "trees").iterdir()) == []
        assert git(self.root, "worktree", "list").count("\n") == 0

    @property
    def out(self) -> Path:
        """The agent's LOOPTOP_RUN_DIR."""
        return self.root / ".looptop" / "workshop" / "1" / "out"

    def agents_alive(self) -> list[int]:
        """Processes of an agent, also of those that hide their environment."""
        found = {int(path.name) for path in (self.out / "pids").glob("*")}
        for process in psutil.process_iter():
            try:
                if process.environ().get("LOOPTOP_RUN_DIR", "").startswith(f"{self.root}/.looptop/workshop"):
                    found.add(process.pid)
            except psutil.Error:
                continue
        return [pid for pid in found if _lives(pid)]

    def faults(self) -> list[str]:
        return [event.body.message for event in self.events("fault") if isinstance(event.body, e.Fault)]

    def thoughts(self) -> str:
        return "".join(event.body.text for event in self.events("thought") if isinstance(event.body, e.Thought))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


TALKS = """\
#!/bin/sh
cat > "$LOOPTOP_RUN_DIR/told"
echo "$@" >> "%(folder)s/calls"
turn=$(wc -l < "%(folder)s/calls")
say() {
  printf '{"type":"assistant","session_id":"s-1","message":{"id":"m%%s",' "$turn"
  printf '"content":[{"type":"text","text":"%%s"}]}}\\n' "$1"
}
echo '{"type":"system","subtype":"init","session_id":"s-1","model":"claude-x"}'
"""
"""An agent that tells its session, and notes how it is called."""


class Claude:
    """A small program called `claude`, in a folder of its own."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder = folder
        self.program = folder / "claude"
        self.program.write_text(TALKS % {"folder": folder} + script)
        self.program.chmod(0o755)

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()
