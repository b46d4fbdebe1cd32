"""Constants of a Python file that matter under a switch only, such as a decay that is read below `if USE_EMA:`.

Pure. What is seen is sure: a name that is read anywhere else, or below a test of another form, counts as always read.
"""

import ast
from collections.abc import Iterator

from loop.researchers.automl.constants import Condition
from loop.researchers.automl.python_syntax import last

_Path = frozenset[Condition]


def conditions(tree: ast.Module) -> dict[str, Condition]:
    """For each name that is read under one and the same condition wherever it is read, that condition.

    A name stands for the last part of what it is written as, so `cfg.decay` and `self.decay` count as one: where they
    are two, the worst is that a condition is not seen. Where an expression is too deep to follow, none is.
    """
    found: dict[str, _Path] = {}
    try:
        for name, path in _reads(tree, frozenset()):
            found[name] = found[name] & path if name in found else path
    except RecursionError:
        return {}
    # The innermost of several would do as well; the order only has to be the same every time.
    return {name: min(path) for name, path in found.items() if path}


def _reads(node: ast.AST, path: _Path) -> Iterator[tuple[str, _Path]]:
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield last(node) or "", path
    if isinstance(node, ast.If | ast.IfExp):
        yield from _reads(node.test, path)
        told = _condition(node.test)
        for part, holds in ((node.body, True), (node.orelse, False)):
            under = path if told is None else path | {(told[0], told[1], told[2] == holds)}
            for below in part if isinstance(part, list) else [part]:
                yield from _reads(below, under)
        return
    for child in ast.iter_child_nodes(node):
        yield from _reads(child, path)


def _condition(test: ast.expr) -> Condition | None:
    """`USE_EMA`, `not USE_EMA`, `OPTIMIZER == "adamw"` and `!=`; None for anything else."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name() | ast.Attribute() as inner):
            return last(inner) or "", "True", False
        case ast.Name() | ast.Attribute():
            return last(test) or "", "True", True
        case ast.Compare(left=ast.Name() | ast.Attribute() as left, ops=[op], comparators=[ast.Constant(value=value)]):
            if isinstance(op, ast.Eq | ast.NotEq) and isinstance(value, bool | int | float | str):
                return last(left) or "", str(value), isinstance(op, ast.Eq)
        case _:
            pass
    return None
