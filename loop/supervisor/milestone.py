"""`looptop milestone`: champion and baseline measured on the sealed part of the data.

The runs that made them what they are have left their checkpoints, and those are measured, as a verification would: in a
worktree of the study's first commit with the experiment's editable files, in the sandbox, with `sealed:`'s own data to
read. No run is made, and nothing is decided by what is found.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from loop.config.overrides import Overrides
from loop.errors import UserError
from loop.journal import Journal, exists
from loop.machine.gauges import MachineGauges
from loop.runs import outcome as ends
from loop.runs.executor import Job
from loop.runs.local.executor import LocalExecutor
from loop.runs.output import Sample
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.experiment import Experiment, Run
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from loop.supervisor.startup import Prepared, preflight
from loop.workspace import AlreadySupervised, supervise

MOST = 9
"""Runs of each side that are measured, the newest ones."""

SHORTEST = 60.0
"""Seconds that a measurement gets at least."""


class NoMilestone(UserError):
    """There is nothing to open, or nobody to open it for."""


class _Silent:
    """Nobody follows what a measurement prints."""

    def sampled(self, samples: Sequence[Sample]) -> None:
        """See `RunListener`."""


def milestone(start: Path, say: Callable[[str], None]) -> Study:
    """Open the sealed part of the data for today's champion and the baseline.

    Args:
        start: a folder of the workspace.
        say: hears what is measured, a line each.

    Returns:
        The study with the milestone in it.

    Raises:
        NoMilestone: the program names no sealed part, there is no gain to look at, or a loop is at work.
        UserError: whatever else is in the way, in a sentence.
    """
    prepared = preflight(start, Overrides())
    if not exists(prepared.workspace.journal):
        raise NoMilestone("there is no study here yet; start one with `looptop`")
    contract = prepared.options.applied(prepared.program.contract)
    try:
        with supervise(prepared.workspace.root), Journal(prepared.workspace.journal, create=True) as journal:
            study = fold(journal.read(kinds=FOLDED))
            runs = _runs(study, contract)
            found = asyncio.run(_measure(prepared, study, contract, runs, say))
            best = study.best
            assert best is not None and contract.sealed is not None
            body = e.MilestoneOpened(
                champion=best.id,
                command=contract.sealed.run,
                protocol_id=contract.protocol_id,
                numbers=tuple(found),
            )
            journal.append(body)
            return fold(journal.read(study.seq, kinds=FOLDED), study)
    except AlreadySupervised:
        raise NoMilestone(
            "a loop is at work here, and a milestone takes its place for a moment: `looptop stop`, "
            "`looptop milestone`, and `looptop` goes on"
        ) from None


def _runs(study: Study, contract: Contract) -> list[tuple[Experiment, Run]]:
    """The runs whose checkpoints are measured: those that the search's numbers are from."""
    if contract.sealed is None:
        raise NoMilestone(
            "program.md names no sealed part of the data: write `sealed: COMMAND`, which measures the metric on data "
            "that no run and no `verify:` reads"
        )
    if study.best is None or study.baseline is None:
        raise NoMilestone("there is no champion yet whose gain could be looked at")
    if not study.champion:
        raise NoMilestone("the champion is the baseline itself: nothing was kept, so there is no gain to look at")
    if study.contract.protocol_id != contract.protocol_id:
        raise NoMilestone(
            "program.md measures otherwise than the study's runs were measured; start the loop once, or put it back"
        )
    found = []
    for x in (study.baseline, study.best):
        numbered = [run for run in study.tried(x) if run.metric is not None]
        found += [(x, run) for run in numbered[-MOST:]]
    return found


async def _measure(
    prepared: Prepared,
    study: Study,
    contract: Contract,
    runs: Sequence[tuple[Experiment, Run]],
    say: Callable[[str], None],
) -> list[e.SealedNumber]:
    assert contract.sealed is not None
    # To the executor it is a verification by another command that may read more. What is required of a run is no
    # matter here.
    read = (*contract.read, *contract.sealed.read)
    network = (
        "off" if contract.network == "on" else contract.network
    )  # it runs the experiment's code beside sealed data
    changed = {"verify": contract.sealed.run, "read": read, "require": (), "network": network}
    opened = contract.model_copy(update=changed)
    gauges = MachineGauges(prepared.workspace.root)
    trees, commits = prepared.lineage.trees, prepared.lineage.commits
    executor = LocalExecutor(prepared.workspace, trees, commits.read, gauges, prepared.sandbox, plan=prepared.slots)
    await executor.sweep()
    found = []
    try:
        for x, run in runs:
            found.append(await _one(prepared, study, executor, opened, x, run))
            number = found[-1]
            said = f"{number.sealed:.6g}" if number.sealed is not None else number.reason
            say(f"run {x.id}.{run.number}: {contract.metric} {number.search:.6g}, sealed {said}")
    finally:
        await executor.close()
    return found


async def _one(
    prepared: Prepared, study: Study, executor: LocalExecutor, contract: Contract, x: Experiment, run: Run
) -> e.SealedNumber:
    assert run.metric is not None
    number = e.SealedNumber(experiment=x.id, run=run.number, search=run.metric)
    out = prepared.workspace.run_folder(x.id, run.number) / "out"
    if not out.is_dir():
        return number.model_copy(update={"reason": "what it left is no longer on this machine"})
    deadline = max(SHORTEST, contract.deadline)
    commit = x.commit or study.base
    job = Job(x.id, run.number, "verify", commit, study.base, contract, run.seed, deadline, sealed=True)
    handle = await executor.start(job, executor.slots()[0], _Silent())
    result = await handle.wait()
    await handle.close()
    metric, _, reason = ends.measured(result, contract.metric)
    return number.model_copy(update={"sealed": metric, "reason": reason})
