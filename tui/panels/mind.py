"""mind: the reasoning as it streams, tool calls as one line each, verdicts, and what the person said."""

from tui.panels.stream import StreamPanel, stretched
from tui.ring import Paragraph
from tui.text import Line, Span

_ROLES = {
    "thought": "text",
    "tool": "tool",
    "proposal": "strong",
    "hypothesis": "dim",
    "champion": "champion",
    "waiting": "waiting",
    "you": "you",
    "note": "faint",
    "fault": "bad",
    "speaker": "accent",
}
"""Role of a paragraph by its kind; a verdict's kind is a role itself."""


class MindPanel(StreamPanel):
    """The stream of the researchers."""

    view = "mind"
    number = 1

    def row(self, paragraph: Paragraph, row: int, width: int) -> Line:
        glyphs = self.cockpit.glyphs
        kind = paragraph.kind
        if kind == "gap":
            return ()
        start, end = paragraph.rows[row]
        text = paragraph.text[start:end]
        role = _ROLES.get(kind, kind)
        if row:
            return ((" " * len(paragraph.lead) + text, role),)
        right = paragraph.right
        if kind == "speaker":
            room = width - len(text) - len(right) - 3
            rule = glyphs.rule * max(0, room)
            return ((text, role), (" " + rule + " ", "border"), (right, "faint"))
        if kind == "proposal":
            number, _, title = text.partition("  ")
            spans: list[Span] = [
                (glyphs.state["running"] + " ", "accent"),
                (number, "accent"),
                (f"  {title}", "strong"),
            ]
            return stretched(spans, right, width, "faint")
        lead = paragraph.lead
        if lead == "\0 ":
            lead = glyphs.state.get(kind, glyphs.dot) + " "
        return stretched([(lead, role), (text, role)] if lead else [(text, role)], right, width, "faint")

    def empty(self) -> str:
        return "no thoughts yet: they stream here as the researcher thinks"
