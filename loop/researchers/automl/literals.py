"""Literals of Python: the value of a number, a switch or a text as written. Pure."""

import ast
import operator
from collections.abc import Callable

from loop.researchers.automl.constants import Form, Number, Value

_FOLDED: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Mult: operator.mul,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


def value_of(node: ast.expr) -> Value | None:
    """Value of a literal or of arithmetic on literals; None for anything else."""
    match node:
        case ast.Constant(value=bool() | str() as value):
            return value
        case _:
            return number_of(node)


def number_of(node: ast.expr, levels: int = 50) -> Number | None:
    """The same of numbers only, and not for deeper nesting."""
    if levels == 0:
        return None
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            number = number_of(operand, levels - 1)
            return number if number is None or isinstance(sign, ast.UAdd) else -number
        case ast.BinOp(left=left, op=op, right=right):
            a, b = number_of(left, levels - 1), number_of(right, levels - 1)
            if a is None or b is None:
                return None
            try:
                return _arithmetic(a, op, b)
            except (ArithmeticError, ValueError, TypeError):
                return None
        case _:
            return None


def list_of(node: ast.expr) -> list[object]:
    """The items of a list, tuple or set of literals; empty for anything else."""
    if not isinstance(node, ast.List | ast.Tuple | ast.Set):
        return []
    items = [value_of(item) for item in node.elts]
    return [] if None in items else list(items)


def form_of(node: ast.expr) -> Form:
    """Whether a number is written as a power of two."""
    match node:
        case ast.BinOp(left=ast.Constant(value=2), op=ast.Pow(), right=ast.Constant(value=int())):
            return "power"
        case ast.BinOp(left=ast.Constant(value=1), op=ast.LShift(), right=ast.Constant(value=int())):
            return "shift"
        case _:
            return "plain"


def _arithmetic(a: Number, op: ast.operator, b: Number) -> Number | None:
    if isinstance(op, ast.Pow):
        # Bounded, so that a file holding 9**9**9 costs nothing.
        result = a**b if abs(a) <= 1024 and abs(b) <= 64 else None
        return None if isinstance(result, complex) else result
    if isinstance(op, ast.LShift):
        return a << b if isinstance(a, int) and isinstance(b, int) and b <= 64 else None
    fold = _FOLDED.get(type(op))
    return None if fold is None else fold(a, b)
