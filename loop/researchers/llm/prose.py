"""What an answer says in words: a number, and the prose around its code. Pure."""

import math
import re
from typing import Any

from loop.sanitize import one_line


def amount(said: Any) -> Any:
    """A number that was given in words ("about 0.02"); NaN where it is not clear which."""
    if said is None:
        return math.nan
    if not isinstance(said, str):
        return said
    numbers = re.findall(r"(?<![\w.])-?\d{1,9}(?:\.\d{1,12})?(?:[eE][-+]?\d{1,3})?(?![\w%])", said[:200])
    return float(numbers[0]) if len(numbers) == 1 and "%" not in said[:200] else math.nan


def prose(text: str) -> str:
    """The words of an answer, without its code and its edits."""
    text = re.sub(r"(?:`{3,}|~{3,})[^\n]*\n.*?(?:\n[ \t]*(?:`{3,}|~{3,})|\Z)", " ", text[:20_000], flags=re.DOTALL)
    text = re.sub(r"<{5,}.*?(?:>{5,}[^\n]*|\Z)", " ", text, flags=re.DOTALL)
    if "@@" in text:  # a diff
        text = re.sub(r"^(?:[-+ @]|diff |index )[^\n]*", " ", text, flags=re.MULTILINE)
    text = re.sub(r"^[ \t#*`-]*[\w./-]+\.\w+[`*:]*[ \t]*$", " ", text, flags=re.MULTILINE)  # a file's name
    return one_line(re.sub(r"<[^>\n]{1,200}>", " ", text), 600)
