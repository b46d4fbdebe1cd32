"""How a project is started: which lines of a README start it, and what starts a file of each kind. Pure.

A guess is for a person to read; nothing is started by it before they have.
"""

import re
import shlex
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

_TOOLS = (
    "uv|poetry|pdm|pixi|hatch|rye|python[\\d.]*|torchrun|accelerate|deepspeed|conda|make|just|task|bash|sh|julia|cargo|go|"
    "node|npm|pnpm|yarn|bun|deno|npx|Rscript|ruby|perl|php|lua|java|dotnet|zig|mix|stack|dvc|snakemake"
)
_COMMAND = re.compile(
    rf"(?:cd [\w./-]+ && )?(?:[A-Z_]\w*=\S+ )*(?:(?:{_TOOLS}) .+|make|\./\S+.*|[\w./-]+\.(?:sh|bash)\b.*)"
)
_WHOLE = re.compile(
    r"(?:[A-Z_]\w*=\S+ )*(?:make(?: (?:train|run|bench|benchmark|eval|evaluate|experiment|all))?|"
    r"(?:just|task) (?:train|run|bench|benchmark|eval|experiment)|dvc repro|snakemake .*|cargo (?:run|bench)\b.*|"
    r"go (?:run|test -bench)\b.*|(?:npm|pnpm|yarn|bun)(?: run)? (?:train|bench|benchmark|start|eval)\b.*|"
    r"(?:zig build|dotnet|stack|mix) run\b.*)"
)
"""Commands that start a project as a whole, and name no file of it."""

_SCRIPT_RUNNERS = {
    ".sh": "bash", ".jl": "julia", ".R": "Rscript", ".r": "Rscript", ".js": "node", ".mjs": "node", ".rb": "ruby",
    ".pl": "perl", ".php": "php", ".lua": "lua", ".ts": "npx tsx",
}  # fmt: skip
NPM = ("train", "bench", "benchmark", "start")
"""Names of scripts in a `package.json` that start what is improved."""

SOURCES = (
    ".py", *_SCRIPT_RUNNERS, ".c", ".cu", ".cpp", ".cc", ".hip", ".rs", ".go", ".zig", ".java", ".kt", ".cs",
    ".f90", ".sql",
)  # fmt: skip
"""Endings of files that a person may have improved."""


def is_command(said: str) -> bool:
    """Whether a line of a text is a command that may start a project."""
    return _COMMAND.fullmatch(said) is not None


def starts_all(said: str) -> bool:
    """Whether it starts the project as a whole, naming no file."""
    return _WHOLE.fullmatch(said) is not None


def by_kind(edit: str, beside: set[str]) -> str | None:
    """What starts a file of this kind where nothing tells; None where its kind does not tell.

    Args:
        beside: the files at the top of the project.
    """
    suffix = PurePosixPath(edit).suffix
    if suffix == ".rs" and "Cargo.toml" in beside:
        return "cargo run --release"
    if suffix == ".go" and "go.mod" in beside:
        return "go run ."
    if runner := _SCRIPT_RUNNERS.get(suffix):
        return f"{runner} {shlex.quote(edit)}"
    return None


def code_lines(text: str, folders: Collection[str] = ()) -> Iterator[tuple[int, str]]:
    """The commands in the code blocks of a text in Markdown or reStructuredText, and inline code, without a prompt.

    Lines that a backslash joins are one. A `cd` into one of `folders` is in front of what follows it in its block.

    Yields:
        The line, counted from 1, and the command.
    """
    fenced, folder, begun, first = False, "", "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced, folder, begun = not fenced, "", ""
        elif fenced or line.startswith(("    ", "\t")):
            said = re.sub(r"^\s*[$>%] ", "", line.split(" #")[0]).strip()
            first = first if begun else number
            said, begun = f"{begun} {said}".strip(), ""
            if said.endswith("\\"):
                begun = said.rstrip("\\ ")
            elif (into := re.fullmatch(r"cd ([\w./-]+)", said)) is not None:
                gone = f"{folder}/{into[1]}".strip("/")
                folder = gone if gone in folders else folder  # not what `git clone` has made
            elif said:
                yield first, f"cd {folder} && {said}" if folder else said
        else:
            folder = begun = ""
            yield from ((number, said.strip()) for said in re.findall(r"`([^`]+)`", line))


def program_of(words: list[str]) -> str:
    """The program that a command starts: also behind `uv run` and its like."""
    return words[2] if words[1:2] == ["run"] and len(words) > 2 else words[0] if words else ""
