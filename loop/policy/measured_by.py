"""Which statements of a Python file make the number that it prints as its metric. Pure.

They are told by their form: the statement that prints the metric's name, what is assigned to the name that it prints
behind it, and the body of an evaluating function that is called there. What a number goes through further up (the
data, the split, the model) cannot be told from training itself.
"""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

_EVALUATES = re.compile(r"eval|valid|test|scor|measur|metric|accura|loss|error", re.IGNORECASE)
"""Names of functions that measure; one that also trains (`main`, `run`, `fit`) changes with every honest edit."""

_BETWEEN = r"[\"']?\s*[:=]?\s*$"


def named(metric: str, text: str) -> bool:
    """Whether a text has the metric's name as a word of its own: "val_loss: 1", and not "val_loss_weight"."""
    return re.search(rf"(?<![\w-]){re.escape(metric)}(?![\w-])", text) is not None


def statements(tree: ast.Module, metric: str) -> Iterator[ast.stmt]:
    """Statements that assign the printed number, and those of the functions that it is computed by."""
    variables = {metric, *_printed(tree, metric)}
    called: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and variables & _assigned(node):
            yield node
            calls = (inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call))
            called |= {func.id for func in calls if isinstance(func, ast.Name) and _EVALUATES.search(func.id)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in called:
            yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.stmt) and not hasattr(inner, "body"))


def _assigned(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}


def _printed(tree: ast.Module, metric: str) -> Iterator[str]:
    """Names of what is printed directly behind the metric's name."""
    label = re.compile(rf"(?<![\w-]){re.escape(metric)}{_BETWEEN}")
    for node in ast.walk(tree):
        pairs: list[tuple[ast.expr | None, ast.expr]] = []
        match node:
            case ast.JoinedStr(values=parts) | ast.Call(args=parts):
                pairs = list(pairwise(parts))
            case ast.Dict(keys=keys, values=values):
                pairs = list(zip(keys, values, strict=True))
            case _:
                pass
        for said, value in pairs:
            if isinstance(said, ast.Constant) and isinstance(said.value, str) and label.search(said.value):
                value = value.value if isinstance(value, ast.FormattedValue) else value
                if isinstance(value, ast.Name):
                    yield value.id
