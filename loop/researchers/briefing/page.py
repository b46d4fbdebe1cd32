"""What a language model or a coding agent reads before it proposes an experiment.

Pure: the same briefing gives the same text, byte for byte. However large the study, it never takes more tokens than
allowed, and says what is left out. What stays the same for a whole study comes first, then what changes with the
champion, then what grows at its end, then what changes every time: an endpoint's prompt cache holds as long as the text
before it is the same. Text that models, runs and pages have written is on single lines or between fences, and counts as
data.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from loop.researchers.briefing.excerpt import fenced, one_line, tokens, within
from loop.researchers.briefing.experiment_table import FOLDED, TITLE, table
from loop.researchers.briefing.instructions import COMMAND_END, direction, for_checkout, for_conversation
from loop.researchers.briefing.kinds import kinds
from loop.researchers.briefing.result import REASON
from loop.researchers.briefing.sections import (
    Section,
    files_named,
    files_shown,
    framed,
    ideas,
    measured,
    notebook,
    notes,
    results,
    said,
    unsettled,
)
from loop.researchers.briefing.situation import situation
from loop.researchers.briefing.tuned import findings
from loop.researchers.protocol import Briefing
from loop.sanitize import plain

COMMAND_MOST = 32_000
"""Tokens of the text for a coding agent, which needs the rest of its context for its own work."""

SAMPLE = 1200
"""Characters of training data that are shown."""

_FIRST = {"program": 0.26, "sample": 0.05, "measure": 0.1, "pins": 0.07, "files": 0.52}
_LAST = {"words": 0.29, "results": 0.25, "open": 0.13, "situation": 0.16, "notes": 0.06, "kinds": 0.05, "tuned": 0.06}
"""Share of each section, in the order of the page, of the room for the first and for the last ones. What one does not
need goes to the others."""

_NOTEBOOK, _TABLE, _TAIL = 0.14, 0.21, 0.06
"""Share of the page that the notebook may take, that the table is sure of, and that is set aside for the last sections.
The table takes what the first sections leave and looks at no other one, or it would be folded anew every time; where
the last sections need more than is set aside, it gives way in steps."""

_STEP = 16
"""The table gives way by this part of the page at a time."""

_NAMES = {
    "program": "the program",
    "sample": "a sample of the data",
    "measure": "the files that measure",
    "pins": "the person's guidance",
    "files": "the champion's files",
    "notebook": "the notebook",
    "table": "the table of experiments",
    "ideas": "ideas that nobody has tried",
    "kinds": "kinds of ideas",
    "tuned": "what tuning has found",
    "situation": "machine and limits",
    "results": "results since your last proposal",
    "open": "what is queued and running",
    "notes": "the person's notes",
    "words": "the person's words",
}


@dataclass(frozen=True)
class Parts:
    """A briefing as two messages."""

    stable: str
    """The system message: role, the loop, data and contract. The same until the contract changes."""
    page: str
    """The user message: the state of the study."""

    @property
    def complete(self) -> bool:
        """Whether the table has every experiment with its numbers and its hypothesis, so that no list tells more."""
        return TITLE in self.page and FOLDED not in self.page


def for_model(briefing: Briefing, most: int, own: str) -> Parts:
    """The briefing for a language model, in at most `most` tokens as `tokens` counts them.

    Args:
        own: the researcher's name, by which its last proposal is found.
    """
    stable = within(for_conversation(briefing.contract, briefing.slots), max(0, most) // 2, "")
    return Parts(stable, _page(briefing, own, files_shown(briefing), max(0, most) - tokens(stable), _ask(briefing)))


def for_command(briefing: Briefing) -> str:
    """The briefing for a coding agent, which works in a checkout of the champion and can read its files there."""
    stable = within(for_checkout(briefing.contract, briefing.slots), COMMAND_MOST // 2, "")
    room = COMMAND_MOST - tokens(stable) - 1
    page = _page(briefing, None, files_named(briefing), room, f"{_ask(briefing)}\n\n{COMMAND_END}")
    return f"{stable}\n\n{page}"


def notebook_share(most: int) -> int:
    """Tokens of the notebook, above which the model is asked to rewrite it, in a briefing of `most`."""
    return most // 8


def _page(briefing: Briefing, own: str | None, files: Section, most: int, ask: str) -> str:
    """All sections and the closing request in at most `most` tokens.

    Args:
        own: name of the researcher; None for whoever proposed last.
    """
    ask = within(ask, max(0, most) // 3, "")
    room = max(0, most - tokens(ask) - _LEFT_OUT - len(_NAMES))
    first, last = _first(briefing, own, files), _last(briefing, own)
    for_notes, aside = int(_NOTEBOOK * room), int(_TAIL * room)
    settled, recent = notebook(briefing.notebook, for_notes)
    texts = _share_out(first, _FIRST, room - for_notes - int(_TABLE * room) - aside)
    left = room - sum(map(tokens, texts.values()))
    untried = ideas(briefing, aside // 2)
    tail = _share_out(last, _LAST, left - for_notes - int(_TABLE * room) - tokens(untried))
    over = tokens(untried) + sum(map(tokens, tail.values())) - aside
    gives = -(-max(0, over) // max(1, room // _STEP)) * (room // _STEP)
    for_rows = max(left - for_notes - aside - gives, int(_TABLE * room))
    rows = table(briefing.experiments, briefing.contract, for_rows, briefing.kind)
    texts |= {"notebook": settled, "table": rows, "": recent, "ideas": untried, **tail}
    lost = {name for name, section in (first | last).items() if not texts[name] and section(_PLENTY)}
    lost |= {"notebook"} if any(briefing.notebook) and not settled + recent else set()
    lost |= set() if rows else {"table"}
    gone = ", ".join(called for name, called in _NAMES.items() if name in lost)
    left_out = f"Left out here for lack of space: {gone}." if gone else ""
    text = "\n\n".join(text for text in (*texts.values(), left_out, ask) if text)
    return text if tokens(text) <= most else ask


_LEFT_OUT = tokens(f"Left out here for lack of space: {', '.join(_NAMES.values())}.") + 2
_PLENTY = 10_000
"""Tokens in which every section can say something."""


def _share_out(sections: Mapping[str, Section], shares: Mapping[str, float], room: int) -> dict[str, str]:
    """Each section in its share of the room; what one does not need goes to the others, in their order."""
    texts = {name: sections[name](int(share * room)) for name, share in shares.items()}
    over = room - sum(map(tokens, texts.values()))
    for name in shares:
        had = tokens(texts[name])
        fuller = sections[name](had + over)
        if (more := tokens(fuller) - had) > 0:
            texts[name], over = fuller, over - more
    return {name: texts[name] for name in sections}


def _first(briefing: Briefing, own: str | None, files: Section) -> dict[str, Section]:
    """What stays the same, or changes with the champion."""
    pins = said("# Standing guidance of the person, in force now", briefing.pins)
    program = plain(briefing.program, tab="\t").strip()
    data = f"# The training data\n{fenced('how it begins', briefing.sample, SAMPLE)}" if briefing.sample.strip() else ""
    heading = "# The program: the person's instructions"
    return {
        "program": lambda most: framed(heading, program, most, "program.md has the rest"),
        "sample": lambda most: data if tokens(data) <= most else "",
        "measure": measured(briefing, own is not None),
        "pins": lambda most: within(pins, most, ""),
        "files": files,
    }


def _last(briefing: Briefing, own: str | None) -> dict[str, Section]:
    """What changes every time: time, counters and gauges, and what is going on."""
    state, new = situation(briefing), results(briefing, own)
    words = said("# What the person says now (it takes precedence over everything above)", briefing.words)
    touched, tuned = kinds(briefing.experiments, briefing.contract), findings(briefing)
    return {
        "kinds": lambda most: within(touched, most, ""),
        "tuned": lambda most: within(tuned, most, ""),
        "situation": lambda most: within(state, most, ""),
        "results": lambda most: within(new, most, "the table has all of them"),
        "open": lambda most: unsettled(briefing, most),
        "notes": lambda most: notes(briefing, most),
        "words": lambda most: within(words, most, ""),
    }


def _ask(briefing: Briefing) -> str:
    part = f"# Your part in this study, by the person\n{plain(briefing.role).strip()}\n\n" if briefing.role else ""
    refused = f"Your last proposal, {one_line(briefing.refused, REASON)}\n" if briefing.refused else ""
    return (
        f"{part}# Now\n{refused}Propose experiment #{briefing.next_id}: one idea that is not above, with the best "
        f"chance of a `{briefing.contract.metric}` {direction(briefing.contract)} than the champion's by more than "
        "the noise."
    )
