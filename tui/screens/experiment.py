"""One experiment: what was believed, what was measured, what was changed, and the verdict with its sentence."""

import shlex
from pathlib import Path

from loop.journal import Journal
from loop.policy import request_table
from loop.policy.permissions import Allowed
from loop.reporting.table import elsewhere, flagged, had, measured, not_counted, values_of
from loop.study.experiment import Experiment
from loop.study.figures import Figures
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.words import clock, size
from loop.workspace import folders_up
from tui.model.diffs import diff_between
from tui.model.text_buffer import Paragraph
from tui.model.transcript import paragraphs_of
from tui.render.diff_colours import diff_line
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, clean, cut, number, one_line, pad, percent, plus_minus, sigmas, wrap
from tui.screens.sheet import Sheet
from tui.widgets.curves import RunOf, comparison

_DIFF_LINES = 2000
"""Lines of a diff that are shown; a larger change is read in the pager."""

_VALUES = 24
"""Values of a run's output that are shown; `looptop show` has all of them."""

_THOUGHTS, _THOUGHT_LINES = 3000, 600
"""Events of a transcript that are read for the screen, and lines of it; the pager shows all."""


def fact_lines(experiment: Experiment, study: Study, width: int, glyphs: Glyphs) -> list[Line]:
    """Hypothesis, expected against measured, verdict."""
    lines: list[Line] = []

    def say(label: str, text: str, role: str = "text") -> None:
        for index, (a, b) in enumerate(wrap(text, width - 12)):
            lines.append(((pad(label if not index else "", 12), "dim"), (text[a:b], role)))

    if experiment.hypothesis:
        say("hypothesis", one_line(experiment.hypothesis))
    if experiment.expected:
        say("expected", one_line(experiment.expected))
    contract = study.contract
    if not_counted(study, experiment) is None and (text := measured_words(experiment, study)):
        say("measured", text, "kept" if experiment.verdict == Outcome.KEPT else "text")
    values, first = values_of(experiment), contract.beside
    values.pop(contract.metric, None)
    told = sorted(values.items(), key=lambda pair: (pair[0] not in first, pair[0]))[:_VALUES]
    if told:
        shown = [(name, one_line(x) if isinstance(x, str) else number(x)) for name, x in told]
        say("printed", ", ".join(f"{one_line(name)} {value}" for name, value in shown), "dim")
    if (value := not_counted(study, experiment)) is not None:
        say("measured", f"{contract.metric} {number(value)}, not counted", "dim")
    if experiment.lesson:
        say("learnt", one_line(experiment.lesson))
    if experiment.note:
        say("note", f"{one_line(experiment.note)} ({one_line(experiment.noted_by) or 'a person'})", "you")
    sign, word, role = glyphs.of(experiment)
    why = one_line(experiment.reason or experiment.waits_for)
    by = f" by {one_line(experiment.judged_by)}" if experiment.judged_by not in ("", "judge") else ""
    say("verdict" if experiment.verdict else "state", f"{sign} {word}{by}" + (f": {why}" if why else ""), role)
    for index, flag in enumerate(flagged(experiment)):
        say(f"{glyphs.flag} flagged" if not index else "", one_line(flag), "warn")
    onto = "the file as the person left it" if experiment.parent is None else f"experiment {experiment.parent}"
    say("built on", onto if experiment.id else "the person's own commit", "dim")
    commit = f"{experiment.commit[:10]}  " if experiment.commit else ""
    say("change", f"{commit}+{experiment.lines_added} {glyphs.minus}{experiment.lines_removed} lines", "dim")
    say("researcher", one_line(experiment.researcher), "dim")
    return lines


def measured_words(experiment: Experiment, study: Study) -> str:
    """The mean of its runs so far, and how far it is from that of what it was measured against; empty without one."""
    figures = Figures(study)
    figure = figures.of(experiment)
    if figure is None:
        return ""
    parts = [f"{study.contract.metric} {number(figure.mean)} {plus_minus(figure.error)}".rstrip()]
    if figure.runs:
        parts[0] += f" ({figure.runs} run{'s' if figure.runs > 1 else ''})"
    parts[0] += f" on {one_line(kind)}" if (kind := elsewhere(study, experiment)) else ""
    if measured(experiment) == "self-reported":
        parts[0] += " (self-reported)"
    effect = figures.effect(experiment)
    if effect is not None and experiment.id:
        over = "the champion of then" if experiment.champion is None else f"experiment {experiment.champion}"
        now = sigmas(effect, figures.noise)
        sizes = ", ".join(filter(None, (now, percent(effect, figure.mean))))
        parts.append(f"{number(abs(effect), 3)} {'better' if effect > 0 else 'worse'} than {over} ({sizes})")
        then = sigmas(experiment.effect, experiment.noise)
        if then != now:
            parts.append(f"{then} when it was judged")
        if experiment.confidence is not None:
            parts.append(f"confidence {experiment.confidence:.1%}")
    return ", ".join(parts)


