"""Review flags: what a person should look at in an edit before it runs. Pure; each is a sentence with the line and why.

An honest edit rarely touches the seed, the budget, the clock, the summary, what the metric is computed by, the harness,
the environment, other processes or where the program ends, and most ways to win without being better do. A flag refuses
nothing: it is a mark in the record, and under `review: flagged` the proposal waits for a person. What was there before
is not flagged, wherever it stands now: uses are compared as syntax, so layout, comments and moved lines change nothing.
A file that hides what it does cannot be understood here; it is flagged for hiding it (`eval`, `exec`, `getattr` by a
computed name).
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loop.policy import measured_by
from loop.study.contract import Contract

MOST = 12
"""Flags shown for one edit; a rewritten file has more, and nobody would read them."""

LONGEST = 80
"""Characters of the code that a flag quotes."""

_WORDS = {
    "seed": re.compile(r"(^|_)seeds?(_|$)|^LOOPTOP_SEED$|^default_rng$|^initial_seed$", re.I),
    "budget": re.compile(r"(^|_)budgets?(_|$)|^LOOPTOP_BUDGET_S$|^(max|time)_?(time|limit|seconds)$", re.I),
}
_NAMED = {
    "clock": (
        "time", "datetime", "timeit", "perf_counter", "monotonic", "process_time", "sleep", "setitimer", "alarm",
        "sched_getaffinity", "sched_setaffinity", "cpu_count", "process_cpu_count",  # processor time is per core
    ),
    "environment": ("environ", "getenv", "putenv", "unsetenv"),
    "processes": (
        "subprocess", "multiprocessing", "threading", "_thread", "concurrent", "pty", "socket", "ctypes", "atexit",
        "system", "popen", "fork", "forkpty", "kill", "killpg", "execv", "execve", "execvp", "spawnv", "posix_spawn",
        "setsid",
    ),
    "code that cannot be read": ("__import__", "importlib", "builtins", "__builtins__"),
    "the interpreter": ("settrace", "setprofile", "_getframe", "excepthook", "__globals__", "__code__"),
    "output": ("stdout", "stderr", "__stdout__", "dup2", "fdopen"),
}  # fmt: skip
_SUBJECTS = {name: what for what, names in _NAMED.items() for name in names}
_BARE = {"eval", "exec", "compile", "globals"}
"""Built-in functions; as methods (`model.eval()`, `torch.compile()`) the same words are harmless."""

_SAYS = {
    "seed": "touches the seed",
    "budget": "touches the budget",
    "clock": "touches the clock",
    "environment": "touches the environment",
    "processes": "starts or reaches other processes",
    "code that cannot be read": "runs code that cannot be read here",
    "the interpreter": "reaches into the interpreter",
    "output": "writes past print",
    "summary": "touches the summary lines",
    "metric": "touches what the metric is computed by",
    "end": "ends the program",
    "harness": "touches the harness",
    "replacement": "replaces a part of another module",
    "files": "reaches files outside its folder",
}

_SUMMARY_KEYS = ("training_seconds", "total_seconds")
_OUTSIDE = re.compile(
    r"^(/|~|[A-Za-z]:\\)|(^|/)\.\.(/|$)|(^|[/\\])validation([/\\]|$)|checkpoint\.pt|LOOPTOP_RUN_DIR|LOOPTOP_CACHE"
)
_ENDS = ("exit", "quit", "_exit", "abort", "SystemExit")
_LIBRARIES = ("torch", "jax", "tensorflow", "tf", "keras", "np", "numpy", "plt", "matplotlib", "pd", "pandas")
"""Modules with settings that are assigned, such as `torch.backends.cudnn.benchmark = True`."""


@dataclass(frozen=True)
class _Use:
    what: str
    key: str
    """The syntax it is in, without places."""
    line: int
    code: str


def flags(contract: Contract, before: Mapping[str, str], edits: Mapping[str, str]) -> tuple[str, ...]:
    """What a person should look at in a proposal, file by file, in the order of lines.

    Args:
        before: the champion's editable files, text by path.
        edits: new full text by path; files that do not parse are the guards' part.
    """
    found: list[str] = []
    for path, text in edits.items():
        uses = _python if path.endswith(".py") else _lines
        old, new = (list(uses(contract, source)) for source in (before.get(path, ""), text))
        found += _new(path, old, new)
    return tuple(found[:MOST])


def _new(path: str, old: list[_Use], new: list[_Use]) -> Iterator[str]:
    """Sentences for uses that were not there before, one a line and subject; then for those that are gone."""
    known = Counter((use.what, use.key) for use in old)
    told: set[tuple[str, int]] = set()
    for use in new:
        if known[use.what, use.key] > 0:
            known[use.what, use.key] -= 1
        elif (use.what, use.line) not in told:
            told.add((use.what, use.line))
            yield f"{path} line {use.line} {_SAYS[use.what]}: {use.code}"
    subjects = {use[0] for use in told}
    for use in old:
        gone = known[use.what, use.key] > 0
        if gone and use.what in ("seed", "budget", "clock", "summary") and use.what not in subjects:
            subjects.add(use.what)
            yield f"{path} no longer has what was line {use.line} and {_SAYS[use.what]}: {use.code}"


def _lines(contract: Contract, text: str) -> Iterator[_Use]:
    """Uses in a file that is not Python: lines that name a variable of the run or the metric."""
    for number, line in enumerate(text.splitlines(), 1):
        for what, mark in (("seed", "LOOPTOP_SEED"), ("budget", "LOOPTOP_BUDGET_S"), ("summary", contract.metric)):
            if measured_by.named(mark, line):
                yield _Use(what, line.strip(), number, _short(line))


def _python(contract: Contract, text: str) -> Iterator[_Use]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    try:
        yield from _Reader(contract, _HexNumbers().visit(tree)).uses()
    except RecursionError:
        return


class _HexNumbers(ast.NodeTransformer):
    """Replaces huge whole numbers by their hexadecimal form: past 4,300 digits Python refuses to print decimals."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, int) and node.value.bit_length() > 2000:
            return ast.copy_location(ast.Name(hex(node.value), ast.Load()), node)
        return node


