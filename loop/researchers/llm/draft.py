"""The draft of a proposal: the champion's files with a model's edits, in memory.

An edit fits exactly once or is refused with a sentence that says where it nearly does. What models put around a text
(fences, line numbers, escapes) is taken off where the text fits only without. One edit is never made twice.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loop.policy import guards, line_merge
from loop.researchers import patching
from loop.researchers.briefing.excerpt import shortened
from loop.researchers.llm.tool import NothingNew, ToolError

_FENCED = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*\n(?P<inside>.*?)\n?[ \t]*\1\s*", re.DOTALL)
_PATH_SHOWN = 200
"""Characters of a path by the model that are shown."""


class Draft:
    """The text of each file that may be changed.

    Args:
        before: the champion's, by path.
        editable: the paths that the contract names; not all of them need be there.
        edits: new texts to begin with.
    """

    def __init__(self, before: Mapping[str, str], editable: Sequence[str], edits: Mapping[str, str]) -> None:
        self.before: Mapping[str, str] = dict(before)
        """Text of the champion's files, by path."""
        self._editable = editable
        self.texts: dict[str, str] = {**before, **edits}
        self._made: set[tuple[str, str, str]] = set()
        self.refused = ""
        """Why an edit was refused in the present answer."""
        self.unmended = ""
        """Why the newest edit was refused; empty once another was made."""

    def edits(self) -> dict[str, str]:
        """New full text of each file that the draft changes."""
        return {path: text for path, text in self.texts.items() if self.before.get(path) != text}

    def files(self) -> dict[str, str]:
        """Present text of each file that may be changed."""
        return {path: self.texts.get(path, "") for path in self._editable}

    def move(self, onto: Mapping[str, str]) -> list[str]:
        """Make the same edits to the files of another champion.

        Returns:
            The pieces that do not go together with them, as diffs; they are no longer in the draft.
        """
        before, self.before = self.before, dict(onto)
        wanted, self.texts = self.texts, dict(onto)
        clashes: list[str] = []
        for path, text in wanted.items():
            if text == before.get(path):
                continue
            self.texts[path], apart = line_merge.merge(before.get(path, ""), onto.get(path, ""), text)
            clashes += [f"{path}\n{piece}" for piece in apart]
        return clashes

    def refuse(self, why: str) -> None:
        """Note that an edit was refused."""
        self.refused = self.unmended = why

    def edit(self, path: str, search: str, replace: str) -> tuple[str, str]:
        """Replace a piece; returns the text before and after.

        Raises:
            ToolError: it does not fit.
            NothingNew: the draft has it already.
        """
        before = self._text(path)
        if (path, search, replace) in self._made and replace in before:
            raise NothingNew("the draft has this edit already")
        after = _fitted(path, before, search, replace)
        if isinstance(after, patching.Refused):
            if _stands(before, search, replace) and not _stands(self.before.get(path, ""), search, replace):
                raise NothingNew("the draft has this edit already")  # such as one with more lines around it
            raise ToolError(f"{path}: {after.why}")
        self._put(path, after)
        self._made.add((path, search, replace))
        return before, after

    def write(self, path: str, text: str) -> tuple[str, str]:
        """Put a whole new text in place; returns the text before and after.

        Raises:
            ToolError, NothingNew: as above.
        """
        before = self._text(path)
        if before.strip() and not text.strip():
            raise ToolError(f"that would empty {path}; write its whole text")
        if len(text) > guards.LARGEST:
            raise ToolError(_too_large(path))
        spellings = [_unescaped(text), *_spellings(text)]  # a whole file on one line was escaped twice, if it parses
        after = next((one for one in spellings if guards.syntax(path, one) is None), text)
        after = patching.with_ends_of(before, after)
        after = after if after.endswith("\n") or not after else after + "\n"
        if after == before and before != self.before.get(path):
            raise NothingNew("the draft is this already")
        self._put(path, after)
        return before, after

    def has(self, edit: Mapping[str, Any]) -> bool:
        """Whether an edit that was read in a text tells of what is so already.

        Args:
            edit: path, search and replace, or path and text.
        """
        path, search, replace, text = (str(edit.get(name, "")) for name in ("path", "search", "replace", "text"))
        now = self.texts.get(path, "")
        if text:
            return text.strip() in (now.strip(), self.before.get(path, "").strip())
        return _stands(now, search, replace)

    def _text(self, path: str) -> str:
        if path not in self._editable:
            which = f"{shortened(path, _PATH_SHOWN)} may not be changed" if path else "say which file you mean"
            raise ToolError(f"{which}; only {', '.join(self._editable)} may")
        return self.texts.get(path, "")

    def _put(self, path: str, after: str) -> None:
        before = self.texts.get(path, "")
        if after == before:
            raise ToolError("that changes nothing")
        if len(after) > guards.LARGEST:
            raise ToolError(_too_large(path))
        if (line := guards.left_out(before, after)) is not None:
            raise ToolError(
                f"{path} would lack what “{shortened(line, 80)}” stands for; write the whole text, or replace a piece "
                "of it with edit_file"
            )
        self.texts[path] = after
        self.unmended = ""


def _stands(text: str, search: str, replace: str) -> bool:
    """Whether an edit is made in a text: it could be taken back."""
    if not replace.strip():
        return search.strip() not in text
    return isinstance(patching.replace_once(text, replace, search), str)


def _too_large(path: str) -> str:
    return f"{path} would be larger than {guards.LARGEST // 1000} kB; keep data out of it"


def tidy(path: str) -> str:
    """A path as the checkout has it: `./train.py` and "`train.py`" are `train.py`. An absolute one stays absolute."""
    path = path.strip().strip("`'\"").replace("\\", "/")
    return posixpath.normpath(path) if path else ""


def within(path: str, paths: Sequence[str]) -> str:
    """The file of the checkout that an absolute path means: the one with the longest tail of it, else the path."""
    parts = path.split("/")
    tails = ("/".join(parts[n:]) for n in range(1, len(parts)))
    known = set(paths)
    return next((tail for tail in tails if tail in known), path)


def _fitted(path: str, text: str, search: str, replace: str) -> str | patching.Refused:
    """`text` with `search` replaced; as it is written, or without what was put around it where that fits better."""
    first = patching.replace_once(text, search, replace)
    if isinstance(first, str) and (len(first) > guards.LARGEST or guards.syntax(path, first) is None):
        return first
    fitting = first
    for one, other in zip(_spellings(search), _spellings(replace), strict=True):
        for wanted in {one, search}:
            found = patching.replace_once(text, wanted, other)
            if isinstance(found, str) and guards.syntax(path, found) is None:
                return found
            fitting = found if isinstance(fitting, patching.Refused) and isinstance(found, str) else fitting
    return fitting


def _spellings(text: str) -> Iterator[str]:
    """A text as it is, and without the fence, the line numbers or the escapes that a model has put around it."""
    yield text
    fenced = _FENCED.fullmatch(text)
    yield fenced["inside"] if fenced else text
    bare = patching.unnumbered(text) if text.count("\n") > 2 else None
    yield text if bare is None else bare
    yield _unescaped(text)


def _unescaped(text: str) -> str:
    """A text that was escaped twice, with real line breaks; one that has some is left as it is."""
    if "\n" in text.strip() or "\\n" not in text:
        return text
    try:
        inside = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text
    return inside if isinstance(inside, str) else text
