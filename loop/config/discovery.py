"""What a person's project has already: the file that trains, how it is started, its metric, its budget.

For `looptop init`, whose `program.md` a person then only has to read. Each finding says where it is from, and whether
it is more than a guess. Reads files, starts nothing and changes nothing.
"""

import os
import posixpath
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.config import metric_names
from loop.config.metric_names import Mention
from loop.config.starters import NPM, SOURCES, by_kind, code_lines, is_command, program_of, starts_all
from loop.errors import UserError
from loop.policy.mentions import mentions, words
from loop.study.contract import Contract
from loop.words import listed
from loop.workspace import folders_up

LARGEST = 1_000_000  # bytes of a file that is looked into; of a longer log the end counts
MOST = 200  # files and words of a script that are looked into

_SCRIPTS = ("train.py", "main.py", "run.py", "train.jl", "main.c", "main.cu", "main.cpp", "main.go", "src/main.rs")
_STARTERS = ("train.sh", "run.sh", "scripts/train.sh", "autoresearch.sh", "bench.sh", "benchmark.sh")
_SIGNS = (*_SCRIPTS, *_STARTERS, "Makefile", "pyproject.toml", "uv.lock", "requirements.txt", "Cargo.toml", "go.mod")
_PROGRAMS = (".py", ".jl", ".R", ".js", ".mjs", ".ts", ".sh")
_LIKE_A_SCRIPT = re.compile(r"(^|.*[/_.-])(train|finetune|pretrain|main|benchmark|bench|solve)\w*\.py$", re.IGNORECASE)
_NOT_A_SCRIPT = re.compile(
    r"(^|/)(tests?|docs?|examples?|third_party|vendor|node_modules|target|build)/|(^|/)(test_|conftest|setup\.)"
)
_PREPARES = re.compile(r"(^|/)(prepare|download|setup|install|get_|make_|build_|preprocess|launch)[\w-]*\.\w+$")
_MEASURES = re.compile(r"(^|[/_.-])(bench|benchmark|eval|evaluate|evaluation|score|measure)[\w-]*\.\w+$", re.IGNORECASE)
_IMPROVED = re.compile(
    r"\.(py|sql|c|cu|cpp|cc|js|mjs|ts|jl|ya?ml|toml|j2|jinja2?|tmpl|prompt)$|prompt[^/]*(/.*)?\.(txt|md)$"
)
_RUNNERS = (("uv", "uv run"), ("poetry", "poetry run python"), ("pdm", "pdm run python"), ("pixi", "pixi run python"))
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
    edit, starter = look.script(command) if said.edit is None else (_said(said.edit), said.edit)
    metric = look.metric(edit.value) if said.metric is None else _said(said.metric)
    return Discovered(
        edit,
        command or look.usual(starter),
        metric,
        _goal(metric) if said.goal is None else _said(said.goal),
        look.budget(edit.value),
    )


def has_program(names: Iterable[str]) -> bool:
    """Whether a folder with files of these names looks like a project's."""
    return any(_LIKE_A_SCRIPT.match(name) or name in _SIGNS for name in names)


_NO_METRIC = Finding(Contract().metric, "nothing that is printed was found: say what it is called", False)


def _said(value: str) -> Finding:
    return Finding(value, "as you said")


def _goal(metric: Finding) -> Finding:
    goal = metric_names.goal_of(metric.value)
    if goal is None:
        return Finding("min", "its name does not tell which way is better", False)
    if metric == _NO_METRIC:
        return Finding(goal, "say which way is better", False)
    return Finding(goal, f"{'higher' if goal == 'max' else 'lower'} is better, by its name")


