"""What can be typed after `:`, the same words as on the command line: what there is, what it takes, completion.

Pure. `parse` turns a line into an order or says in a sentence what is wrong with it; carrying it out is `hands/`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from loop.config.settings import THEMES
from loop.reporting.exporters import EXPORTERS
from loop.study.experiment import Experiment
from loop.study.state import Study
from tui.model import overruling
from tui.render.layout import VIEWS

SCREEN_FORMS = {"svg": "the screen as it is, as a picture: SVG", "text": "the screen as it is, as text"}
"""What `:export` writes beside the results; only the cockpit can."""

EXPORTS = (*SCREEN_FORMS, *EXPORTERS)


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command."""

    name: str
    takes: str
    """What follows it, as the hint shows it; capitals are to be filled in, brackets may be left out."""
    help: str
    request: bool = False
    number: bool = False
    """Its first word is the number of an experiment."""
    words: tuple[str, ...] = ()
    """What its first word may be, where that is a choice."""


KINDS = (
    CommandSpec("steer", "WORDS", "say something to the researcher; ! first interrupts it", True),
    CommandSpec("pause", "", "start no run after the current one", True),
    CommandSpec("resume", "", "go on", True),
    CommandSpec("kill", "[N]", "end the current run, or that of experiment N", True, True),
    CommandSpec("approve", "[N]", "let a waiting proposal run", True, True),
    CommandSpec("reject", "[N] [WHY]", "turn a waiting proposal down", True, True),
    CommandSpec("keep", "N [WHY]", "overrule: make N the champion", True, True),
    CommandSpec("discard", "N [WHY]", "overrule: discard the champion", True, True),
    CommandSpec("requeue", "N", "run N again", True, True),
    CommandSpec("branch", "N", "go on from N, which was kept earlier", True, True),
    CommandSpec("submit", "[TITLE]", "run your own edit of the checkout as an experiment", True),
    CommandSpec("pin", "TEXT", "guidance that stands in every briefing", True),
    CommandSpec("unpin", "[PIN]", "take a pin back, or all of them", True),
    CommandSpec("stop", "", "stop the loop", True),
    CommandSpec("show", "N", "open experiment N", number=True),
    CommandSpec("view", "NAME", "show a view", words=VIEWS),
    CommandSpec("find", "TEXT", "search in this view"),
    CommandSpec("program", "", "the contract in force and its instructions"),
    CommandSpec("export", "FORM [FILE]", "write this view or the results to a file", words=EXPORTS),
    CommandSpec("theme", "NAME", "other colours", words=THEMES),
    CommandSpec("mouse", "", "mouse on or off"),
    CommandSpec("help", "", "every key"),
    CommandSpec("detach", "", "leave; the loop goes on"),
)
_BY_NAME = {kind.name: kind for kind in KINDS}
_OTHER_NAMES = {"q": "detach", "quit": "detach", "exit": "detach", "experiment": "show", "open": "show"}


