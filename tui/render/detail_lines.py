"""One experiment in a small space: why, what was hoped and what has come of it, diff, curve, log and thought. Pure.

What matters most stands at the top, and each part knows in how few lines it says anything, so that a small panel has
the first parts whole and a large one has all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.policy import ladder
from loop.reporting import ablation
from loop.study.experiment import Experiment
from loop.study.figures import Figures
from loop.study.state import Study
from tui.render.diff_colours import diff_line
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, clean, cut, number, one_line, pad, percent, plus_minus, sigmas, wrap

_LABEL = 8
"""Cells of a label and the gap behind it."""

_DIFF, _CURVE = 16, 8
"""Lines of the diff, and of the curve with its legend, at most."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What is not in the study, and takes a moment to read."""

    diff: str = ""
    """Unified, without limit."""
    log: str = ""
    """The last line of its newest run."""
    thought: str = ""
    """The last that was thought for it."""


def detail_lines(
    experiment: Experiment,
    study: Study,
    figures: Figures,
    extras: Extras | None,
    lead: Span,
    curve: Sequence[Line],
    width: int,
    height: int,
    glyphs: Glyphs,
) -> list[Line]:
    """An experiment in at most `height` lines.

    Args:
        extras: None while they are being read.
        lead: where a run of it stands now; empty where none runs.
        curve: its curve over the champion's, drawn already; empty where there is none.
    """
    lines = [_head(experiment, study, width, glyphs)]
    why = one_line(experiment.hypothesis)
    lines += labelled("why", why, width, "text", 3)
    lines += labelled("hopes", one_line(experiment.expected), width, "dim", 1)
    so_far, role = so_far_words(experiment, study, figures, lead, glyphs)
    lines += labelled("so far", so_far, width, role, 3)
    reason = one_line(experiment.reason or (experiment.waits_for if experiment.phase == "waiting" else ""))
    lines += labelled("because", reason, width, "dim", 3)
    lines += labelled("worth", ablation.of_change(study, experiment.id), width, "text", 2)
    lines += labelled("changes", ablation.of_champion(study, experiment.id), width, "text", 3)
    lines += labelled("ladder", "; ".join(map(ladder.brief, ladder.of_experiment(study, experiment))), width, "text", 2)
    lines += labelled("learnt", one_line(experiment.lesson), width, "dim", 2)
    if extras is None:
        return [*lines, (("reading its diff and log", "faint"),)][:height]
    below = [
        *labelled("log", one_line(extras.log), width, "dim", 1),
        *labelled("thought", one_line(extras.thought), width, "dim", 3),
    ]
    change = changed_lines(extras.diff, width, experiment, glyphs) if experiment.id else []
    room = height - len(lines)
    if room < 2:
        return lines[:height]
    shown = min(len(change), _DIFF, max(3, room - len(below) - (_CURVE if curve else 0)), room)
    if change and shown < len(change):
        left = len(change) - shown + 1
        change = [*change[: shown - 1], ((f"{' ' * _LABEL}{left} more lines, enter shows them", "faint"),)]
    lines += change
    room = height - len(lines)
    if curve and room >= len(curve) + min(len(below), 1):
        lines += curve
    return [*lines, *below][:height]


def labelled(label: str, text: str, width: int, role: str, most: int) -> list[Line]:
    """A text behind its label, in at most so many lines; none without a text."""
    if not text:
        return []
    rows = wrap(text, max(8, width - _LABEL))
    lines: list[Line] = []
    for index, (a, b) in enumerate(rows[:most]):
        cut_off = index == most - 1 and len(rows) > most
        shown = cut(text[a:], width - _LABEL) if cut_off else text[a:b]
        lines.append(((pad(label if not index else "", _LABEL), "faint"), (shown, role)))
    return lines


def _head(experiment: Experiment, study: Study, width: int, glyphs: Glyphs) -> Line:
    """Number, title, state, who, and on what."""
    sign, word, role = glyphs.of(experiment)
    if experiment.id == study.champion:
        sign, word, role = glyphs.champion, "champion", "champion"
    onto = "" if experiment.parent is None else f" on {experiment.parent}"
    by = f"by {one_line(experiment.researcher)}{onto}" if experiment.id else "your own file"
    right = f"  {sign} {word}  {by}"
    title = cut(one_line(experiment.title), max(8, width - len(right) - len(str(experiment.id)) - 1))
    spans: list[Span] = [(f"{experiment.id} ", "accent"), (title, "strong"), (f"  {sign} {word}", role)]
    return (*spans, (f"  {by}", "faint"))


def so_far_words(experiment: Experiment, study: Study, figures: Figures, lead: Span, glyphs: Glyphs) -> tuple[str, str]:
    """What has come of it: its number, how far that is from what it was measured against, and where a run stands."""
    parts: list[str] = []
    role = "text"
    figure = figures.of(experiment)
    if figure is not None:
        runs = f" ({figure.runs} run{'s' if figure.runs > 1 else ''})" if figure.runs else ""
        parts.append(f"{study.contract.metric} {number(figure.mean)} {plus_minus(figure.error)}".rstrip() + runs)
        effect = figures.effect(experiment)
        if effect is not None and experiment.id:
            over = "" if experiment.champion is None else f" than {experiment.champion}"
            sure = "" if experiment.confidence is None else f", {experiment.confidence:.1%} sure"
            side = "better" if effect > 0 else "worse"
            share = f" ({share})" if (share := percent(effect, figure.mean)) else ""
            parts.append(f"{sigmas(effect, figures.noise)}{share} {side}{over}{sure}")
            role = "kept" if effect > 0 else "text"
    if lead[0].strip():
        parts.append(f"{lead[0].strip()} at equal training time")
        role = lead[1] if figure is None else role
    elif experiment.running() and not parts:
        parts.append("runs; nothing to compare yet")
        role = "dim"
    elif not parts and experiment.phase == "queued":
        parts.append("waits for a slot")
        role = "dim"
    return glyphs.plain(", ".join(parts)), role


def changed_lines(diff: str, width: int, experiment: Experiment, glyphs: Glyphs) -> list[Line]:
    """How much was changed, and the changed lines alone."""
    size = f"+{experiment.lines_added} {glyphs.minus}{experiment.lines_removed}"
    named = [line for line in clean(diff).split("\n") if line.startswith("+++ ")]
    files = ", ".join(line[4:].removeprefix("b/") for line in named)
    head: Line = ((pad("diff", _LABEL), "faint"), (size, "text"), (f"  {cut(files, max(8, width - 24))}", "dim"))
    if not diff:
        return [head] if experiment.lines_added or experiment.lines_removed else []
    lines = [head]
    for line in clean(diff).split("\n"):
        if line[:1] in ("+", "-") and not line.startswith(("+++", "---")):
            lines.append(diff_line(line, width))
        elif line and not line.startswith(("@@", " ", "diff ", "index ", "+++", "---", "new ", "deleted ", "\\")):
            lines.append(((cut(line, width), "faint"),))  # a sentence of ours in place of the diff
    return lines
