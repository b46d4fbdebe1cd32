"""Edits that a model writes as text: SEARCH/REPLACE blocks, unified diffs, V4A patches, whole files. Pure.

Line numbers of a diff are seldom right, so its hunks count as what they replace; whether that stands in the file
exactly once is for the tool to find. A block that is cut off is told and never made; what may be a mere piece of code
is no edit.
"""

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loop.policy import guards

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^`\n]*)")
SEARCH = re.compile(r"(?:<{3,10}|-{4,10}) ?(?:SEARCH|ORIGINAL|OLD|HEAD|BEFORE)\b.*", re.IGNORECASE)
_BETWEEN = re.compile(r"={3,10}")
REPLACE = re.compile(r"(?:>{3,10}|\+{4,10}) ?(?:REPLACE|UPDATED|NEW|AFTER)\b.*", re.IGNORECASE)
_FILE = re.compile(r"\*\*\* (Update|Add|Delete) File: *(.+?) *")
_HUNK = re.compile(r"@@.*")
_NAME = re.compile(r"[\w./~\\-][\w./~\\ -]{0,200}\.\w{1,8}|[\w.~-]*/[\w./~-]{1,200}")
_HEAD = re.compile(r"[ \t]*(?:#+|//|\*+|[-–•>]|\d+\.)?[ \t]*(?:(?:file(?:name)?|path|in|edit|update)\b:?)?[ \t]*", re.I)

_SHELLS = ("bash", "sh", "shell", "zsh", "console")

WHOLE = 0.5
"""Share of a file's lines that a block must have to be a new version of it, and not a piece."""


@dataclass(frozen=True)
class Found:
    """One call of a tool that stands in a text."""

    first: int
    """Number of its first line in the text, and of the first line after it."""
    end: int
    tool: str
    values: Mapping[str, Any]


def conflict_blocks(lines: Sequence[str], files: Mapping[str, str]) -> Iterator[Found]:
    """SEARCH/REPLACE blocks, with or without a fence, under a file's name or not."""
    path, told = "", False
    at = 0
    while at < len(lines):
        if SEARCH.fullmatch(lines[at].strip()) is None:
            at += 1
            continue
        path = _named_before(lines, at, files) or path or _only(files)
        middle, end, whole = _marks(lines, at)
        if whole:
            old, new = _joined(lines[at + 1 : middle]), _joined(lines[middle + 1 : end])
            yield Found(at, end + 1, "edit_file", {"path": path, "search": old, "replace": new})
        elif not told and lines[at].lstrip().startswith("<"):  # a line of dashes is ordinary prose
            told = True
            yield Found(at, end, "unfinished_edit", {"path": path})
        at = end + whole


def _marks(lines: Sequence[str], at: int) -> tuple[int, int, bool]:
    """Where the block that begins at line `at` has its middle and its end, and whether it has both.

    The next block ends one that has not ended: what lies between is not what was to be put in.
    """
    middle = 0
    for n in range(at + 1, len(lines)):
        bare = lines[n].strip()
        if SEARCH.fullmatch(bare):
            return middle, n, False
        if REPLACE.fullmatch(bare):
            return middle, n, middle > 0
        if _BETWEEN.fullmatch(bare) and not middle:
            middle = n
    return middle, len(lines), False


def v4a(lines: Sequence[str], files: Mapping[str, str]) -> Iterator[Found]:
    """Patches between `*** Begin Patch` and `*** End Patch`."""
    at = 0
    while at < len(lines):
        begin = next((n for n in range(at, len(lines)) if lines[n].strip() == "*** Begin Patch"), None)
        if begin is None:
            return
        end = next((n for n in range(begin + 1, len(lines)) if lines[n].strip() == "*** End Patch"), None)
        if end is None:
            yield Found(begin, len(lines), "unfinished_edit", {})
            return
        heads = [n for n in range(begin + 1, end) if _FILE.fullmatch(lines[n].strip())]
        for head, last in zip(heads, [*heads[1:], end], strict=True):
            named = _FILE.fullmatch(lines[head].strip())
            assert named is not None
            body = [line for line in lines[head + 1 : last] if not line.startswith("*** ")]
            match named[1]:
                case "Update" if any(line.startswith("*** Move to:") for line in lines[head:last]):
                    yield Found(head, last, "move_file", {"path": named[2]})
                case "Update":
                    yield from _hunks(body, named[2], head, last)
                case "Add":
                    text = "\n".join(line.removeprefix("+") for line in body)
                    yield Found(head, last, "write_file", {"path": named[2], "text": text})
                case _:
                    yield Found(head, last, "delete_file", {"path": named[2]})
        at = end + 1


def unified(lines: Sequence[str], files: Mapping[str, str]) -> Iterator[Found]:
    """Unified diffs, between fences or not."""
    at = 0
    while at < len(lines):
        fence = _FENCE.fullmatch(lines[at])
        if fence is not None and fence[2].split(" ")[0].casefold() in ("diff", "patch", "udiff"):
            close = _close(lines, at, fence[1])
            if close is None:
                yield Found(at, len(lines), "unfinished_edit", {})
                return
            yield from _of_diff(lines, at + 1, close, _named_before(lines, at, files) or _only(files), files)
            at = close + 1
        elif lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ "):
            end = at + 2
            while end < len(lines) and (lines[end].startswith((" ", "+", "-", "@", "\\")) or _goes_on(lines, end)):
                end += 1
            yield from _of_diff(lines, at, end, _only(files), files)
            at = end
        else:
            at += 1


def patch(text: str, path: str, files: Mapping[str, str]) -> list[Found]:
    """The edits in a text that is a patch of some form and nothing else, of `path` where it names no file."""
    lines = text.split("\n")
    if found := [*v4a(lines, files), *conflict_blocks(lines, {path: ""} if path else files)]:
        return found
    if found := list(unified(lines, files)):
        return found
    return list(_of_diff(lines, 0, len(lines), path or _only(files), files))


def whole_files(lines: Sequence[str], files: Mapping[str, str]) -> Iterator[Found]:
    """Fenced blocks that are a whole new version of a file, by name or by what stands in them.

    A block without a name counts only where it is the only one that can be meant, for the only file there is.
    """
    unnamed: list[Found] = []
    named: list[Found] = []
    at = 0
    while at < len(lines):
        fence = _FENCE.fullmatch(lines[at])
        if fence is None:
            at += 1
            continue
        name = _named_before(lines, at, files)
        path = name or _only(files)
        close = _close_of_file(lines, at, fence[1], path)
        if close is None:
            return
        body = lines[at + 1 : close]
        if body and not name and (inside := _named_in(body[0], files)) is not None and len(body[0]) < 120:
            name, path = inside, inside
        if fence[2].strip().casefold() in _SHELLS:
            named += _heredocs(lines, at + 1, close, files)
        elif path in files and _is_whole(body, path, files[path]):
            found = Found(at, close + 1, "write_file", {"path": path, "text": "".join(f"{line}\n" for line in body)})
            (named if name else unnamed).append(found)
        elif name is not None and name in files and guards.left_out(files[name], _joined(body)) is not None:
            named.append(Found(at, close + 1, "sketched_edit", {"path": name}))
        at = close + 1
    yield from named
    if len(unnamed) == 1 and not named:
        yield from unnamed


# --- parts -----------------------------------------------------------------------------------------------------


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def _only(files: Mapping[str, str]) -> str:
    """The file that is meant where none is named: the only one that may be changed, if there is one."""
    return next(iter(files)) if len(files) == 1 else ""


def _named_before(lines: Sequence[str], at: int, files: Mapping[str, str]) -> str | None:
    """The file that is named above line `at`: on the line of its fence, or on the line before that."""
    seen = 0
    for number in range(at, max(-1, at - 6), -1):
        line, fence = lines[number].strip(), _FENCE.fullmatch(lines[number])
        if number == at and fence is None:
            continue
        if fence is not None:
            if (name := _named_in(fence[2].replace(":", " "), files)) is not None:
                return name
            if number != at and not fence[2].strip() and seen:
                return None  # the end of another block
            continue
        if REPLACE.fullmatch(line):
            return None
        if line:
            return _named_in(line, files)
        seen += 1
    return None


def _named_in(line: str, files: Mapping[str, str]) -> str | None:
    """The file that a line names: one that may be changed anywhere in it, another one where it is all there is."""
    tokens = [token.strip("`*\"'()[]:,.") for token in line.split()]
    known = {path for path in files for token in tokens if token == path or token.removeprefix("./") == path}
    known |= {path for path in files for token in tokens if token.startswith("/") and token.endswith(f"/{path}")}
    if len(known) == 1:
        return known.pop()
    bare = _HEAD.sub("", line.strip(), count=1).strip("`*\"'()[]: ")
    return bare if not known and " " not in bare and _NAME.fullmatch(bare) else None


