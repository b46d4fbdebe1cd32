"""Who proposes. One researcher a module or a room; `engage` knows them by name."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loop.config.overrides import Overrides
from loop.config.settings import Settings
from loop.errors import UserError
from loop.researchers.protocol import Researcher
from loop.study.contract import Contract

if TYPE_CHECKING:
    from loop.researchers.llm.toolbox import Web

KNOWN = ("automl", "llm")
"""Names that stand for a researcher; anything else is the command line of a coding agent."""


class UnknownResearcher(UserError):
    """Nobody of that name; the message is a sentence."""


def named(options: Overrides, contract: Contract | None, settings: Settings) -> str:
    """Who proposes: who a flag, the program or the settings name, in this order.

    Where nobody is named: the language model where one is set up, else the one that needs no key.
    """
    asked = options.researcher or (contract.researcher if contract is not None else None) or settings.researcher
    return asked or ("llm" if settings.model or settings.base_url else "automl")


def engage(name: str, settings: Settings) -> Researcher:
    """The researcher called `name`, or the one that the command line `name` starts.

    Imports happen here: optuna takes 0.2 s and openai 0.4 s, and only the loop needs them.

    Raises:
        UnknownResearcher: there is no such researcher, and no such command.
    """
    if name == "automl":
        from loop.researchers.automl.automl import AutoML

        return AutoML()
    if name == "llm":
        from loop.researchers.llm.researcher import LanguageModel

        return LanguageModel(settings, _web() if settings.web else None)
    check_command(name)
    from loop.researchers.agents.command import Command

    return Command(name, settings.thinking)


def _web() -> "Web":
    from loop.researchers.web import Web

    return Web()


def check(name: str) -> None:
    """Refuse a name that no researcher and no command has.

    Raises:
        UnknownResearcher: with a sentence.
    """
    if name not in KNOWN:
        check_command(name)


def check_command(command: str) -> None:
    """Refuse a command line whose first word the shell could not start."""
    try:
        word = first_word(shlex.split(command))
    except ValueError as error:
        raise UnknownResearcher(f"the researcher {command!r} cannot be read as a command: {error}") from None
    here = os.path.expanduser(word)  # noqa: PTH111 - pathlib's raises where there is no such user
    known = "$" in word or shutil.which(word) or Path(here).is_file()  # a variable may be set only where it is run
    if not word or not (known or _of_the_shell(word)):
        raise UnknownResearcher(
            f"there is no researcher or command called {word or command!r}; known: {', '.join(KNOWN)}, "
            "or the command line of a coding agent"
        )


def first_word(words: Sequence[str]) -> str:
    """The program that a command line starts, behind variables that are set for it; empty where there is none."""
    return next((word for word in words if not re.match(r"[A-Za-z_]\w*=", word)), "")


def _of_the_shell(word: str) -> bool:
    """Whether the shell itself knows the word, as it does `cd` and `if`."""
    known = subprocess.run(["sh", "-c", 'command -v -- "$1"', "sh", word], capture_output=True, check=False)
    return known.returncode == 0
