"""Claims of one conversation: what it is about to try, said as soon as that is known, so that nobody else thinks of it.

A model that claims nothing claims by its first edit, which costs no call. Whoever is near is pointed out once: two
ideas that look alike may differ.
"""

from typing import Annotated

from loop.researchers.llm.tool import NothingNew, ToolError
from loop.researchers.protocol import Sink
from loop.sanitize import one_line


class Claims:
    """One conversation's."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._title = ""
        self._pointed_out: set[str] = set()

    async def claim(
        self, title: Annotated[str, "What you are about to change, in at most 80 characters, such as DEPTH 4 → 6."]
    ) -> str:
        """Say what you are about to try, before you work it out; call it beside another tool. Others then try something
        else, and you learn who is at nearly the same."""
        if not (title := one_line(title, 120)):
            raise ToolError("the claim is empty; say in a few words what you are about to change")
        if title == self._title:
            raise NothingNew("claimed already")
        self._title, near = title, self._sink.claim(title)
        if not near:
            others = [one_line(other, 120) for other in self._sink.claimed()]
            return f"claimed; others are thinking about: {'; '.join(others)}" if others else "claimed"
        self._pointed_out.add(near)
        return f"claimed; but {near}. Take something else, unless yours differs in more than words"

    def by_edit(self, title: str) -> None:
        """The first edit says what the conversation is about, where it has not said so."""
        if not self._title:
            self._title = title
            self._sink.claim(title)

    def look_again(self, title: str) -> None:
        """Look for others at the same idea before it is handed over.

        Raises:
            ToolError: there is one, and nobody has pointed it out yet.
        """
        near = self._sink.claim(title)
        if near and near not in self._pointed_out:
            self._pointed_out.add(near)
            raise ToolError(f"{near}. If yours differs in more than words, propose it again; else change the draft")
