"""Ablating: an ablation begins when a person asks for it, or in idle slots, and ends with its result on record.

What is a factor, and which row has which of them, is settled and committed before the first run, so what is on record
is enough to go on after any death. The champion and its branch stay as they are.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.lineage.variants import commit_rows
from loop.pipeline.filing import put_away
from loop.pipeline.judging import Judging
from loop.pipeline.own import propose
from loop.pipeline.proposals import PERSON, Proposals
from loop.policy import ablation, attribution, designs, permissions
from loop.policy.attribution import Stack, Step
from loop.policy.permissions import Allowed, Refused
from loop.researchers.protocol import Proposal
from loop.study import events as e
from loop.study.ablation import Ablation
from loop.study.asked import Request
from loop.study.experiment import Experiment
from loop.study.state import Study
from loop.workspace import Workspace


class Ablating:
    """Looks after one study's ablations.

    Args:
        next_number: the number of the next experiment.
    """

    def __init__(
        self,
        workspace: Workspace,
        recorder: Recorder,
        lineage: Lineage,
        proposals: Proposals,
        judging: Judging,
        next_number: Callable[[], int],
    ) -> None:
        self._workspace, self._recorder, self._lineage = workspace, recorder, lineage
        self._proposals, self._judging, self._next_number = proposals, judging, next_number
        self._beginning = asyncio.Lock()
        self._looked: int | None = None
        """The champion that cannot be taken apart, so that idle slots ask once."""

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def follow(self) -> None:
        """Begin what idle slots owe, and end each ablation that is over. Never returns."""
        while True:
            await self._recorder.until(lambda: self._is_over() or self._is_owed())
            if self._is_over():
                await self._end(ablation.over(self._study, self._now()))
            elif (why := await self._begin(None)) is not None:
                self._looked = self._study.champion
                self._recorder.record(e.Fault(where="ablation", message=why))

    def _is_owed(self) -> bool:
        return self._looked != self._study.champion and ablation.is_owed(self._study)

    async def begin(self, request: Request, body: e.Ablated) -> str | None:
        """Begin an ablation that a person has asked for; the request ends with it.

        Returns:
            Why it cannot begin, in a sentence; None where it has.
        """
        answer = ablation.may_begin(self._study)
        why = answer.sentence if isinstance(answer, Refused) else None
        if why is None:
            if self._study.ablation is not None:  # one of idle slots
                await self._end("one that a person has asked for takes its place")
            why = await self._begin(body.runs, request.seq, body.only)
        if why is not None and body.only:  # else the loop would go on with what nobody has asked for
            self._recorder.record(e.Stopped(who=request.who))
        return why

    async def _begin(self, runs: int | None, request: int | None = None, only: bool = False) -> str | None:
        """Settle and record an ablation of today's champion; why that cannot be, where it cannot."""
        async with self._beginning:
            if self._study.ablation is not None:
                return "an ablation is under way"
            return await self._settle(runs, request, only)

    async def _settle(self, runs: int | None, request: int | None, only: bool) -> str | None:
        while (best := self._study.best) is not None:
            try:
                stack = await asyncio.to_thread(self._stack)
                factors = await asyncio.to_thread(attribution.settled, stack, _rows(runs))
                plan = designs.design(len(factors), runs)
            except designs.TooFewRuns as few:
                return f"{runs} runs do not tell its kept changes apart: {few}"
            except ValueError as error:
                return str(error)
            rows = [attribution.texts(stack, factors, row) for row in plan.rows]
            commit = partial(
                commit_rows,
                self._lineage,
                best.commit or "",
                rows,
                f"ablation of experiment {best.id}",
                best.judged_at or best.proposed_at,
            )
            commits: list[str] = await self._recorder.disk.retry_when_space(commit)
            if self._study.best is not best:
                continue
            numbers = [tuple(stack.steps[index].number for index in factor) for factor in factors]
            self._recorder.record(ablation.begun(self._study, numbers, plan, commits, request, only))
            return None
        return "there is no champion any more"

    async def end(self, who: str) -> str:
        """End the ablation that goes on, with what its runs say so far; returns a sentence on what came of it."""
        if self._study.ablation is None:
            return "no ablation is under way"
        await self._end(f"{who} ended it")
        return "the ablation is ended; its runs so far are on record"

    def has_begun(self, request: int) -> bool:
        """Whether the ablation of that request is under way, so that its end fulfils the request."""
        now = self._study.ablation
        return now is not None and now.began.request == request

    async def do_without(self, request: Request, experiment: Experiment) -> str | None:
        """Propose today's champion without a kept change; the request ends in the same transaction.

        Returns:
            Why that cannot be, in a sentence; None where it is proposed.
        """
        best = self._study.best
        assert best is not None
        try:
            stack = await asyncio.to_thread(self._stack)
        except ValueError as error:
            return str(error)
        found = await asyncio.to_thread(_without, stack, {experiment.id, *experiment.parts})
        if isinstance(found, str):
            return found
        gone, edits = found
        if self._study.best is not best:
            return "the champion has changed meanwhile; ask again"
        if (said := self._proposals.repeated(best.id, edits)) is not None:
            same = self._proposals.same_as(best.id, edits)
            return said if same is None else self._known(gone, same)
        number = self._next_number()
        fulfilled = e.RequestFulfilled(request=request.seq, outcome=f"it is experiment {number}")
        title = f"without {ablation.changes(gone)}: {experiment.title}"
        worth = ablation.worth_of(self._study, experiment.id)
        seen = "" if worth is None else f" It measured {ablation.span(worth)} in the newest ablation."
        idea = Proposal(title, f"The champion is no worse without it.{seen}", edits, submitted=True)
        who = request.who or PERSON
        await propose(self._recorder, self._proposals, self._judging, number, best.id, idea, who, fulfilled)
        return None

    # --- inside ------------------------------------------------------------------------------------------------

    def _known(self, gone: Sequence[int], same: Experiment) -> str:
        """That the champion without some changes has run already, and what to do if it is wanted."""
        number = "" if same.metric is None else f", at {same.metric:.6g}"
        was = "the baseline" if same.id == 0 else f"experiment {same.id}, “{same.title:.60}”"
        may = isinstance(permissions.branch(self._study, same), Allowed)
        leads = f"`looptop branch {same.id}` goes back to it" if may else f"`looptop show {same.id}` has it"
        return f"the champion without {ablation.changes(gone)} has run already: it is {was}{number}; {leads}"

    def _stack(self) -> Stack:
        """Today's champion as its baseline and its kept changes; blocks.

        Raises:
            ValueError: git has not what it takes.
        """
        study, edit = self._study, self._study.contract.edit
        line = ablation.kept(study)
        wanted = {x.id: (x.parent_commit, x.commit) for x in line}
        parts = [study.experiments[part] for x in line for part in x.parts if part in study.experiments]
        wanted |= {x.id: (x.parent_commit, x.commit) for x in parts}
        baseline = study.baseline
        assert baseline is not None and baseline.commit and study.best is not None and study.best.commit
        shas = [baseline.commit, study.best.commit, *(sha for pair in wanted.values() for sha in pair if sha)]
        read = self._lineage.commits.files(list(dict.fromkeys(shas)), edit)
        steps: list[Step] = []
        for x in line:
            steps += self._steps(x, wanted, read)
        return Stack(read[baseline.commit], steps, read[study.best.commit])

    def _steps(
        self,
        kept: Experiment,
        wanted: Mapping[int, tuple[str | None, str | None]],
        read: Mapping[str, Mapping[str, str]],
    ) -> list[Step]:
        """A kept change; a bundle as its parts, where they give the bundle."""

        def step(number: int) -> Step:
            before, after = wanted[number]
            return Step(number, read.get(before or "", {}), read.get(after or "", {}))

        whole = step(kept.id)
        if kept.parts and all(part in wanted for part in kept.parts):
            parts = [step(part) for part in kept.parts]
            try:
                Stack(whole.before, parts, whole.after)
            except ValueError:
                return [whole]
            return parts
        return [whole]

    def _now(self) -> Ablation:
        now = self._study.ablation
        assert now is not None
        return now

    def _is_over(self) -> bool:
        now = self._study.ablation
        return now is not None and (bool(ablation.over(self._study, now)) or ablation.is_complete(self._study, now))

    async def _end(self, reason: str) -> None:
        """Record the result, and with it the end of the request."""
        now = self._now()
        ended = ablation.result(self._study, now, reason)
        facts: list[e.Entry] = [(ended, None, None)]
        if now.began.request is not None:
            facts.append((e.RequestFulfilled(request=now.began.request, outcome=ablation.told(ended)), None, None))
        self._recorder.record_all(facts)
        await put_away(self._workspace, self._study, now.seq, [now.began.champion])


def _rows(runs: int | None) -> Callable[[int], Sequence[Sequence[bool]]]:
    return lambda factors: designs.design(factors, runs).rows


def _without(stack: Stack, numbers: set[int]) -> tuple[list[int], dict[str, str]] | str:
    """The champion without these changes: the experiments that go with them, and the files that differ. Else why that
    cannot be, in a sentence."""
    indices = [set(factor) for factor in stack.factors()]
    out: set[int] = set()
    for factor in indices:
        if any(stack.steps[index].number in numbers for index in factor):
            out |= factor
    kept = set(range(len(stack.steps))) - out
    made = stack.made(kept)
    if isinstance(made, int):
        return "its change cannot be taken out of today's champion by itself"
    if gone := set(stack.champion) - set(made):
        return f"without it {', '.join(sorted(gone))} would be gone, and no proposal takes a file away"
    edits = {path: text for path, text in made.items() if stack.champion.get(path) != text}
    if not edits:
        return "later changes have undone it: the champion is the same without it"
    return sorted(stack.steps[index].number for index in out), edits
