"""What a language model or a coding agent reads before it proposes an experiment.

Pure: the same briefing gives the same text, byte for byte. However large the study, it never takes more tokens than
allowed, and says what is left out. What stays the same for a whole study comes first and what changes most comes last,
so that an endpoint's prompt cache lasts as long as possible. Text that models, runs and pages have written is on single
lines or between fences, and counts as data.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean

from loop.researchers.briefing.excerpt import enclosed, fenced, one_line, tokens, within
from loop.researchers.briefing.experiment_table import comparable, effect, figure, rejected_by, table
from loop.researchers.briefing.instructions import COMMAND_END, direction, for_checkout, for_conversation
from loop.researchers.briefing.situation import reading, situation
from loop.researchers.protocol import Briefing
from loop.sanitize import plain
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome

COMMAND_MOST = 32_000
"""Tokens of the text for a coding agent, which needs the rest of its context for its own work."""

REPORTED = 6
"""Numbers reported by a run that are shown beside those of the champion."""

RESULTS_SHOWN = 12
"""Results since the last proposal that are shown in full."""

REASON = 300
TRACEBACK = 6000
"""Characters of a log that a repair shows: about 1,800 tokens."""

_SHARES = {
    "words": 0.09,
    "results": 0.09,
    "open": 0.07,
    "situation": 0.06,
    "pins": 0.04,
    "program": 0.14,
    "files": 0.26,
    "notebook": 0.14,
}
"""Share of the page that each section is sure to get if it needs it; what is left goes to them in this order. The table
is sure of the rest, and takes what no other section needs: it alone grows without bound, and it shrinks best."""

_PAGE = ("program", "pins", "files", "table", "notebook", "situation", "results", "open", "words")
"""Order on the page: from what changes least to what changes most."""

_NAMES = {
    "words": "the person's words",
    "results": "results since your last proposal",
    "open": "what is queued and running",
    "situation": "machine and limits",
    "pins": "the person's guidance",
    "program": "the program",
    "files": "the champion's files",
    "notebook": "the notebook",
    "table": "the table of experiments",
}

_PROGRAM = "# The program: the person's instructions"

Section = Callable[[int], str]
"""A section of the page in at most so many tokens; empty where it has nothing to say or no space to say it."""

_MARKS = re.compile(r"^[ \t]*(?:(?:#+|[*>-])[ \t]+)*")
"""Markup of a heading, a list or a quotation at the start of a line; `#7` is an experiment."""


@dataclass(frozen=True)
class Parts:
    """A briefing as two messages."""

    stable: str
    """The system message: role, the loop, data and contract. The same until the contract changes."""
    page: str
    """The user message: the state of the study."""


def for_model(briefing: Briefing, most: int, own: str) -> Parts:
    """The briefing for a language model, in at most `most` tokens as `tokens` counts them.

    Args:
        own: the researcher's name, by which its last proposal is found.
    """
    stable = within(for_conversation(briefing.contract), max(0, most) // 2, "")
    sections = _sections(briefing, own, _files_shown(briefing))
    return Parts(stable, _page(sections, max(0, most) - tokens(stable), _ask(briefing)))


def for_command(briefing: Briefing) -> str:
    """The briefing for a coding agent, which works in a checkout of the champion and can read its files there."""
    stable = within(for_checkout(briefing.contract), COMMAND_MOST // 2, "")
    sections = _sections(briefing, None, _files_named(briefing))
    page = _page(sections, COMMAND_MOST - tokens(stable) - 1, f"{_ask(briefing)}\n\n{COMMAND_END}")
    return f"{stable}\n\n{page}"


def notebook_share(most: int) -> int:
    """Tokens of the notebook, above which the model is asked to rewrite it, in a briefing of `most`."""
    return most // 8


def outcome(experiment: Experiment, briefing: Briefing) -> str:
    """The result of an experiment, expected against measured, in one to three lines."""
    verdict = (experiment.verdict or experiment.phase).replace("_", " ")
    title, reason = one_line(experiment.title, 120), one_line(experiment.reason, REASON)
    if experiment.verdict is None:
        reason = one_line(experiment.waits_for, REASON)
    if experiment.verdict == Outcome.REJECTED:
        verdict = f"rejected by {rejected_by(experiment)}"
    lines = [f"#{experiment.id} {title}: {verdict}{': ' + reason if reason else ''}"]
    if expected := one_line(experiment.expected, REASON):
        lines.append(f"  expected: {expected}")
    if experiment.metric is not None:
        parts = [f"{briefing.contract.metric} {figure(experiment.metric)}"]
        if told := effect(experiment):
            parts.append(f"{told} than #{experiment.champion}" if experiment.champion is not None else told)
        values = [figure(run.metric) for run in experiment.counted() if run.metric is not None]
        parts.append(f"{len(values)} runs ({', '.join(values)})" if len(values) > 1 else "1 run")
        lines.append(f"  measured: {', '.join(parts)}")
        if told := _reported(experiment, briefing):
            lines.append(f"  reported: {told}")
        if not comparable(experiment, briefing.contract.protocol_id):
            lines[-1] += "; under an earlier program, so not to be compared with today's numbers"
    elif experiment.verdict is not None:
        lines.append("  measured: nothing, there is no number")
    return "\n".join(lines)


def _reported(experiment: Experiment, briefing: Briefing) -> str:
    """Numbers that its runs report and that differ from those of the champion: often they show the mechanism.

    Means over the runs; the largest differences first, none below 2%.
    """
    number = experiment.champion if experiment.champion is not None else briefing.champion.id
    against = next((x for x in briefing.experiments if x.id == number), briefing.champion)
    own, theirs = _means(experiment), _means(against)
    off = {
        name: abs(own[name] - theirs[name]) / max(abs(own[name]), abs(theirs[name]))
        for name in own.keys() & theirs.keys() - {briefing.contract.metric}
        if own[name] != theirs[name] and isfinite(own[name]) and isfinite(theirs[name])
    }
    if against.id == experiment.id or not off:
        return ""
    told = sorted((name for name in off if off[name] >= 0.02), key=lambda name: (-off[name], name))[:REPORTED]
    return ", ".join(
        f"{one_line(name, 40)} {reading(own[name])} (#{against.id}: {reading(theirs[name])})" for name in told
    )


def _means(experiment: Experiment) -> dict[str, float]:
    """Mean of each number that all of its counted runs printed at their end."""
    runs = [run.metrics for run in experiment.counted() if run.metrics]
    names = set.intersection(*(set(metrics) for metrics in runs)) if runs else set()
    return {name: fmean(metrics[name] for metrics in runs) for name in names}


def repair(experiment: Experiment, log: str, left: int) -> str:
    """The message to the conversation that proposed an experiment, after that has failed.

    Args:
        log: the end of its newest run's output.
        left: how many repairs are still allowed, including the one asked for here.
    """
    verdict = experiment.verdict or Outcome.CRASHED
    reason = one_line(experiment.reason, REASON).removeprefix(f"{verdict.said}: ")
    start = log.rfind("Traceback (most recent call last)")
    shown = log[start:] if start >= 0 and len(log) - start >= 200 else log
    many = "It can be repaired once more" if left == 1 else f"It can be repaired {left} times"
    smaller = "It has to use less memory than the reason says was used. " if verdict == Outcome.OUT_OF_MEMORY else ""
    advice = (
        f"{many}. {smaller}If this was a slip (a shape, a name, a type, a little too much memory or time), mend it and "
        "hand over the same idea again: your draft is still as you proposed it. If the idea is at fault, give it up "
        "and say so."
    )
    return (
        f"Experiment #{experiment.id} ({one_line(experiment.title, 120)}) has no number: it {verdict.said}"
        f"{': ' + reason if reason else ''}.\n\n"
        f"{fenced(f'the end of the output of experiment {experiment.id}', shown, TRACEBACK)}\n\n{advice}"
    )


# --- the page --------------------------------------------------------------------------------------------------


def _page(sections: dict[str, Section], most: int, ask: str) -> str:
    """Sections and the closing request in at most `most` tokens."""
    ask = within(ask, max(0, most) // 3, "")
    room = max(0, most - tokens(ask) - _LEFT_OUT - len(_PAGE))
    texts = _share_out(sections, room)
    gone = [_NAMES[name] for name in _PAGE if not texts[name] and sections[name](_PLENTY)]
    said = f"Left out here for lack of space: {', '.join(gone)}." if gone else ""
    text = "\n\n".join(text for text in (*(texts[name] for name in _PAGE), said, ask) if text)
    return text if tokens(text) <= most else ask


_LEFT_OUT = tokens(f"Left out here for lack of space: {', '.join(_NAMES.values())}.") + 2
_PLENTY = 10_000
"""Tokens in which every section can say something."""


def _share_out(sections: dict[str, Section], room: int) -> dict[str, str]:
    """Each section in its share; what one does not need goes to the next, and finally to the table."""
    texts = {name: sections[name](int(share * room)) for name, share in _SHARES.items()}
    left = room - sum(map(tokens, texts.values()))
    over = left - int((1 - sum(_SHARES.values())) * room)
    for name in _SHARES:
        had = tokens(texts[name])
        fuller = sections[name](had + over)
        if (more := tokens(fuller) - had) > 0:
            texts[name], over, left = fuller, over - more, left - more
    return {**texts, "table": sections["table"](left)}


def _sections(briefing: Briefing, own: str | None, files: Section) -> dict[str, Section]:
    """Every section of the page, by name.

    Args:
        own: name of the researcher; None for whoever proposed last.
    """
    state, results = situation(briefing), _results(briefing, own)
    pins = _said("# Standing guidance of the person, in force now", briefing.pins)
    words = _said("# What the person says now (it takes precedence over everything above)", briefing.words)
    program = plain(briefing.program, tab="\t").strip()
    return {
        "program": lambda most: _framed(_PROGRAM, program, most, "program.md has the rest"),
        "pins": lambda most: within(pins, most, ""),
        "files": files,
        "table": lambda most: table(briefing.experiments, briefing.contract, most),
        "notebook": lambda most: _notebook(briefing.notebook, most),
        "situation": lambda most: within(state, most, ""),
        "results": lambda most: within(results, most, "the table has all of them"),
        "open": lambda most: _open(briefing, most),
        "words": lambda most: within(words, most, ""),
    }


def _framed(head: str, text: str, most: int, where: str) -> str:
    """A heading and a fenced text, which is cut where it is too long; empty where there is nothing to show."""
    if not text.strip():
        return ""
    whole = f"{head}\n{enclosed(text)}"
    size = tokens(whole)
    if size <= most:
        return whole
    inner = within(text, most - (size - tokens(text)) - 2, where)
    return f"{head}\n{enclosed(inner)}" if inner else ""


def _said(head: str, texts: Sequence[str]) -> str:
    """Words of a person as a list; further lines of one are indented."""
    points = ["\n  ".join(plain(text).strip().splitlines()) for text in texts]
    return "\n".join((head, *(f"- {point}" for point in points if point))) if any(points) else ""


def _files_shown(briefing: Briefing) -> Section:
    """The champion's editable files, verbatim: an edit has to match them exactly."""
    texts = {path: text.encode("utf-8", "replace").decode() for path, text in sorted(briefing.files.items())}

    def shown(most: int) -> str:
        head = _champion_heading(briefing)
        room = most - tokens(head) - 1
        parts: dict[str, str] = {}
        # Small files first: what they leave of their share goes to the larger ones.
        for count, path in enumerate(sorted(texts, key=lambda path: len(texts[path]))):
            name = one_line(path, 200)
            part = room // (len(texts) - count)
            framed = _framed(f"`{name}`:", texts[path] or "\n", part - 1, "read_file shows the rest")
            parts[path] = framed or within(f"`{name}`: not shown for lack of space; read_file shows it.", part - 1, "")
            room -= tokens(parts[path]) + 1
        if room < 0 or not any(parts.values()):
            return ""
        return "\n".join((head, *(parts[path] for path in texts if parts[path])))

    return shown


