"""Guards: what is checked before anything of a proposal runs. Pure; a refusal is a sentence.

They stop accidents (a file that does not parse, the same idea again, a path outside the contract) and cost milliseconds
where a run costs minutes. They are no defence against a hostile file: the sandbox and the verification are.
"""

import ast
import hashlib
import re
from collections.abc import Mapping

from loop.study.contract import Contract

LARGEST = 1_000_000
"""Bytes that an edited file may have: a model reads it in every briefing."""

_COMMENT = re.compile(r"(?:#+|//+|--+|/\*+|<!--|;+|%+)[ \t]*")
_OLD, _CODE, _FILLER = (
    frozenset(words.split())
    for words in (
        "rest remainder remaining existing previous original other unchanged same omitted keep continues",
        "code file script class function functions method methods module program implementation loop lines imports",
        "the all of this your is are as before above below here goes stays stay remains remain exactly and else "
        "everything for brevity not shown training model identical elided",
    )
)
"""Words of a comment that stands for code which is not there: it has two of the first kinds, and no others."""

_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def fingerprint(files: Mapping[str, str]) -> str:
    """Digest of `files` (text by path); comments, docstrings and layout of Python files do not change it."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path}\0{_essence(path, files[path])}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def _essence(path: str, text: str) -> str:
    if path.endswith(".py"):
        try:
            tree = ast.parse(text)
            for node in ast.walk(tree):
                if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
                    del node.body[0]
            return ast.dump(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass  # not Python after all: its text counts
    return text


def refusal(contract: Contract, before: Mapping[str, str], edits: Mapping[str, str]) -> str | None:
    """Why a proposal must not run, or None.

    Args:
        before: the champion's editable files, text by path.
        edits: new full text by path.
    """
    for path, text in edits.items():
        if path not in contract.edit:
            return f"it edits {path}, and only {', '.join(contract.edit)} may be edited"
        if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
            return f"{path} would be larger than {LARGEST // 1000} kB"
        if "\0" in text:
            return f"{path} would no longer be a text file"
        if (line := left_out(before.get(path, ""), text)) is not None:
            return f"{path} leaves out code: a line says “{line:.80}”; a file must be whole"
        if (problem := syntax(path, text)) is not None:
            return f"{path} does not parse: {problem}"
    if all(before.get(path) == text for path, text in edits.items()):
        return "it changes nothing"
    return None


def left_out(before: str, after: str) -> str | None:
    """A new line that stands for code left out, such as "# ... rest of the code ..." or a body of `...`, or None."""
    old = {line.strip() for line in before.splitlines()}
    lines = (line.strip() for line in after.splitlines() if len(line) < 300)
    said = next((line for line in lines if line not in old and _stands_for_code(line)), None)
    return said or (_hollowed(before, after) if "..." in after else None)


def _hollowed(before: str, after: str) -> str | None:
    """A function of Python whose body is nothing but `...` now, or None."""
    try:
        old, new = _bodies(before), _bodies(after)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return next((f"def {name}: ..." for name, hollow in new.items() if hollow and old.get(name) is False), None)


def _bodies(text: str) -> dict[str, bool]:
    """Whether the body of each function is nothing but `...`, by its name; of several with one name, all of them."""
    found: dict[str, bool] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.body[-1]
            hollow = isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is ...
            found[node.name] = found.get(node.name, True) and hollow and len(node.body) <= 2
    return found


def _stands_for_code(line: str) -> bool:
    comment = _COMMENT.match(line)
    said = line[comment.end() if comment else 0 :].strip("()[]{}<>*-/ \t")
    words = set(re.findall(r"[a-z]+", said.lower()))
    if said.startswith(("...", "…")):
        return bool(words & (_OLD | _CODE)) or (comment is not None and not words)
    known = words & _OLD and (words & _CODE or len(words & _OLD) > 1) and words <= _OLD | _CODE | _FILLER
    return comment is not None and bool(known)


def syntax(path: str, text: str) -> str | None:
    """Why a Python file does not parse; None where it does, or is none."""
    if not path.endswith(".py"):
        return None
    try:
        ast.parse(text)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return None
