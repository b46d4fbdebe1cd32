"""Guards: what is checked before anything of a proposal runs. Pure; a refusal is a sentence.

They stop accidents (a file that does not parse, the same idea again, a path outside the contract) and cost milliseconds
where a run costs minutes. They are no defence against a hostile file: the sandbox and the verification are.
"""

import ast
import hashlib
from collections.abc import Mapping

from loop.study.contract import Contract

LARGEST = 1_000_000
"""Bytes that an edited file may have: a model reads it in every briefing."""

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
        if (problem := syntax(path, text)) is not None:
            return f"{path} does not parse: {problem}"
    if all(before.get(path) == text for path, text in edits.items()):
        return "it changes nothing"
    return None


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
