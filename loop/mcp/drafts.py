"""An agent's draft, as it stands in the folder that the agent works in, and where it is tried for a moment.

The executor and its sandbox are made when the first scratch run is asked for: most agents ask for none.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from loop.config import settings as personal
from loop.config.overrides import Overrides
from loop.lineage import Lineage
from loop.machine.gauges import MachineGauges
from loop.pipeline.scratch_run import ScratchRuns
from loop.policy import guards
from loop.researchers.llm.tool import ToolError
from loop.researchers.protocol import Scratch
from loop.runs.local.executor import LocalExecutor
from loop.sandbox.backend import choose
from loop.study.state import Study
from loop.workspace import Workspace


class ScratchRunsHere:
    """A study's `ScratchRuns`, without its supervisor."""

    def __init__(self, workspace: Workspace, lineage: Lineage, study: Callable[[], Study]) -> None:
        self._workspace, self._lineage, self._study = workspace, lineage, study
        self._made: ScratchRuns | None = None

    async def try_draft(self, edits: Mapping[str, str], steps: int | None = None) -> Scratch:
        return await (await self._runs()).try_draft(edits, steps)

    async def time_code(self, edits: Mapping[str, str], code: str) -> Scratch:
        return await (await self._runs()).time_code(edits, code)

    async def _runs(self) -> ScratchRuns:
        if self._made is None:
            gauges = MachineGauges(self._workspace.root)
            options = Overrides.model_validate(self._study().options)
            sandbox = await asyncio.to_thread(choose, options.over_settings(personal.read()).sandbox)
            trees, read = self._lineage.trees, self._lineage.commits.read
            executor = LocalExecutor(self._workspace, trees, read, gauges, sandbox)
            self._made = ScratchRuns(self._workspace, self._lineage, executor, gauges, self._study)
        return self._made


def edits(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """The text of each editable file in `folder` that is not the champion's any more.

    Args:
        files: the champion's editable files, text by path.

    Raises:
        ToolError: one of them is no text file.
    """
    found: dict[str, str] = {}
    for path, before in files.items():
        place = folder / path
        try:
            if place.is_symlink() or not place.is_file() or place.stat().st_size > guards.LARGEST:
                raise ToolError(f"{path} is gone, or is no file of text any more")
            text = place.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            raise ToolError(f"{path} cannot be read as text") from None
        if text != before:
            found[path] = text
    return found