def _close(lines: Sequence[str], at: int, fence: str) -> int | None:
    """The line that closes the fence opened at line `at`."""
    return next((n for n in range(at + 1, len(lines)) if lines[n].strip() == fence), None)


def _heredocs(lines: Sequence[str], at: int, end: int, files: Mapping[str, str]) -> Iterator[Found]:
    """Files that may be changed and that a shell is to write whole: `cat > train.py <<'EOF'`."""
    while at < end:
        path, mark = _heredoc(lines[at])
        at += 1
        if (named := _named_in(path, files)) not in files:
            continue
        close = next((n for n in range(at, end) if lines[n] == mark), None)
        text = "".join(f"{line}\n" for line in lines[at : close or at])
        quoted = lines[at - 1].count("'") + lines[at - 1].count('"') > 0
        if close is None or (not quoted and re.search(r"[$`\\]", text)):  # which a shell would replace
            yield Found(at - 1, end, "unfinished_edit", {"path": named})
            return
        yield Found(at - 1, close + 1, "write_file", {"path": named, "text": text})
        at = close + 1


def _heredoc(line: str) -> tuple[str, str]:
    """The file that a shell's line writes what follows to, and the line that ends it; both empty for any other line."""
    try:
        words = list(shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars=True))
    except ValueError:
        return "", ""
    match words:
        case ["cat", ">", path, "<<", mark] | ["cat", "<<", mark, ">", path] | ["tee", path, "<<", mark]:
            return path, mark
        case _:
            return "", ""


