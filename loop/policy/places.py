"""What places of the files an edit touches: constants, functions, methods. Pure, and told by the syntax alone.

Ideas of a kind touch the same places, so these say what was tried and what was not without anybody's judgement. Files
that are not Python, or do not parse, are one place each.
"""

import ast
from collections.abc import Mapping

MOST = 8
"""Places kept of one edit; one that touches more is a rewrite, whatever they are."""

_NAME = 80

TOP = "the top level"
"""Statements of a module that are no constant, function or class; imports are nowhere."""


def touched(before: Mapping[str, str], edits: Mapping[str, str]) -> tuple[str, ...]:
    """The places that an edit changes, adds or removes, in the order of the new files.

    Args:
        before: the files as they were, text by path.
        edits: new full text by path.
    """
    found: list[str] = []
    for path, text in edits.items():
        old, new = of(path, before.get(path, "")), of(path, text)
        found += [name for name in new if old.get(name) != new[name]]
        found += [name for name in old if name not in new]
    return tuple(dict.fromkeys(name[:_NAME] for name in found))[:MOST]


def of(path: str, text: str) -> dict[str, str]:
    """Every place of a file, with what stands there in a form that layout and comments do not change."""
    try:
        tree = ast.parse(text) if path.endswith(".py") else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None:
        return {path: text}
    found: dict[str, str] = {}
    try:
        for node in tree.body:
            for name, piece in _places(node):
                found[name] = found.get(name, "") + ast.dump(piece)
    except (RecursionError, ValueError):  # very deep, or a whole number of thousands of digits
        return {path: text}
    return found


def _places(node: ast.stmt) -> list[tuple[str, ast.AST]]:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return []
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return [(name, node)]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [(f"{name}()", node)]
        case ast.ClassDef(name=name):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
            rest = [one for one in node.body if one not in methods and not isinstance(one, ast.Expr)]
            return [*((f"{name}.{one.name}()", one) for one in methods), *((name, one) for one in rest)]
        case _:
            return [(TOP, node)]
