"""An answer as it streams: its pieces go to the sink, thinking and text apart, and are kept for later."""

from loop.researchers.protocol import Sink


class TextStream:
    """Takes the pieces of one answer."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kind = ""
        self.said = ""
        """All pieces so far."""

    def add(self, kind: str, piece: str) -> None:
        """Take one piece, "thinking" or "text"."""
        if self._kind and kind != self._kind and not self.said.endswith("\n\n"):
            self._sink.think("\n" if self.said.endswith("\n") else "\n\n")
        self._kind = kind
        self.said += piece
        self._sink.think(piece, kind == "thinking")

    def end(self, remark: str = "") -> None:
        """End the answer, with a remark where there is one."""
        if self.said:
            self._sink.think(remark + ("\n" if remark or not self.said.endswith("\n") else ""))
