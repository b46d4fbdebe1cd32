"""An answer as it streams: what is reasoning reaches the sink as such."""

from loop.researchers.llm.stream import TextStream
from tests.researchers.spoken import Spoken


class Marked(Spoken):
    """Remembers with each piece whether it is reasoning."""

    def think(self, text: str, thinking: bool = False) -> None:
        self.marked = [*getattr(self, "marked", []), (text, thinking)]


def test_reasoning_and_answer_are_told_apart() -> None:
    sink = Marked()
    stream = TextStream(sink)
    for kind, piece in (("thinking", "hm"), ("thinking", " yes"), ("text", "do it")):
        stream.add(kind, piece)
    stream.end()
    assert sink.marked == [("hm", True), (" yes", True), ("\n\n", False), ("do it", False), ("\n", False)]
