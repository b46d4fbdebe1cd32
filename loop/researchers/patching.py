"""Search and replace in a text, exactly once; and when it does not fit, where it nearly did. Pure."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

NEAR = 0.6
"""Likeness from which lines are shown as what may have been meant."""

_SHOWN = 12
"""Lines of the nearest place that are shown."""

_MOST_CELLS = 4_000_000
"""Lines of the text times lines searched for, beyond which no near place is looked for."""


_NUMBER = re.compile(r"\s*\d+  ")


@dataclass(frozen=True)
class Refused:
    """Why nothing was replaced, and what to do."""

    why: str


def replace_once(text: str, search: str, replace: str) -> str | Refused:
    """`text` with `search`, which must stand in it exactly once, replaced."""
    if not search.strip():
        return Refused("the text to search for is empty; to write the whole file use write_file")
    count = text.count(search)
    if count == 1:
        return text.replace(search, replace)
    if count > 1:
        lines, at = [], -1
        while (at := text.find(search, at + 1)) >= 0:
            lines.append(str(text.count("\n", 0, at) + 1))
        where = ", ".join(lines[:8])
        return Refused(f"that stands there {count} times, at lines {where}; take in more lines around the one you mean")
    if all(_NUMBER.match(line) for line in search.strip("\n").split("\n")):
        return Refused("that does not stand there: leave out the line numbers that read_file puts before each line")
    return Refused(f"that does not stand there. {_nearest(text, search)}")


def _nearest(text: str, search: str) -> str:
    """The place in `text` most like `search`, with line numbers."""
    have, want = text.split("\n"), search.strip("\n").split("\n")
    bare = [line.strip() for line in want]
    for start in range(len(have) - len(want) + 1):
        if [line.strip() for line in have[start : start + len(want)]] == bare:
            return (
                f"Lines {start + 1} to {start + len(want)} differ from it in white space only; they are, exactly:\n"
                + _numbered(have, start, len(want))
            )
    if len(have) * len(want) > _MOST_CELLS:
        return "Read the file and copy the lines exactly."
    best, place = 0.0, 0
    matcher = difflib.SequenceMatcher(autojunk=False)
    likeness: dict[tuple[str, str], float] = {}
    for index, wanted in enumerate(bare):
        matcher.set_seq2(wanted)
        for line in {line.strip() for line in have}:
            matcher.set_seq1(line)
            fits = wanted and line and matcher.real_quick_ratio() > NEAR and matcher.quick_ratio() > NEAR
            likeness[line, bare[index]] = matcher.ratio() if fits else float(line == wanted)
    for start in range(max(1, len(have) - len(want) + 1)):
        window = [line.strip() for line in have[start : start + len(want)]]
        score = sum(likeness[line, wanted] for line, wanted in zip(window, bare, strict=False)) / len(bare)
        if score > best:
            best, place = score, start
    if best < NEAR:
        return "Nothing like it does either; read the file and copy the lines exactly."
    last = place + len(want)
    which = f"is line {last}" if len(want) == 1 else f"are lines {place + 1} to {last}"
    return f"Nearest {which}:\n" + _numbered(have, place, len(want))


def _numbered(lines: Sequence[str], start: int, count: int) -> str:
    shown = lines[start : start + min(count, _SHOWN)]
    return "\n".join(f"{number:5d}  {line[:300]}" for number, line in enumerate(shown, start + 1))


def diff(before: str, after: str, path: str) -> list[str]:
    """The lines of a unified diff, without the two that name the file."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, n=2, lineterm="")
    return list(lines)[2:]


def counts(lines: Sequence[str]) -> tuple[int, int]:
    """Lines added and removed in a diff."""
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)
