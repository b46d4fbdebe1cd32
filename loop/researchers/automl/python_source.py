"""The constants of a Python file, found by `ast`.

The byte offsets of `ast` suffice to change them in place; a concrete syntax tree (libcst) would bring a parser of its
own, ten times slower, to replace a handful of literals.

Searched are literals (a number may have a sign, and may be written as literal arithmetic such as `2**16`):

- what is assigned once at module level, below `if __name__ == "__main__":`, or in a function that is the program's
  entry (`main`, `train`, ...), an element of a tuple of numbers and an entry of a dictionary of settings included;
- fields of an object of settings that are assigned once (`config.lr = 0.1`, `config["lr"] = 0.1`);
- fields of a class that holds settings (a dataclass, a `...Config`, pydantic's), with `Literal[...]` as its choices;
- defaults of an entry function's arguments, of argparse's, click's, typer's and absl's options, with their choices;
- arguments of a call: of a class or function of this file that has such defaults, and those that are hyperparameters
  wherever they stand (`AdamW(..., weight_decay=0.1)`).

Names that are assigned more than once, and values that are chosen at run time, are left alone: which number applies is
not known in advance.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from loop.researchers.automl.conditions import conditions
from loop.researchers.automl.constants import (
    LINE_END,
    Constant,
    Value,
    choices_of,
    choices_told,
    is_fixed,
    unique,
)
from loop.researchers.automl.literals import form_of, list_of, number_of, value_of
from loop.researchers.automl.naming import HYPERPARAMETERS, OF_MODELS, holds_settings, is_searched, own_words
from loop.researchers.automl.python_syntax import Scope, called, dotted, last, pairs, statements, stored

_MARK = "\ufeff"  # a byte-order mark: Python runs a file that starts with it, but ast does not read it
_ENTRIES = frozenset({"main", "train", "run", "fit", "training", "train_model", "cli", "experiment", "get_config"})
_COMMANDS = frozenset({"command", "cli"})
_STARTERS = frozenset({"Fire", "run", "cli"})
_SETTINGS = (
    "Config",
    "Cfg",
    "Conf",
    "Args",
    "Arguments",
    "Params",
    "Hyperparameters",
    "HParams",
    "Settings",
    "Options",
)
_SETTING_BASES = frozenset({"NamedTuple", "BaseModel", "BaseSettings", "Struct", "Tap", "PretrainedConfig"})
_MAPPINGS = frozenset({"dict", "SimpleNamespace", "Namespace", "EasyDict", "AttrDict", "ConfigDict", "create"})
_ABSL = frozenset({"DEFINE_float", "DEFINE_integer", "DEFINE_bool", "DEFINE_boolean", "DEFINE_enum"})
# fmt: off
_WHOLE_LISTS = frozenset({
    "HIDDEN", "LAYERS", "DIMS", "WIDTHS", "CHANNELS", "UNITS", "FILTERS", "DEPTHS", "HEADS", "SIZES",
})
# fmt: on
_ELEMENTS = 6
"""A longer list of numbers is data."""


def find(source: str) -> list[Constant]:
    """The searchable constants of a file, in order; an empty list where it is not Python."""
    try:
        tree = ast.parse(source.removeprefix(_MARK))
        return unique(_Reader(source, tree).read())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


class _Reader:
    """One pass over a file."""

    def __init__(self, source: str, tree: ast.Module) -> None:
        self._tree = tree
        self._raw = source.encode(errors="surrogatepass")
        begin = len(_MARK.encode()) if source.startswith(_MARK) else 0
        self._lines = [begin, *(match.end() for match in LINE_END.finditer(self._raw))]
        nodes = list(ast.walk(tree))
        self._loads = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        self._everything = any(called(node) in ("globals", "locals", "vars") for node in nodes)
        """Names may be read without standing anywhere."""
        self._calls = [node for node in nodes if isinstance(node, ast.Call)]
        self._calls_of: dict[str | None, list[ast.Call]] = {}
        for call in self._calls:
            self._calls_of.setdefault(called(call), []).append(call)
        self._started = set(self._starting())
        self._functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        self._classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
        stores = (node for node in nodes if isinstance(node, ast.Attribute | ast.Subscript))
        self._places = Counter(dotted(node) for node in stores if isinstance(node.ctx, ast.Store))
        self._under = conditions(tree)
        self._found: list[Constant] = []

    def read(self) -> list[Constant]:
        """All constants, some of them perhaps twice."""
        entries = [function for function in self._functions if self._is_entry(function)]
        ours = {kind.name for kind in self._classes if _holds_fields(kind)} | {function.name for function in entries}
        for scope in (self._tree, *entries):
            self._assigned(scope)
        for kind in self._classes:
            if _holds_fields(kind):
                self._fields(kind)
            for method in kind.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    self._defaults(method, kind.name, HYPERPARAMETERS)
        for function in entries:
            self._defaults(function, function.name)
        for call in self._calls:
            self._options(call)
            self._arguments(call, ours)
        return self._found

    # --- assignments ---------------------------------------------------------------------------------------------

    def _assigned(self, scope: Scope) -> None:
        times = Counter(stored(scope))
        for statement in statements(scope):
            for name, value in pairs(statement):
                if times[name] == 1:
                    self._value(name, value, read=self._everything or name in self._loads)
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                path = dotted(statement.targets[0]) or ""
                holder, _, key = path.rpartition(".")
                if holder and self._places[path] == 1 and _is_setting(holder, key):
                    self._value(path, statement.value, read=True)

    def _value(self, name: str, node: ast.expr, read: bool) -> None:
        match node:
            case ast.Tuple(elts=items) | ast.List(elts=items):
                self._elements(name, items, read)
            case ast.Dict():
                self._entries(name, node)
            case ast.Call(keywords=keywords, args=args) if called(node) in _MAPPINGS:
                for keyword in keywords:
                    if keyword.arg is not None and _is_setting(name, keyword.arg):
                        self._value(f"{name}.{keyword.arg}", keyword.value, True)
                for argument in args:
                    if isinstance(argument, ast.Dict) or called(argument) in _MAPPINGS:
                        self._value(name, argument, read)
            case _:
                self._add(name, node, read=read)

    def _elements(self, name: str, items: list[ast.expr], read: bool = True) -> None:
        numbers = [number_of(item) for item in items]
        own = own_words(name)
        whole = all(isinstance(number, int) for number in numbers) and not own & _WHOLE_LISTS
        if None in numbers or not 0 < len(items) <= _ELEMENTS or whole or own & {"MEAN", "MEANS", "STDS", "SHAPE"}:
            return
        for place, item in enumerate(items):
            self._add(f"{name}[{place}]", item, read=read)

    def _entries(self, name: str, node: ast.Dict, levels: int = 5) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            match key, value:
                case ast.Constant(value=str() as word), ast.Dict() if levels and word.isidentifier():
                    self._entries(f"{name}.{word}", value, levels - 1)
                case ast.Constant(value=str() as word), _ if _is_setting(name, word):
                    self._value(f"{name}.{word}", value, True)
                case _:
                    pass

    # --- classes and functions -----------------------------------------------------------------------------------

    def _fields(self, kind: ast.ClassDef) -> None:
        fields = [(name, value, statement) for statement in kind.body for name, value in pairs(statement)]
        order = [last(part.target) or "" for part in kind.body if isinstance(part, ast.AnnAssign)]
        given = self._given(kind.name, order)
        for name, value, statement in fields:
            annotation = statement.annotation if isinstance(statement, ast.AnnAssign) else None
            if name not in given:
                self._default(f"{kind.name}.{name}", value, annotation)

    def _defaults(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str, only: frozenset[str] = frozenset()
    ) -> None:
        """Defaults of a function's arguments.

        Args:
            name: what it is called by.
            only: none but these; empty: all.
        """
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        given = self._given(name, [argument.arg for argument in positional if argument.arg != "self"])
        pairs = [
            *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for argument, value in pairs:
            if value is not None and argument.arg not in given and (not only or argument.arg in only):
                self._default(f"{name}.{argument.arg}", value, argument.annotation)

    def _default(self, name: str, node: ast.expr, annotation: ast.expr | None) -> None:
        """A default as it stands, or within `field(default=...)`, `Field(...)` or `typer.Option(...)`."""
        if isinstance(node, ast.Call) and called(node) in ("field", "Field", "Option", "Argument", "attrib", "ib"):
            first = node.args[0] if node.args else None
            inner = next((keyword.value for keyword in node.keywords if keyword.arg == "default"), first)
            if inner is None:
                return
            node = inner
        offered: list[object] = []
        if isinstance(annotation, ast.Subscript) and last(annotation.value) == "Literal":
            offered = list_of(annotation.slice)
        if isinstance(node, ast.Tuple | ast.List):
            self._elements(name, node.elts)
        else:
            self._add(name, node, offered)

    def _given(self, name: str, order: Sequence[str]) -> set[str | None]:
        """Arguments that some call of a class or function gives, so that their defaults say nothing.

        Args:
            order: those that may be given without a name, in order.
        """
        calls = self._calls_of.get(name, [])
        placed = max((len(call.args) for call in calls), default=0)
        return {keyword.arg for call in calls for keyword in call.keywords} | set(order[:placed])

    def _is_entry(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        decorators = {called(node) or last(node) for node in function.decorator_list}
        return function.name in _ENTRIES or function.name in self._started or bool(decorators & _COMMANDS)

    def _starting(self) -> Iterator[str | None]:
        """Names of functions that a line of the program starts: `experiment()`, `fire.Fire(experiment)`."""
        for call in self._calls:
            if called(call) in _STARTERS:
                yield from map(last, call.args)
        for line in statements(self._tree):
            if isinstance(line, ast.Expr):
                yield called(line.value)

    # --- calls -----------------------------------------------------------------------------------------------------

    def _options(self, call: ast.Call) -> None:
        """argparse's `add_argument("--lr", default=...)`, click's `option`, absl's `DEFINE_float("lr", ...)`."""
        kind = called(call)
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if not texts:
            return
        about = named.get("help")
        if isinstance(about, ast.Constant) and is_fixed(str(about.value)):
            return
        if kind in ("add_argument", "option") and "default" in named:
            long = next((text for text in texts if text.startswith("--")), texts[0])
            offered = named.get("choices", named.get("type"))
            if isinstance(offered, ast.Call) and called(offered) == "Choice" and offered.args:
                offered = offered.args[0]
            name = long.partition("/")[0].lstrip("-").replace("-", "_")
            self._add(name, named["default"], list_of(offered) if offered is not None else [])
        elif kind in _ABSL and (len(call.args) > 1 or "default" in named):
            offered = call.args[2] if kind == "DEFINE_enum" and len(call.args) > 2 else None
            default = named["default"] if "default" in named else call.args[1]
            self._add(texts[0], default, list_of(offered) if offered is not None else [])

    def _arguments(self, call: ast.Call, ours: set[str]) -> None:
        """Arguments of a call: all of one of ours, else those that are hyperparameters in any call."""
        kind = called(call)
        if kind is None or kind in ("add_argument", "option", "field", "Field", "Option"):
            return
        for keyword in call.keywords:
            elsewhere = OF_MODELS if kind[0].isupper() else HYPERPARAMETERS
            if keyword.arg is not None and (kind in ours or keyword.arg in elsewhere):
                self._default(f"{kind}.{keyword.arg}", keyword.value, None)
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            if isinstance(argument, ast.Dict):
                self._entries(kind, argument)

    # --- literals --------------------------------------------------------------------------------------------------

    def _add(self, name: str, node: ast.expr, offered: list[object] | tuple[()] = (), read: bool = True) -> None:
        value = value_of(node)
        if value is None or not name.isascii() or name.startswith("_") or node.end_col_offset is None:
            return
        begin = self._lines[node.lineno - 1]
        start, end = begin + node.col_offset, begin + node.end_col_offset
        line_end = LINE_END.search(self._raw, end)
        rest = self._raw[end : line_end.start() if line_end else len(self._raw)].decode(errors="replace")
        comment = rest.partition("#")[2]
        choices = choices_of(name, value, offered or choices_told(comment, value))
        if choices is None or is_fixed(comment) or node.end_lineno != node.lineno:
            return
        text = self._raw[start:end].decode(errors="surrogatepass")
        try:  # where an odd line end makes bytes and lines disagree, leave the file alone rather than damage it
            if _differs(value_of(ast.parse(text, mode="eval").body), value):
                return
        except SyntaxError:
            return
        if isinstance(value, str) and text[1:-1] != value:
            return  # a raw string, or one with escapes in it
        under = self._under.get(name.partition("[")[0].rpartition(".")[2])
        self._found.append(Constant(name, value, text, form_of(node), start, end, choices, read, under))


def _differs(a: Value | None, b: Value) -> bool:
    return type(a) is not type(b) or a != b


def _holds_fields(kind: ast.ClassDef) -> bool:
    decorators = {called(node) or last(node) for node in kind.decorator_list}
    bases = {last(base) for base in kind.bases}
    return bool(decorators & {"dataclass", "define", "frozen", "attrs", "s", "chz"} or bases & _SETTING_BASES) or (
        kind.name.endswith(_SETTINGS) or kind.name.lower() in ("config", "hp", "cfg", "args")
    )


def _is_setting(holder: str, key: str) -> bool:
    return key.isidentifier() and (holds_settings(holder) or key in HYPERPARAMETERS) and is_searched(key)
