"""A researcher's name as the command line of a coding agent: whether a shell could start it."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from loop.errors import UserError


class UnknownResearcher(UserError):
    """No researcher has this name, and no command starts with it."""


def check_command(command: str) -> None:
    """Refuse a command line whose first word the shell could not start.

    Raises:
        UnknownResearcher: there is no such command.
    """
    try:
        word = first_word(shlex.split(command))
    except ValueError as error:
        raise UnknownResearcher(f"the researcher {command!r} cannot be read as a command: {error}") from None
    here = os.path.expanduser(word)  # noqa: PTH111 - pathlib's raises where there is no such user
    known = "$" in word or shutil.which(word) or Path(here).is_file()  # a variable may be set only where it is run
    if not word or not (known or _is_shell_word(word)):
        raise UnknownResearcher(f"there is no researcher or command called {word or command!r}")


def first_word(words: Sequence[str]) -> str:
    """The program that a command line starts, after any variables set for it; empty where there is none."""
    return next((word for word in words if not re.match(r"[A-Za-z_]\w*=", word)), "")


_WRAPPERS = re.compile(
    r"(sh|bash|zsh|dash|fish|env|python[\d.]*|node|bun|bunx|npx|pnpm|pipx|uvx?|nice|ionice|timeout|sudo|exec|command|cd|run|dlx"
    r"|tool|caffeinate|nohup|time|stdbuf|setsid)"
)
"""Programs that start another one, whose name says more."""


def speaker(command: str) -> str:
    """The name of whoever speaks in a command line: the agent's, not that of what starts it.

    `python3 -m aider` is aider, `npx @openai/codex exec` is codex, `sh ~/my-agent.sh` is my-agent, and
    `cd sub && claude -p` is claude.
    """
    last, before, begins, moves = "", "", True, False
    for word in _words(command):
        option, before = before, word
        if re.fullmatch(r"[();<>|&\n]+", word):
            begins = True
            continue
        moves, begins = (word == "cd") if begins else moves, False
        if moves or re.match(r"[A-Za-z_]\w*=|-", word) or re.fullmatch(r"[\d.]+[smh]?", word):
            continue
        if re.fullmatch(r"-\w*c", option) and _WRAPPERS.fullmatch(last):  # what it is told to do
            return speaker(word) if last.endswith("sh") else last
        last = re.sub(r"(?<=.)@[\w.-]+$", "", Path(word).name)
        if not _WRAPPERS.fullmatch(last):
            break
    return re.sub(r"\.(sh|py|js|mjs|ts|bash)$", "", last) or "command"


def _words(command: str) -> list[str]:
    """The words and operators of a command line, as a shell takes them apart."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # a quote that does not end
        return command.split()


def model_named(command: str) -> str:
    """The model that a command line names; empty where it names none."""
    found = re.findall(r"(?<=\s)(?:--model|-m|--config\s+model|-c\s+model)[=\s]+[\"']?([\w./:@-]+)", command)
    return str(found[-1]) if found else ""


def _is_shell_word(word: str) -> bool:
    """Whether the word belongs to the shell itself, as `cd` and `if` do."""
    found = subprocess.run(["sh", "-c", 'command -v -- "$1"', "sh", word], capture_output=True, check=False)
    return found.returncode == 0
