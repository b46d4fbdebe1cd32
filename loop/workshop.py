"""The workshop: where a command of the person's, such as a coding agent, works in a copy of the champion's files."""

from collections.abc import Callable

from loop.lineage import Lineage
from loop.recorder import Recorder
from loop.researchers.researcher import Work
from loop.workspace import Workspace


class TreeWorkshop:
    """One study's `Workshop`: a worktree for each piece of work."""

    def __init__(self, workspace: Workspace, lineage: Lineage, recorder: Recorder) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder

    async def work(self, command: str, text: str, deadline: float, heard: Callable[[bytes], None]) -> Work:
        """See `Workshop`."""
        raise NotImplementedError
