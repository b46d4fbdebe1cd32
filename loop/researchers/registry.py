"""Which researchers there are, and who proposes in a study.

To add one, write a module with a class that keeps the promise of `protocol.Researcher`, and give it a row in `KNOWN`.
"""

import ipaddress
import os
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from loop.config.overrides import Overrides
from loop.config.settings import Settings
from loop.researchers.agents.command_line import UnknownResearcher, check_command, speaker
from loop.researchers.protocol import Researcher
from loop.study.contract import Contract
from loop.study.team import HYBRID, TUNERS, Member, call_name, minds

# Imports happen when a researcher is engaged: optuna takes 0.2 s and openai 0.4 s, and only the loop needs them.


def _automl(member: Member, settings: Settings) -> Researcher:
    from loop.researchers.automl.automl import AutoML

    return AutoML(name=member.name)


def _llm(member: Member, settings: Settings) -> Researcher:
    from loop.researchers.llm.researcher import LanguageModel

    settings = settings.model_copy(update={"model": member.model or settings.model})
    if not settings.web:
        return LanguageModel(settings, name=member.name, temperature=member.temperature)
    from loop.researchers.web import Web

    return LanguageModel(settings, Web(), name=member.name, temperature=member.temperature)


def _random(member: Member, settings: Settings) -> Researcher:
    from loop.researchers.automl.automl import AutoML

    return AutoML(name=member.name, learns=False)


KNOWN: Mapping[str, Callable[[Member, Settings], Researcher]] = {"automl": _automl, "llm": _llm, "random": _random}
"""Kinds of researchers; anything else is the command line of a coding agent."""

OWN_SERVER, PROVIDER = 8, 32
"""Conversations that a language model holds at once where the program does not say, never more than its slots need: on
a server of the person's own, where each makes the others slower, and with a provider, where they do not."""

CORES_FOR_ONE, AGENTS = 4, (2, 8)
"""Cores of this machine for each conversation of a coding agent, which takes them and memory; and the fewest and most
that it holds."""


def team(options: Overrides, contract: Contract | None, settings: Settings) -> tuple[Member, ...]:
    """The researchers that the flags, the program or the settings name, in this order, each with a name of its own.

    Where none of them names any: the language model if one is set up, else the researcher that needs no key. A name
    follows from the kind and the place in the list, so it is the same after a restart. A hybrid is two of them.
    """
    asked: tuple[Member, ...] = ()
    if options.researcher:
        asked = tuple(Member(kind=kind) for kind in options.researcher)
    elif contract is not None and contract.researchers:
        asked = contract.researchers
    else:
        kind = (contract.researcher if contract is not None else None) or settings.researcher
        asked = (Member(kind=kind or ("llm" if settings.model or settings.base_url else "automl")),)
    taken = {member.name for member in asked if member.name and member.kind != HYBRID}
    found = []
    for member in (member for entry in asked for member in minds(entry)):
        given = member.name if member in asked else ""  # those of a hybrid are our own making
        name = given or call_name(member.name or _program(member.kind), taken)
        taken.add(name)
        at_once = member.at_once or _at_once(member.kind, settings)
        found.append(member.model_copy(update={"name": name, "at_once": at_once}))
    return tuple(found)


def _at_once(kind: str, settings: Settings) -> int:
    """How many conversations a kind holds at once where the program does not say."""
    if kind in TUNERS:
        return 1
    if kind == "llm":
        return OWN_SERVER if settings.base_url is not None and _nearby(settings.base_url) else PROVIDER
    return min(AGENTS[1], max(AGENTS[0], (os.cpu_count() or 1) // CORES_FOR_ONE))


def _nearby(url: str) -> bool:
    """Whether an address names this machine or one of the same network, by its form alone."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.rpartition(".")[2] in ("local", "lan", "internal", "home")


def _program(kind: str) -> str:
    """What a kind is called: a command line by the agent that speaks in it."""
    return kind if kind in KNOWN else speaker(kind)


def engage(member: Member, settings: Settings) -> Researcher:
    """The researcher that `member` of a team stands for.

    Raises:
        UnknownResearcher: there is no such researcher and no such command.
    """
    if member.kind in KNOWN:
        return KNOWN[member.kind](member, settings)
    check(member.kind)
    from loop.researchers.agents.command import Command

    return Command(member.kind, settings.thinking, member.name, settings.prices)


def check(kind: str) -> None:
    """Refuse a kind that is no researcher and no command.

    Raises:
        UnknownResearcher: with the kinds there are.
    """
    if kind in KNOWN or kind == HYBRID:
        return
    try:
        check_command(kind)
    except UnknownResearcher as error:
        known = ", ".join((*KNOWN, HYBRID))
        raise UnknownResearcher(f"{error}; known: {known}, or the command line of a coding agent") from None