def _files_named(briefing: Briefing) -> Section:
    """Names of the champion's files, for an agent that can read them."""
    names = ", ".join(f"`{one_line(path, 120)}`" for path in sorted(briefing.files)[:50])
    text = f"{_champion_heading(briefing)}\nThey are in your working directory: {names}. Read them first."
    return lambda most: within(text, most, "")


def _champion_heading(briefing: Briefing) -> str:
    champion = briefing.champion
    return f"# The champion's files, which you change: #{champion.id} {one_line(champion.title, 120)}"


def _notebook(notes: Sequence[str], most: int) -> str:
    """The notebook, newest lines last; where it does not fit, the oldest are left out."""
    lines: list[str] = []
    for note in notes:
        bullet = "- "
        for line in plain(note).splitlines():
            if text := one_line(_MARKS.sub("", line), 600):
                lines.append(bullet + text)
                bullet = "  "
    if not lines:
        return ""
    head = "# The notebook: what researchers have learnt, in their own words (data: check it against the table)"
    size = sum(tokens(line) + 1 for line in lines)
    said = "\n(older lines are left out for lack of space)"
    room = most - tokens(head)
    if size > room:
        room -= tokens(said)
        while lines and size > room:
            size -= tokens(lines.pop(0)) + 1
        head += said
    return "\n".join((head, *lines)) if lines else ""


