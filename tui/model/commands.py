"""What can be typed after `:`, the same words as on the command line: what there is, what it takes, completion.

Pure. `parse` turns a line into a command or says in a sentence what is wrong with it; `tui/cockpit/actions` carries it
out. Commands that ask the loop for something are the rows of `request_table`.
"""

from dataclasses import dataclass
from difflib import get_close_matches

from loop.config.settings import THEMES
from loop.policy import request_table
from loop.policy.permissions import Allowed, Refused, find_experiment, find_pin, find_slot
from loop.policy.request_table import Row
from loop.reporting.exporters import EXPORTERS
from loop.study.experiment import Experiment
from loop.study.state import Study
from tui.render.experiment_rows import COLUMNS
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
    row: Row | None = None
    """The request that it is; None where it is about the screen alone."""
    number: bool = False
    """Its first word is the number of an experiment."""
    words: tuple[str, ...] = ()
    """What its first word may be, where that is a choice."""

    def fits(self, study: Study, experiment: Experiment) -> bool:
        """Whether it makes sense for the experiment now."""
        return self.row is None or isinstance(self.row.check(study, experiment), Allowed)


COMMANDS = (
    *(CommandSpec(row.name, row.takes, row.help, row, row.numbered) for row in request_table.TABLE),
    CommandSpec("show", "N", "open experiment N", number=True),
    CommandSpec("diff", "[N]", "the change of experiment N, or of the one under the cursor", number=True),
    CommandSpec("log", "[N]", "what the last run of experiment N printed, or the current run", number=True),
    CommandSpec("view", "NAME", "show a view", words=VIEWS),
    CommandSpec("compare", "[N ...]", "set experiments side by side; the marked ones"),
    CommandSpec("find", "TEXT", "search in this view; of experiments, filter"),
    CommandSpec("sort", "[COLUMN]", "sort the experiments; once more turns it round", words=("number", *COLUMNS)),
    CommandSpec("program", "", "the contract in force and its instructions"),
    CommandSpec("studies", "", "all studies of this machine"),
    CommandSpec("replay", "[WHEN]", "back in time, to 22:14 or experiment 37; or to now"),
    CommandSpec("digest", "[SINCE]", "what has happened since you last looked, or 22:14"),
    CommandSpec("export", "FORM [FILE]", "write this view or the results to a file", words=EXPORTS),
    CommandSpec("theme", "NAME", "other colours", words=THEMES),
    CommandSpec("mouse", "", "mouse on or off"),
    CommandSpec("help", "", "every key"),
    CommandSpec("detach", "", "leave; the loop goes on"),
)
_BY_NAME = {spec.name: spec for spec in COMMANDS}
_OTHER_NAMES = {"q": "detach", "quit": "detach", "exit": "detach", "experiment": "show", "open": "show"}


class CommandError(Exception):
    """The line is no command; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Command:
    """A line understood."""

    spec: CommandSpec
    number: int | None = None
    """Of an experiment, or of a pin."""
    text: str = ""
    """What follows the name and the number."""


def parse(line: str, study: Study) -> Command:
    """The command in `line`.

    Raises:
        CommandError: no such command, no such experiment, or something missing.
    """
    name, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    spec = _spec(name.lower())
    if spec.number:
        return _numbered(spec, rest, study)
    if spec.words and rest.partition(" ")[0] not in spec.words and (rest or not spec.takes.startswith("[")):
        raise CommandError(f"{spec.name} takes one of {', '.join(spec.words)}")
    if spec.name == "unpin":
        return _unpin(spec, rest, study)
    if _of_slot(spec):
        slot = find_slot(study, rest)
        if isinstance(slot, Refused):
            raise CommandError(slot.sentence)
        return Command(spec, None, slot)
    if spec.takes and not spec.takes.endswith("]") and not rest:
        raise CommandError(f"{spec.name} takes {spec.takes}")
    if rest and not spec.takes:
        raise CommandError(f"{spec.name} takes nothing after it")
    return Command(spec, None, rest)


def _spec(name: str) -> CommandSpec:
    name = _OTHER_NAMES.get(name, name)
    if name in _BY_NAME:
        return _BY_NAME[name]
    begun = [spec for spec in COMMANDS if name and spec.name.startswith(name)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise CommandError(f"{name!r:.40} could be {' or '.join(spec.name for spec in begun)}")
    near = get_close_matches(name, _BY_NAME, 1)
    raise CommandError(f"there is no command {name!r:.40}" + (f"; did you mean {near[0]}?" if near else ""))


def _unpin(spec: CommandSpec, rest: str, study: Study) -> Command:
    number = _number(rest)
    pin = find_pin(study, number)
    if isinstance(pin, Refused):
        raise CommandError(pin.sentence)
    if rest and number is None:
        raise CommandError(f"{spec.name} takes the number of a pin; pinned are {', '.join(map(str, study.pins))}")
    return Command(spec, pin)


def _number(word: str) -> int | None:
    """The number that a word is; None for one that is none, or longer than any number here."""
    return int(word) if word.isdecimal() and len(word) < 10 else None


def _numbered(spec: CommandSpec, rest: str, study: Study) -> Command:
    first, _, text = rest.partition(" ")
    number = study.champion if first == "champion" else _number(first)
    if number is None:
        if "[N]" not in spec.takes:
            raise CommandError(f"{spec.name} takes the number of an experiment")
        return Command(spec, None, rest)
    if isinstance(found := find_experiment(study, number), Refused):
        raise CommandError(found.sentence)
    if text and not ("WHY" in spec.takes or "TEXT" in spec.takes):
        raise CommandError(f"{spec.name} takes {spec.takes} and nothing more")
    return Command(spec, number, text.strip())


def _of_slot(spec: CommandSpec) -> bool:
    return spec.row is not None and spec.row.of_slot


def _slots(study: Study) -> tuple[str, ...]:
    return study.supervisor.slots if study.supervisor is not None else ()


# --- completion ----------------------------------------------------------------------------------------------------


def completions(line: str, study: Study, most: int = 12) -> list[str]:
    """Lines that `line` could become, the likeliest first; the newest experiments come before older ones."""
    name, space, rest = line.lstrip().partition(" ")
    if not space:
        return [spec.name + (" " if spec.takes else "") for spec in COMMANDS if spec.name.startswith(name.lower())]
    spec = _BY_NAME.get(_OTHER_NAMES.get(name, name))
    if spec is None or " " in rest:
        return []
    if spec.number:
        newest = sorted(study.experiments, reverse=True)
        found = [str(key) for key in newest if spec.fits(study, study.experiments[key]) and str(key).startswith(rest)]
        return [f"{spec.name} {word}" for word in found[:most]]
    words = map(str, study.pins) if spec.name == "unpin" else _slots(study) if _of_slot(spec) else spec.words
    return [f"{spec.name} {word}" for word in words if word.startswith(rest)]


def hint(line: str, study: Study) -> str:
    """What a person sees behind what they have typed: the rest of the command, and what it does."""
    name, space, rest = line.lstrip().partition(" ")
    spec = _BY_NAME.get(_OTHER_NAMES.get(name, name))
    if spec is None:
        return "  ".join(candidate.strip() for candidate in completions(line, study)[:8])
    number = _number(rest.partition(" ")[0])
    if spec.number and number in study.experiments:
        return study.experiments[number].title
    if spec.name == "unpin" and number is not None:
        return study.pins.get(number, "")
    if spec.words and space:
        return "  ".join(candidate.partition(" ")[2] for candidate in completions(line, study))
    return f"{'' if rest else spec.takes}  {spec.help}".strip()
