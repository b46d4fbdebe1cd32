"""What a program's text says that it needs: the modules it imports and the files it names. Pure; nothing is looked up.

Only what stands there literally is found. A name that is put together at run time is not, and a file that is named need
not be read: whoever asks takes a mention for a hint, but for a certain import.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_WRITERS = re.compile(r"(save|dump|write|mkdir|makedirs|to_|print|SummaryWriter|FileHandler|remove|rmtree|unlink)\w*")
_WRITES = re.compile(r"[wax][bt+]*")
_SAVED = re.compile(r"out|save|ckpt|checkpoint|log|result|dest|target", re.IGNORECASE)
_LONGEST = 200  # characters of a path


@dataclass(frozen=True, slots=True)
class Import:
    """A module that is imported.

    Attributes:
        name: `package.module`; of `from a import b` both `a` and `a.b` are mentioned, since either may be the module.
        level: dots in front of it.
        line: counted from 1.
        certain: it happens whenever the file is run: not in a function, a `try` or an `if`.
    """

    name: str
    level: int
    line: int
    certain: bool


@dataclass(frozen=True, slots=True)
class Named:
    """A text that may be the name of a file or a folder, and the line it stands on."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Mentions:
    """What one Python file mentions."""

    imports: tuple[Import, ...] = ()
    files: tuple[Named, ...] = ()
    paths: tuple[str, ...] = ()
    """Folders that it puts on `sys.path`."""


def mentions(text: str) -> Mentions:
    """What the Python file `text` mentions; nothing where it does not parse."""
    try:
        return _of(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Mentions()


def _of(tree: ast.Module) -> Mentions:
    written = {id(node) for node in _written(tree)}
    files, paths = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("sys.path."):
            paths += [text for text in map(_text, node.args) if text]
        if (name := _text(node)) and id(node) not in written and name.isprintable() and len(name) < _LONGEST:
            files.append(Named(name, getattr(node, "lineno", 1)))
    return Mentions(tuple(_imports(tree.body, True)), tuple(files), tuple(paths))


def words(text: str) -> Iterator[Named]:
    """The words of a command line or a shell script, without quotes, comments and the names of variables."""
    for number, line in enumerate(text.splitlines(), 1):
        for word in re.split(r"[\s;|&()<>]+", line.partition(" #")[0]):
            plain = word.strip("\"'").rpartition("=")[2]
            if plain and not line.lstrip().startswith("#"):
                yield Named(plain, number)


def _imports(body: list[ast.stmt], certain: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, 0, node.lineno, certain) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module:
                yield Import(module, node.level, node.lineno, certain)
            for alias in node.names:
                name = f"{module}.{alias.name}" if module else alias.name
                # Of `from package import name` the name may as well be a variable of the package.
                yield Import(name, node.level, node.lineno, certain)
        else:
            always = certain and (isinstance(node, ast.With | ast.ClassDef) or _is_main(node))
            for field in ("body", "orelse", "finalbody", "handlers", "cases"):
                for inner in getattr(node, field, ()):
                    yield from _imports([inner] if isinstance(inner, ast.stmt) else inner.body, always)


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def _written(tree: ast.AST) -> Iterator[ast.AST]:
    """Texts that are no names of files to read: docstrings, what is written to, formats, keys."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield from node.values
        elif isinstance(node, ast.Dict):
            yield from (key for key in node.keys if key is not None)
        elif isinstance(node, ast.Subscript | ast.Compare):
            yield from ast.walk(node)
        elif isinstance(node, ast.Assign | ast.keyword) and _SAVED.search(_target(node)):
            yield from ast.walk(node.value)
        elif isinstance(node, ast.Call):
            mode = next(iter(map(_text, node.args[1:2])), None) or ""
            if _WRITERS.fullmatch(ast.unparse(node.func).rpartition(".")[2]) or _WRITES.fullmatch(mode):
                yield from (inner for argument in node.args for inner in ast.walk(argument))


def _target(node: ast.Assign | ast.keyword) -> str:
    return " ".join(map(ast.unparse, node.targets)) if isinstance(node, ast.Assign) else node.arg or ""


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
