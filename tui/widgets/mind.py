"""mind: the reasoning as it streams, tool calls as one line each, verdicts, and what the person said."""

import re

from tui.model.text_buffer import Paragraph
from tui.render.text import Line, Span, cells, one_line
from tui.widgets.stream import StreamPanel, stretched

_ROLES = {
    "thought": "text",
    "code": "code",
    "fence": "faint",
    "tool": "tool",
    "proposal": "strong",
    "hypothesis": "dim",
    "noted": "dim",
    "champion": "champion",
    "waiting": "waiting",
    "you": "you",
    "note": "faint",
    "fault": "bad",
    "speaker": "accent",
}
"""Role of a paragraph by its kind; that of a verdict is its own role."""

_MARKED = re.compile(r"`[^`\s][^`]*`|(?<!\w)\*\*[^*\s](?:[^*]*[^*\s])?\*\*(?!\w)|^#{1,6} +.*")
"""Code and bold text within a thought, and a heading; `x**2 + y**2` is none of them."""

_MARKS = "*# "
"""What says of such a piece what it is, and is not shown; code keeps its marks, which are a part of it where a terminal
has no colours."""

_WIDEST = 110
"""Columns beyond which nobody reads a line with ease."""


class MindPanel(StreamPanel):
    """The researchers' reasoning."""

    view = "mind"

    def wraps_at(self, width: int) -> int:
        return min(width, _WIDEST)

    def row(self, paragraph: Paragraph, row: int, width: int) -> Line:
        kind = paragraph.kind
        if kind == "gap":
            return ()
        start, end = paragraph.rows[row]
        text = paragraph.text[start:end]
        if kind in ("thought", "thinking"):
            spans = thought_line(paragraph.text, "text" if kind == "thought" else "thinking", start, end)
            if not paragraph.lead:
                return spans
            mark = paragraph.lead
            if mark.strip() in ("-", "*", "+"):
                mark = mark.replace(mark.strip(), self.cockpit.glyphs.point)
            return ((mark if not row else " " * cells(mark), "accent"), *spans)
        if kind == "table":
            return table_line(text)
        if kind == "code":
            return ((text, code_role(paragraph.text)),)
        role = _ROLES.get(kind, kind)
        if row:
            return ((" " * cells(paragraph.lead) + text, role),)
        return self._first_row(paragraph, text, role, width)

    def _first_row(self, paragraph: Paragraph, text: str, role: str, width: int) -> Line:
        glyphs, kind, right = self.cockpit.glyphs, paragraph.kind, paragraph.right
        if kind == "speaker":
            room = width - cells(text) - cells(right) - 3
            return ((text, role), (" " + glyphs.rule * max(0, room) + " ", "border"), (right, "faint"))
        if kind == "proposal":
            number, _, title = text.partition("  ")
            spans: list[Span] = [(f"{glyphs.state['running']} {number}", "accent"), (f"  {title}", "strong")]
            return stretched(spans, right, width, "faint")
        lead = paragraph.lead
        if lead == "\0 ":
            lead = glyphs.state.get(kind, glyphs.dot) + " "
        return stretched([(lead, role), (text, role)] if lead else [(text, role)], right, width, "faint")

    def begin_anew(self) -> None:
        folded, self.buffer = self.buffer.folded, self.cockpit.known.mind
        self.began, self.following = None, True
        if folded:
            self.buffer.fold(True)

    def fold(self) -> bool:
        """Fold finished thoughts to the line that names the researcher, or open them; says whether they are folded."""
        self._keep_place(lambda: self.buffer.fold(not self.buffer.folded))
        self.began = None
        self.redraw_with_note()
        return self.buffer.folded

    def show_only(self, who: str) -> None:
        """Show the thoughts of one researcher, or of all for ""."""
        self._keep_place(lambda: self.buffer.show_only(who))
        self.began = None
        self.redraw_with_note()

    def older(self) -> bool:
        """Page in older text from the journal; the view stays where it is."""
        return self.cockpit.feed.older() > 0

    def note(self) -> list[Span]:
        folded: list[Span] = [("thoughts folded, c opens", "faint")] if self.buffer.folded else []
        if self.buffer.only:
            folded.insert(0, (f"only {one_line(self.buffer.only)}, w goes on" + "  " * bool(folded), "warn"))
        more = super().note()
        return [*folded, ("  ", "text"), *more] if folded and more else folded or more

    def empty(self) -> str:
        study = self.cockpit.known.study
        runs, sigma = study.contract.keep.baseline_runs, self.cockpit.glyphs.sigma
        if study.champion is None and study.tag and runs > 1:
            return f"{runs} runs of your file measure its noise {sigma} first; a change has to beat that"
        return "no thoughts yet: they stream here as the researcher thinks"


def table_line(text: str) -> Line:
    """A row of a table, with its lines fainter than its cells."""
    spans: list[Span] = []
    for index, cell in enumerate(text.split("|")):
        if index:
            spans.append(("|", "border"))
        if cell:
            spans.append((cell, "border" if not cell.strip("-") else "text"))
    return tuple(spans)


def thought_line(text: str, role: str, start: int, end: int) -> Line:
    """The row from `start` to `end` of a thought: headings, `code` and **bold** stand out, on all the rows they take.

    Only what is shown is without marks. The buffer has them still, and is what a person copies.

    Args:
        role: of what does not stand out.
    """
    if "`" not in text and "**" not in text and not text.startswith("#"):
        return ((text[start:end], role),)
    spans: list[Span] = []
    at = start
    for found in _MARKED.finditer(text):
        first, last, code = found.start(), found.end(), found[0][0] == "`"
        if last <= start or first >= end:
            continue
        spans.append((text[at : max(at, first)], role))
        at = min(last, end)
        if not code:
            first += len(found[0]) - len(found[0].lstrip(_MARKS))
            last -= len(found[0]) - len(found[0].rstrip("*"))
        spans.append((text[max(start, first) : min(last, end)], "code" if code else "strong"))
    return tuple(span for span in (*spans, (text[at:end], role)) if span[0])


def code_role(line: str) -> str:
    """Role of a line of code; that of a diff where it looks like one."""
    if line.startswith("@@"):
        return "hunk"
    if line[:1] == "+":
        return "added"
    return "removed" if line[:1] == "-" else "code"
