"""The start of a supervisor: what is checked before it, and how a study is begun or resumed.

`preflight` changes nothing but `.looptop/`. Whoever starts a loop calls it first, so that a person reads at once, on
their own terminal, what is wrong. `Startup` has journal, git, the process table and the disk compared and repaired
(`recovery`): the same code at the first start, after a clean stop and after `kill -9`.
"""

import asyncio
import datetime
import os
import socket
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from loop import VERSION
from loop.config import program as programs
from loop.config import settings as personal
from loop.config.overrides import Overrides
from loop.config.program import Program, ProgramError
from loop.errors import UserError
from loop.journal import Journal, exists
from loop.journal.recorder import Recorder
from loop.lineage import Lineage, find_root, free_tag, incomplete, matching, prefix_of, tags
from loop.machine.disk import lacking
from loop.pipeline import submission
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.judging import Judging
from loop.pipeline.needed_files import Missing, missing_files
from loop.pipeline.proposals import PERSON, Proposals, queued_again
from loop.policy import honesty, reviews, variables
from loop.policy.diagnosis import workers_refused
from loop.recovery.repair import Repair
from loop.researchers.protocol import Researcher
from loop.researchers.registry import engage, team
from loop.runs.executor import Executor
from loop.sandbox.backend import NoSandbox, Sandbox, choose, on_nodes
from loop.sandbox.environment import withheld
from loop.sandbox.project_python import choose as choose_python
from loop.sandbox.project_python import hidden_packages
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.folding import fold
from loop.study.slot_plan import DEFAULT, SlotPlan
from loop.study.state import Study
from loop.study.team import Member
from loop.words import listed
from loop.workspace import Workspace

MOST_HINTS = 5
"""Files that runs may lack, each told in a line; a program that names more of them names its own results."""


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
    team: tuple[Member, ...] = ()
    """What the program says of the researchers, where it says anything of them."""
    slots: SlotPlan = DEFAULT
    """How this machine is divided, or each node of the cluster."""
    cluster: str = ""
    """Address of the cluster that runs happen on; empty: they happen here."""
    settings: personal.Settings = field(default_factory=personal.Settings)
    """What the person has set."""


def preflight(start: Path, flags: Overrides) -> Prepared:
    """Check the workspace around `start`.

    Args:
        start: a folder inside the person's checkout.
        flags: what was given this time; flags of earlier times stay in force.

    Raises:
        CannotStart, LineageError, ProgramError, JournalError: each with a sentence.
    """
    root = find_root(start)
    workspace = Workspace(root, prefix_of(root))
    program = programs.load(workspace.root, matching)
    if reason := flags.without_effect(program.contract):
        raise CannotStart(reason)
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
    if not _begun(workspace):
        refuse_missing(lineage, options.applied(program.contract))
    lineage.prepare()
    settings = options.over_settings(personal.read())
    members = team(options, program.contract, settings)
    researchers = tuple(engage(member, settings) for member in members)
    cluster = "" if settings.cluster in (None, "off") else settings.cluster
    try:
        sandbox = on_nodes(settings.sandbox) if cluster else choose(settings.sandbox)
    except NoSandbox as error:
        raise CannotStart(str(error)) from None
    slots = options.slot_plan(program.contract, settings)
    return Prepared(workspace, lineage, program, options, researchers, sandbox, members, slots, cluster, settings)


def _study_so_far(workspace: Workspace) -> Study:
    if not exists(workspace.journal):
        _check_lost(workspace)
        return Study()
    with Journal(workspace.journal) as journal:
        if journal.refusal:
            raise CannotStart(journal.refusal)
        journal.check()
        return fold(journal.read(kinds={"study_started", "supervisor_started"}))


def _begun(workspace: Workspace) -> bool:
    """Whether the baseline of a study here has its number: it ran, whatever stands in the checkout by now."""
    if not exists(workspace.journal):
        return False
    with Journal(workspace.journal) as journal:
        return bool(journal.read(kinds={"experiment_judged"}, experiment=0, limit=1))


