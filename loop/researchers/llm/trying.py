"""Tools that start a model's draft for a moment, before it is proposed."""

from collections.abc import Callable, Mapping
from typing import Annotated

from loop.researchers.briefing.scratch import told
from loop.researchers.llm.tool import ToolError
from loop.researchers.protocol import NoScratch, ScratchRuns

TRIES = 3
"""Scratch runs of one conversation."""

SNIPPETS = 5
"""Snippets of one conversation."""


class Trying:
    """The scratch runs of one conversation, and how many of them are left.

    Args:
        edits: the draft as it is now, new full text by path.
    """

    def __init__(self, scratch: ScratchRuns, edits: Callable[[], Mapping[str, str]]) -> None:
        self._scratch, self._edits = scratch, edits
        self._tries, self._snippets = TRIES, SNIPPETS

    async def try_draft(
        self, steps: Annotated[int | None, "Steps after which it ends; else after a tenth of the budget."] = None
    ) -> str:
        """Start your draft as a run is started, for a tenth of the budget: whether it runs at all, seconds per step,
        memory, its losses so far. It is no experiment, and its metric is withheld. You have 3 of these a proposal."""
        if steps is not None and steps < 1:
            raise ToolError("steps is a number of 1 or more")
        if not self._tries:
            raise ToolError(f"you have had your {TRIES} scratch runs for this proposal; propose, or leave the idea")
        try:
            scratch = await self._scratch.try_draft(self._edits(), steps)
        except NoScratch as refused:
            raise ToolError(str(refused)) from None
        self._tries -= 1
        return f"{told(scratch)}\n\n({self._tries} more for this proposal)"

    async def time_code(
        self, code: Annotated[str, "Python; it can import the files of the draft, and prints what you want to know."]
    ) -> str:
        """Run a snippet against your draft's modules, for 10 seconds at most: shapes, the time of a function. To import
        a script that is not guarded by `if __name__ == "__main__"` runs it."""
        if not self._snippets:
            raise ToolError(f"you have had your {SNIPPETS} snippets for this proposal")
        try:
            scratch = await self._scratch.time_code(self._edits(), code)
        except NoScratch as refused:
            raise ToolError(str(refused)) from None
        self._snippets -= 1
        return f"{told(scratch)}\n\n({self._snippets} more for this proposal)"
