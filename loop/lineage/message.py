"""The text of an experiment in git: its commit message and its verdict note, written and read back.

A commit message is the title, the hypothesis and, as the last paragraph, trailers:

    experiment 12: halve the learning rate

    The loss rises in the first hundred steps.

    Study: h100-a
    Experiment: 12
    Parent-experiment: 7
    Researcher: automl

A note (`refs/notes/looptop`) is trailers only: `Verdict:`, the metric by its own name (`val_bpb: 0.9412`), `Runs:`,
`Reason:`, and more that `verdict_note` writes; none of those is a plain number, so that none is taken for the metric.

Titles, hypotheses and reasons are a stranger's text. Control characters are removed, lengths capped. A line that looks
like a trailer stays in the hypothesis: only the last paragraph is read as trailers, and that is always ours. Nothing
here runs git or reads a file.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

TITLE_CHARACTERS = 200
HYPOTHESIS_CHARACTERS = 8_000
VALUE_CHARACTERS = 1_000
NOTE_CHARACTERS = 8_000  # a line of a note tells of up to fifty runs

# Controls, lone surrogates, and marks that reorder text; tabs and newlines are the callers'. Not `sanitize`, and not to
# be changed lightly: a commit that was lost is made again from the journal, and must get the same sha.
_UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TRAILER = re.compile(r"([^\s:][^:]*): ?(.*)")  # wider than git's own: a metric's name may hold `_` or `/`
# A line that begins so is cut as a comment when a person rewords the commit, or ends the message for
# `git interpret-trailers`; a space in front keeps it.
_FRAGILE = re.compile(r" *(?:#|---)")


@dataclass(frozen=True, slots=True)
class ExperimentMessage:
    """What a commit says about its experiment.

    Attributes:
        title: one line.
        hypothesis: any text.
        trailers: `Key: value` lines such as `Researcher` and `Parent-experiment`; `compose` adds `Study` and
            `Experiment`. Read back: all of them, and none from a commit that is not ours.
    """

    title: str
    hypothesis: str = ""
    trailers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict note read back.

    Attributes:
        verdict: kept, discarded, crashed, out of memory, timed out, killed or rejected.
        reason: the sentence that says why.
        metric: the metric's name, "" where the experiment has no number (a crash has none).
        value: the experiment's number in the metric's own units, None where it has none.
        runs: the runs as they were written down.
        more: all other lines, by their key.
    """

    verdict: str
    reason: str = ""
    metric: str = ""
    value: float | None = None
    runs: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


def compose(tag: str, experiment_id: int, message: ExperimentMessage) -> str:
    """The commit message of an experiment, ended by a newline."""
    trailers = {"Study": tag, "Experiment": str(experiment_id), **message.trailers}
    title = one_line(message.title, TITLE_CHARACTERS) or "(no title)"
    body = "\n".join(f" {line}" if _FRAGILE.match(line) else line for line in _paragraphs(message.hypothesis))
    blocks = [f"experiment {experiment_id}: {title}", body, _trailer_block(trailers)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def read_message(text: str) -> ExperimentMessage:
    """Takes a commit message apart; the opposite of `compose`, and harmless on any other text."""
    head, _, last = text.strip("\n").rpartition("\n\n")
    trailers = read_trailers(last)
    if not head or "Experiment" not in trailers:
        head, trailers = text.strip("\n"), {}
    subject, _, body = head.partition("\n")
    title = subject.removeprefix(f"experiment {trailers.get('Experiment', '')}: ")
    lines = (
        line[1:] if _FRAGILE.match(line) and line.startswith(" ") else line for line in body.strip("\n").split("\n")
    )
    return ExperimentMessage(title, "\n".join(lines), trailers)


def compose_note(trailers: Mapping[str, str]) -> str:
    """The text of a verdict note."""
    return _trailer_block(trailers, NOTE_CHARACTERS) + "\n"


def read_note(text: str) -> Judged | None:
    """Reads a verdict note back; None where there is no verdict in it.

    The metric is the first trailer that is none of the known ones and a finite number.
    """
    trailers = read_trailers(text)
    known = {key: trailers.pop(key, "") for key in ("Verdict", "Reason", "Runs")}
    if not known["Verdict"]:
        return None
    numbers = ((key, _number(value)) for key, value in trailers.items())
    metric, value = next(((key, value) for key, value in numbers if value is not None), ("", None))
    trailers.pop(metric, None)
    return Judged(known["Verdict"], known["Reason"], metric, value, known["Runs"], trailers)


def read_trailers(block: str) -> dict[str, str]:
    """The `Key: value` lines of a paragraph; other lines are passed over, the last of a key wins."""
    matches = (_TRAILER.fullmatch(line) for line in block.split("\n"))
    return {match.group(1): match.group(2) for match in matches if match}


def one_line(text: str, cap: int) -> str:
    """A stranger's text as one line of at most `cap` characters, cut with an ellipsis."""
    line = " ".join(_UNWANTED.sub(" ", text).split())
    return line if len(line) <= cap else line[: cap - 1].rstrip() + "…"


def _paragraphs(text: str) -> list[str]:
    """A stranger's text as lines with no unwanted characters, no trailing blanks, single empty lines between."""
    text = _UNWANTED.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    lines = re.sub(r"\n{3,}", "\n\n", lines).strip("\n")
    if len(lines) > HYPOTHESIS_CHARACTERS:
        lines = lines[: HYPOTHESIS_CHARACTERS - 1].rstrip() + "…"
    return lines.split("\n")


def _trailer_block(trailers: Mapping[str, str], cap: int = VALUE_CHARACTERS) -> str:
    """`Key: value` lines. A colon in a key would end it early, so it becomes a dash."""
    lines = (
        f"{one_line(key, VALUE_CHARACTERS).replace(':', '-')}: {one_line(value, cap)}"
        for key, value in trailers.items()
    )
    return "\n".join(line.rstrip() for line in lines)


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