def refuse_missing(lineage: Lineage, contract: Contract) -> None:
    """Refuse to begin where no run could start, because git does not have a file that all of them need.

    Raises:
        CannotStart, LineageError: a sentence with the file, and what to do.
    """
    incomplete(lineage.root)  # for its refusal; what it says is on record with the baseline
    missing = [one for one in _missing(lineage, contract) if one.certain]
    if missing:
        more = f"; so it is with {listed([one.path for one in missing[1:]])}" if missing[1:] else ""
        raise CannotStart(f"{missing[0].sentence}{more}")


def _missing(lineage: Lineage, contract: Contract) -> list[Missing]:
    return missing_files(lineage.root, contract, lineage.commits.entries(lineage.checkout.head()))


def hints(lineage: Lineage, contract: Contract) -> list[str]:
    """What runs may lack that the person's checkout has, or should have: a sentence each."""
    return [*incomplete(lineage.root), *(one.sentence for one in _missing(lineage, contract)[:MOST_HINTS])]


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
        self,
        prepared: Prepared,
        recorder: Recorder,
        repair: Repair,
        dispatcher: Dispatcher,
        proposals: Proposals,
        judging: Judging,
    ) -> None:
        self._prepared, self._recorder, self._dispatcher = prepared, recorder, dispatcher
        self._proposals, self._judging = proposals, judging
        self._lineage, self._repair = prepared.lineage, repair

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def open(self, executor: Executor) -> str | None:
        """Begin the study, or resume it exactly where it stopped.

        Returns:
            Why it cannot go on, or None.

        Raises:
            LineageError: git does not allow it.
        """
        found = await self._repair.look()
        self._announce(executor)
        await self._repair.mend(found, await self._dispatcher.adopt())
        if stop := next((one.said for one in found if one.stops), None):
            return stop
        contract = self._prepared.options.applied(self._prepared.program.contract)
        if self._study.champion is None:
            await self._begin(contract)
        else:
            apply_program(self._recorder, contract, self._prepared.program.text)
            await submission.tell(self._lineage, self._recorder)  # before a researcher finds nothing in older files
        await tell_surroundings(self._prepared, self._recorder, contract)
        for experiment in self._study.open_experiments():
            if experiment.phase == "proposed":
                await self._judging.settle(experiment, await self._proposals.commit(experiment))
            elif experiment.phase in ("queued", "running") and (failure := await self._judging.consider(experiment)):
                return failure
        return None

    def _announce(self, executor: Executor) -> None:
        """Record who is at work now, and where."""
        slots = executor.slots()
        started = e.SupervisorStarted(
            pid=os.getpid(),
            host=socket.gethostname(),
            version=VERSION,
            slots=tuple(slot.name for slot in slots),
            device=Counter(slot.kind for slot in slots).most_common(1)[0][0] if slots else "",
            records=tuple(slot.record for slot in slots),
            options=self._prepared.options.model_dump(exclude_none=True),
            sandbox=self._prepared.sandbox.kind,
        )
        self._recorder.record(started)
        for note in (*executor.notes, *self._moved()):
            self._recorder.record(e.Fault(where="slots", message=note))
        if self._prepared.sandbox.kind == "off":
            self._recorder.record(e.Fault(where="sandbox", message=self._prepared.sandbox.sentence()))
        contract = self._prepared.options.applied(self._prepared.program.contract)
        if opened := self._prepared.sandbox.opened(contract.network):
            self._recorder.record(e.Fault(where="sandbox", message=opened))
        at_once = {member.name: member.at_once or 1 for member in self._prepared.team}
        for one in self._prepared.researchers:
            joined = e.ResearcherJoined(name=one.name, about=one.about, at_once=at_once.get(one.name, 1))
            self._recorder.record(joined)

    def _moved(self) -> list[str]:
        """That the champion has no number on any slot that there is now, where it has one on others."""
        study = self._study
        best = study.measured(study.best, "") if study.best is not None else []
        if study.best is None or not best or any(study.measured(study.best, kind) for kind in study.kinds):
            return []
        before = listed(sorted({run.device for run in study.tried(study.best, "")}))
        return [
            f"the champion, experiment {study.best.id}, was measured on {before}, and the slots here are "
            f"{listed(study.kinds)}: numbers of the two do not compare, so it is measured here first"
        ]

    async def _begin(self, contract: Contract) -> None:
        """Begin the study with its baseline: the editable files as they stand in the person's checkout."""
        base = head = await asyncio.to_thread(self._lineage.checkout.head)
        if self._study.imported:
            base = self._study.base  # what the adopted loop had come to, whatever is checked out
        files = {}
        if base == head:
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
        lines = await asyncio.to_thread(self._lineage.checkout.lines_with, honesty.WORDS)
        started = e.StudyStarted(
            tag=self._lineage.tag,
            branch=self._lineage.branch.name,
            base=base,
            contract=contract,
            text=self._prepared.program.text,
            names=honesty.named("\n".join(lines.values())),
            pairs=True,
            rules=1,
        )
        state = "as it stands in your checkout, uncommitted changes included" if edits else "as committed"
        if base != head:
            state = f"as the adopted loop left it in {base[:12]}"
        proposed = e.ExperimentProposed(
            researcher=PERSON, title="baseline", hypothesis=f"{', '.join(contract.edit)} {state}."
        )
        recorded = e.EditsRecorded(edits=edits)
        self._recorder.record_all([(started, None, None), (proposed, 0, None), (recorded, 0, None)])
        if dirty := await asyncio.to_thread(self._lineage.checkout.dirty, (*contract.edit, programs.NAME)):
            message = f"runs use the committed version of {listed(dirty)}; your checkout has uncommitted changes there"
            self._recorder.record(e.Fault(where="checkout", message=message))
        for sentence in await asyncio.to_thread(hints, self._lineage, contract):
            self._recorder.record(e.Fault(where="checkout", message=sentence))


