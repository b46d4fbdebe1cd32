"""What a person's project has already: the file that trains, how it is started, its metric, its budget.

For `looptop init`, whose `program.md` a person then only has to read. Each finding says where it is from, and whether
it is more than a guess. Reads files, starts nothing and changes nothing.
"""

import os
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.config import metric_names
from loop.config.metric_names import Mention
from loop.errors import UserError
from loop.study.contract import Contract
from loop.words import listed
from loop.workspace import folders_up

LARGEST = 1_000_000  # bytes of a file that is looked into; of a longer log the end counts
MOST = 200  # files and words of a script that are looked into

_SCRIPTS = ("train.py", "main.py", "run.py", "train.jl", "main.c", "main.cu", "main.cpp")
_STARTERS = ("train.sh", "run.sh", "scripts/train.sh", "autoresearch.sh", "bench.sh", "benchmark.sh")
_SIGNS = (*_SCRIPTS, *_STARTERS, "Makefile", "pyproject.toml", "uv.lock", "requirements.txt")
_PROGRAMS = (".py", ".jl")
_SOURCES = (".py", ".sh", ".c", ".cu", ".cpp", ".cc", ".jl", ".rs", ".go")
_LIKE_A_SCRIPT = re.compile(r"(^|.*[/_.-])(train|finetune|pretrain|main|benchmark|bench|solve)\w*\.py$", re.IGNORECASE)
_NOT_A_SCRIPT = re.compile(r"(^|/)(tests?|docs?|examples?|third_party|vendor)/|(^|/)(test_|conftest|setup\.py$)")
_RUNNERS = (("uv", "uv run"), ("poetry", "poetry run python"), ("pdm", "pdm run python"), ("pixi", "pixi run python"))
_COMMAND = re.compile(
    r"(?:[A-Z_]\w*=\S+ )*"
    r"(?:(?:uv|poetry|pdm|pixi|python[\d.]*|torchrun|accelerate|conda|make|bash|sh|julia) .+|\./\S+.*)"
)
_WORDS = re.compile(r"[\s;|&()\"']+")
_BUDGET = re.compile(
    r"^\s*(\w*(?:TIME_BUDGET|BUDGET_S|MAX_SECONDS|TIME_LIMIT)\w*)\s*=\s*(\d+(?:\.\d+)?)\b", re.MULTILINE
)
_LOGS = re.compile(
    r"(^|/)(run|train|output|results?)[\w-]*\.(log|txt|out)$|(^|/)logs?/[^/]+\.(log|txt)$|^nohup\.out$|\.log$"
)
_TABLES = re.compile(r"(^|/)(results?|metrics|history)\.(tsv|csv)$")


class NothingToEdit(UserError):
    """No program was found that could be the one to improve; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        value: as `program.md` takes it.
        where: what tells so, such as `README.md:12`.
        sure: it stands there; else it is a guess.
        others: what else it could be.
    """

    value: str
    where: str
    sure: bool = True
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a project has."""

    edit: Finding
    run: Finding
    metric: Finding
    goal: Finding
    budget: Finding


@dataclass(frozen=True, slots=True)
class Said:
    """What a person has said already; None: to be found."""

    edit: str | None = None
    run: str | None = None
    metric: str | None = None
    goal: str | None = None


def discover(root: Path, files: Sequence[str], said: Said = Said()) -> Discovered:
    """Look through the project at `root`.

    Args:
        files: its files, relative to it, without those that git ignores.
        said: wins over what is found.

    Raises:
        NothingToEdit: it has no program that could be improved.
    """
    look = _Look(root, files)
    command = look.command(said.edit) if said.run is None else _said(said.run)
    edit = look.script(command) if said.edit is None else _said(said.edit)
    metric = look.metric(edit.value) if said.metric is None else _said(said.metric)
    return Discovered(
        edit,
        command or look.usual(edit.value),
        metric,
        _goal(metric.value) if said.goal is None else _said(said.goal),
        look.budget(edit.value),
    )


def has_program(names: Iterable[str]) -> bool:
    """Whether a folder with files of these names looks like a project's."""
    return any(_LIKE_A_SCRIPT.match(name) or name in _SIGNS for name in names)


def _said(value: str) -> Finding:
    return Finding(value, "as you said")


