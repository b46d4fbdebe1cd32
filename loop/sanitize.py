"""Text from strangers (runs, agents, pages) made safe to show: what is left moves no cursor and hides nothing. Pure."""

import re

# CSI and the other string and two-byte sequences in their 7-bit and 8-bit forms, then every control character left over
# and the marks that reorder text on screen (bidirectional overrides) or have no width.
_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*+(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*+[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


def plain(text: str) -> str:
    """`text` without control sequences: nothing left in it moves a cursor, sets a title or reorders a line.

    `\\n` stays, a tab becomes a space, and `\\r` goes: whoever wants lines splits on it first.
    """
    return _CONTROL.sub("", text).replace("\t", " ")
