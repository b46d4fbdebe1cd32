"""program: the contract in force, its instructions, pins and notes, and each change to `program.md`.

Shows the version that the loop goes by: where the file is broken, that is an earlier one. Changes nothing: a person
edits `program.md` in any editor, and the supervisor takes the change over or says why not.
"""

import time

from loop.policy import honesty
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.state import Study
from loop.words import decimal_size
from tui.render.text import Line, Span, brief, clean, cut, one_line, pad, wrap
from tui.screens.sheet import Sheet

_CHANGES = 12
"""Changes that are shown, the newest first."""

_NOTES = 300
"""Notes of the notebook that are shown: the newest. A researcher rewrites it long before it has so many."""


def contract_lines(contract: Contract, width: int) -> list[Line]:
    """The front matter in force, defaults included, one key to a line."""
    bounds = contract.limits.model_dump(exclude_none=True, exclude={"processes", "file", "run_disk"})
    bounds |= {name: decimal_size(bounds[name]) for name in ("memory", "disk") if name in bounds}
    keep = contract.keep
    facts = {
        "edit": ", ".join(contract.edit),
        "run": contract.run,
        "metric": f"{contract.metric}, {'lower' if contract.goal == 'min' else 'higher'} is better",
        "budget": f"{brief(contract.budget)} of training, ended at {brief(contract.deadline)}",
        "verify": contract.verify or "none: the run's own number counts",
        "keep": f"confidence {keep.confidence:g}, {keep.baseline_runs} runs of the baseline, at most {keep.max_runs} "
        f"of an experiment, simpler {'wins' if keep.simpler_wins else 'does not win'}",
        "limits": ", ".join(f"{name} {value if isinstance(value, str) else f'{value:,.10g}'}"
                            for name, value in bounds.items()) or "none",
        "review": contract.reviewed,
    }  # fmt: skip
    if contract.require:
        facts["require"] = ", ".join(map(str, contract.require))
    if contract.report:
        facts["report"] = ", ".join(contract.report)
    if contract.budget_clock != "wall":
        facts["clock"] = "without a GPU the budget counts processor time per core, and not the clock"
    if contract.ends != "itself":
        facts["ends"] = "at its budget: it is asked to stop then"
    lines: list[Line] = []
    for name, text in facts.items():
        for index, (a, b) in enumerate(wrap(one_line(text), max(20, width - 10))):
            lines.append(((pad("" if index else name, 10), "dim"), (one_line(text)[a:b], "text")))
    return lines


def instruction_lines(text: str, width: int) -> list[Line]:
    """The instructions as the researchers read them; only headings and code stand out."""
    lines: list[Line] = []
    code = False
    for raw in clean(text).strip("\n").split("\n"):
        fence = raw.lstrip().startswith("```")
        code = code != fence
        if not raw.strip():
            lines.append(())
            continue
        role = "faint" if fence else "code" if code else "title" if raw.startswith("#") else "text"
        indent = len(raw) - len(raw.lstrip()) + (2 if raw.lstrip()[:2] in ("- ", "* ") else 0)
        for index, (a, b) in enumerate(wrap(raw, width if not indent else max(20, width - indent))):
            lines.append(((" " * (indent if index else 0) + raw[a:b], role),))
    return lines


def words_lines(number: int | None, text: str, width: int) -> list[Line]:
    """A pin or a note, after its number or a dash."""
    lead = f"{'-' if number is None else number:>3}  "
    lines: list[Line] = []
    for index, piece in enumerate(clean(text).strip("\n").split("\n")):
        for row, (a, b) in enumerate(wrap(piece, max(20, min(width, 110) - len(lead)))):
            lines.append(((" " * len(lead) if index or row else lead, "dim"), (piece[a:b], "text")))
    return lines


def notices(study: Study, changes: list[e.Event]) -> list[tuple[float, str, str]]:
    """Versions taken over and refused, the newest first: when, what, and the role it is drawn in."""
    found: list[tuple[float, str, str]] = []
    for event in changes:
        if isinstance(event.body, e.ProgramChanged):
            what = ", ".join(event.body.changed) or "nothing that counts"
            found.append((event.at, f"taken over: {what}", "good"))
    found += [(at, fault.message, "bad") for at, fault in study.faults if fault.where == "program.md"]
    return sorted(found, reverse=True)[:_CHANGES]


class ProgramSheet(Sheet):
    """The program in force."""

    view = "program"

    def state(self) -> tuple[object, ...]:
        return (self.cockpit.known.version,)

    def _notices(self) -> list[tuple[float, str, str]]:
        cockpit = self.cockpit
        changes = cockpit.journal.read(kinds={"program_changed"}, limit=_CHANGES, newest=True)
        return notices(cockpit.known.study, changes)

    def heading(self) -> list[Span]:
        newest = next(iter(self._notices()), None)
        spans: list[Span] = [(" program.md", "strong"), ("   as the loop goes by it now", "dim")]
        if newest is not None and newest[2] == "bad":
            spans = [(" program.md", "strong"), ("   ! the file is broken; an earlier version stays in force", "bad")]
        return spans

    def write(self, width: int) -> list[Line]:
        study = self.cockpit.known.study
        lines: list[Line] = [(("contract", "title"),), *contract_lines(study.contract, width), ()]
        for notice in honesty.notices(study):
            lines += [((notice[a:b], "warn"),) for a, b in wrap(notice, max(20, min(width, 110)))] + [()]
        if study.pins:
            lines.append((("pinned", "title"), ("  stands in every briefing; :unpin N takes one back", "faint")))
            lines += [line for number, text in study.pins.items() for line in words_lines(number, text, width)]
            lines.append(())
        if study.minds.notebook:
            lines.append((("notebook", "title"), ("  what the researchers have learnt, the newest last", "faint")))
            for note in study.minds.notebook[-_NOTES:]:
                lines += words_lines(None, note, width)
            lines.append(())
        if found := self._notices():
            lines.append((("changes", "title"),))
            for at, text, role in found:
                moment = time.strftime("%a %H:%M  ", time.localtime(at))
                for index, (a, b) in enumerate(wrap(one_line(text), max(20, width - len(moment)))):
                    lead = " " * len(moment) if index else moment
                    lines.append(((lead, "faint"), (one_line(text)[a:b], role)))
            lines.append(())
        lines.append((("instructions", "title"),))
        if not study.program.strip():
            return [*lines, (("none: the file has no text below its contract", "faint"),)]
        return lines + instruction_lines(study.program, min(width, 110))

    def hints(self) -> list[Span]:
        edit = f" edit {cut(str(self.cockpit.root / 'program.md'), 60)}: it takes effect at the next proposal"
        return [(" j k", "key"), (" move ", "dim"), (" esc", "key"), (" back ", "dim"), (edit, "faint")]
