"""Runs on the nodes of a cluster. The supervisor places every run itself: the cluster's scheduler places nothing.

Journal, git, log, reading and judging stay on this machine; a node gets commits and orders, and returns bytes. A node
that is looked at and found unfit gets nothing. One that is lost is looked for until it is back.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from loop.errors import UserError
from loop.runs.cluster import parcels
from loop.runs.cluster.fitness import remarks, unfit
from loop.runs.cluster.node import ClusterNode
from loop.runs.cluster.placing import kind_of, numbered, placed
from loop.runs.cluster.run import ClusterRun
from loop.runs.cluster.wire import Facts, Going, Link, NodeGone, NodeInfo, Opened, Opening
from loop.runs.executor import Job, Listen, MachineFault, NodeFault, Report, RunListener
from loop.runs.local.orphans import sweep_leftovers
from loop.runs.slot import Slot, together
from loop.sandbox import scratch
from loop.study.contract import Contract
from loop.study.readings import GaugeRead
from loop.words import listed
from loop.workspace import Workspace

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""Seconds between two looks at which nodes there are."""

AGAIN_S = 60.0
"""Seconds until a node that was refused is tried again: another study has left it by then, or its disk has room."""


class NoNode(UserError):
    """No node of the cluster can run anything."""


@dataclass(frozen=True)
class Home:
    """What stays on this machine."""

    workspace: Workspace
    pack: Callable[[str, Collection[str]], bytes]
    """What somebody who has these commits lacks of a commit; raises a `UserError`."""
    environ: Mapping[str, str]
    """Of which the program's `env:` passes on what it names."""
    code: str
    """As `Facts.looptop`, of this machine."""


