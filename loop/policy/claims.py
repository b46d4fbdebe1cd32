"""Claims: what researchers have said they are about to try, and whether two of them are nearly the same. Pure."""

import re
from difflib import SequenceMatcher

from loop.study.state import Study

NEAR = 0.85
"""Share of two titles' letters that agree, in order, from which they are taken for the same idea."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+")
_JOINING = frozenset(("a", "the", "of", "from", "to", "by", "with", "and", "in"))


def near(study: Study, title: str, own: int) -> str:
    """What to tell a researcher whose idea another one is already busy with; empty where nobody is.

    Args:
        own: number of the experiment that it thinks about.

    Looked at are thoughts under way and experiments without a verdict; what has one is in the table of every briefing.
    """
    for thought in study.minds.thoughts.values():
        if thought.number != own and thought.title and alike(thought.title, title):
            return f"{thought.researcher} is thinking about nearly the same now: “{thought.title:.120}”"
    for x in study.open_experiments():
        if x.id not in (0, own) and alike(x.title, title):
            return f"experiment {x.id} is nearly the same, and has no verdict yet: “{x.title:.120}”"
    return ""


def others(study: Study, own: int) -> list[str]:
    """The titles of what others are thinking about, where they have said so, oldest thought first."""
    return [x.title for x in study.minds.thoughts.values() if x.number != own and x.title]


def alike(one: str, other: str) -> bool:
    """Whether two titles seem to be of one idea: the same numbers, and nearly the same words."""
    if set(_NUMBER.findall(one)) != set(_NUMBER.findall(other)):
        return False
    return SequenceMatcher(None, _letters(one), _letters(other), autojunk=False).ratio() >= NEAR


def _letters(text: str) -> str:
    """Its words without those that only join them: "DEPTH 4 → 6" is "depth from 4 to 6"."""
    return "".join(word for word in _WORD.findall(text.casefold()) if word not in _JOINING)
