"""Text from strangers (runs, agents, models, pages) made safe to show: one rule for what may reach a terminal. Pure.

What is left moves no cursor, rings no bell, sets no title, reorders no line, and hides nothing from a person who reads
it. Two texts have a rule of their own: a commit message (`lineage/message`), because the same experiment must always
give the same commit, and what the metric's program says (`harness`, which imports nothing of ours).
"""

import re

_UNSAFE = re.compile(
    # Escape sequences, in their 7-bit and 8-bit forms. A string sequence without an end hides no other line.
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS and the like
    r"|\x1b[ -/]*+[0-~]?"
    # Control characters; then what is invisible: joiners, direction marks, selectors, tags (whole sentences can be
    # hidden in those), private characters, and halves of surrogate pairs, which cannot be encoded.
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    "|[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\uf8ff\ufe00-\ufe0f\ufeff\ufff0-\ufffb"
    "\U000e0000-\U0010ffff]"
)


def plain(text: str, tab: str = " ") -> str:
    """`text` without control sequences and invisible characters.

    Newlines stay, and a carriage return becomes one, as a progress bar means it.

    Args:
        tab: what a tab becomes.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).replace("\t", tab)


def one_line(text: str, most: int = 300) -> str:
    """`text` in one line of at most `most` characters; what is cut off leaves an ellipsis."""
    line = " ".join(plain(text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
