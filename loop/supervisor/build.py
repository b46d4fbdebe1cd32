"""The parts of a supervisor, and who gets whom: nobody else knows."""

import time
from dataclasses import dataclass
from functools import partial

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.machine.disk import DiskReserve
from loop.machine.gauges import Gauges
from loop.pipeline.ablating import Ablating
from loop.pipeline.advice import Advice
from loop.pipeline.ahead import Ahead
from loop.pipeline.archive import StudyArchive
from loop.pipeline.bundling import Bundling
from loop.pipeline.climbing import Climbing
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.filing import Filing
from loop.pipeline.judging import Judging
from loop.pipeline.life import Life
from loop.pipeline.placebos import Placebos, Seals
from loop.pipeline.pool import ResearcherPool
from loop.pipeline.proposals import Proposals
from loop.pipeline.rehearsal import Rehearsal
from loop.pipeline.reserving import Reserving
from loop.pipeline.scratch_run import ScratchRuns
from loop.pipeline.validating import Validating
from loop.pipeline.workshop import AgentWorktree
from loop.recovery.repair import Repair
from loop.runs.cluster.executor import LOOK_S, ClusterExecutor
from loop.runs.executor import Executor
from loop.runs.local.executor import LocalExecutor
from loop.study import events as e
from loop.supervisor.heartbeat import Heartbeat, LimitWatch
from loop.supervisor.notices import Notices
from loop.supervisor.requests import Requests
from loop.supervisor.startup import Prepared, Startup


@dataclass(frozen=True)
class Parts:
    """What a supervisor is made of, but for what only its parts know."""

    prepared: Prepared
    reserve: DiskReserve
    recorder: Recorder
    executor: Executor
    dispatcher: Dispatcher
    judging: Judging
    filing: Filing
    life: Life
    reserving: Reserving
    pool: ResearcherPool
    requests: Requests
    validating: Validating
    ablating: Ablating
    climbing: Climbing
    bundling: Bundling
    placebos: Placebos
    heartbeat: Heartbeat
    notices: Notices
    startup: Startup


def build(prepared: Prepared, journal: Journal, gauges: Gauges, executor: Executor | None = None) -> Parts:
    """Make the parts of a supervisor.

    Args:
        prepared: as `startup.preflight` found it; the caller holds the workspace's lock.
        journal: the study's.
        gauges: what the machine is read with.
        executor: where runs happen; this machine, where none is given.
    """
    workspace, lineage = prepared.workspace, prepared.lineage
    reserve = DiskReserve(workspace.folder, lineage.git.common_dir)
    recorder = Recorder(journal, reserve)
    limit = LimitWatch(recorder)
    executor = executor or LocalExecutor(
        workspace, lineage.trees, lineage.commits.read, gauges, prepared.sandbox, plan=prepared.slots
    )
    if isinstance(executor, ClusterExecutor):
        executor.tell = partial(_tell, recorder)
        executor.remark = lambda node, what: recorder.record(e.Fault(where=node, message=what))
    seals = Seals(workspace.seal)
    filing = Filing(workspace, lineage, recorder)
    judging = Judging(lineage, recorder, filing, seals.opened)
    proposals = Proposals(lineage, recorder, journal, seals.of)
    advice = Advice(lineage, workspace.root, prepared.sandbox.kind)
    dispatcher = Dispatcher(workspace, lineage, recorder, executor, advice)
    rehearsal = Rehearsal(workspace, recorder, dispatcher, prepared.sandbox.kind)
    archive = StudyArchive(workspace, lineage, recorder, proposals, journal)
    workshop = AgentWorktree(workspace, lineage, recorder)
    team = {member.name: member for member in prepared.team}
    here = isinstance(executor, LocalExecutor)  # a draft is tried beside the runs, where there is room, or not at all
    scratch = ScratchRuns(workspace, lineage, executor, gauges, lambda: recorder.study) if here else None
    slots = len(executor.slots())
    pool = ResearcherPool(recorder, proposals, judging, archive, workshop, team, slots, limit.reached, scratch)
    validating = Validating(workspace, recorder)
    ablating = Ablating(workspace, recorder, lineage, proposals, judging, pool.next_number)
    climbing = Climbing(workspace, lineage, recorder, dispatcher.drop)
    repair = Repair(workspace, lineage, recorder, proposals, judging, filing, executor.sweep)
    # Where nothing confines runs, one could change what is checked out for another.
    checkouts = executor if isinstance(executor, LocalExecutor) and prepared.sandbox.kind != "off" else None
    ahead = Ahead(recorder, proposals, judging, checkouts, lambda: len(executor.slots()))
    life = Life(recorder, proposals, executor, dispatcher, judging, rehearsal, ahead, limit.reached)
    return Parts(
        prepared=prepared,
        reserve=reserve,
        recorder=recorder,
        executor=executor,
        dispatcher=dispatcher,
        judging=judging,
        filing=filing,
        life=life,
        reserving=Reserving(recorder, executor, life),
        pool=pool,
        requests=Requests(recorder, pool, proposals, dispatcher, judging, filing, validating, ablating, climbing),
        validating=validating,
        ablating=ablating,
        climbing=climbing,
        bundling=Bundling(recorder, proposals, judging, lineage, pool.next_number, slots),
        placebos=Placebos(recorder, proposals, judging, seals, pool.next_number, slots),
        heartbeat=Heartbeat(workspace, recorder, gauges, dispatcher, pool, limit),
        notices=Notices(workspace, recorder, journal, prepared.settings),
        startup=Startup(prepared, recorder, repair, dispatcher, proposals, judging),
    )


def _tell(recorder: Recorder, node: str, what: str) -> None:
    """Record what is wrong with a node, or that it is no longer."""
    if what:
        recorder.record(e.Fault(where=node, message=what, next_at=time.time() + LOOK_S))
    elif node in recorder.study.troubles:
        recorder.record(e.Recovered(where=node))
