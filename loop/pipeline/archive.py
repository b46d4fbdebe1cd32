"""The archive: what researchers may look up in the champion's commit, the journal and the logs of runs.

Only files in git are read, so nothing from the person's home, from `.looptop/` or from what a verification keeps hidden
can be asked for. It changes nothing. What cannot be read comes back as a sentence.
"""

import asyncio
from collections.abc import Mapping, Sequence

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage, LineageError
from loop.pipeline.proposals import Proposals
from loop.runs.log import read_log_tail
from loop.study.experiment import Experiment
from loop.workspace import Workspace

LOG_TAIL = 8000
"""Bytes of a run's output that a researcher may look at: about 2,000 tokens."""


class StudyArchive:
    """One study's `Archive`."""

    def __init__(
        self, workspace: Workspace, lineage: Lineage, recorder: Recorder, proposals: Proposals, journal: Journal
    ) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self._proposals, self._journal = proposals, journal

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

    async def edits(self, experiment: int) -> Mapping[str, str]:
        found = self._recorder.study.experiments.get(experiment)
        return {} if found is None else self._proposals.edits(found)

    async def diff(self, experiment: int) -> str:
        found = self._recorder.study.experiments.get(experiment)
        if found is None or found.commit is None or found.parent_commit is None:
            return "it is not a commit, so there is no diff"
        try:
            return await asyncio.to_thread(self._lineage.commits.diff, found.parent_commit, found.commit)
        except LineageError as error:
            return f"the diff cannot be read: {error}"

    async def log(self, experiment: int) -> str:
        found = self._recorder.study.experiments.get(experiment)
        if found is None or not found.runs:
            return "it has not run"
        folder = self._workspace.run_folder(experiment, max(found.runs))
        piece = await asyncio.to_thread(read_log_tail, folder, LOG_TAIL)
        return piece.text or "there is no output"

    async def refusal(self, edits: Mapping[str, str]) -> str | None:
        return await asyncio.to_thread(self._proposals.refusal_on_champion, edits)

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
