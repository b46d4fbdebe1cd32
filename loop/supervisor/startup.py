"""The start of a supervisor: what is checked before it, and how a study is begun or resumed.

`preflight` changes nothing but `.looptop/`. Whoever starts a loop calls it first, so that a person reads at once, on
their own terminal, what is wrong. `Startup` has journal, git, the process table and the disk compared and repaired
(`recovery`): the same code at the first start, after a clean stop and after `kill -9`.
"""

import asyncio
import datetime
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loop import VERSION
from loop.config import program as programs
from loop.config import settings as personal
from loop.config.overrides import Overrides
from loop.config.program import Program, ProgramError
from loop.errors import UserError
from loop.journal import Journal, exists
from loop.journal.recorder import Recorder
from loop.lineage import Lineage, find_root, free_tag, tags
from loop.machine.disk import lacking
from loop.pipeline.judging import Judging
from loop.pipeline.proposals import PERSON, Proposals
from loop.recovery.repair import Repair
from loop.researchers.protocol import Researcher
from loop.researchers.registry import engage, named
from loop.runs.slot import Slot
from loop.sandbox.backend import NoSandbox, Sandbox, choose
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.state import Study, fold
from loop.words import listed
from loop.workspace import Workspace


class CannotStart(UserError):
    """The loop cannot start here; the message is a sentence for a person."""


@dataclass(frozen=True)
class Prepared:
    """What a supervisor needs, checked."""

    workspace: Workspace
    lineage: Lineage
    program: Program
    options: Overrides
    researchers: tuple[Researcher, ...]
    sandbox: Sandbox


def preflight(start: Path, flags: Overrides) -> Prepared:
    """Check the workspace around `start`.

    Args:
        start: a folder inside the person's checkout.
        flags: what was given this time; flags of earlier times stay in force.

    Raises:
        CannotStart, LineageError, ProgramError, JournalError: each with a sentence.
    """
    workspace = Workspace(find_root(start))
    program = programs.load(workspace.root)
    if reason := lacking(workspace.root):
        raise CannotStart(f"{reason}; free some space first")
    study = _study_so_far(workspace)
    options = flags.over(study.options)
    if study.tag and flags.tag not in (None, study.tag):
        raise CannotStart(
            f"this workspace holds the study {study.tag}; to begin {flags.tag}, start it in a worktree of its own "
            f"(`git worktree add ../{flags.tag}`), or move {workspace.folder} away"
        )
    wanted = options.tag or datetime.date.today().strftime("%b%d").lower()
    lineage = Lineage(workspace.root, study.tag or free_tag(workspace.root, wanted))
    lineage.prepare()
    settings = options.over_settings(personal.read())
    researcher = engage(named(options, program.contract, settings), settings)
    try:
        sandbox = choose(settings.sandbox)
    except NoSandbox as error:
        raise CannotStart(str(error)) from None
    return Prepared(workspace, lineage, program, options, (researcher,), sandbox)


def _study_so_far(workspace: Workspace) -> Study:
    if not exists(workspace.journal):
        _check_lost(workspace)
        return Study()
    with Journal(workspace.journal) as journal:
        if journal.refusal:
            raise CannotStart(journal.refusal)
        journal.check()
        return fold(journal.read(kinds={"study_started", "supervisor_started"}))


def _check_lost(workspace: Workspace) -> None:
    """Refuse to begin another study where the journal of one was lost: it can be rebuilt."""
    if next(workspace.runs.glob("*.*"), None) is not None and (known := tags(workspace.root)):
        several = len(known) > 1
        which, names = (" --tag TAG", f" (git knows {', '.join(known)})") if several else ("", "")
        raise CannotStart(
            f"a study has run here and its journal {workspace.journal} is gone; "
            f"`looptop doctor --rebuild{which}`{names} brings it back from git, and to begin anew, "
            f"move {workspace.folder} away"
        )


