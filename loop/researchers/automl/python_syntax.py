"""What the syntax tree of a Python file says, in the words of whoever looks for constants. Pure."""

import ast
from collections.abc import Iterator

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef


def statements(scope: Scope) -> Iterator[ast.stmt]:
    """What is executed once, in order: the scope's own lines, and those below `if __name__ == "__main__":`."""
    for statement in scope.body:
        match statement:
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__")), body=body):
                yield from body
            case _:
                yield statement


def stored(scope: Scope) -> Iterator[str]:
    """Names that the scope assigns, once for each time; those that a function within says are global count as more."""
    waiting: list[ast.AST] = list(scope.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Global | ast.Nonlocal):
                    yield from inner.names
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        waiting += ast.iter_child_nodes(node)


def pairs(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Names and what is assigned to them: `a = 1`, `a: int = 1`, `a, b = 1, 2`."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            for target, value in zip(names, values, strict=True):
                if isinstance(target, ast.Name):
                    yield target.id, value
        case _:
            pass


def dotted(node: ast.AST) -> str | None:
    """`config.optimizer.lr`, however it is written: by attributes or by keys."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=key) | ast.Subscript(value=value, slice=ast.Constant(value=str() as key)):
            holder = dotted(value)
            return None if holder is None else f"{holder}.{key}"
        case _:
            return None


def called(node: ast.AST) -> str | None:
    """The last name of what a call calls: `add_argument` of `parser.add_argument(...)`."""
    return last(node.func) if isinstance(node, ast.Call) else None


def last(node: ast.AST) -> str | None:
    """The last part of a name: `dataclass` of `flax.struct.dataclass`."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
