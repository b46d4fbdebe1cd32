"""Who proposes in the studies of a bench: a kind of researcher, several together (`automl+llm`), or a command line."""

import re
from dataclasses import dataclass
from typing import Any

from loop.errors import UserError
from loop.researchers import registry
from loop.researchers.agents.command_line import UnknownResearcher
from loop.study.team import HYBRID, TUNERS


class NoSuchMethod(UserError):
    """Nobody is called that; the message is a sentence."""


@dataclass(frozen=True)
class Method:
    """One way to propose, which gets studies of its own."""

    name: str
    """As it was asked for, and in tables."""
    kinds: tuple[str, ...]

    @property
    def asks_a_model(self) -> bool:
        """Whether it needs an endpoint of a language model."""
        return any(kind in ("llm", HYBRID) for kind in self.kinds)

    @property
    def folder(self) -> str:
        """A name for its folder, of its own among methods."""
        if self.name == "+".join(self.kinds) and re.fullmatch(r"[\w+.-]+", self.name):
            return self.name
        from hashlib import sha256

        plain = re.sub(r"[^\w.-]+", "-", self.name).strip("-.")[:30]
        return f"{plain}-{sha256(self.name.encode()).hexdigest()[:6]}"

    def researchers(self, seed: int) -> list[dict[str, Any]]:
        """Entries of `researchers:`. What is drawn at random follows from a tuner's name, so it has the seed in it."""
        return [
            {"kind": kind, "name": f"{kind}-{seed}"} if kind in TUNERS or kind == HYBRID else {"kind": kind}
            for kind in self.kinds
        ]


def method(name: str) -> Method:
    """The method of this name.

    Raises:
        NoSuchMethod: it is no researcher, and no command that there is.
    """
    name = name.strip()
    parts = tuple(part.strip() for part in name.split("+"))
    if all(part in registry.KNOWN or part == HYBRID for part in parts):
        if len(set(parts)) < len(parts):
            raise NoSuchMethod(f"{name!r:.80} names a researcher twice")
        return Method("+".join(parts), parts)
    try:
        registry.check(name)
    except UnknownResearcher as error:
        raise NoSuchMethod(str(error)) from None
    return Method(name, (name,))
