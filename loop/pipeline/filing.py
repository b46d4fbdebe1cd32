"""What follows a verdict: its note in git, and what its runs keep on the disk. No slot waits for it.

A note takes longer than a verdict, and notes are written one at a time in a repository: of eight slots that fall free
together the last would wait for seven. So verdicts are filed behind the slots' back, as many together as there are by
then. A supervisor that is killed before that is followed by one that files them (`recovery`).
"""

import asyncio
from collections.abc import Iterable
from functools import partial

from loop.journal.recorder import Recorder
from loop.lineage import Lineage, verdict_note
from loop.runs.log import compress_log
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.workspace import Workspace


class Filing:
    """Brings git's notes and the run folders in line with the verdicts of one study."""

    def __init__(self, workspace: Workspace, lineage: Lineage, recorder: Recorder) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self._due: dict[int, Experiment] = {}
        self._came = asyncio.Event()
        self._turn = asyncio.Lock()
        """Held while what was due is filed."""
        self._writing = asyncio.Lock()
        """Held while notes are written or removed, so that the last word on an experiment is the newest."""

    def later(self, experiment: Experiment) -> None:
        """File an experiment soon."""
        self._due[experiment.id] = experiment
        self._came.set()

    async def follow(self) -> None:
        """File what is due, for ever.

        Raises:
            LineageError, OSError, DiskError: git or the disk fails, and not for lack of room.
        """
        while True:
            await self._came.wait()
            await self.finish()

    async def finish(self) -> None:
        """File all that is due, and wait for what is being filed."""
        async with self._turn:
            while self._due:
                due, self._due = self._due, {}
                self._came.clear()
                try:
                    await self.write(*due.values())
                except BaseException:
                    self._due = due | self._due  # whoever ends the loop tries once more
                    raise

    async def write(self, *experiments: Experiment) -> None:
        """File experiments now; may be done again.

        The notes come last, so that a start which finds one knows that the folders are done. An experiment that could
        not become a commit has no note, the journal has its edits; nor has one that was queued again meanwhile.
        """
        async with self._writing:
            judged = [x for x in experiments if x.verdict is not None]
            for experiment in judged:
                await asyncio.to_thread(self._put_away, experiment, experiment.verdict, self._ended(experiment))
            contract = self._recorder.study.contract
            notes = {x.commit: verdict_note.write(contract, x) for x in judged if x.commit and x.verdict is not None}
            await self._recorder.disk.retry_when_space(partial(self._lineage.notes.write, notes))

    async def remove(self, experiment: Experiment) -> None:
        """Bring git's note in line with an experiment that has no verdict any more; may be done again."""
        async with self._writing:
            self._due.pop(experiment.id, None)
            if experiment.commit is not None:
                await self._recorder.disk.retry_when_space(partial(self._lineage.notes.remove, experiment.commit))

    def _ended(self, experiment: Experiment) -> list[Run]:
        """Its runs that nothing goes on of: a person may judge while one runs."""
        verifying = {run.number for x, run in self._recorder.study.verifying() if x.id == experiment.id}
        return [run for run in experiment.runs.values() if run.outcome is not None and run.number not in verifying]

    def _put_away(self, experiment: Experiment, verdict: Outcome | None, ended: list[Run]) -> None:
        """Limit what a judged experiment keeps on disk to its compressed logs and, if it was kept, its checkpoints.

        Checkpoints fill a disk in a day, logs in a month.
        """
        for run in ended:
            checkpoints = verdict == Outcome.KEPT and run.outcome != Outcome.LOST
            _keep_logs(self._workspace, experiment.id, run.number, but="out" if checkpoints else "")


async def put_away(workspace: Workspace, study: Study, seq: int, numbers: Iterable[int]) -> None:
    """Keep of runs that count for no verdict the compressed logs alone: what they have trained is known or of no use.

    Args:
        seq: where the validation, the ablation or the climb that they are of began in the journal.
        numbers: of the experiments that they ran.
    """
    # Looked up here: while a thread reads the study, the next event may change it.
    ended = [
        (number, run.number)
        for number in numbers
        for run in study.experiments[number].validating(seq)
        if run.outcome is not None
    ]
    for number, run in ended:
        await asyncio.to_thread(_keep_logs, workspace, number, run)


def _keep_logs(workspace: Workspace, experiment: int, run: int, but: str = "") -> None:
    """Drop what a run has written, but the folder of that name, and compress its logs."""
    workspace.drop_written(experiment, run, but=but)
    folder = workspace.run_folder(experiment, run)
    for log in (folder, folder / "verify"):
        compress_log(log)
