"""The sections of a briefing's page: each a function of how many tokens it may take. Pure.

A section is empty where it has nothing to say or no space to say it.
"""

import re
from collections.abc import Callable, Sequence

from loop.researchers.briefing.excerpt import enclosed, one_line, tokens, within
from loop.researchers.briefing.result import REASON, outcome
from loop.researchers.briefing.row import figure
from loop.researchers.protocol import Briefing
from loop.sanitize import plain
from loop.words import listed

Section = Callable[[int], str]
"""A section of the page in at most so many tokens."""

RESULTS_SHOWN = 12
"""Results since the last proposal that are shown in full."""

BLOCK = 20
"""Notes that settle together: a settled one stands above the table, and all above the table stays as it is."""

MEASURING, MEASURE_MOST = 6, 2_400
"""Files that measure which are shown at most, and tokens of all of them."""

READ_REST = "read_file shows the rest"

_MARKS = re.compile(r"^[ \t]*(?:(?:#+|[*>-])[ \t]+)*")
"""Markup of a heading, a list or a quotation at the start of a line; `#7` is an experiment."""


def framed(head: str, text: str, most: int, where: str) -> str:
    """A heading and a fenced text, which is cut where it is too long; empty where there is nothing to show."""
    if not text.strip():
        return ""
    whole = f"{head}\n{enclosed(text)}"
    size = tokens(whole)
    if size <= most:
        return whole
    inner = within(text, most - (size - tokens(text)) - 2, where)
    return f"{head}\n{enclosed(inner)}" if inner else ""


def said(head: str, texts: Sequence[str]) -> str:
    """Words of a person as a list; further lines of one are indented."""
    points = ["\n  ".join(plain(text).strip().splitlines()) for text in texts]
    return "\n".join((head, *(f"- {point}" for point in points if point))) if any(points) else ""


def files_shown(briefing: Briefing) -> Section:
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
            whole = framed(f"`{name}`:", texts[path] or "\n", part - 1, READ_REST)
            parts[path] = whole or within(f"`{name}`: not shown for lack of space; read_file shows it.", part - 1, "")
            room -= tokens(parts[path]) + 1
        if room < 0 or not any(parts.values()):
            return ""
        return "\n".join((head, *(parts[path] for path in texts if parts[path])))

    return shown


def files_named(briefing: Briefing) -> Section:
    """Names of the champion's files, for an agent that can read them."""
    names = ", ".join(f"`{one_line(path, 120)}`" for path in sorted(briefing.files)[:50])
    text = f"{_champion_heading(briefing)}\nThey are in your working directory: {names}. Read them first."
    return lambda most: within(text, most, "")


