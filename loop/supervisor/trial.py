"""`looptop doctor --try`: the program started for a few seconds as the loop would start it, before there is a study.

It finds what a start refuses and what it tells, whether a run uses the file that may be edited, and what keeps the
untouched program from its metric; each with the key or the command that mends it. It ends as soon as it knows. No
journal is made and no commit, and what is written goes again: of the workspace nothing changes but `.looptop/`.
"""

import asyncio
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.config.overrides import Overrides
from loop.errors import UserError
from loop.machine.gauges import MachineGauges
from loop.pipeline.advice import Advice
from loop.pipeline.rehearsal import came_to, prove, short_start
from loop.policy import honesty
from loop.policy.diagnosis import workers_refused
from loop.policy.honesty import BUDGET, SEED
from loop.researchers.automl.sites import tunable
from loop.runs.executor import Job, RunHandle
from loop.runs.local.executor import LocalExecutor
from loop.runs.output import Sample
from loop.runs.reading.wanted import wanted_by
from loop.runs.slot import Slot
from loop.runs.spec import Tried
from loop.sandbox.project_python import choose
from loop.study.team import TUNERS
from loop.supervisor.startup import Prepared, hints, lacking_variables, preflight
from loop.words import listed
from loop.workspace import supervise

BROKEN_S, WHOLE_S = 8.0, 12.0
"""Seconds for the starts with broken files (twice that where there are several), and for the untouched program."""
WHOLE_TABLE_S = 0.5
"""Seconds that a program goes on when it has printed its metric: the rows below may have others of the name."""

SETTINGS = re.compile(
    r"^(?!(.*/)?\.).*(conf|config|configs|params|hparams|settings|hyper\w*)[\w-]*(/[^.][^/]*)*\.(ya?ml|toml)$",
    re.IGNORECASE,
)
MOST_SETTINGS = 20
"""Files of settings that are looked into, where nothing else can be tuned."""


@dataclass(frozen=True)
class Tries:
    """One thing that was tried."""

    what: str
    good: bool
    said: str
    needed: bool = False
    """The loop cannot do without it."""