class Startup:
    """The first seconds of a supervisor."""

    def __init__(
        self, prepared: Prepared, recorder: Recorder, repair: Repair, proposals: Proposals, judging: Judging
    ) -> None:
        self._prepared, self._recorder = prepared, recorder
        self._proposals, self._judging = proposals, judging
        self._lineage, self._repair = prepared.lineage, repair

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def open(self, slots: Sequence[Slot]) -> str | None:
        """Begin the study, or resume it exactly where it stopped.

        Returns:
            Why it cannot go on, or None.

        Raises:
            LineageError: git does not allow it.
        """
        found = await self._repair.look()
        self._announce(slots)
        await self._repair.mend(found)
        if stop := next((one.said for one in found if one.stops), None):
            return stop
        contract = self._prepared.options.applied(self._prepared.program.contract)
        if self._study.champion is None:
            await self._begin(contract)
        else:
            apply_program(self._recorder, contract, self._prepared.program.text)
        for experiment in self._study.open_experiments():
            if experiment.phase == "proposed":
                await self._judging.settle(experiment, await self._proposals.commit(experiment))
            elif experiment.phase in ("queued", "running") and (failure := await self._judging.consider(experiment)):
                return failure
        return None

    def _announce(self, slots: Sequence[Slot]) -> None:
        """Record who is at work now."""
        started = e.SupervisorStarted(
            pid=os.getpid(),
            host=socket.gethostname(),
            version=VERSION,
            slots=tuple(slot.name for slot in slots),
            options=self._prepared.options.model_dump(exclude_none=True),
            sandbox=self._prepared.sandbox.kind,
        )
        self._recorder.record(started)
        if self._prepared.sandbox.kind == "off":
            self._recorder.record(e.Fault(where="sandbox", message=self._prepared.sandbox.sentence()))
        for researcher in self._prepared.researchers:
            self._recorder.record(e.ResearcherJoined(name=researcher.name, about=researcher.about))

    async def _begin(self, contract: Contract) -> None:
        """Begin the study with its baseline: the editable files as they stand in the person's checkout."""
        base = await asyncio.to_thread(self._lineage.checkout.head)
        files = await asyncio.to_thread(self._lineage.checkout.working_copy, contract.edit)
        edits = {
            path: content.decode("utf-8", "replace")
            for path, content in files.items()
            if self._lineage.commits.read(base, path) != content
        }
        baseline = self._study.baseline
        unchanged = self._study.base == base and self._study.contract.protocol_id == contract.protocol_id
        if unchanged and baseline is not None and baseline.verdict is None and self._proposals.edits(baseline) == edits:
            apply_program(self._recorder, contract, self._prepared.program.text)
            return  # begun under an earlier supervisor; its runs count
        started = e.StudyStarted(
            tag=self._lineage.tag,
            branch=self._lineage.branch.name,
            base=base,
            contract=contract,
            text=self._prepared.program.text,
        )
        state = "as it stands in your checkout, uncommitted changes included" if edits else "as committed"
        proposed = e.ExperimentProposed(
            researcher=PERSON, title="baseline", hypothesis=f"{', '.join(contract.edit)} {state}."
        )
        recorded = e.EditsRecorded(edits=edits)
        self._recorder.record_all([(started, None, None), (proposed, 0, None), (recorded, 0, None)])
        if dirty := await asyncio.to_thread(self._lineage.checkout.dirty, (*contract.edit, programs.NAME)):
            message = f"runs use the committed version of {listed(dirty)}; your checkout has uncommitted changes there"
            self._recorder.record(e.Fault(where="checkout", message=message))


def apply_program(recorder: Recorder, contract: Contract, text: str) -> None:
    """Put a version of the program in force, and record what differs."""
    before = recorder.study.contract
    changed = [key for key in type(contract).model_fields if getattr(contract, key) != getattr(before, key)]
    if text != recorder.study.program:
        changed.append("instructions")
    if changed:
        recorder.record(e.ProgramChanged(contract=contract, text=text, changed=tuple(changed)))


async def follow_program(prepared: Prepared, recorder: Recorder) -> None:
    """Put each saved version of the program in force, or record why not. Never returns."""
    refused = False  # the study does not know: nothing waits for it, so it is no trouble
    async for found in programs.watch(prepared.workspace.root):
        if isinstance(found, ProgramError):
            message = f"{found}; the version before it stays in force"
            recorder.record(e.Fault(where=programs.NAME, message=message))
            refused = True
            continue
        if refused:
            recorder.record(e.Recovered(where=programs.NAME))
            refused = False
        apply_program(recorder, prepared.options.applied(found.contract), found.text)
