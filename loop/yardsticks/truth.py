"""The true level of champions: read off the file where a problem allows it, else the median of runs under fresh seeds.

These runs happen after the study, in its own sandbox and worktrees, and are none of its runs: nothing is journalled,
and no researcher ever hears of them. All champions are measured in turns, so that a machine that becomes slower does so
for all alike.
"""

import asyncio
import math
import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path

from loop.config.program import load
from loop.errors import UserError
from loop.lineage import Lineage, matching
from loop.machine.gauges import MachineGauges
from loop.runs.executor import Job
from loop.runs.local.executor import LocalExecutor
from loop.runs.output import Sample
from loop.sandbox.backend import choose
from loop.words import listed
from loop.workspace import Workspace
from loop.yardsticks.catalog import Problem

FRESH = 700_001
"""The first seed; studies count up from theirs, and do not come so far."""


class NotMeasured(UserError):
    """A champion cannot be measured; the message is a sentence."""


class _Deaf:
    def sampled(self, samples: Sequence[Sample]) -> None:
        pass


def levels(problem: Problem, root: Path, commits: Sequence[str], runs: int) -> dict[str, float]:
    """The true level of each commit of the study at `root`.

    Args:
        runs: of each commit, where they have to be run.

    Raises:
        NotMeasured: git or the machine did not do its part, or no run of a champion came to a number.
    """
    wanted = list(dict.fromkeys(commits))
    try:
        lineage = Lineage(root, "truth")
        if problem.reads:
            texts = {commit: lineage.commits.read(commit, problem.edited) or b"" for commit in wanted}
            return {commit: problem.truth(text.decode("utf-8", "replace")) for commit, text in texts.items()}
        return asyncio.run(_measured(root, lineage, wanted, runs))
    except (UserError, OSError, ValueError) as error:
        raise NotMeasured(f"the champions of {root} cannot be measured: {error}") from error


async def _measured(root: Path, lineage: Lineage, commits: Sequence[str], runs: int) -> dict[str, float]:
    contract = load(root, matching).contract
    workspace = Workspace(root)
    executor = LocalExecutor(workspace, lineage.trees, lineage.commits.read, MachineGauges(root), choose("auto"))
    slot = executor.slots()[0]
    found: dict[str, list[float]] = {commit: [] for commit in commits}
    for run in range(runs):
        for commit in commits:
            job = Job(
                experiment=0, run=slot.index, kind="scratch", commit=commit, base=commit, contract=contract,
                seed=FRESH + run, deadline=contract.deadline,
            )  # fmt: skip
            await asyncio.to_thread(lineage.trees.remove, job.name)  # of a bench that was killed
            try:
                handle = await executor.start(job, slot, _Deaf())
                try:
                    value = (await handle.wait()).metrics.get(contract.metric)
                finally:
                    await handle.close()
            finally:
                await asyncio.to_thread(shutil.rmtree, workspace.scratch_folder(slot.index), ignore_errors=True)
            if value is not None and math.isfinite(value):
                found[commit].append(value)
    if silent := [commit[:10] for commit, values in found.items() if not values]:
        raise NotMeasured(f"of {runs} runs of {listed(silent)} none came to a {contract.metric}")
    return {commit: statistics.median(values) for commit, values in found.items()}
