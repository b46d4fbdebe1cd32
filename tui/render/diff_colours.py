"""Light colours for code in a diff: comments, strings, numbers, keywords, and names where they are defined.

One pass of one pattern over a line, so a diff of two thousand lines takes a few milliseconds. It knows Python's
words, because that is what researchers edit; any other text only gets its strings and numbers. A string over several
lines is not followed: a wrong colour costs less than a parser here. Pure.
"""

import keyword
import re

from tui.render.text import Line, Span, cut, line_cells

_TOKEN = re.compile(
    r"(?P<comment>#.*)"
    r"|(?P<string>[rbfuRBFU]{0,2}(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'))"
    r"|(?P<number>\b\d[\d_]*(?:\.[\d_]+)?(?:[eE][+-]?\d+)?\b)"
    r"|(?P<word>[^\W\d]\w*)"
)
_KEYWORDS = frozenset(keyword.kwlist) | {"self", "match", "case"}
_SIDES = {"+": "plus", "-": "minus"}


def code_spans(text: str, over: str = "") -> list[Span]:
    """A line of code as spans; `over` is a role joined to each, such as the side of a diff."""
    more = f"+{over}" if over else ""
    spans: list[Span] = []
    at, before = 0, ""
    for found in _TOKEN.finditer(text):
        kind, word = found.lastgroup or "", found[0]
        role = kind
        if kind == "word":
            role = "keyword" if word in _KEYWORDS else "name" if before in ("def", "class") else "text"
            before = word
        if role == "text":
            continue
        if found.start() > at:
            spans.append((text[at : found.start()], "text" + more))
        spans.append((word, role + more))
        at = found.end()
    if at < len(text):
        spans.append((text[at:], "text" + more))
    return spans


def diff_line(text: str, width: int) -> Line:
    """One line of a unified diff; an added or removed one fills `width`, so that its background is one bar."""
    text = cut(text, width)
    if text.startswith("@@"):
        return ((text, "hunk"),)
    side = _SIDES.get(text[:1])
    if side is None:
        return tuple(code_spans(text)) if text else ()
    sign = ("+", "added") if side == "plus" else ("-", "removed")
    body = code_spans(text[1:], side)
    space = " " * max(0, width - 1 - line_cells(body))
    return ((sign[0], f"{sign[1]}+{side}"), *body, (space, f"text+{side}"))
