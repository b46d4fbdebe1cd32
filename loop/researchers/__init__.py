"""Who proposes. One researcher a module or a room; `engage` knows them by name."""

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from loop.contract import Contract
from loop.options import Options
from loop.researchers.researcher import Researcher
from loop.settings import Settings

if TYPE_CHECKING:
    from loop.researchers.tools import Web

KNOWN = ("automl", "llm")
"""Names that stand for a researcher; anything else is the command line of a coding agent."""


class UnknownResearcher(Exception):
    """Nobody of that name; the message is a sentence."""


def named(options: Options, contract: Contract | None, settings: Settings) -> str:
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
        from loop.researchers.tuning.automl import AutoML

        return AutoML()
    if name == "llm":
        from loop.researchers.llm.researcher import LanguageModel

        return LanguageModel(settings, _web() if settings.web else None)
    check_command(name)
    from loop.researchers.command import Command

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
    """Refuse a command line whose first word cannot be started."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UnknownResearcher(f"the researcher {command!r} cannot be read as a command: {error}") from None
    if not words or (shutil.which(words[0]) is None and not Path(words[0]).is_file()):
        raise UnknownResearcher(
            f"there is no researcher or command called {words[0] if words else command!r}; known: {', '.join(KNOWN)}, "
            "or the command line of a coding agent"
        )