def measured(briefing: Briefing, shown: bool) -> Section:
    """The files that measure and may not be edited, each whole where it fits; only their names unless `shown`."""
    texts = {one_line(path, 120): text for path, text in list(briefing.measuring.items())[:MEASURING]}
    others = [f"`{one_line(path, 120)}`" for path in briefing.imported[:MEASURING]]
    where = "read_file shows them" if shown else "they are in your working directory"
    notes = [f"The files you change import {listed(others, MEASURING)}, not to be edited either; {where}."] * bool(
        others
    )
    if not shown and texts:
        notes.insert(0, f"Read {listed([f'`{name}`' for name in texts], MEASURING)} before you change anything.")

    def told(most: int) -> str:
        if not texts and not notes:
            return ""
        most, lines = min(most, MEASURE_MOST), [_MEASURED]
        room = most - tokens("\n".join((_MEASURED, *notes)))
        for count, (name, text) in enumerate(texts.items() if shown else ()):
            part = framed(f"`{name}`:", plain(text, tab="\t").strip("\n"), room // (len(texts) - count) - 1, READ_REST)
            part = part or f"`{name}`: not shown for lack of space; read_file shows it."
            room -= tokens(part) + 1
            lines.append(part)
        return within("\n".join((*lines, *notes)), most, "")

    return told


_MEASURED = "# How it is measured: what the commands of the contract start, which may not be edited"


def _champion_heading(briefing: Briefing) -> str:
    champion = briefing.champion
    return f"# The champion's files, which you change: #{champion.id} {one_line(champion.title, 120)}"


def notebook(notes: Sequence[str], most: int) -> tuple[str, str]:
    """The notebook in at most `most` tokens: the lines that have settled, and the newest ones.

    Lines settle, and are left out where they do not fit, a block at a time: what stands above the table changes seldom.
    """
    lines: list[str] = []
    for note in notes:
        bullet = "- "
        for line in plain(note).splitlines():
            if text := one_line(_MARKS.sub("", line), 600):
                lines.append(bullet + text)
                bullet = "  "
    sizes = [tokens(line) + 1 for line in lines]
    room = most - tokens(f"{_NOTEBOOK}\n{_NOTEBOOK_NEW}{_OLDER}") - 2
    first = next((at for at in range(0, len(lines), BLOCK) if sum(sizes[at:]) <= room), len(lines) // BLOCK * BLOCK)
    while first < len(lines) and sum(sizes[first:]) > room:
        first += 1
    settled = max(first, len(lines) // BLOCK * BLOCK)
    if first == len(lines):
        return "", ""
    head = _NOTEBOOK + (_OLDER if first else "")
    if settled == first:
        return "", "\n".join((head, *lines[first:]))
    new = "\n".join((_NOTEBOOK_NEW, *lines[settled:])) if settled < len(lines) else ""
    return "\n".join((head, *lines[first:settled])), new


_NOTEBOOK = "# The notebook: what researchers have learnt, in their own words (data: check it against the table)"
_NOTEBOOK_NEW = "# The newest lines of the notebook"
_OLDER = "\n(older lines are left out for lack of space)"


def ideas(briefing: Briefing, most: int) -> str:
    """What somebody thought of and nobody has tried, oldest first; where it does not fit, the oldest are left out."""
    lines = [f"{number}: {one_line(text, 300)}" for number, text in sorted(briefing.ideas.items())]
    head = "# Ideas that nobody has tried yet, by number (name the number when you take one up)"
    while lines:
        text = "\n".join((head, *lines))
        if tokens(text) <= most:
            return text
        del lines[: max(1, len(lines) // 4)]
    return ""


def results(briefing: Briefing, own: str | None) -> str:
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
    if own is not None and (silent := [f"#{x.id}" for x in yours if x.runs and not x.lesson][:RESULTS_SHOWN]):
        lines.append(f"Say in one sentence what each taught, with learn, before you propose: {', '.join(silent)}.")
    if len(since) > len(shown):
        lines.append(f"{len(since) - len(shown)} more are in the table only.")
    return "\n".join(lines)


NOTES_SHOWN = 40
"""Notes of the person that are shown, those on the newest experiments."""


def notes(briefing: Briefing, most: int) -> str:
    """What the person has noted on experiments; where it does not fit, those on the oldest are left out."""
    noted = [x for x in briefing.experiments if x.note][-NOTES_SHOWN:]
    lines = [f"- #{x.id} {one_line(x.title, 80)}: {one_line(x.note, 400)}" for x in noted]
    head = "# What the person has noted on experiments"
    while lines:
        text = "\n".join((head, *lines))
        if tokens(text) <= most:
            return text
        del lines[0]
    return ""


def unsettled(briefing: Briefing, most: int) -> str:
    """Experiments without a verdict, with their hypotheses where they fit, and what others are thinking about."""
    waiting = [x for x in briefing.experiments if x.verdict is None and x.id]
    claimed = [thought for thought in briefing.thoughts if thought.title]
    untold = [thought.number for thought in briefing.thoughts if not thought.title]
    if not waiting and not briefing.thoughts:
        return ""
    head = "# Without a verdict yet: propose something else, on other lines (what clashes with a champion comes back)"

    contract = briefing.contract

    def told(why: int) -> str:
        lines = [head]
        for x in waiting:
            phase: str = "waits for the person" if x.phase == "waiting" else x.phase
            if x.phase == "waiting" and (measured := x.measured(contract.protocol_id)):
                phase += f", with {contract.metric} {', '.join(map(figure, measured))}"
            if x.phase == "waiting" and x.waits_for:
                phase += f": {one_line(x.waits_for, REASON)}"
            lines.append(f"#{x.id} {one_line(x.title, 120)} ({phase})")
            if why and (hypothesis := one_line(x.hypothesis, why)):
                lines.append(f"  why: {hypothesis}")
        for thought in claimed:
            said = one_line(thought.title, 120)
            lines.append(f"#{thought.number} {said} ({one_line(thought.researcher, 60)} is thinking about it)")
        if untold:
            lines.append(f"Being thought about, and not told yet: {listed([f'#{number}' for number in untold])}")
        return "\n".join(lines)

    full = told(REASON)
    return full if tokens(full) <= most else within(told(0), most, "")
