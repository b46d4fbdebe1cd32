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


def _is_shell_word(word: str) -> bool:
    """Whether the word belongs to the shell itself, as `cd` and `if` do."""
    found = subprocess.run(["sh", "-c", 'command -v -- "$1"', "sh", word], capture_output=True, check=False)
    return found.returncode == 0