class _Look:
    def __init__(self, root: Path, files: Sequence[str]) -> None:
        self._root = root
        self._files = sorted(files, key=lambda path: (path.count("/"), path))
        self._texts: dict[str, str] = {}

    def script(self, command: Finding | None) -> tuple[Finding, str]:
        """The program to improve, and the one that is started: it may only measure the other."""
        started = list(self._started(command.value)) if command else []
        started.sort(key=lambda path: bool(_PREPARES.search(path)) + 2 * bool(_NOT_A_SCRIPT.search(path)))
        likely = [path for path in self._files if _LIKE_A_SCRIPT.match(path) and not _NOT_A_SCRIPT.search(path)]
        known = [name for name in _SCRIPTS if name in self._files]
        shells = [path for path in started if path.endswith(".sh")]
        sources = [path for path in self._sources() if path not in shells and path not in _STARTERS]
        named = [*known, *(path for path in started if path not in shells), *likely]
        if not sources:
            sources = [path for path in self._files if _MEASURES.search(path) and path.endswith(_PROGRAMS)]
        names = list(dict.fromkeys(named or (sources if len(sources) == 1 else shells)))
        improving = [path for path in names if not _MEASURES.search(path)]
        if names and not improving and (measured := list(self._measured_by(names[0]))):
            return Finding(measured[0], f"{names[0]} measures it", False, (*measured[1:3], names[0])), names[0]
        names = list(dict.fromkeys([*improving, *names]))
        if names:
            why = "by its name" if named else "the only one there"
            if command and names[0] in started:
                why = f"{command.where} starts it"
            sure = names[0] in _SCRIPTS or (names[0] in started and not started[1:])
            settings = self._settings_in(command.value) if command else []
            return Finding(names[0], why, sure, tuple(dict.fromkeys([*names[1:4], *settings]))), names[0]
        notebook = next((path for path in self._files if path.endswith(".ipynb")), None)
        if notebook is not None:
            made = f"{notebook.removesuffix('.ipynb')}.py"
            raise NothingToEdit(
                f"{notebook} is a notebook, and experiments are edits of a program: `jupyter nbconvert --to script "
                f"{shlex.quote(notebook)}` makes {made} of it; then `looptop init --edit {shlex.quote(made)}`"
            )
        here = f" ({listed(sources)}?)" if sources else ""
        raise NothingToEdit(
            f"no training script was found in {self._root}; name the file to improve{here}: `looptop init --edit FILE`"
        )

    def _sources(self) -> list[str]:
        """A few files that may be what is to be improved: not its tests, nor what measures or prepares."""
        fit = (path for path in self._files if path.endswith(SOURCES) and not _NOT_A_SCRIPT.search(path))
        return [path for path in fit if not _MEASURES.search(path) and not _PREPARES.search(path)][:5]

    def _measured_by(self, script: str) -> Iterator[str]:
        """The files that a script imports or names: where it only measures, they are what is improved."""
        found = mentions(self._text(script))
        folder = posixpath.dirname(script)
        modules = [f"{one.name.replace('.', '/')}.py" for one in found.imports]
        named = [one.text for one in (found.files or words(self._text(script)))]
        for name in dict.fromkeys([*modules, *named]):
            for place in dict.fromkeys((folder, "", "src")):
                path = posixpath.normpath(posixpath.join(place, name))
                if path in self._files and path != script and _IMPROVED.search(path):
                    yield path

    def _settings_in(self, command: str) -> list[str]:
        """The files of settings that a command names."""
        paths = (posixpath.normpath(word.rpartition("=")[2]) for word in _WORDS.split(command))
        return [path for path in paths if path in self._files and path.endswith((".yaml", ".yml", ".toml"))]

    def _started(self, command: str) -> Iterator[str]:
        """The programs of the project that a command line starts, by itself or through a script or a Makefile."""
        words = _WORDS.split(command)
        for word in words[:MOST]:
            if posixpath.normpath(word) in self._files and word.endswith((".sh", ".bash")):
                words += _WORDS.split(self._text(posixpath.normpath(word)))
        if words[0] == "make":
            words += _WORDS.split(self._text("Makefile"))
        folder = words[1] if words[0] == "cd" else ""
        own = []
        for before, word in zip(["", *words], words, strict=False):
            module = f"{word.replace('.', '/')}.py" if before == "-m" else posixpath.normpath(word)
            places = (posixpath.join(folder, module), module, f"src/{module}")
            own += [path for path in places if path in self._files and path.endswith(_PROGRAMS)]
        if point := self._entry_points().get(program_of(words)):
            own += [path for path in (point, f"src/{point}") if path in self._files]
        yield from dict.fromkeys(own)

    def _entry_points(self) -> dict[str, str]:
        """The commands that the project's package installs, and the file of each."""
        try:
            told = tomllib.loads(self._text("pyproject.toml"))
            scripts = {
                **told.get("tool", {}).get("poetry", {}).get("scripts", {}),
                **told.get("project", {}).get("scripts", {}),
            }
            return {name: f"{to.partition(':')[0].replace('.', '/')}.py" for name, to in scripts.items()}
        except (ValueError, AttributeError, TypeError):
            return {}

    def command(self, edit: str | None) -> Finding | None:
        """How the project says that it is started: in its README, a Makefile or a script; None where it does not."""
        readmes = [path for path in self._files if re.fullmatch(r"readme(\.\w+)?", path, re.IGNORECASE)]
        folders = {path[:at] for path in self._files for at, sign in enumerate(path) if sign == "/"}
        said = [(f"{path}:{at}", line) for path in readmes for at, line in code_lines(self._text(path), folders)]
        for where, line in said:
            if self._starts(line, edit):
                return self._from_here(line, where)
        for makefile in (path for path in ("Makefile", "makefile", "GNUmakefile") if path in self._files):
            found = re.search(r"^(train|run|bench|benchmark)\s*:(?!=)", self._text(makefile), re.MULTILINE)
            if found is not None:
                at = self._text(makefile)[: found.start()].count("\n") + 1
                return Finding(f"make {found[1]}", f"{makefile}:{at}")
        for script in _STARTERS:
            if script in self._files and script != edit:
                can = os.access(self._root / script, os.X_OK)
                return Finding(f"./{script}" if can else f"bash {script}", script)
        if edit is None and any(_LIKE_A_SCRIPT.match(path) and not _NOT_A_SCRIPT.search(path) for path in self._files):
            return None  # what a README says of other files is how to prepare
        for where, line in said:
            if starts_all(line) or (is_command(line) and self._improvable(line)):
                return Finding(line, where)
        scripts = re.search(rf'"({"|".join(NPM)})"\s*:', self._text("package.json"))
        return Finding(f"npm run {scripts[1]}", "package.json") if scripts is not None else None

    def _from_here(self, line: str, where: str) -> Finding:
        """A command of a README, with what Python needs to find a package that nothing may have installed."""
        module = re.match(r"python[\d.]* -m ([\w.]+)", line)
        inside = f"src/{module[1].replace('.', '/')}" if module else ""
        if inside and not {f"{inside}.py", f"{inside}/__main__.py"}.isdisjoint(self._files):
            return Finding(f"PYTHONPATH=src {line}", where)
        return Finding(line, where)

    def _improvable(self, said: str) -> bool:
        return any(not _PREPARES.search(path) and not _NOT_A_SCRIPT.search(path) for path in self._started(said))

    def _starts(self, said: str, edit: str | None) -> bool:
        """Whether a line of a README starts the training."""
        try:
            words = shlex.split(said)
        except ValueError:
            return False
        if (program := program_of(words)) in self._entry_points():
            there = words[0] != program or self._installed(program)
            return there and (edit is None or edit in self._started(said))
        if not is_command(said):
            return False
        started = [path for path in self._started(said) if posixpath.basename(path) not in _STARTERS]
        if edit is not None:
            return edit in words or (words[0] != "make" and edit in started)
        return words[0] != "make" and any(_LIKE_A_SCRIPT.match(path) or path in _SCRIPTS for path in started)

    def _installed(self, program: str) -> bool:
        """Whether a program is in the project's environment, or found by its name."""
        here = [self._root / name / "bin" / program for name in (".venv", "venv", "env")]
        return any(path.is_file() for path in here) or shutil.which(program) is not None

    def usual(self, edit: str) -> Finding:
        """How such a file is started where nothing says it."""
        name, way = shlex.quote(edit), "the usual way"
        suffix = Path(edit).suffix
        if (command := by_kind(edit, {path for path in self._files if "/" not in path})) is not None:
            return Finding(command, "by its kind", False)
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
            built = f"make && ./{Path(edit).stem}" if suffix in (".c", ".cu", ".cpp", ".cc") else Contract().run
            return Finding(
                built, "say how it is started" if suffix not in SOURCES else "say how it is built and started", False
            )
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
        sources = [edit, *(path for path in self._files if path.endswith(SOURCES) and path != edit)][:MOST]
        for path in sources:
            found += [(one, path) for one in metric_names.likeliest(metric_names.printed_by(self._text(path)))]
        for log in self._logs(_LOGS):
            found += [(one, log) for one in metric_names.likeliest(metric_names.said_in(self._text(log)))]
        if not found:
            return self._unheard_of(edit)
        # Of equals the first: a table before the program, the program before other files and logs.
        found.sort(key=lambda one: -metric_names.weight(one[0].name))
        others = dict.fromkeys(one.name for one, _ in found if one.name != found[0][0].name)
        best, path = found[0]
        return Finding(best.name, f"{path}:{best.line}", metric_names.weight(best.name) > 3, tuple(others)[:4])

    def _unheard_of(self, edit: str) -> Finding:
        """A number that the program prints, of which nothing tells that it is the one."""
        for path in [edit, *(path for path in self._files if path.endswith(SOURCES) and path != edit)][:MOST]:
            if seen := metric_names.unheard_of(metric_names.printed_by(self._text(path))):
                return Finding(seen[0].name, f"{path}:{seen[0].line}", False, tuple(one.name for one in seen[1:4]))
        return _NO_METRIC

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
