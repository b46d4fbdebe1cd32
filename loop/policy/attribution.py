"""What of today's champion can be switched off by itself: its kept changes as factors. Pure.

The champion is its baseline with the kept changes made one after another. A row of an ablation is the same with some of
them left out, each made line by line on what is there. Where a change cannot do without another, as where both set one
constant, or where one uses a name that the other defines, the two are one factor.
"""

import ast
import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from loop.policy import line_merge

Texts = Mapping[str, str]


class Step(NamedTuple):
    """A kept change, or a part of a kept bundle."""

    number: int
    """Its experiment."""
    before: Texts
    """Text of the editable files without it, by path, where it was made."""
    after: Texts


@dataclass
class Stack:
    """A baseline and the changes that were made on it, in their order.

    Raises:
        ValueError: together they do not give the champion.
    """

    baseline: Texts
    steps: Sequence[Step]
    champion: Texts
    _made: dict[tuple[int, ...], dict[str, str] | int] = field(default_factory=dict)
    """What these steps give, or the one that does not go together with those before it."""
    _unbound: dict[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.made(range(len(self.steps))) != dict(self.champion):
            raise ValueError("the kept changes, made on the baseline one after another, do not give the champion")

    def made(self, chosen: Iterable[int]) -> dict[str, str] | int:
        """The files with these steps alone, by path; or the first of them that does not go together with the rest."""
        key = tuple(sorted(chosen))
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]

    def _make(self, key: tuple[int, ...]) -> dict[str, str] | int:
        if not key:
            return dict(self.baseline)
        before = self.made(key[:-1])
        if isinstance(before, int):
            return before
        step = self.steps[key[-1]]
        changed = line_merge.moved(before, step.before, step.after)
        return key[-1] if changed is None else {**before, **changed}

    def factors(self) -> list[tuple[int, ...]]:
        """The smallest groups of steps that can each be left out, or be there alone; as places in `steps`, in order."""
        groups = [{index} for index in range(len(self.steps))]
        while (pair := self._bound(groups)) is not None:
            groups = _joined(groups, *pair)
        return [tuple(sorted(group)) for group in groups]

    def _bound(self, groups: Sequence[set[int]]) -> tuple[int, int] | None:
        """Two steps of different groups that cannot be told apart; None where there are none."""
        everything = set(range(len(self.steps)))
        for group in groups:
            if (pair := self.clash(everything - group)) is not None:
                return pair
        for group in groups:
            if (pair := self.clash(group)) is not None:
                return pair
        return None

    def clash(self, chosen: set[int]) -> tuple[int, int] | None:
        """Why these steps cannot be alone: one of them, and one of the others that it needs. None where they can."""
        made = self.made(chosen)
        out = sorted(set(range(len(self.steps))) - chosen)
        if isinstance(made, int):
            needed = (one for one in reversed(out) if one < made)
            mends = lambda one: self.made({*(x for x in chosen if x <= made), one}) != made  # noqa: E731
            return made, next(filter(mends, needed), max((one for one in out if one < made), default=out[0]))
        if not (missing := self._names(made) - self._names(self.champion)):
            return None
        using = [one for one in sorted(chosen) if _mentions(self.steps[one], missing)]
        giving = [one for one in out if self._gives(one, missing)]
        if not using or not giving:  # nothing that can be told from the text: its run will show
            return None
        return using[0], giving[0]

    def _names(self, texts: Texts) -> frozenset[str]:
        """Names that Python files use and nothing in them binds."""
        found: frozenset[str] = frozenset()
        for path, text in texts.items():
            if path.endswith(".py"):
                if text not in self._unbound:
                    self._unbound[text] = unbound(text)
                found |= self._unbound[text]
        return found

    def _gives(self, index: int, missing: frozenset[str]) -> bool:
        """Whether a step binds a name that was not bound before it."""
        step = self.steps[index]
        return any(_bound_in(step.after.get(path, "")) & missing - _bound_in(step.before.get(path, ""))
                   for path in step.after)  # fmt: skip


def _joined(groups: Sequence[set[int]], one: int, other: int) -> list[set[int]]:
    """The groups with those of the two steps made one, at the place of the first."""
    both = {index for group in groups if one in group or other in group for index in group}
    rest = [group for group in groups if not group & both]
    return sorted([*rest, both], key=min)


def settled(stack: Stack, rows: Callable[[int], Sequence[Sequence[bool]]]) -> list[tuple[int, ...]]:
    """The factors such that every row of their design can be made; two that a row cannot tell apart become one.

    Args:
        rows: the design for so many factors.

    Raises:
        ValueError: as `rows` raises it.
    """
    groups = [set(group) for group in stack.factors()]
    while True:
        pair = next(
            (found for row in rows(len(groups)) if (found := stack.clash(_chosen(groups, row))) is not None), None
        )
        if pair is None:
            return [tuple(sorted(group)) for group in groups]
        groups = _joined(groups, *pair)


def _chosen(groups: Sequence[Iterable[int]], row: Sequence[bool]) -> set[int]:
    return {index for group, on in zip(groups, row, strict=True) if on for index in group}


def texts(stack: Stack, factors: Sequence[tuple[int, ...]], row: Sequence[bool]) -> dict[str, str]:
    """The files of a row, by path.

    Raises:
        ValueError: its changes do not go together.
    """
    made = stack.made(_chosen(factors, row))
    if isinstance(made, int):
        raise ValueError(f"experiment {stack.steps[made].number} does not go together with that row")
    return made


# --- names --------------------------------------------------------------------------------------------------------


def unbound(text: str) -> frozenset[str]:
    """Names that a Python file uses and that neither it nor the language binds; none of what is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return frozenset(used - _bindings(tree) - set(dir(builtins)) - {"__file__", "__name__"})


def _bound_in(text: str) -> frozenset[str]:
    try:
        return frozenset(_bindings(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()


def _bindings(tree: ast.AST) -> set[str]:
    """Names that anything in it binds, in whatever scope: what is left over is missing for certain."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name.split(".")[0])
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                found.add(name)
            case ast.MatchMapping(rest=str(name)):
                found.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found.update(names)
            case _:
                pass
    return found


def _mentions(step: Step, names: frozenset[str]) -> bool:
    """Whether a step's new lines use one of these names."""
    for path, text in step.after.items():
        before = set(step.before.get(path, "").split("\n"))
        lines = [line for line in text.split("\n") if line not in before]
        if any(name in line for line in lines for name in names):
            return True
    return False
