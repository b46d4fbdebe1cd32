"""The ALL-CAPS numeric constants of a Python file: found by `ast`, changed in place.

Pure: text in, text out. Only the literals change, byte for byte, so that comments, layout and the diff stay small. The
byte offsets of `ast` suffice for that; a concrete syntax tree (libcst) would bring a parser of its own, ten times
slower, to replace a handful of literals.

Searched are module-level `NAME = number` and `NAME: type = number`, where the number is an int or a float, may have a
sign, and may be written as literal arithmetic (`2**16`, `64 * 1024`). Not searched are:

- names that are not about the model or its training, by the words in `NOT_SEARCHED`: seeds, budgets and clocks, the
  vocabulary, the evaluation, logging and the machine, guards against division by zero;
- constants whose comment starts with "fixed" or says "do not change": the person's way to say no;
- names that are assigned more than once, and values that are chosen at run time (conditions, calls, tuples,
  dictionaries): which number applies is not known in advance;
- zero and negative integers, which are switches and sentinels, and booleans;
- numbers beyond what models have (1e30, 2**53), and those just below 1.
"""

import ast
import operator
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Number = int | float
Form = Literal["plain", "power", "shift"]

# fmt: off
NOT_SEARCHED = frozenset({
    "SEED", "BUDGET", "TIME", "SECONDS", "MINUTES", "HOURS", "TIMEOUT", "DEADLINE",
    "VOCAB", "VOCABULARY", "EVAL", "EVALUATION", "VAL", "VALID", "VALIDATION", "TEST",
    "LOG", "LOGGING", "PRINT", "VERBOSE", "DEBUG", "INTERVAL",
    "EVERY", "VERSION", "PORT", "WORKERS", "THREADS", "DEVICE", "DEVICES", "GPU", "GPUS",
    "PEAK", "FLOPS", "EPS", "EPSILON",
})
# fmt: on
"""Words that keep a name out of the search, as a whole part of it between underscores."""

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_MARK = "\ufeff"  # a byte-order mark: Python runs a file that starts with it, but ast does not read it
_FIXED = re.compile(r"^\W*fixed\b|\b(?:do not|don't|never) (?:change|touch|tune|edit)\b", re.IGNORECASE)
_LINE_END = re.compile(rb"\r\n|\r|\n")
_FOLDED: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Mult: operator.mul,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


@dataclass(frozen=True)
class Constant:
    """One constant that may be searched."""

    name: str
    value: Number
    text: str
    """The literal as written."""
    form: Form
    """How it is written: as a number, as `2**k` or as `1 << k`."""
    start: int
    end: int
    """Position of the literal, in bytes of the file as UTF-8."""


def find(source: str) -> list[Constant]:
    """The searchable constants of a file, in order; an empty list where it is not Python."""
    try:
        tree = ast.parse(source.removeprefix(_MARK))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    raw = source.encode(errors="surrogatepass")
    lines = [
        len(_MARK.encode()) if source.startswith(_MARK) else 0,
        *(match.end() for match in _LINE_END.finditer(raw)),
    ]
    times = Counter(
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    found = []
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=node):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as node):
                pass
            case _:
                continue
        if not _NAME.fullmatch(name) or times[name] > 1 or NOT_SEARCHED & set(name.split("_")):
            continue
        constant = _constant(name, node, raw, lines)
        if constant is not None:
            found.append(constant)
    return found


def replace(source: str, values: Mapping[str, Number]) -> str:
    """The file with new values for some of its constants.

    Raises:
        ValueError: a name is not a searchable constant of this file.
    """
    constants = {constant.name: constant for constant in find(source)}
    if missing := sorted(values.keys() - constants.keys()):
        raise ValueError(f"{', '.join(missing)} cannot be changed: not a searchable constant of this file")
    raw = source.encode(errors="surrogatepass")
    for constant in sorted((constants[name] for name in values), key=lambda found: -found.start):
        raw = raw[: constant.start] + written(values[constant.name], constant).encode() + raw[constant.end :]
    return raw.decode(errors="surrogatepass")


def written(value: Number, like: Constant) -> str:
    """A number, written in the form of the literal that it replaces."""
    if isinstance(like.value, int):
        whole = int(value)
        if like.form != "plain" and whole > 0 and whole.bit_count() == 1:
            exponent = whole.bit_length() - 1
            return f"2**{exponent}" if like.form == "power" else f"1 << {exponent}"
        return f"{whole:_}" if "_" in like.text else str(whole)
    text = repr(float(value))
    if "e" not in like.text.lower() or value == 0:
        return text
    # repr gives the shortest digits; only the point has to move behind the first one.
    digits = re.sub(r"e.*", "", text).replace(".", "").lstrip("-0").rstrip("0")
    mantissa, exponent_text = f"{value:.{max(0, len(digits) - 1)}e}".split("e")
    return f"{mantissa}e{int(exponent_text)}"


def _constant(name: str, node: ast.expr, raw: bytes, lines: list[int]) -> Constant | None:
    value = _number(node)
    if value is None or not _has_a_range(value):
        return None
    if node.end_lineno != node.lineno or node.end_col_offset is None:
        return None
    begin = lines[node.lineno - 1]
    start, end = begin + node.col_offset, begin + node.end_col_offset
    text = raw[start:end].decode(errors="surrogatepass")
    try:  # where an odd line end makes bytes and lines disagree, leave the file alone rather than damage it
        if _number(ast.parse(text, mode="eval").body) != value:
            return None
    except SyntaxError:
        return None
    line_end = _LINE_END.search(raw, end)
    rest = raw[end : line_end.start() if line_end else len(raw)].decode(errors="replace")
    if _FIXED.search(rest.partition("#")[2]):
        return None
    return Constant(name, value, text, _form(node), start, end)


def _has_a_range(value: Number) -> bool:
    """Whether there are numbers around it that a person would write and a float can hold."""
    if isinstance(value, int):
        return 0 < value < 2**53
    size = abs(value)
    return value == 0 or (1e-30 < size < 1e30 and not 1 - 1e-8 < size < 1)


def _number(node: ast.expr, levels: int = 50) -> Number | None:
    """Value of a literal or of arithmetic on literals; None for anything else, and for deeper nesting."""
    if levels == 0:
        return None
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            number = _number(operand, levels - 1)
            return number if number is None or isinstance(sign, ast.UAdd) else -number
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _number(left, levels - 1), _number(right, levels - 1)
            if a is None or b is None:
                return None
            try:
                return _arithmetic(a, op, b)
            except (ArithmeticError, ValueError, TypeError):
                return None
        case _:
            return None


def _arithmetic(a: Number, op: ast.operator, b: Number) -> Number | None:
    if isinstance(op, ast.Pow):
        # Bounded, so that a file holding 9**9**9 costs nothing.
        result = a**b if abs(a) <= 1024 and abs(b) <= 64 else None
        return None if isinstance(result, complex) else result
    if isinstance(op, ast.LShift):
        return a << b if isinstance(a, int) and isinstance(b, int) and b <= 64 else None
    fold = _FOLDED.get(type(op))
    return None if fold is None else fold(a, b)


def _form(node: ast.expr) -> Form:
    match node:
        case ast.BinOp(left=ast.Constant(value=2), op=ast.Pow(), right=ast.Constant(value=int())):
            return "power"
        case ast.BinOp(left=ast.Constant(value=1), op=ast.LShift(), right=ast.Constant(value=int())):
            return "shift"
        case _:
            return "plain"