class CommandError(Exception):
    """The line is no order; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Command:
    """A line understood."""

    kind: CommandSpec
    number: int | None = None
    text: str = ""
    """What follows the name and the number."""


def parse(line: str, study: Study) -> Command:
    """The order in `line`.

    Raises:
        CommandError: no such command, no such experiment, or something missing.
    """
    name, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    kind = _kind(name.lower())
    if kind.number:
        return _numbered(kind, rest, study)
    if kind.words and rest.partition(" ")[0] not in kind.words:
        raise CommandError(f"{kind.name} takes one of {', '.join(kind.words)}")
    if kind.name == "unpin":
        return Command(kind, _pin(rest, study), "")
    if kind.takes and not kind.takes.startswith("[") and not rest:
        raise CommandError(f"{kind.name} takes {kind.takes}")
    if rest and not kind.takes:
        raise CommandError(f"{kind.name} takes nothing after it")
    return Command(kind, None, rest)


def _kind(name: str) -> CommandSpec:
    name = _OTHER_NAMES.get(name, name)
    if name in _BY_NAME:
        return _BY_NAME[name]
    begun = [kind for kind in KINDS if name and kind.name.startswith(name)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise CommandError(f"{name!r:.40} could be {' or '.join(kind.name for kind in begun)}")
    near = get_close_matches(name, _BY_NAME, 1)
    raise CommandError(f"there is no command {name!r:.40}" + (f"; did you mean {near[0]}?" if near else ""))


def _pin(rest: str, study: Study) -> int | None:
    """The number of a pin; None for all of them."""
    if not study.pins:
        raise CommandError("nothing is pinned")
    if not rest:
        return None
    number = _number(rest)
    if number not in study.pins:
        raise CommandError(f"there is no pin {rest!r:.40}; pinned are {', '.join(map(str, study.pins))}")
    return number


def _number(word: str) -> int | None:
    """The number that a word is; None for one that is none, or longer than any number here."""
    return int(word) if word.isdecimal() and len(word) < 10 else None


def _numbered(kind: CommandSpec, rest: str, study: Study) -> Command:
    first, _, text = rest.partition(" ")
    number = _number(first)
    if number is None:
        if "[N]" not in kind.takes:
            raise CommandError(f"{kind.name} takes the number of an experiment")
        return Command(kind, None, rest)
    if number not in study.experiments:
        most = max(study.experiments, default=None)
        known = "there is none yet" if most is None else f"they go from 0 to {most}"
        raise CommandError(f"there is no experiment {number}; {known}")
    if text and "WHY" not in kind.takes:
        raise CommandError(f"{kind.name} takes {kind.takes} and nothing more")
    return Command(kind, number, text.strip())


# --- completion ----------------------------------------------------------------------------------------------------

_FITS: dict[str, Callable[[Study, Experiment], bool]] = {
    "kill": lambda study, x: x.verdict is None,
    "approve": lambda study, x: x.phase == "waiting",
    "reject": lambda study, x: x.phase == "waiting",
    "keep": lambda study, x: x.verdict == "discarded" and x.metric is not None and x.parent == study.champion,
    "discard": lambda study, x: x.id == study.champion and x.id != 0,
    "requeue": lambda study, x: overruling.requeuing(study, x)[0],
    "branch": lambda study, x: overruling.branching(study, x)[0],
}
"""Experiments that a command makes sense for."""


def completions(line: str, study: Study, most: int = 12) -> list[str]:
    """Lines that `line` could become, the likeliest first; the newest experiments come before older ones."""
    name, space, rest = line.lstrip().partition(" ")
    if not space:
        return [kind.name + (" " if kind.takes else "") for kind in KINDS if kind.name.startswith(name.lower())]
    kind = _BY_NAME.get(_OTHER_NAMES.get(name, name))
    if kind is None or " " in rest:
        return []
    if kind.number:
        fits = _FITS.get(kind.name)
        newest = sorted(study.experiments, reverse=True)
        numbers = (key for key in newest if fits is None or fits(study, study.experiments[key]))
        found = [str(key) for key in numbers if str(key).startswith(rest)]
        return [f"{kind.name} {word}" for word in found[:most]]
    words = map(str, study.pins) if kind.name == "unpin" else kind.words
    return [f"{kind.name} {word}" for word in words if word.startswith(rest)]


def hint(line: str, study: Study) -> str:
    """What a person sees behind what they have typed: the rest of the command, and what it does."""
    name, space, rest = line.lstrip().partition(" ")
    kind = _BY_NAME.get(_OTHER_NAMES.get(name, name))
    if kind is None:
        return "  ".join(candidate.strip() for candidate in completions(line, study)[:8])
    number = _number(rest.partition(" ")[0])
    if kind.number and number in study.experiments:
        return study.experiments[number].title
    if kind.name == "unpin" and number is not None:
        return study.pins.get(number, "")
    if kind.words and space:
        return "  ".join(candidate.partition(" ")[2] for candidate in completions(line, study))
    return f"{'' if rest else kind.takes}  {kind.help}".strip()
