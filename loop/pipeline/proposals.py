"""Proposals: each is recorded whole, checked by the guards, made a commit and queued, or rejected with a sentence.

A queued experiment is also moved onto a newer champion here. Nothing is run.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Committed, ExperimentMessage, Lineage, LineageError, MergeConflict
from loop.policy import changes, guards, places, reviews, scheduler
from loop.policy.review_flags import flags
from loop.researchers.protocol import Proposal
from loop.sanitize import one_line
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome

PERSON = "you"
"""The researcher's name of the baseline, which is the person's own file."""


class Proposals:
    """Takes in one study's proposals.

    Args:
        seal: the digest that a proposal carries, by its number and whether it is a placebo.
    """

    def __init__(
        self,
        lineage: Lineage,
        recorder: Recorder,
        journal: Journal,
        seal: Callable[[int, bool], str] = lambda number, placebo: "",
    ) -> None:
        self._seal = seal
        self._lineage, self._recorder, self._journal = lineage, recorder, journal
        self._read: dict[tuple[str, tuple[str, ...]], dict[str, str]] = {}

    def champion_files(self) -> dict[str, str]:
        """Text of the champion's editable files, by path."""
        return self._files(self._recorder.study.champion_commit)

    def _files(self, commit: str) -> dict[str, str]:
        key = commit, self._recorder.study.contract.edit
        if key not in self._read:
            texts = self._lineage.commits.files([commit], self._recorder.study.contract.edit)[commit]
            self._read = {key: texts}  # only the champion's are asked for again and again: 4 ms of git each time
        return self._read[key]

    def record(
        self,
        number: int,
        parent: int,
        proposal: Proposal,
        researcher: str,
        fulfilled: e.RequestFulfilled | None = None,
        parts: Sequence[int] = (),
        placebo: bool = False,
    ) -> None:
        """Record a proposal, whole, before anything is done with it.

        Args:
            parent: the experiment it was made on, whoever is champion by now; `rebase` moves it on.
            fulfilled: the request that this fulfils, in the same transaction.
            parts: the experiments that it brings together.
            placebo: it is one, which its seal alone says.
        """
        edits = dict(proposal.edits)
        proposed = e.ExperimentProposed(
            researcher=researcher,
            title=proposal.title,
            hypothesis=proposal.hypothesis,
            expected=proposal.expected,
            parent=parent,
            fingerprint=self._fingerprint(self._commit_of(parent), edits),
            notes=dict(proposal.notes),
            submitted=proposal.submitted,
            places=places.touched(self._files(self._commit_of(parent)), edits),
            parts=tuple(parts),
            seal=self._seal(number, placebo),
        )
        facts: list[tuple[e.Body, int | None, int | None]] = [
            (proposed, number, None),
            (e.EditsRecorded(edits=edits), number, None),
        ]
        self._recorder.record_all(facts if fulfilled is None else [*facts, (fulfilled, None, None)])

    async def commit(self, experiment: Experiment) -> str | None:
        """Make a proposal a commit on top of its parent, and queue it.

        A proposal that a guard refuses becomes a commit all the same, where git can hold it: nothing is lost. Its
        rejection is recorded in the same transaction, so that it never runs, whenever the supervisor is killed.

        Returns:
            Why it is rejected, where it is; whoever asked has it settled (`Judging.settle`).

        Raises:
            LineageError: git cannot hold the baseline itself.
        """
        edits = self.edits(experiment)
        parent_commit = self._recorder.study.base if experiment.id == 0 else self._commit_of(experiment.parent)
        found, then = ((), None) if experiment.id == 0 else self._guarded(experiment, parent_commit, edits)
        guarded = then.reason if isinstance(then, e.ExperimentJudged) else None
        try:
            await self._queue(experiment, experiment.parent, parent_commit, edits, found, then)
        except LineageError as error:
            if experiment.id == 0:
                raise
            return guarded or str(error)
        return guarded

    def _guarded(
        self, experiment: Experiment, parent_commit: str, edits: Mapping[str, str]
    ) -> tuple[tuple[str, ...], e.ExperimentJudged | e.ApprovalAsked | None]:
        """What a person should look at in a proposal; and its rejection, or the question to a person, where it has to
        come before it runs."""
        contract = self._recorder.study.contract
        found = flags(contract, self._files(parent_commit), edits)
        if reason := self._refusal(parent_commit, edits, experiment.id):
            return found, e.ExperimentJudged(verdict=Outcome.REJECTED, reason=reason, by="guard")
        if experiment.submitted:
            return found, None
        why = reviews.why(contract, found)
        return found, e.ApprovalAsked(reason=why) if why else None

    def refusal_on_champion(self, edits: Mapping[str, str]) -> str | None:
        """Why a proposal of these edits on the champion would be turned down, or None."""
        return self._refusal(self._commit_of(scheduler.reference(self._recorder.study)), edits, None)

    def _refusal(self, parent_commit: str, edits: Mapping[str, str], number: int | None) -> str | None:
        reason = guards.refusal(self._recorder.study.contract, self._files(parent_commit), edits)
        return reason or self._repeats(self._fingerprint(parent_commit, edits), number)

    def repeated(self, parent: int, edits: Mapping[str, str]) -> str | None:
        """Which experiment a proposal repeats, in a sentence, or None: then it is new, or a guard will refuse it."""
        commit = self._commit_of(parent)
        if guards.refusal(self._recorder.study.contract, self._files(commit), edits) is not None:
            return None
        return self._repeats(self._fingerprint(commit, edits), None)

    def same_as(self, parent: int, edits: Mapping[str, str]) -> Experiment | None:
        """The experiment whose files a proposal would have."""
        return self._recorder.study.first_of(self._fingerprint(self._commit_of(parent), edits))

    def _fingerprint(self, commit: str, edits: Mapping[str, str]) -> str:
        return guards.fingerprint({**self._files(commit), **edits})

    def _repeats(self, fingerprint: str, number: int | None) -> str | None:
        first = self._recorder.study.first_of(fingerprint)
        if first is None or first.id == number:
            return None
        return f"it is the same as experiment {first.id}, {_result(first)}"

    def edits(self, experiment: Experiment) -> dict[str, str]:
        """The proposal's edits as they were handed over: new full text by path."""
        found = self._journal.read(kinds={"edits_recorded"}, experiment=experiment.id, limit=1, newest=True)
        body = found[0].body if found else None
        return dict(body.edits) if isinstance(body, e.EditsRecorded) else {}

    def _commit_of(self, number: int | None) -> str:
        experiment = self._recorder.study.experiments.get(-1 if number is None else number)
        return experiment.commit if experiment is not None and experiment.commit else self._recorder.study.base

    async def _queue(
        self,
        experiment: Experiment,
        parent: int | None,
        parent_commit: str,
        files: Mapping[str, str],
        flagged: tuple[str, ...],
        then: e.ExperimentJudged | e.ApprovalAsked | None = None,
        title: str = "",
    ) -> None:
        """Commit, and record in one transaction that it is queued and what happens to it at once, if anything.

        Args:
            title: what it is called from here on; empty: as before.
        """
        before = {path: text for path, text in self._files(parent_commit).items() if path in files}
        change, schedule = changes.kind(before, files), changes.of_schedule(before, files)

        def record(done: Committed) -> None:
            if experiment.verdict is not None and experiment.commit is not None and then is None:
                return  # a person has decided while it was moved
            queued = e.ExperimentQueued(
                commit=done.sha,
                parent=parent,
                parent_commit=parent_commit,
                lines_added=done.lines_added,
                lines_removed=done.lines_removed,
                flags=flagged,
                change=change,
                schedule=schedule,
                title=title,
                fingerprint=self._fingerprint(parent_commit, files) if title else "",
            )
            facts: list[tuple[e.Body, int | None, int | None]] = [(queued, experiment.id, None)]
            self._recorder.record_all(facts if then is None else [*facts, (then, experiment.id, None)])

        await self._commit(experiment, parent, parent_commit, files, title or experiment.title, told=record)

    async def _commit(
        self,
        experiment: Experiment,
        parent: int | None,
        parent_commit: str,
        files: Mapping[str, str],
        title: str,
        like: str | None = None,
        told: Callable[[Committed], None] = lambda _: None,
    ) -> Committed:
        trailers = {"Researcher": experiment.researcher}
        if parent is not None:
            trailers["Parent-experiment"] = str(parent)
        if experiment.parts:
            trailers["Parts"] = ", ".join(map(str, experiment.parts))
        if experiment.expected:
            trailers["Expected"] = experiment.expected
        message = ExperimentMessage(title=title, hypothesis=experiment.hypothesis, trailers=trailers)
        contents = {path: text.encode("utf-8", "replace") for path, text in files.items()}
        commit = partial(
            self._lineage.commit, experiment.id, parent_commit, contents, message, experiment.proposed_at, like
        )
        return await self._recorder.disk.retry_when_space(commit, told)

    async def commit_again(self, experiment: Experiment, like: str | None) -> None:
        """Make the commit again that the journal names and git has lost: the same one, since it holds nothing new.

        Args:
            like: a commit of the study whose author made the lost one too; None where none is left.

        Raises:
            LineageError: it cannot be made, or comes out as another one, which is kept under `superseded/` then.
        """
        history = self._journal.read(kinds={"experiment_proposed", "experiment_queued"}, experiment=experiment.id)
        steps = [event.body for event in history if isinstance(event.body, e.ExperimentQueued)]
        titles = [event.body.title for event in history if isinstance(event.body, e.ExperimentProposed)]
        title = titles[-1] if titles else experiment.title
        last: e.ExperimentQueued | None = None
        made = ""
        for step in steps:
            title = step.title or title
            if last is None or last.commit == step.commit:
                files: Mapping[str, str] = self.edits(experiment)
            else:  # it was moved onto a new champion then
                moved = last.parent_commit, step.parent_commit, last.commit
                files, _ = await self._moved(experiment, *moved, by_value=bool(step.title))
            if last is None or last.commit != step.commit:
                made = (await self._commit(experiment, step.parent, step.parent_commit, files, title, like)).sha
            last = step
        if made != experiment.commit:
            raise LineageError(f"made again it is {made[:12]}, which is kept, and not {(experiment.commit or '')[:12]}")

    async def rebase(self, experiment: Experiment) -> str | None:
        """Move an experiment that was proposed on an older champion onto today's.

        A person's own edit that does not go together with it waits for them, with what they can do.

        Returns:
            Why that cannot be, where the two changes do not go together.
        """
        champion = self._recorder.study.best
        if experiment.id == 0 or champion is None or experiment.parent == champion.id or experiment.verdict is not None:
            return None
        assert experiment.commit and experiment.parent_commit and champion.commit
        moved = experiment.parent_commit, champion.commit, experiment.commit
        title = ""
        try:
            texts, _ = await self._moved(experiment, *moved)
        except MergeConflict as clash:
            if experiment.counted():  # its figures, from beside the champion that it was made on, would be lost
                return self._clash(experiment, champion, clash)
            try:
                texts, title = await self._moved(experiment, *moved, by_value=True)
            except MergeConflict:
                return self._clash(experiment, champion, clash)
        if all(self._files(champion.commit).get(path) == text for path, text in texts.items()):
            return f"the new champion, experiment {champion.id}, has this change already"
        if title and (repeats := self._repeats(self._fingerprint(champion.commit, texts), experiment.id)):
            return f"on the new champion, experiment {champion.id}, {repeats}"
        await self._queue(experiment, champion.id, champion.commit, texts, experiment.flags, title=title)
        if experiment.verdict is not None:  # somebody has taken it out of the queue meanwhile
            await asyncio.to_thread(self._lineage.refs.point, experiment.id, experiment.commit)
        return None

    async def _moved(
        self, experiment: Experiment, base: str, onto: str, commit: str, by_value: bool = False
    ) -> tuple[dict[str, str], str]:
        """What a proposal's files are on another commit than `base`, and what it is called there, "" where as before.

        Args:
            by_value: put its values there, instead of merging lines.

        Raises:
            MergeConflict: it does not go together with what is there.
        """
        edit = self._recorder.study.contract.edit
        if not by_value:
            merge = partial(self._lineage.commits.merge, base, onto, commit, edit)
            merged = await self._recorder.disk.retry_when_space(merge)
            return {path: content.decode("utf-8", "replace") for path, content in merged.items()}, ""
        from loop.researchers.automl import moving  # late: the loop starts without it

        texts = await asyncio.to_thread(self._lineage.commits.files, [base, commit, onto], edit)
        sides = texts[base], texts[commit], texts[onto]
        found = moving.onto(experiment, *sides, self._recorder.study.contract.run)
        if found is None:
            raise MergeConflict(edit[0], "it is more than values of constants that are there")
        return dict(found.files), found.title

    def _clash(self, experiment: Experiment, champion: Experiment, clash: MergeConflict) -> str | None:
        """Why an experiment cannot be moved onto the champion; or a question to the person who submitted it."""
        lines = _first_changed(clash.pieces)
        where = f" ({clash.path}: {lines})" if lines else f" ({clash.path})"
        reason = f"it changes the same lines as the new champion, experiment {champion.id}, does{where}"
        if not experiment.submitted:
            return reason
        mend = f"make it in your checkout on top of experiment {champion.id}, submit that, and reject this one"
        self._recorder.record(e.ApprovalAsked(reason=f"{reason}; {mend}"), experiment.id)
        return None


def queued_again(experiment: Experiment) -> e.ExperimentQueued:
    """What puts an experiment back into the queue, as the commit that it is."""
    assert experiment.commit and experiment.parent_commit
    return e.ExperimentQueued(
        commit=experiment.commit,
        parent=experiment.parent,
        parent_commit=experiment.parent_commit,
        lines_added=experiment.lines_added,
        lines_removed=experiment.lines_removed,
        flags=experiment.flags,
        change=experiment.change,
        schedule=experiment.schedule,
    )


def _first_changed(pieces: Sequence[str]) -> str:
    """The first line that two changes have in common, in a few words; empty where whole files clash."""
    line = next((line for piece in pieces for line in piece.split("\n") if line[1:].strip()), "")
    return f"“{one_line(line[1:].strip(), 60)}”" if line else ""


def _result(experiment: Experiment) -> str:
    """What came of an experiment, in a few words."""
    said = experiment.verdict.word if experiment.verdict else experiment.phase
    number = "" if experiment.metric is None else f" at {experiment.metric:.6g}"
    why = "" if experiment.verdict is None or experiment.verdict.has_number else f": {experiment.reason:.200}"
    return f"“{experiment.title}” ({said}{number}{why})"
