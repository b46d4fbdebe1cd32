"""What a language model writes down for later conversations: lessons, results explained, ideas for another day."""

from typing import Annotated

from loop.researchers.llm.tool import ToolError
from loop.researchers.protocol import Briefing, Sink
from loop.sanitize import one_line

LONGEST = 1000
"""Characters of a note; a lesson of one experiment and an idea have a third of it."""


class Memory:
    """Writes into the notebook, the table and the list of ideas."""

    def __init__(self, briefing: Briefing, sink: Sink) -> None:
        self._briefing, self._sink = briefing, sink

    async def note(self, text: Annotated[str, "One or two sentences."]) -> str:
        """Write into the notebook, which later briefings carry: what was learnt, so that nobody tries it again."""
        self._sink.note(_said(text, LONGEST, "note"))
        return "noted"

    async def learn(
        self, number: Annotated[int, "Of the experiment."], lesson: Annotated[str, "One sentence: what it taught."]
    ) -> str:
        """Say what the result of one experiment taught; it stands with its row in the table from then on."""
        found = next((x for x in self._briefing.experiments if x.id == number), None)
        if found is None or found.verdict is None:
            raise ToolError(f"experiment {number} has no result yet")
        self._sink.lesson(number, _said(lesson, LONGEST // 3, "lesson"))
        return "it stands in the table now"

    async def idea(self, text: Annotated[str, "One sentence: what to change, and why it may help."]) -> str:
        """Put an idea that is not for now on the list of untried ideas, which later briefings show."""
        self._sink.idea(_said(text, LONGEST // 3, "idea"))
        return "it is on the list"


def _said(text: str, most: int, what: str) -> str:
    line = one_line(text, most)
    if not line:
        raise ToolError(f"the {what} is empty")
    return line