class ClusterExecutor:
    """See `Executor`. Make one with `connect`.

    Args:
        opening: as each node is opened.
        only: names of those nodes that are used, or of their hosts; empty: all are.
    """

    name = "cluster"

    def __init__(self, home: Home, link: Link, opening: Opening, only: Collection[str] = ()) -> None:
        self._home, self._link, self._opening, self._only = home, link, opening, only
        self._nodes: list[ClusterNode] = []
        self._notes: list[str] = []
        self._refused: dict[str, float] = {}
        """When nodes that were unfit or another study's are tried again, by their ids."""
        self._trying: dict[str, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self.tell: Callable[[str, str], None] = lambda where, what: None
        """Hears what is wrong with a node, by its name, and an empty text once that is over."""
        self.remark: Callable[[str, str], None] = lambda where, what: None
        """Hears what is to be known of a node, and that nothing waits for."""

    async def connect(self) -> None:
        """Look at all nodes, and open those that are fit.

        Raises:
            NoNode: none is; with the reason of each.
            UserError: the cluster cannot be reached.
        """
        there = await self._link.nodes()
        nodes = [info for info in there if self._wanted(info)]
        reasons = []
        for info, found in zip(nodes, await asyncio.gather(*(self._try(node) for node in nodes)), strict=True):
            if isinstance(found, str):
                reasons.append(f"{info.name}: {found}")
                self._refuse(info)
            else:
                self._add(*found)
        lacking = sorted(set(self._only) - {name for info in nodes for name in (info.name, info.host)})
        if not self._nodes:
            why = reasons or [f"the cluster has {_names([info.name for info in there])}"]
            said = f"no node of those wanted ({_names(sorted(self._only))})" if self._only else "no node of the cluster"
            raise NoNode(f"{said} can run anything ({'; '.join(why)})")
        self._notes += [f"{reason}; it gets no runs for now" for reason in reasons]
        self._notes += [f"{name} is not in the cluster; it is used once it is" for name in lacking]
        self._looking = asyncio.create_task(self._look())

    async def _try(self, info: NodeInfo) -> tuple[ClusterNode, Opened, Facts] | str:
        """A node that is open now, or why nothing can run there."""
        try:
            asked = time.time()
            facts = await self._link.examine(info)
            said = remarks(facts, asked, time.time())
            if why := unfit(facts, info, self._opening, self._home.code):
                return why
            self._notes += [f"{info.name}: {remark}" for remark in said]
            node = ClusterNode(info, self._link, self._opening, lambda where, what: self.tell(where, what))
            opened = await node.open(self._home.code)
        except UserError as error:
            return str(error)
        return node, opened, facts

    def _add(self, node: ClusterNode, opened: Opened, facts: Facts) -> None:
        """Put an open node to work."""
        info = node.info
        taken = {one.name for one in self._nodes}
        node.name = next(name for number in range(1, 10_000) if (name := numbered(info.name, number)) not in taken)
        first = sum(len(one.slots) for one in self._nodes)
        node.slots = tuple(placed(node, slot, first + at, facts) for at, slot in enumerate(opened.slots))
        self._notes += [f"{node.name}: {note}" for note in opened.notes]
        self._nodes.append(node)
        node.begin(info)

    # --- what the house asks ----------------------------------------------------------------------------------

    @property
    def notes(self) -> Sequence[str]:
        return self._notes

    def slots(self) -> Sequence[Slot]:
        return [slot for node in self._nodes for slot in node.slots if node.working]

    async def ready(self, slot: Slot, need: Callable[[], int | None], report: Report) -> None:
        node, local = self._of(slot)
        told = ""
        while True:
            if not node.working:
                why = f"{node.name} is gone; runs wait until it is back"
            else:
                try:
                    why = str(await node.ask("ready", local, need()))
                except UserError as error:
                    why = str(error)
            if not why:
                break
            if why != told:
                told = why
                report(why, LOOK_S)
            await asyncio.sleep(1.0)
        if told:
            report("", 0.0)

    async def start(self, job: Job, slot: Slot, listener: RunListener) -> ClusterRun:
        node, local = self._of(slot)
        token = node.token(job.name)
        run = ClusterRun(token, job, slot, node, self._log_folder(job), listener, self._bring_home)
        node.follow(run)
        try:
            if job.kind == "verify":
                await self._send_written(node, job)
            sent = replace(job, contract=self._with_variables(job))
            async with node.storing:
                packs = await self._packs(node, job)
                also = [at for at, one in enumerate(node.slots) if one.index in slot.also]
                gpus = len(slot.gpus) if also else 0
                await node.ask("start", token, sent, (local, *also), gpus, [packed for packed in packs if packed])
                node.remember((job.base, job.commit))
        except MachineFault:
            node.forget(run)
            raise
        except UserError as error:
            node.forget(run)
            raise NodeFault(UserError(f"{node.name}: {error}")) from error
        except BaseException:
            node.forget(run)
            run.stop("the supervisor")
            raise
        return run

    async def adopt(self, refs: Collection[str], listen: Listen) -> Sequence[ClusterRun]:
        found = []
        for node in self._nodes:
            left = [going for going in node.going if f"node:{node.name}/{going.token}" in refs]
            runs = [run for going in left if (run := self._taken_over(node, going, listen)) is not None]
            for run in runs:
                node.follow(run)
            try:
                await node.adopt([run.token for run in runs])
            except UserError as error:  # a run of a node that has gone meanwhile ends as lost
                log.warning("%s: %s", node.name, error)
            found += runs
        return found

    def _taken_over(self, node: ClusterNode, going: Going, listen: Listen) -> ClusterRun | None:
        """A run that an earlier supervisor has left on a node, where it is to go on."""
        place = [node.slots[number] for number in going.slots]
        slot = together(place, going.gpus) if going.gpus else place[0]
        if (listener := listen(going.job, slot)) is None:
            return None
        folder = self._home.workspace.run_folder(going.job.experiment, going.job.run)
        bring, recall = self._bring_home, listener.recalled
        return ClusterRun(going.token, going.job, slot, node, folder, listener, bring, recall, going.seconds)

    async def sweep(self) -> Sequence[str]:
        found = await asyncio.to_thread(sweep_leftovers, self._home.workspace.folder)
        await asyncio.to_thread(scratch.forget, self._home.workspace.folder)
        return [leftover.command for leftover in found]

    def observe(self, reading: GaugeRead) -> GaugeRead:
        return reading

    async def close(self) -> None:
        for task in (self._looking, *self._trying.values()):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(node.end() for node in self._nodes))
        await self._link.close()

    # --- starting ----------------------------------------------------------------------------------------------

    async def _packs(self, node: ClusterNode, job: Job) -> list[bytes]:
        """What the node lacks of a job's commits. Raises: MachineFault, where git fails here."""
        lacking = [commit for commit in dict.fromkeys((job.base, job.commit)) if commit not in node.known]
        try:
            return [await asyncio.to_thread(self._home.pack, commit, node.known) for commit in lacking]
        except UserError as error:
            raise MachineFault(error) from error

    def _with_variables(self, job: Job) -> Contract:
        """The program with the values of what it passes on from here: they go to the run, and to no file."""
        return job.contract.model_copy(update={"env": job.contract.variables(self._home.environ)})

    def _log_folder(self, job: Job) -> Path:
        """Where its log goes; what an earlier attempt has left there is removed."""
        workspace = self._home.workspace
        if job.kind == "try":
            shutil.rmtree(workspace.rehearsal, ignore_errors=True)
            return workspace.rehearsal
        folder = workspace.run_folder(job.experiment, job.run)
        if job.kind == "verify":
            return folder / "verify"
        shutil.rmtree(folder, ignore_errors=True)
        return folder

    async def _send_written(self, node: ClusterNode, job: Job) -> None:
        """Have what the run has written on the node that verifies it, where it ran on another."""
        if await node.ask("has", job.experiment, job.run):
            return
        folder = self._home.workspace.run_folder(job.experiment, job.run)
        archive = folder / "out.tar"
        size = await asyncio.to_thread(parcels.pack, folder / "out", archive)
        try:
            for offset in range(0, size, parcels.PIECE):
                data = await asyncio.to_thread(parcels.piece, archive, offset)
                await node.ask("bring", job.experiment, job.run, offset, data, offset + len(data) >= size)
        finally:
            archive.unlink(missing_ok=True)

    async def _bring_home(self, run: ClusterRun, size: int) -> None:
        """Have what a run has written in its folder here, before its node can be lost.

        Raises:
            NodeGone: its node does not hand it over.
            MachineFault: there is no room for it here.
        """
        folder = self._home.workspace.run_folder(run.job.experiment, run.job.run)
        archive, offset = folder / "out.tar", 0
        try:
            while offset < size:
                data = await self._piece(run, offset)
                await asyncio.to_thread(parcels.add, archive, offset, data)
                offset += len(data)
            await asyncio.to_thread(parcels.unpack, archive, folder / "out")
        except NodeGone:
            raise
        except (UserError, OSError) as error:
            raise MachineFault(error) from error

    @staticmethod
    async def _piece(run: ClusterRun, offset: int) -> bytes:
        """The next piece of what a run has written. Raises: NodeGone, where its node does not hand it over."""
        try:
            data = cast(bytes, await run.node.ask("piece", run.token, offset))
        except UserError as error:
            raise NodeGone(f"what it wrote could not be brought home from {run.node.name} ({error})") from error
        if not data:
            raise NodeGone(f"what it wrote could not be brought home from {run.node.name}: a part of it is gone")
        return data

    # --- nodes that come and go -------------------------------------------------------------------------------

    def _of(self, slot: Slot) -> tuple[ClusterNode, int]:
        """The node of a slot, and the slot's number there."""
        for node in self._nodes:
            for at, one in enumerate(node.slots):
                if one.index == slot.index:
                    return node, at
        raise KeyError(slot.name)

    async def _look(self) -> None:
        """Open lost nodes again when they are back, by whatever id, and put new ones to work."""
        while True:
            await asyncio.sleep(LOOK_S)
            lost = [node for node in self._nodes if not node.working]
            try:
                nodes = await self._link.nodes()
            except UserError as error:
                log.warning("the cluster cannot be looked at: %s", error)
                continue
            taken = {node.info.id for node in self._nodes if node.working}
            for node in lost:
                same = [one for one in nodes if one.id not in taken and one.name == node.info.name]
                if same and await self._reopen(node, same[0]):
                    taken.add(same[0].id)
            names = {node.info.name for node in self._nodes if not node.working}
            for info in nodes:
                due = self._refused.get(info.id, 0.0) <= time.monotonic() and info.id not in self._trying
                if due and self._wanted(info) and info.id not in taken and info.name not in names:
                    # Beside the looks: a node that does not answer must not keep the others waiting for a minute.
                    task = self._trying[info.id] = asyncio.create_task(self._welcome(info))
                    task.add_done_callback(partial(self._tried, info.id))

    def _tried(self, id: str, task: asyncio.Task[None]) -> None:
        self._trying.pop(id, None)

    def _wanted(self, info: NodeInfo) -> bool:
        return not self._only or info.name in self._only or info.host in self._only

    def _refuse(self, info: NodeInfo) -> None:
        self._refused[info.id] = time.monotonic() + AGAIN_S

    async def _welcome(self, info: NodeInfo) -> None:
        """Put a node to work that has joined the cluster since the start, or could not be used before."""
        found = await self._try(info)
        if isinstance(found, str):
            if info.id not in self._refused:
                self.remark(info.name, f"{info.name} has joined the cluster and gets no runs for now: {found}")
            self._refuse(info)
        else:
            try:
                await self._end_late(found[0])
            except UserError as error:
                log.warning("%s: %s", info.name, error)
            self._add(*found)
            slots = listed([slot.name for slot in found[0].slots])
            came = "can be used now" if self._refused.pop(info.id, None) is not None else "has joined the cluster"
            self.remark(info.name, f"{info.name} {came}: {slots}")

    async def _end_late(self, node: ClusterNode) -> None:
        """End the runs that were given up with their node, and that it still has; tell of each. Raises: UserError."""
        for going in await node.end_going():
            again = f"run {going.job.run_name} was given up with {node.name}, and is run again"
            self.remark(node.name, f"{again}; there it {_came_to(going)}")

    async def _reopen(self, node: ClusterNode, info: NodeInfo) -> bool:
        """Open a node that was lost; whether it is at work again."""
        try:
            facts = await self._link.examine(info)
            if why := unfit(facts, info, self._opening, self._home.code):
                node.unfit(why)
                return False
            node.info = info
            opened: Opened = await node.open(self._home.code)
            await self._end_late(node)
        except UserError as error:
            log.warning("%s is not back: %s", node.name, error)
            return False
        if [kind_of(slot, facts) for slot in opened.slots] != [slot.kind for slot in node.slots]:
            kinds = listed([slot.name for slot in opened.slots])
            self.tell(node.name, f"{node.name} is back with other slots ({kinds}); start the loop anew to use them")
            return False
        node.begin(info)
        node.back()
        return True


def _came_to(going: Going) -> str:
    """What a run that nobody waits for any more has come to."""
    metric, result = going.job.contract.metric, going.ended
    if result is None:
        return "was still going on and is ended"
    value = result.metrics.get(metric)
    return f"has come to {metric} {value:g}, which is not counted" if value is not None else f"has {result.outcome}"


def _names(names: Sequence[str]) -> str:
    return listed(names) if names else "none"