def run_lines(experiment: Experiment, metric: str, glyphs: Glyphs) -> list[Line]:
    """A line for each run: seed, metric, time, memory, outcome."""
    if not experiment.runs:
        return [(("no run yet", "faint"),)]
    head = f"{'run':<8}{'seed':>6}  {metric[:12]:>12}  {'time':>8}  {'memory':>8}  {'GPU':>8}  ended"
    lines: list[Line] = [((head, "faint"),)]
    for run in experiment.runs.values():
        gpu = size(run.peak_gpu_memory) if run.peak_gpu_memory else "-"
        memory = size(run.peak_memory) if run.peak_memory else "-"
        outcome = run.outcome.word if run.outcome else "under way"
        role = "text" if run.outcome == Outcome.FINISHED else "running" if run.outcome is None else "crashed"
        checked = " verified" if run.verified else ""
        if run.check is not None:
            checked = f" check failed: {one_line(run.check)}"
        lines.append(
            (
                (f"{experiment.id}.{run.number:<6}"[:8].ljust(8), "text"),
                (f"{run.seed:>6}  ", "dim"),
                (f"{number(run.metric):>12}  ", "strong"),
                (f"{clock(run.seconds) if run.seconds else '-':>8}  {memory:>8}  {gpu:>8}  ", "dim"),
                (outcome + checked, role),
                (f"  {words}" if (words := had(run)) else "", "warn"),
                (f"  {one_line(run.reason)}" if run.reason else "", "dim"),
            )
        )
    return lines


def diff_lines(diff: str, width: int) -> list[Line]:
    """A unified diff, coloured by what was added and removed, without git's headers."""
    lines: list[Line] = []
    for text in clean(diff).split("\n")[:_DIFF_LINES]:
        if text.startswith(("diff ", "index ", "+++", "---", "new file", "deleted file", "similarity")):
            if text.startswith("+++"):
                lines.append(((cut(text[4:].removeprefix("b/"), width), "title"),))
            continue
        lines.append(diff_line(text, width))
    return lines


def rule(title: str, width: int, glyphs: Glyphs, more: str = "") -> Line:
    """A heading within the sheet."""
    text = f"{title} "
    right = f" {more}" if more else ""
    return ((text, "title"), (glyphs.rule * max(0, width - len(text) - len(right)), "border"), (right, "faint"))


def second_study(study: Study, experiment: Experiment, root: Path) -> str:
    """The command that begins a study of its own at an experiment's commit, under the same program and flags.

    A worktree has only what is committed, so the program as it stands and the environment are taken along.
    """
    tag = f"{study.tag}-from-{experiment.id}"
    top = folders_up(root)[-1]
    tree = top.parent / f"{top.name}-{tag}"
    here, there = shlex.quote(str(root)), shlex.quote(str(tree / root.relative_to(top)))
    steps = [f"git -C {here} worktree add --detach {shlex.quote(str(tree))} {(experiment.commit or '')[:12]}"]
    if (root / "program.md").exists():
        steps.append(f"cp {here}/program.md {there}")
    for folder in folders_up(root):  # a workspace's packages share one environment
        if (folder / ".venv").exists():
            link = tree / folder.relative_to(top) / ".venv"
            steps.append(f"ln -sfn {shlex.quote(str(folder / '.venv'))} {shlex.quote(str(link))}")
    flags = [
        f" --{name} {shlex.quote(f'{value:g}s' if name == 'budget' else str(value))}"
        for name, given in study.options.items()
        if name in ("researcher", "budget")
        for value in (given if isinstance(given, list | tuple) else [given])
    ]
    return " && ".join([*steps, f"looptop -C {there} --tag {shlex.quote(tag)}{''.join(flags)}"])


