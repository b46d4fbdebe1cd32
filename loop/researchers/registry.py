"""Which researchers there are, and who proposes in a study.

To add one, write a module with a class that keeps the promise of `protocol.Researcher`, and give it a row in `KNOWN`.
"""

from collections.abc import Callable, Mapping

from loop.config.overrides import Overrides
from loop.config.settings import Settings
from loop.researchers.agents.command_line import UnknownResearcher, check_command
from loop.researchers.protocol import Researcher
from loop.study.contract import Contract

# Imports happen when a researcher is engaged: optuna takes 0.2 s and openai 0.4 s, and only the loop needs them.


def _automl(settings: Settings) -> Researcher:
    from loop.researchers.automl.automl import AutoML

    return AutoML()


def _llm(settings: Settings) -> Researcher:
    from loop.researchers.llm.researcher import LanguageModel

    if not settings.web:
        return LanguageModel(settings)
    from loop.researchers.web import Web

    return LanguageModel(settings, Web())


KNOWN: Mapping[str, Callable[[Settings], Researcher]] = {"automl": _automl, "llm": _llm}
"""Names that stand for a researcher; anything else is the command line of a coding agent."""


def named(options: Overrides, contract: Contract | None, settings: Settings) -> str:
    """The researcher that a flag, the program or the settings name, in this order.

    Where none of them does: the language model if one is set up, else the researcher that needs no key.
    """
    asked = options.researcher or (contract.researcher if contract is not None else None) or settings.researcher
    return asked or ("llm" if settings.model or settings.base_url else "automl")


def engage(name: str, settings: Settings) -> Researcher:
    """The researcher called `name`, or the one that the command line `name` starts.

    Raises:
        UnknownResearcher: there is no such researcher and no such command.
    """
    if name in KNOWN:
        return KNOWN[name](settings)
    check(name)
    from loop.researchers.agents.command import Command

    return Command(name, settings.thinking)


def check(name: str) -> None:
    """Refuse a name that belongs to no researcher and no command.

    Raises:
        UnknownResearcher: with the names there are.
    """
    if name in KNOWN:
        return
    try:
        check_command(name)
    except UnknownResearcher as error:
        raise UnknownResearcher(f"{error}; known: {', '.join(KNOWN)}, or the command line of a coding agent") from None