def apply_program(recorder: Recorder, contract: Contract, text: str) -> None:
    """Put a version of the program in force, and record what differs."""
    before = recorder.study.contract
    changed = [key for key in type(contract).model_fields if getattr(contract, key) != getattr(before, key)]
    if text != recorder.study.program:
        changed.append("instructions")
    if changed:
        recorder.record(e.ProgramChanged(contract=contract, text=text, changed=tuple(changed)))
    for experiment in reviews.released(recorder.study):  # such as after `review: auto`
        recorder.record(queued_again(experiment), experiment.id)


def lacking_variables(lineage: Lineage, contract: Contract) -> list[str]:
    """What to tell of variables that the project reads and its runs do not get. Blocks."""
    names = withheld(os.environ, contract.env)
    texts = {"`run:`": contract.run, "`verify:`": contract.verify or ""} | lineage.checkout.lines_with(names)
    unset = [name for name, value in contract.env.items() if value is None and name not in os.environ]
    return variables.sentences(variables.wanted(texts, names), unset)


async def tell_surroundings(prepared: Prepared, recorder: Recorder, contract: Contract) -> None:
    """Record, once, what the project's files look for and a run has not: variables of this shell, a package."""
    root = prepared.workspace.root
    lacking = await asyncio.to_thread(lacking_variables, prepared.lineage, contract)
    hidden = hidden_packages(choose_python(root, os.environ, contract), root)
    told = {fault.message for _, fault in recorder.study.faults}
    refused = workers_refused(contract, prepared.sandbox.kind)
    for sentence in (*lacking, hidden, refused):
        if sentence and sentence not in told:
            recorder.record(e.Fault(where="environment", message=sentence))


async def follow_program(prepared: Prepared, recorder: Recorder) -> None:
    """Put each saved version of the program in force, or record why not. Never returns."""
    refused = False  # the study does not know: nothing waits for it, so it is no trouble
    async for found in programs.watch(prepared.workspace.root, matching):
        if isinstance(found, ProgramError):
            message = f"{found}; the version before it stays in force"
            recorder.record(e.Fault(where=programs.NAME, message=message))
            refused = True
            continue
        if refused:
            recorder.record(e.Recovered(where=programs.NAME))
            refused = False
        contract = prepared.options.applied(found.contract)
        apply_program(recorder, contract, found.text)
        await tell_surroundings(prepared, recorder, contract)