def _goal(metric: str) -> Finding:
    goal = metric_names.goal_of(metric)
    if goal is None:
        return Finding("min", "its name does not tell which way is better", False)
    return Finding(goal, f"{'higher' if goal == 'max' else 'lower'} is better, by its name")


class _Look:
    def __init__(self, root: Path, files: Sequence[str]) -> None:
        self._root = root
        self._files = sorted(files, key=lambda path: (path.count("/"), path))
        self._texts: dict[str, str] = {}

    def script(self, command: Finding | None) -> Finding:
        """The program to improve."""
        started = list(self._started(command.value)) if command else []
        likely = [path for path in self._files if _LIKE_A_SCRIPT.match(path) and not _NOT_A_SCRIPT.search(path)]
        known = [name for name in _SCRIPTS if name in self._files]
        single = [path for path in self._files if path.endswith(".py") and "/" not in path]
        named = [*known, *started, *likely]
        names = list(dict.fromkeys(named or (single if len(single) == 1 else [])))
        if names:
            why = f"{command.where} starts it" if command and names[0] in started else "by its name"
            return Finding(names[0], why, names[0] in started or names[0] in _SCRIPTS, tuple(names[1:4]))
        notebook = next((path for path in self._files if path.endswith(".ipynb")), None)
        if notebook is not None:
            made = f"{notebook.removesuffix('.ipynb')}.py"
            raise NothingToEdit(
                f"{notebook} is a notebook, and experiments are edits of a program: `jupyter nbconvert --to script "
                f"{shlex.quote(notebook)}` makes {made} of it; then `looptop init --edit {shlex.quote(made)}`"
            )
        here = f" ({listed(single)}?)" if single else ""
        raise NothingToEdit(
            f"no training script was found in {self._root}; name the file to improve{here}: `looptop init --edit FILE`"
        )

    def _started(self, command: str) -> Iterator[str]:
        """The programs of the project that a command line starts, by itself or through a script or a Makefile."""
        words = _WORDS.split(command)
        for word in words[:MOST]:
            if posixpath.normpath(word) in self._files and word.endswith((".sh", ".bash")):
                words += _WORDS.split(self._text(posixpath.normpath(word)))
        if words[0] == "make":
            words += _WORDS.split(self._text("Makefile"))
        for before, word in zip(["", *words], words, strict=False):
            module = f"{word.replace('.', '/')}.py" if before == "-m" else posixpath.normpath(word)
            yield from (path for path in (module, f"src/{module}") if path in self._files and path.endswith(_PROGRAMS))

    def command(self, edit: str | None) -> Finding | None:
        """How the project says that it is started: in its README, a Makefile or a script; None where it does not."""
        for readme in (path for path in self._files if re.fullmatch(r"readme(\.\w+)?", path, re.IGNORECASE)):
            for line, said in _code_lines(self._text(readme)):
                if self._starts(said, edit):
                    return Finding(said, f"{readme}:{line}")
        for makefile in (path for path in ("Makefile", "makefile", "GNUmakefile") if path in self._files):
            found = re.search(r"^(train|run|bench|benchmark)\s*:(?!=)", self._text(makefile), re.MULTILINE)
            if found is not None:
                line = self._text(makefile)[: found.start()].count("\n") + 1
                return Finding(f"make {found[1]}", f"{makefile}:{line}")
        for script in _STARTERS:
            if script in self._files and script != edit:
                can = os.access(self._root / script, os.X_OK)
                return Finding(f"./{script}" if can else f"bash {script}", script)
        return None

    def _starts(self, said: str, edit: str | None) -> bool:
        """Whether a line of a README starts the training."""
        if _COMMAND.fullmatch(said) is None:
            return False
        try:
            words = shlex.split(said)
        except ValueError:
            return False
        if edit is not None:
            return edit in words
        scripts = [word for word in words if word in self._files]
        return any(_LIKE_A_SCRIPT.match(word) or word in _SCRIPTS for word in scripts)

    def usual(self, edit: str) -> Finding:
        """How such a file is started where nothing says it."""
        name, way = shlex.quote(edit), "the usual way"
        suffix = Path(edit).suffix
        if suffix in (".sh", ".jl"):
            return Finding(f"{'bash' if suffix == '.sh' else 'julia'} {name}", "by its kind", False)
        if re.search(r"^\s*from \.", self._text(edit), re.MULTILINE):  # it imports from beside itself: a module
            name = f"-m {edit.removeprefix('src/').removesuffix('.py').replace('/', '.')}"
            way = "as a module, since it imports from its own package"
        above = folders_up(self._root)  # the packages of a workspace share one environment
        for tool, runner in _RUNNERS:
            if any((folder / f"{tool}.lock").is_file() for folder in above):
                return Finding(f"{runner} {name}", f"{tool}.lock is there")
        places = [folder / name for name in (".venv", "venv", "env") for folder in above]
        environment = next((place.name for place in places if (place / "pyvenv.cfg").is_file()), "")
        if suffix != ".py":
            return Finding(f"make && ./{Path(edit).stem}", "say how it is built and started", False)
        if environment:
            return Finding(f"python {name}", f"with the Python of {environment}/")
        unfound = name.startswith("-m ") and edit.startswith("src/")  # nothing has installed the package
        return Finding(f"{'PYTHONPATH=src ' if unfound else ''}python {name}", way)

    def metric(self, edit: str) -> Finding:
        """The number to improve: as a table of results has it, a log, or the program's own text."""
        found: list[tuple[Mention, str]] = []
        for table in self._logs(_TABLES):
            header = next(iter(self._text(table).splitlines()), "")
            if column := metric_names.column_of(header):
                found.append((Mention(column, 1), table))
        sources = [edit, *(path for path in self._files if path.endswith(_SOURCES) and path != edit)][:MOST]
        for path in sources:
            found += [(one, path) for one in metric_names.likeliest(metric_names.printed_by(self._text(path)))]
        for log in self._logs(_LOGS):
            found += [(one, log) for one in metric_names.likeliest(metric_names.said_in(self._text(log)))]
        if not found:
            return Finding(Contract().metric, "nothing that is printed was found: say what it is called", False)
        # Of equals the first: a table before the program, the program before other files and logs.
        found.sort(key=lambda one: -metric_names.weight(one[0].name))
        others = dict.fromkeys(one.name for one, _ in found if one.name != found[0][0].name)
        best, path = found[0]
        return Finding(best.name, f"{path}:{best.line}", metric_names.weight(best.name) > 3, tuple(others)[:4])

    def budget(self, edit: str) -> Finding:
        """The training time of a run, where a constant of the program names it."""
        for path in [edit, *(path for path in self._files if path.endswith(".py") and "/" not in path)]:
            if (found := _BUDGET.search(self._text(path))) is not None and float(found[2]) > 0:
                line = self._text(path)[: found.start(1)].count("\n") + 1
                return Finding(f"{float(found[2]):g}s", f"{found[1]} in {path}:{line}")
        if "LOOPTOP_BUDGET_S" in self._text(edit):
            return Finding("5m", f"{edit} keeps to what it is given")
        return Finding("5m", "make it about what one run of yours takes", False)

    def _logs(self, pattern: re.Pattern[str]) -> Iterator[str]:
        """Results of earlier runs; git ignores them most often."""
        places = (self._root, self._root / "logs", self._root / "log", self._root / "results")
        entries = [path for place in places if place.is_dir() for path in sorted(place.iterdir())[:200]]
        names = (
            path.relative_to(self._root).as_posix() for path in entries if path.is_file() and not path.is_symlink()
        )
        yield from (name for name in names if pattern.search(name))

    def _text(self, name: str) -> str:
        if name not in self._texts:
            self._texts[name] = _end_of(self._root / name)
        return self._texts[name]


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LARGEST))
            return file.read(LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _code_lines(markdown: str) -> Iterator[tuple[int, str]]:
    """The lines of the code blocks of a text in Markdown, and inline code, without a prompt; counted from 1."""
    fenced = False
    for number, line in enumerate(markdown.splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif fenced or line.startswith(("    ", "\t")):
            said = re.sub(r"^\s*[$>%] ", "", line.split(" #")[0]).strip()
            if said and not said.endswith("\\"):
                yield number, said
        else:
            yield from ((number, said.strip()) for said in re.findall(r"`([^`]+)`", line))