class ExperimentSheet(Sheet):
    """All that is known of one experiment. The diff is read from git once, the log from the run's folder."""

    view = "experiment"

    def __init__(self, experiment: int, part: str = "") -> None:
        super().__init__()
        self.experiment = experiment
        self._part = part
        """The heading that it is to begin at; empty for the top."""
        self._diff: str | None = None

    @property
    def found(self) -> Experiment:
        return self.cockpit.known.study.experiments[self.experiment]

    def heading(self) -> list[Span]:
        study, glyphs = self.cockpit.known.study, self.cockpit.glyphs
        sign, word, role = glyphs.of(self.found)
        spans: list[Span] = [
            (f" {self.experiment} ", "accent"),
            (cut(one_line(self.found.title), max(20, self.size.width - 40)), "strong"),
            (f"  {sign} {word}", role),
        ]
        if self.experiment == study.champion:
            spans.append((f"  {glyphs.champion} champion", "champion"))
        return spans

    def state(self) -> tuple[object, ...]:
        known = self.cockpit.known
        samples = sum(len(known.samples.get(key, ())) for key in self.wanted())
        return self.experiment, known.version, samples

    def on_resize(self) -> None:
        super().on_resize()
        part, self._part = self._part, ""
        if part and self._written[1]:
            titles = [line[0] if line else ("", "") for line in self._written[1]]
            self.top = titles.index((f"{part} ", "title")) if (f"{part} ", "title") in titles else 0
            self.redraw()

    def hints(self) -> list[Span]:
        keys = {key.id: key.show for key in self.cockpit.keys}
        pairs = [(keys[name], name) for name in self._possible()] if not self.cockpit.read_only else []
        pairs += [("← →", "older, newer"), (keys["copy"], "copy"), (keys["pager"], "pager"), (keys["back"], "back")]
        return [span for key, what in pairs for span in ((f" {key}", "key"), (f" {what} ", "dim"))]

    def _possible(self) -> list[str]:
        """The requests that can be made of it by a key now; their names are the keys' ids."""
        study, rows = self.cockpit.known.study, (row for row in request_table.TABLE if row.numbered and row.key)
        return [row.name for row in rows if isinstance(row.check(study, self.found), Allowed)]

    def write(self, width: int) -> list[Line]:
        study, glyphs = self.cockpit.known.study, self.cockpit.glyphs
        experiment = self.found
        lines = [*fact_lines(experiment, study, width, glyphs), ()]
        if experiment.phase == "waiting":  # what a person has to decide on comes first
            lines += self._change(width)
        lines += [rule("runs", width, glyphs), *run_lines(experiment, study.contract.metric, glyphs), ()]
        if experiment.phase != "waiting":
            lines += self._change(width)
        if curve := self._curve(width):
            lines += [rule("curve", width, glyphs), *curve, ()]
        if (last := experiment.newest) is not None:
            ends = f"end of run {experiment.id}.{last.number}"
            lines += [rule("log", width, glyphs, ends), *self._log(last.number, width), ()]
        if thoughts := self._thoughts(width):
            lines += [rule("transcript", width, glyphs, "what was thought for it"), *thoughts]
        return lines

    def _change(self, width: int) -> list[Line]:
        """The diff under its heading; nothing for the baseline."""
        experiment, glyphs = self.found, self.cockpit.glyphs
        if not experiment.id:
            return []
        changes = f"+{experiment.lines_added} {glyphs.minus}{experiment.lines_removed}"
        return [rule("diff", width, glyphs, changes), *diff_lines(self.diff(), width), ()]

    def second_study(self) -> str:
        """One line for a shell: a second study that begins at this experiment, in a worktree beside this one."""
        return second_study(self.cockpit.known.study, self.found, self.cockpit.root)

    def transcript(self, journal: Journal) -> str:
        """All the thoughts on it, with the tool calls and the proposal."""
        return "\n".join(one.lead.replace("\0", "") + one.text for one in self._paragraphs(journal, 0))

    def _paragraphs(self, journal: Journal, most: int) -> list[Paragraph]:
        """The mind's paragraphs on this experiment, from the newest `most` events; 0 for all of them."""
        kinds = {"thought", "tool_called", "experiment_proposed"}
        events = journal.read(kinds=kinds, experiment=self.experiment, limit=most or -1, newest=bool(most))
        return paragraphs_of(events, self.cockpit.known.study, 80, False)

    def _thoughts(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for paragraph in self._paragraphs(self.cockpit.journal, _THOUGHTS):
            role = "tool" if paragraph.kind == "tool" else "accent" if paragraph.kind == "speaker" else "text"
            lead = paragraph.lead.replace("\0", "")
            rows = wrap(paragraph.text, max(8, width - len(lead)))
            lines += [
                ((lead if not index else " " * len(lead), role), (paragraph.text[a:b], role))
                for index, (a, b) in enumerate(rows)
            ]
        return lines[-_THOUGHT_LINES:]

    def compared(self) -> tuple[RunOf | None, RunOf | None]:
        """Its last own run, and that of the champion it was measured against."""
        experiment = self.found
        if (last := experiment.newest) is None:
            return None, None
        return (experiment, last), self.cockpit.known.reference(experiment.champion)

    def wanted(self) -> set[tuple[int, int]]:
        """Runs whose samples are needed."""
        return {(pair[0].id, pair[1].number) for pair in self.compared() if pair is not None}

    def _curve(self, width: int) -> list[Line]:
        pair, over = self.compared()
        if pair is None:
            return []
        return comparison(self.cockpit.known, pair, over, min(width, 110), 13, self.cockpit.glyphs)

    def diff(self) -> str:
        """The change, from git; a sentence where git does not have it."""
        if self._diff is None:
            experiment = self.found
            if (between := experiment.between()) is None:
                return "the change is not a commit yet"
            self._diff = diff_between(self.cockpit.root, self.cockpit.known.study.tag, between)
        return self._diff

    def _log(self, run: int, width: int) -> list[Line]:
        from loop.runs.log import read_log_tail

        piece = read_log_tail(self.cockpit.root / ".looptop" / "runs" / f"{self.experiment}.{run}", 8000)
        lines = clean(piece.text).rstrip("\n").split("\n")[-60:]
        if lines == [""]:
            return [(("no output was kept", "faint"),)]
        return [((cut(line, width), "text"),) for line in lines]

    def go(self, direction: int) -> None:
        """The next newer or older experiment."""
        ids = sorted(self.cockpit.known.study.experiments)
        at = ids.index(self.experiment) + direction
        if 0 <= at < len(ids):
            self.experiment, self._diff, self.top = ids[at], None, 0
            self.cockpit.load_samples()
            self.redraw()
