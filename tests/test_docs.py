"""What the pages name is there: links, headings, commands and their options, make's targets, modules; and the other way
round, every key, setting, variable and command is on a page. A thing that has lost its name or its page fails here.
"""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from loop.config.program import parse
from loop.config.settings import Settings
from loop.study.contract import Contract, Keep, Limits, Stop
from tui.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
HISTORY = {"CHANGELOG.md"}
"""Pages that may name what is gone."""
MANUAL = "\n".join(text for name, text in TEXTS.items() if name not in HISTORY and "decisions" not in name)

COMMANDS: Any = typer.main.get_command(app)
INNER_VARIABLES = {"LOOPTOP_VALIDATION_FD", "LOOPTOP_NAME", "LOOPTOP_EMAIL"}
"""An open file that the harness is given, and two names in the code that are no variables."""


def headings(text: str) -> set[str]:
    """The anchors of a page, as GitHub makes them of its headings."""
    without_code = re.sub(r"(?ms)^```.*?^```", "", text)
    lines = re.findall(r"(?m)^#+ (.+)$", without_code)
    return {re.sub(r"[^\w\- ]", "", line.strip().lower()).replace(" ", "-") for line in lines}


def said_in_code() -> Iterator[tuple[str, str]]:
    """Page and text of everything that is set as code: spans, fenced and indented blocks."""
    for name, text in TEXTS.items():
        if name in HISTORY:
            continue
        fenced = re.findall(r"(?ms)^```\w*\n(.*?)^```", text)
        rest = re.sub(r"(?ms)^```.*?^```", "", text)
        indented = re.findall(r"(?m)^ {4,}(.+)$", rest)
        spans = re.findall(r"`([^`]+)`", re.sub(r"(?m)^ {4,}.+$", "", rest))
        for block in (*fenced, *indented, *spans):
            yield from ((name, line) for line in block.replace("\\\n", " ").splitlines())


def test_links_lead_somewhere() -> None:
    lost = []
    for name, text in TEXTS.items():
        for link in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
            path, _, anchor = link.partition("#")
            page = (ROOT / name).parent / path if path else ROOT / name
            if not page.exists() or (anchor and anchor not in headings(page.read_text())):
                lost.append((name, link))
    assert lost == []


def said_in_helps(command: Any, name: str) -> Iterator[tuple[str, str]]:
    """Command and text of the examples in the helps of `command` and all below it."""
    yield from ((f"{name} --help", line) for line in re.findall(r"Example: (.+)", command.help or ""))
    for below, one in getattr(command, "commands", {}).items():
        yield from said_in_helps(one, f"{name} {below}")


def command_lines(line: str) -> Iterator[list[str]]:
    """The words after `looptop` wherever a command begins in `line`, without what a reader fills in (NAME)."""
    for said in re.split(r"[;|&]+", line.partition(" # ")[0]):
        if match := re.match(r"\s*(?:\w+=\S+ +)*looptop(?= |$)(.*)", said):
            plain = re.sub(r"\.\.\.|…|[\[\]]|(?<= )>.*", " ", match[1])
            yield [re.sub(r"^[A-Z]+$", "1", word) for word in shlex.split(plain)]


def unknown_word(words: list[str]) -> str:
    """The command or option among `words` that the command line does not know; empty: there is none."""
    command = COMMANDS
    rest = list(words)
    while rest:
        word = rest.pop(0)
        known = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)}
        if word.startswith("-"):
            flag, _, value = word.partition("=")
            if flag in ("--help", "-h", "--install-completion"):
                continue
            if flag not in known:
                return word
            if not known[flag].is_flag and not value and rest:
                rest.pop(0)
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return word
            command = command.commands[word]
    return ""


def test_commands_and_their_options_are_known() -> None:
    said = [*said_in_code(), *said_in_helps(COMMANDS, "looptop")]
    lines = [(place, line, words) for place, line in said for words in command_lines(line)]
    assert len(lines) > 150
    assert [(place, line, word) for place, line, words in lines if (word := unknown_word(words))] == []


def test_every_command_is_on_its_page() -> None:
    """In the first cell of a row, where `a`, `b` stand beside each other, or in a command line."""
    named = set(re.findall(r"[a-z]+", " ".join(re.findall(r"(?m)^\| (`looptop.*?`) \| ", TEXTS["docs/commands.md"]))))
    for page, line in said_in_code():
        if page == "docs/commands.md":
            named |= {word for words in command_lines(line) for word in words}
    assert {name for name, one in COMMANDS.commands.items() if not one.hidden} - named == set()


def test_targets_and_modules_are_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    lines = [(page, line) for page, line in said_in_code()]
    lost = [
        (page, made) for page, line in lines for made in re.findall(r"^\s*make ([a-z-]+)", line) if made not in targets
    ]
    for page, line in lines:
        for module in re.findall(r"python3? -m ((?:bench|loop|tests|tui)[\w.]*)", line):
            path = ROOT / module.replace(".", "/")
            if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists()):
                lost.append((page, module))
    assert lost == []


def test_every_benchmark_is_run_and_explained() -> None:
    """One that has a `main` of its own is on a page; what `make bench` runs is on docs/benchmarks.md."""
    own = {path.stem for path in (ROOT / "bench").glob("*.py") if '__name__ == "__main__"' in path.read_text()}
    own -= {"cluster_study"}  # which `bench.cluster` starts
    apart = set(re.findall(r"bench\.(\w+)", TEXTS["docs/benchmarks.md"].partition("Machine, unless")[0]))
    assert {name for name in own if f"bench.{name}" not in MANUAL} == set()
    (loop,) = re.findall(r"for name in ([\w ]+); do", (ROOT / "Makefile").read_text())
    assert {name for name in loop.split() if f"bench.{name}" not in TEXTS["docs/benchmarks.md"]} == set()
    assert own - apart == set(loop.split()), "`make bench` runs all but those that the page names at its beginning"


def test_every_key_of_program_md_is_on_a_page() -> None:
    keys = {*Contract.model_fields, *Keep.model_fields, *Stop.model_fields, *Limits.model_fields} - {"source"}
    assert {key for key in keys if not re.search(rf"\b{key}:|`{key}`", MANUAL)} == set()


def test_every_setting_and_variable_is_on_a_page() -> None:
    settings = Settings.model_fields
    assert {key for key in settings if not re.search(rf"(?m)^{key} = |\[{key}\]|`{key}(?: = .*)?`", MANUAL)} == set()
    code = " ".join(path.read_text() for room in ("loop", "tui") for path in (ROOT / room).rglob("*.py"))
    read = set(re.findall(r"\bLOOPTOP_[A-Z_]+", code + (ROOT / "train.py").read_text())) - INNER_VARIABLES
    by_setting = {f"LOOPTOP_{key.upper()}" for key in settings}
    told = set(re.findall(r"\bLOOPTOP_[A-Z_]+", MANUAL))
    assert (read - by_setting - told, told - read - by_setting) == (set(), set())


def test_lines_of_program_md_are_taken() -> None:
    keys = "|".join(Contract.model_fields)
    lines = {line.strip() for page, line in said_in_code() if "decisions" not in page and "..." not in line}
    lines = {line for line in lines if re.match(rf"(?:{keys}): ?\S", line)}
    assert len(lines) > 70
    for line in lines:
        parse(f"---\n{line}\n---\n")


def test_settings_files_are_taken() -> None:
    for block in re.findall(r"(?ms)^```toml\n(.*?)^```", MANUAL):
        Settings.model_validate(tomllib.loads(block))