def _results(briefing: Briefing, own: str | None) -> str:
    """All results since the researcher's last proposal, its own first."""
    mine = [x for x in briefing.experiments if x.id and not x.submitted and own in (None, x.researcher)]
    last = max(mine, key=lambda x: x.proposed_seq, default=None)
    if last is None:
        return ""
    since = [x for x in briefing.experiments if x.id and (x.judged_seq or 0) > last.proposed_seq]
    if not since:
        return ""
    since.sort(key=lambda x: x.judged_seq or 0, reverse=True)
    names = {x.id for x in mine}
    yours = [x for x in since if x.id in names]
    shown = (yours + [x for x in since if x.id not in names])[:RESULTS_SHOWN]
    lines = ["# Results since your last proposal, expected against measured"]
    lines += [outcome(x, briefing) + ("" if x.id in names else f"\n  (by {one_line(x.researcher, 60)})") for x in shown]
    if len(since) > len(shown):
        lines.append(f"{len(since) - len(shown)} more are in the table only.")
    return "\n".join(lines)


def _open(briefing: Briefing, most: int) -> str:
    """Experiments without a verdict, with their hypotheses where they fit."""
    unsettled = [x for x in briefing.experiments if x.verdict is None and x.id]
    if not unsettled:
        return ""
    head = "# Without a verdict yet: propose something else, on other lines (a conflict with a champion is rejected)"

    def told(why: int) -> str:
        lines = [head]
        for x in unsettled:
            phase = "waits for the person" if x.phase == "waiting" else x.phase
            lines.append(f"#{x.id} {one_line(x.title, 120)} ({phase})")
            if why and (hypothesis := one_line(x.hypothesis, why)):
                lines.append(f"  why: {hypothesis}")
        return "\n".join(lines)

    full = told(REASON)
    return full if tokens(full) <= most else within(told(0), most, "")


def _ask(briefing: Briefing) -> str:
    return (
        f"# Now\nPropose experiment #{briefing.next_id}: one idea that is not above, with the best chance of a "
        f"`{briefing.contract.metric}` {direction(briefing.contract)} than the champion's by more than the noise."
    )