def _close_of_file(lines: Sequence[str], at: int, fence: str, path: str) -> int | None:
    """The same for a file's text, which may hold fences itself: the first after which it parses, else the first."""
    first = close = _close(lines, at, fence)
    for _ in range(8):
        if close is None or guards.syntax(path, "\n".join(lines[at + 1 : close])) is None:
            break
        close = _close(lines, close, fence)
    return first if close is None else close


def _goes_on(lines: Sequence[str], at: int) -> bool:
    """Whether an empty line is one of a diff, which goes on after it."""
    after = lines[at + 1] if at + 1 < len(lines) else ""
    return not lines[at].strip() and after.startswith((" ", "+", "-", "@"))


def _of_diff(lines: Sequence[str], first: int, end: int, path: str, files: Mapping[str, str]) -> Iterator[Found]:
    """The edits of one diff, which may be of several files; of `path` where it names none."""
    start = first
    while start < end:
        head = next((n for n in range(start, end - 1) if _names(lines, n)), None)
        stop = end if head is None else head
        if stop > start:
            yield from _hunks(lines[start:stop], path, start, stop)
        if head is None:
            return
        old, new = (lines[head + n].partition(" ")[2].split("\t")[0].strip() for n in (0, 1))
        named = new if new != "/dev/null" else old
        path = named if old == new and named in files else re.sub(r"^[abiw]/", "", named)  # there may be a folder `a`
        after = next((n for n in range(head + 2, end - 1) if _names(lines, n)), end)
        if new == "/dev/null":
            yield Found(head, after, "delete_file", {"path": path})
        elif old == "/dev/null":
            text = "".join(f"{line[1:]}\n" for line in lines[head + 2 : after] if line.startswith("+"))
            yield Found(head, after, "write_file", {"path": path, "text": text})
        else:
            yield from _hunks(lines[head + 2 : after], path, head, after)
        start = after


def _names(lines: Sequence[str], at: int) -> bool:
    return lines[at].startswith("--- ") and lines[at + 1].startswith("+++ ")


def _hunks(body: Sequence[str], path: str, first: int, end: int) -> Iterator[Found]:
    """An edit for each hunk that changes something."""
    hunks: list[list[str]] = [[]]
    for line in body:
        if _HUNK.fullmatch(line):
            hunks.append([])
        elif not line.startswith(("\\", "diff --git ", "index ", "new file mode", "similarity ", "rename ")):
            hunks[-1].append(line)
    for hunk in hunks:
        while hunk and not hunk[-1].strip():
            hunk.pop()
        if any(line.startswith(("+", "-")) for line in hunk):
            old = [line[line.startswith((" ", "-")) :] for line in hunk if not line.startswith("+")]
            new = [line[line.startswith((" ", "+")) :] for line in hunk if not line.startswith("-")]
            yield Found(first, end, "edit_file", {"path": path, "search": _joined(old), "replace": _joined(new)})


def _is_whole(body: Sequence[str], path: str, now: str) -> bool:
    """Whether a block is a new version of the file, and not a piece of it or something else."""
    text = "\n".join(body)
    if not text.strip() or guards.syntax(path, text) is not None or guards.left_out(now, text) is not None:
        return False
    old = Counter(line.strip() for line in now.splitlines() if line.strip())
    new = Counter(line.strip() for line in body if line.strip())
    return (old & new).total() >= WHOLE * old.total()