class Trial:
    """One trial of the workspace that `prepared` was found in, whose lock the caller holds."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared, self._workspace = prepared, prepared.workspace
        self._lineage = prepared.lineage
        self._contract = prepared.options.applied(prepared.program.contract)
        gauges = MachineGauges(self._workspace.root)
        trees, read = self._lineage.trees, self._lineage.commits.read
        self._executor = LocalExecutor(self._workspace, trees, read, gauges, prepared.sandbox)
        self._advice = Advice(self._lineage, self._workspace.root, prepared.sandbox.kind)

    async def findings(self) -> list[Tries]:
        """Try everything; what stops the loop comes with what it would say.

        Raises:
            UserError: git or the machine does not do its part.
        """
        await self._executor.sweep()
        await asyncio.to_thread(self._lineage.clear_stale)
        head = await asyncio.to_thread(self._lineage.checkout.head)
        files = await asyncio.to_thread(self._lineage.checkout.working_copy, self._contract.edit)
        found = [self._python(), *await asyncio.to_thread(self._told)]
        found += await asyncio.to_thread(self._to_tune, head, files)
        slot = self._executor.slots()[0]
        try:
            edits, run = await self._edits(head, files, slot), await self._run(head, files, slot)
        finally:
            await self._executor.close()
            await asyncio.to_thread(shutil.rmtree, self._workspace.rehearsal, ignore_errors=True)
        # Where the untouched program fails, the broken one fails for the same reason, and proves nothing.
        return [*found, *(one for one in edits if one.needed or run.good), run]

    # --- what needs no start -----------------------------------------------------------------------------------

    def _python(self) -> Tries:
        python = choose(self._workspace.root, os.environ, self._contract)
        return Tries("python", True, f"`python` is {python.executable}, {python.why}")

    def _told(self) -> list[Tries]:
        """What a start tells and does not refuse, and whether seed and budget are heeded. Blocks."""
        contract = self._contract
        found = [Tries("files", False, said) for said in hints(self._lineage, contract)]
        found += [Tries("env", False, said) for said in lacking_variables(self._lineage, contract)]
        if refused := workers_refused(contract, self._prepared.sandbox.kind):
            found.append(Tries("network", False, refused))
        own = honesty.named("\n".join((contract.run, *self._lineage.checkout.lines_with((SEED, BUDGET)).values())))
        for what, variable, cost in (
            ("seed", SEED, "its runs differ only by chance that nobody controls, or not at all"),
            ("budget", BUDGET, "`budget:` has no effect, and runs last as long as they last"),
        ):
            if not honesty.given(variable, contract, own):
                how = f"read {variable} in the program, or write `{{{what}}}` in `run:`"
                if what == "budget":
                    how += ", or `ends: at-budget` in program.md if it never stops by itself"
                found.append(Tries(what, False, f"nothing in the project reads {variable}, so {cost}; {how}"))
        return found

    def _to_tune(self, head: str, files: Mapping[str, bytes]) -> list[Tries]:
        """Whether AutoML has something to tune, where it is who proposes. Blocks."""
        if not any(member.kind in TUNERS for member in self._prepared.team):
            return []
        sites = tunable({path: text.decode("utf-8", "replace") for path, text in files.items()}, self._contract.run)
        if not sites:
            said = f"AutoML finds nothing to tune in {listed(self._contract.edit)}; "
            if settings := self._settings(head):
                said += f"{listed(settings)} {'have' if settings[1:] else 'has'} values: name it under `edit:` too, or "
            said += "have a model or an agent propose (`--model NAME`, `--researcher COMMAND`)"
            return [Tries("automl", False, said)]
        many = "value" if len(sites) == 1 else "values"
        return [Tries("automl", True, f"{len(sites)} {many} to tune: {listed([site.name for site in sites])}")]

    def _settings(self, head: str) -> list[str]:
        """Files of settings that are not editable and have something to tune."""
        paths = [path for path in self._lineage.commits.paths(head) if SETTINGS.search(path)][:MOST_SETTINGS]
        texts = ((path, self._lineage.commits.read(head, path) or b"") for path in paths)
        return [path for path, text in texts if tunable({path: text.decode("utf-8", "replace")}, self._contract.run)][
            :3
        ]

    # --- starts ------------------------------------------------------------------------------------------------

    async def _edits(self, head: str, files: Mapping[str, bytes], slot: Slot) -> list[Tries]:
        start = short_start(self._contract, head, files, BROKEN_S)
        verdict = await prove(start, lambda job: self._start(job, slot))
        if verdict is None:
            return []
        return [Tries("edit", verdict.proof == "proven", verdict.said, needed=verdict.proof == "unused")]

    async def _run(self, head: str, files: Mapping[str, bytes], slot: Slot) -> Tries:
        """Whether the untouched program comes to its metric, or what keeps it from that."""
        contract, name = self._contract, self._contract.metric
        wanted = wanted_by(contract, "try")
        tried = await self._start(
            short_start(contract, head, files, WHOLE_S), slot, until=name if wanted.by_name else ""
        )
        result, reached = tried.result, came_to(contract, tried)
        # Of a name that several numbers share there is one on the way, and none that counts.
        unclear = bool(reached) and contract.verify is None and result.missing
        if reached and not unclear:
            return Tries("run", True, f"{reached} after {result.seconds:.1f} s")
        mend = await asyncio.to_thread(self._advice.on, result.tail, contract, head)
        if unclear or result.outcome.has_number:
            said = result.missing or f"its output has no {name}"
        elif result.outcome.is_broken:
            said = result.reason
        else:
            last = result.tail.strip().splitlines()[-1:]
            said = f"no {name} in its first {result.seconds:.0f} s, which a longer run may still print"
            said += f"; its last line was {last[0].strip():.80}" if last else "; it has printed nothing yet"
            return Tries("run", not mend, f"{said}; {mend}" if mend else said)
        return Tries("run", False, f"{said}; {mend}" if mend else said, needed=True)

    async def _start(self, job: Job, slot: Slot, until: str = "") -> Tried:
        """Make a short start.

        Args:
            until: a name that it is enough to have printed.
        """
        listener = _Listener(until)
        handle = listener.handle = await self._executor.start(job, slot, listener)
        result = await handle.wait()
        await handle.close()
        return Tried(result, listener.values)


class _Listener:
    """Hears what a start prints on its way, and ends it once that is enough."""

    def __init__(self, until: str) -> None:
        self.values: dict[str, float] = {}
        self.handle: RunHandle | None = None
        self._until, self._ends = until, False

    def sampled(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            self.values |= sample.values
        if self._until in self.values and self.handle is not None and not self._ends:
            self._ends = True
            asyncio.get_running_loop().call_later(WHOLE_TABLE_S, self.handle.stop, "the trial")


def try_out(start: Path) -> list[Tries]:
    """Try the workspace around `start`.

    Raises:
        AlreadySupervised: a loop is at work there, which has found out all of it.
    """
    began = time.monotonic()
    try:
        prepared = preflight(start, Overrides())
    except UserError as refused:
        return [Tries("start", False, str(refused), needed=True)]
    with supervise(prepared.workspace.root):
        try:
            found = asyncio.run(Trial(prepared).findings())
        except UserError as error:
            found = [Tries("start", False, str(error), needed=True)]
    good = not any(one.needed and not one.good for one in found)
    said = "a loop can begin here" if good else "a loop would stop at its start here"
    return [*found, Tries("try", good, f"{said} (tried in {time.monotonic() - began:.0f} s)", needed=True)]
