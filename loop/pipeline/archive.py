"""The archive: what researchers may look up in the champion's commit, the journal and the logs of runs.

Only files in git are read, so nothing from the person's home, from `.looptop/` or from what a verification keeps hidden
can be asked for. It changes nothing. What cannot be read comes back as a sentence.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from math import isfinite

from loop.harness import corpus
from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage, LineageError
from loop.pipeline.proposals import Proposals
from loop.policy import measuring
from loop.runs.log import read_log_tail
from loop.study.curves import Point, curve_of, stretches
from loop.study.events import StepSampled
from loop.study.experiment import Experiment
from loop.workspace import Workspace

LOG_TAIL = 8000
"""Bytes of a run's output that a researcher may look at: about 2,000 tokens."""

SAMPLES = 20_000
"""Samples of a run that its curve is made of; more come of programs that print thousands of steps a minute."""

SAMPLE = 1200
"""Bytes of training data that a briefing shows."""

VERIFICATION_TAIL = 1500
"""The same of a failed verification's: its traceback, and no room for data that it keeps hidden."""


class StudyArchive:
    """One study's `Archive`."""

    def __init__(
        self, workspace: Workspace, lineage: Lineage, recorder: Recorder, proposals: Proposals, journal: Journal
    ) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self._proposals, self._journal = proposals, journal
        self._curves: dict[tuple[int, int], tuple[str, list[Point], str]] = {}
        """The newest one that was asked for, by experiment and run."""
        self._measuring: tuple[tuple[object, ...], tuple[Mapping[str, str], Sequence[str]]] = ((), ({}, ()))

    async def champion(self) -> tuple[Experiment, Mapping[str, str]]:
        study = self._recorder.study
        assert study.best is not None  # no researcher is asked before there is one
        return study.best, self._proposals.champion_files()

    async def paths(self) -> Sequence[str]:
        return await asyncio.to_thread(self._lineage.commits.paths, self._recorder.study.champion_commit)

    async def read(self, path: str) -> str | None:
        try:
            content = await asyncio.to_thread(self._lineage.commits.read, self._recorder.study.champion_commit, path)
        except LineageError:
            return None  # a path that leads outside, or no path at all
        if content is None or b"\0" in content:
            return None
        return content.decode("utf-8", "replace")

    def later(self, number: int) -> Sequence[Experiment]:
        return [x for x in self._recorder.study.experiments.values() if x.id > number]

    async def edits(self, experiment: int) -> Mapping[str, str]:
        found = self._recorder.study.experiments.get(experiment)
        if found is None:
            return {}
        if (between := found.between()) is not None:  # it may have moved onto another champion since it was proposed
            try:
                changes = await asyncio.to_thread(self._lineage.commits.changes, [between[1]])
                return changes[between[1]].edits
            except LineageError:  # git has lost it
                pass
        return {} if found.imported else self._proposals.edits(found)

    async def diff(self, experiment: int) -> str:
        found = self._recorder.study.experiments.get(experiment)
        if found is None or (between := found.between()) is None:
            return "it is not a commit, so there is no diff"
        try:
            return await asyncio.to_thread(self._lineage.commits.diff, *between)
        except LineageError as error:
            return f"the diff cannot be read: {error}"

    async def log(self, experiment: int) -> str:
        found = self._recorder.study.experiments.get(experiment)
        if found is None or (run := found.newest) is None:
            return "it has not run"
        folder = self._workspace.run_folder(experiment, run.number)
        if run.verified and run.check is not None:
            piece = await asyncio.to_thread(read_log_tail, folder / "verify", VERIFICATION_TAIL)
            if piece.text.strip():
                return piece.text
        piece = await asyncio.to_thread(read_log_tail, folder, LOG_TAIL)
        return piece.text or "there is no output"

    async def refusal(self, edits: Mapping[str, str]) -> str | None:
        return await asyncio.to_thread(self._proposals.refusal_on_champion, edits)

    def curve(self, experiment: Experiment) -> tuple[str, list[Point], str]:
        """What an experiment's newest run showed: the name of that, ten points, and whether they lie along the share of
        its training ("%") or its seconds ("s"). On a busy machine those say nothing about a budget of processor
        time."""
        run = max(experiment.counted(), key=lambda run: run.number, default=None)
        if run is None:
            return "", [], "s"
        key = experiment.id, run.number
        if key not in self._curves:
            kinds = {"step_sampled"}
            events = self._journal.read(kinds=kinds, experiment=experiment.id, run=run.number, limit=SAMPLES)
            steps = [(x.at - run.started_at, x.body) for x in events if isinstance(x.body, StepSampled)]
            shares = [(100 * step.progress, step.values) for _, step in steps if step.progress is not None]
            unit = "%" if len(shares) == len(steps) else "s"
            samples = shares if unit == "%" else [(seconds, step.values) for seconds, step in steps]
            name, points = curve_of(samples, self._recorder.study.contract.metric)
            self._curves = {key: (name, stretches([point for point in points if isfinite(point[1])]), unit)}
        return self._curves[key]

    def sample(self) -> str:
        """The beginning of the training data, where the champion's files take it from the harness; else empty. Of other
        data nobody here knows what is held out."""
        text = "".join(self._proposals.champion_files().values())
        if not re.search(r"loop\.harness\b.*\bcorpus\b", text):
            return ""
        try:
            return corpus.sample(SAMPLE)
        except OSError:
            return ""

    def measuring(self) -> tuple[Mapping[str, str], Sequence[str]]:
        """Text of the files that measure, by path; and the names of others that the editable ones import."""
        study, commits = self._recorder.study, self._lineage.commits
        commit, contract = study.champion_commit, study.contract
        key = commit, contract.run, contract.verify, contract.edit
        if self._measuring[0] != key:  # git is asked once for a champion: some 10 ms
            there, edited = commits.paths(commit), self._proposals.champion_files()

            def read(path: str) -> str | None:
                content = commits.read(commit, path)
                return None if content is None or b"\0" in content else content.decode("utf-8", "replace")

            found = measuring.started(contract, there, read)
            others = [path for path in measuring.imported(edited.values(), contract, there) if path not in found]
            self._measuring = key, (found, others)
        return self._measuring[1]

    def vitals(self, experiment: Experiment) -> dict[str, float]:
        """What an experiment's newest run reported: its last step line, overlaid with its summary."""
        run = max(experiment.counted(), key=lambda run: run.number, default=None)
        if run is None:
            return {}
        last = self._journal.read(
            kinds={"step_sampled"}, experiment=experiment.id, run=run.number, limit=1, newest=True
        )
        sampled = dict(last[0].body.values) if last and last[0].body.kind == "step_sampled" else {}
        return sampled | run.metrics
