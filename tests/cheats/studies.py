"""Proposes cheats to a real study in one sandbox, and ends with them: a supervisor in a process of its own.

A process, so that it has keys in its environment that somebody may try to read, and so that the studies of all
sandboxes go on side by side. Nothing here judges: the study does, and the tests read its journal.

    python -m tests.cheats.studies ROOT SANDBOX PORT NAME ...
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, Sink
from loop.sandbox.backend import choose
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import Supervisor
from loop.workspace import Workspace, supervise
from tests.cheats import edit
from tests.gauges import FakeGauges


class Cheater:
    """Proposes one cheat after another."""

    name, about, ahead = "cheater", "proposes what must not be kept", 0

    def __init__(self, names: Sequence[str], port: str) -> None:
        self._names, self._port = list(names), port

    async def prepare(self, sink: Sink) -> None:
        pass

    async def close(self) -> None:
        pass

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        if not self._names:
            raise NothingLeft("that was all")
        name = self._names.pop(0)
        if name == "edits_the_evaluator":
            return Proposal(name, "", {"measure.py": 'print("val: 0.0")\n'})
        return Proposal(name, "", {"train.py": edit(name).replace('("127.0.0.1", 9)', f'("127.0.0.1", {self._port})')})


async def study(root: Path, sandbox: str, port: str, names: Sequence[str]) -> None:
    """A whole study of the program at `root`, until every cheat has its verdict."""
    init_repository(root, [*root.glob("*.py"), root / "program.md"])
    workspace, lineage, gauges = Workspace(root), Lineage(root, "cheats"), FakeGauges(0)
    lineage.prepare()
    chosen = choose(sandbox)  # type: ignore[arg-type]
    prepared = Prepared(workspace, lineage, load(root, matching), Overrides(), (Cheater(names, port),), chosen)
    with supervise(root), Journal(workspace.journal, create=True) as journal:
        await Supervisor(build(prepared, journal, gauges)).run()


if __name__ == "__main__":
    asyncio.run(study(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]))