class _Reader:
    """Finds the uses in one file."""

    def __init__(self, contract: Contract, tree: ast.Module) -> None:
        self._contract, self._tree = contract, tree
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._docstrings = {
            node.body[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        self._modules: set[str] = set()
        self._harness: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        names = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        self._modules |= names
        roots = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        if any(root.partition(".")[0] == "loop" for root in roots):
            self._harness |= names

    def uses(self) -> Iterator[_Use]:
        """Every use, in the order of lines."""
        found = []
        for node in ast.walk(self._tree):
            for what in self._touched(node):
                piece = self._piece(node, what)
                found.append(_Use(what, ast.dump(piece), getattr(node, "lineno", 0), _short(ast.unparse(piece))))
        made = measured_by.statements(self._tree, self._contract.metric)
        found += [_Use("metric", ast.dump(one), one.lineno, _short(ast.unparse(one))) for one in made]
        yield from sorted(found, key=lambda use: use.line)

    def _touched(self, node: ast.AST) -> Iterator[str]:
        """What a single node touches."""
        match node:
            case ast.Name(id=name):
                yield from self._of_name(name)
                if name in self._harness:
                    yield "harness"
                if name in _BARE:
                    yield "code that cannot be read"
            case ast.Attribute(value=ast.Name(id="sys"), attr="modules" | "path" | "meta_path"):
                yield "the interpreter"
            case ast.Attribute(attr=name):
                yield from self._of_name(name)
            case ast.keyword(arg=str(name)) | ast.arg(arg=name):
                yield from _of_word(name)
            case ast.Import() | ast.ImportFrom():
                yield from self._of_import(node)
            case ast.Constant(value=str(text)) if node not in self._docstrings:
                yield from self._of_text(text, node)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _ENDS and _succeeds(node):
                yield "end"
            case ast.Raise(exc=ast.Name(id="SystemExit")):
                yield "end"
            case ast.Call(func=ast.Name(id="getattr" | "setattr" | "delattr"), args=[_, name, *_]):
                if not isinstance(name, ast.Constant):
                    yield "code that cannot be read"
            case _:
                pass
        for target in _targets(node):
            if isinstance(target, ast.Attribute | ast.Subscript) and _root(target) in self._modules - _set_up(node):
                yield "replacement"

    def _of_name(self, name: str) -> Iterator[str]:
        if name in _SUBJECTS:
            yield _SUBJECTS[name]
        yield from _of_word(name)

    def _of_import(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        module = getattr(node, "module", None) or ""
        for word in {part for alias in node.names for part in f"{module}.{alias.name}".split(".")}:
            if word in _SUBJECTS:
                yield _SUBJECTS[word]
            if word == "loop":
                yield "harness"

    def _of_text(self, text: str, node: ast.Constant) -> Iterator[str]:
        metric = self._contract.metric
        argument = isinstance(self._parents.get(node), ast.keyword | ast.List | ast.Tuple)  # `metrics=["accuracy"]`
        told = measured_by.named(metric, text) and not (argument and text == metric)
        if told or text.lstrip().startswith(("---", "METRIC")) or any(key in text for key in _SUMMARY_KEYS):
            yield "summary"
        if _OUTSIDE.search(text):
            yield "files"
        yield from _of_word(text)

    def _piece(self, node: ast.AST, what: str) -> ast.AST:
        """The smallest piece of syntax around a node that says what is done with it.

        A name is followed up to where its value is handed to a call as an argument, or to the statement (of `if`,
        `while` and the like: the condition); a text to the call that takes it; a summary line to its whole statement.
        """
        piece = node
        if isinstance(piece, ast.Constant) and isinstance(self._parents.get(piece), ast.Call):
            piece = self._parents[piece]
        while not isinstance(piece, ast.stmt):
            parent = self._parents.get(piece)
            if parent is None or (isinstance(parent, ast.stmt) and hasattr(parent, "body")):
                break
            if isinstance(parent, ast.Call) and piece is not parent.func and what != "summary":
                break
            if isinstance(parent, ast.FormattedValue) and what != "summary":
                break
            piece = parent
        return piece


def _of_word(name: str) -> Iterator[str]:
    for what, pattern in _WORDS.items():
        if pattern.search(name):
            yield what


def _succeeds(node: ast.Call) -> bool:
    """Whether the program ends here as if all were well; with another exit code it has no number."""
    code = node.args[0] if node.args else None
    return not isinstance(code, ast.Constant) or code.value in (0, None, False)


def _set_up(node: ast.AST) -> set[str]:
    """Modules of libraries, where a plain value is assigned: that is a setting."""
    plain = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    return set(_LIBRARIES) if plain else set()


def _targets(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return targets
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return [target]
        case _:
            return []


def _root(node: ast.expr) -> str:
    """The name at the root of `a.b[c].d`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _short(code: str) -> str:
    code = " ".join(code.split())
    return code if len(code) <= LONGEST else code[: LONGEST - 1] + "…"
