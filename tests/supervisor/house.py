"""A workspace whose supervisor runs in the test's own process, and a researcher that does what a test says."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.config.settings import Settings
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.machine.gauges import Gauges
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, Researcher, Sink
from loop.runs.executor import Executor
from loop.sandbox.backend import Wanted, choose
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from loop.study.team import Member
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import End, Supervisor
from loop.workspace import Workspace, supervise
from tests.gauges import FakeGauges

SCRIPT = "# one\nA=5\n# two\nB=5\n# three\nC=5\n# the end\necho loss: $((A + B + C)).$((LOOPTOP_SEED % 2))\n"

LONGEST = 110
"""Seconds after which a loop that does not end has hung; beside a load of 30 one of a second takes half a minute."""


class Scripted:
    """Proposes what it is told to, one after another."""

    def __init__(self, *steps: Callable[[Briefing], Proposal] | Exception, ahead: int = 0) -> None:
        self.name, self.about, self.ahead = "scripted", "proposes what a test says", ahead
        self.steps = list(steps)
        self.heard: list[Sequence[str]] = []

    async def prepare(self, sink: Sink) -> None:
        pass

    async def close(self) -> None:
        pass

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        self.heard.append(briefing.words)
        if not self.steps:
            raise NothingLeft("that was all")
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step(briefing)


def change(old: str, new: str) -> Callable[[Briefing], Proposal]:
    """A proposal that replaces `old` by `new` in the champion's script."""

    def step(briefing: Briefing) -> Proposal:
        script = briefing.files["run.sh"]
        assert old in script
        return Proposal(f"{old} to {new}", "it should help", {"run.sh": script.replace(old, new)})

    return step


class House:
    """A workspace whose supervisor runs in this process."""

    def __init__(
        self,
        root: Path,
        front: str = "",
        max_runs: int = 3,
        sandbox: Wanted = "auto",
        script: str = SCRIPT,
        review: str = "review: auto\n",
    ) -> None:
        self.root, self.sandbox = root, sandbox
        self.gauges: Gauges = FakeGauges(0)
        self.executor: Executor | None = None
        """Where runs happen, where that is not this machine."""
        self.team: tuple[Member, ...] = ()
        self.settings = Settings()
        self.end: End | None = None
        (root / "run.sh").write_text(script)
        (root / "other.txt").write_text("not to be edited\n")
        keep = f"keep: {{baseline_runs: 2, max_runs: {max_runs}, confidence: 0.9}}\n"
        (root / "program.md").write_text(
            f"---\nedit: run.sh\nrun: sh run.sh\nmetric: loss\nbudget: 1s\n{keep}{review}{front}---\nGo down.\n"
        )
        init_repository(root, [root / name for name in ("run.sh", "other.txt", "program.md")])

    @classmethod
    def at(cls, root: Path) -> "House":
        """The workspace that is at `root` already."""
        house = cls.__new__(cls)
        house.root, house.sandbox, house.gauges, house.executor = root, "auto", FakeGauges(0), None
        house.team, house.settings = (), Settings()
        return house

    def supervisor(self, journal: Journal, *researchers: Researcher) -> Supervisor:
        lineage = Lineage(self.root, "test")
        lineage.prepare()
        program, sandbox = load(self.root, matching), choose(self.sandbox)
        prepared = Prepared(
            *(Workspace(self.root), lineage, program, Overrides(), researchers, sandbox),
            team=self.team,
            settings=self.settings,
        )
        return Supervisor(build(prepared, journal, self.gauges, self.executor))

    async def work(self, *researchers: Researcher) -> Study:
        """Run the loop until it ends by itself."""
        (self.root / ".looptop").mkdir(exist_ok=True)
        with supervise(self.root), Journal(Workspace(self.root).journal, create=True) as journal:
            await asyncio.wait_for(self.supervisor(journal, *researchers).run(), LONGEST)
        return self.study()

    async def work_while(self, act: Callable[[e.Event], None], *researchers: Researcher) -> Study:
        """The same, while somebody looks at every event as it comes, and acts."""

        async def watch(path: Path) -> None:
            with Journal(path) as journal:
                async for events in journal.follow(interval=0.02):
                    for event in events:
                        act(event)

        (self.root / ".looptop").mkdir(exist_ok=True)
        path = Workspace(self.root).journal
        with supervise(self.root), Journal(path, create=True) as journal:
            watching = asyncio.create_task(watch(path))
            self.end = await asyncio.wait_for(self.supervisor(journal, *researchers).run(), LONGEST)
            watching.cancel()
            with suppress(asyncio.CancelledError):  # and what `act` has raised is told
                await watching
            return fold(journal.read(kinds=FOLDED))

    def events(self, *kinds: str) -> list[e.Event]:
        with Journal(Workspace(self.root).journal) as journal:
            return journal.read(kinds=kinds)

    def study(self) -> Study:
        return fold(self.events(*FOLDED))
