"""What each researcher of a study is doing, has brought and has cost. Pure."""

from dataclasses import dataclass

from loop.policy import calibration, supply
from loop.policy.calibration import Held
from loop.study.minds import Mind
from loop.study.outcomes import Outcome
from loop.study.state import Study


@dataclass(frozen=True)
class Doing:
    """One researcher, as screens and scripts show it."""

    name: str
    about: str
    doing: str
    """It is "thinking", "waiting to be asked", "held up" or "gone"."""
    why: str
    """What it waits for, or why it left; empty where it thinks."""
    since: float | None
    """Unix seconds since when, where that is known."""
    thoughts: tuple[str, ...]
    """Titles of what it thinks about, "#12" where it has not said."""
    at_once: int
    proposals: int
    kept: int
    tokens: int
    usd: float | None
    """None where the price of some call is not known."""
    held: Held | None = None
    """How its promises have held; None while too few have a result."""


def researchers(study: Study) -> list[Doing]:
    """The researchers that take part, in the order in which they joined."""
    return [_doing(study, mind) for mind in study.minds.of.values() if mind.present]


def _doing(study: Study, mind: Mind) -> Doing:
    thoughts = [thought for thought in study.minds.thoughts.values() if thought.researcher == mind.name]
    own = [x for x in study.experiments.values() if x.researcher == mind.name and x.id and not x.submitted]
    doing, why, since = "waiting to be asked", "", None
    if mind.left:
        doing, why = "gone", mind.left
    elif thoughts:
        doing, since = "thinking", min(thought.since for thought in thoughts)
    elif trouble := study.troubles.get(mind.name):
        doing, why, since = "held up", trouble.message, trouble.since
    return Doing(
        name=mind.name,
        about=mind.about,
        doing=doing,
        why=why,
        since=since,
        thoughts=tuple(thought.title or f"#{thought.number}" for thought in thoughts),
        at_once=mind.at_once,
        proposals=len(own),
        kept=sum(x.verdict == Outcome.KEPT for x in own),
        tokens=mind.tokens,
        usd=None if mind.usd_unknown else mind.usd,
        held=calibration.held(study, mind.name),
    )


def shortage(study: Study) -> str:
    """Where the researchers are too few for the slots: how many more it takes, in a sentence."""
    return supply.shortage(study, len(study.supervisor.slots)) if study.supervisor is not None else ""


def lacking(study: Study) -> int:
    """How many more researchers it takes to keep the slots busy; 0 where they are enough."""
    return supply.lacking(study, len(study.supervisor.slots)) if study.supervisor is not None else 0
