"""detail: what the cursor is on, in short; it follows that of the runs and of the experiments, else the current run."""

import asyncio
import re
from collections import OrderedDict

from loop.study.experiment import Experiment
from tui.model.diffs import diff_between
from tui.model.slot_rows import SlotRow
from tui.render.detail_lines import Extras, detail_lines
from tui.render.text import Line, Span, one_line
from tui.widgets.curves import RunOf, comparison
from tui.widgets.log import up_to
from tui.widgets.panel import Panel, centred
from tui.widgets.run_rows import lead_span

_KNOWN = 64
"""Experiments whose diff and log are remembered."""

_THOUGHTS = 60
"""Newest pieces of thought that are read for its last sentence."""

_CHART = 8


class DetailPanel(Panel):
    """One experiment. What is in the study is drawn at once; diff, log and thought once the cursor rests on it."""

    view = "detail"

    def __init__(self) -> None:
        super().__init__()
        self.target: int | None = None
        """The experiment on show."""
        self._extras: OrderedDict[int, tuple[object, Extras]] = OrderedDict()
        """With what they were read at: a run that has begun or ended since changes them."""
        self._reading: asyncio.Task[None] | None = None
        self._rested = False
        self.top = 0

    # --- following ---------------------------------------------------------------------------------------------

    def follow(self, target: int | None) -> None:
        """Show that experiment; called a few times a second, so that a cursor that passes by costs nothing."""
        if target != self.target:
            self.target, self.top, self._rested = target, 0, False
            self.redraw_with_note()
            return
        if target is None or not self.is_on_screen:
            return
        if not self._rested:
            self._rested = True
            self.cockpit.load_samples()
            self.redraw()
        experiment = self.found
        if experiment is not None and self._fresh(experiment) is None and self._reading is None:
            self._reading = asyncio.create_task(self._read(experiment))

    @property
    def found(self) -> Experiment | None:
        """The experiment on show."""
        return None if self.target is None else self.cockpit.known.study.experiments.get(self.target)

    def wanted(self) -> set[tuple[int, int]]:
        """Runs whose samples are needed."""
        if not self.is_on_screen or not self._rested:
            return set()
        return {(pair[0].id, pair[1].number) for pair in self._pair() if pair is not None}

    def _pair(self) -> tuple[RunOf | None, RunOf | None]:
        """Its newest own run, and the champion's that it was measured against, or today's."""
        experiment = self.found
        if experiment is None or experiment.newest is None:
            return None, None
        return (experiment, experiment.newest), self.cockpit.known.reference(experiment.champion)

    # --- what takes a moment -----------------------------------------------------------------------------------

    @staticmethod
    def _state(experiment: Experiment) -> object:
        return experiment.commit, len(experiment.runs), len(experiment.running()), experiment.verdict

    def _fresh(self, experiment: Experiment) -> Extras | None:
        known = self._extras.get(experiment.id)
        return known[1] if known is not None and known[0] == self._state(experiment) else None

    async def _read(self, experiment: Experiment) -> None:
        state = self._state(experiment)
        try:
            diff = await asyncio.to_thread(self._diff, experiment)
            log = await asyncio.to_thread(self._log, experiment, *self._until(experiment))
            self._extras[experiment.id] = state, Extras(diff, log, self._thought(experiment))
            while len(self._extras) > _KNOWN:
                self._extras.popitem(last=False)
        finally:
            self._reading = None
        self.redraw()

    def _diff(self, experiment: Experiment) -> str:
        """The change, from git; a sentence where git does not have it."""
        if not experiment.id or (between := experiment.between()) is None:
            return ""
        return diff_between(self.cockpit.root, self.cockpit.known.study.tag, between)

    def begin_anew(self) -> None:
        self._extras.clear()

    def _until(self, experiment: Experiment) -> tuple[bool, int | None]:
        """Whether its newest run was under way at the moment of a replay, and the step that it had come to."""
        newest = experiment.newest
        if self.cockpit.replay is None or newest is None or newest.outcome is not None:
            return False, None
        return True, self.cockpit.feed.step(experiment.id, newest.number)

    def _log(self, experiment: Experiment, past: bool = False, step: int | None = None) -> str:
        """The last line of its newest run that says anything.

        Args:
            past: only down to the line that names the step.
        """
        if experiment.newest is None:
            return ""
        from loop.runs.log import read_log_tail

        folder = self.cockpit.root / ".looptop" / "runs" / f"{experiment.id}.{experiment.newest.number}"
        try:
            text = read_log_tail(folder, *(() if past else (4000,))).text
        except OSError:
            return ""
        if past:
            text = "\n".join(up_to(text, step))
        return next((line for line in reversed(re.split(r"[\r\n]+", text)) if line.strip()), "")

    def _thought(self, experiment: Experiment) -> str:
        """The end of what was thought for it."""
        events = self.cockpit.journal.read(
            until=self.cockpit.known.study.seq,
            kinds={"thought"},
            experiment=experiment.id,
            limit=_THOUGHTS,
            newest=True,
        )
        text = "".join(getattr(event.body, "text", "") for event in events).strip()
        return text.rpartition("\n\n")[2]

    # --- drawing -----------------------------------------------------------------------------------------------

    def content(self, width: int, height: int) -> list[Line]:
        experiment = self.found
        if experiment is None:
            return centred("no experiment yet", width, height)
        known, glyphs = self.cockpit.known, self.cockpit.glyphs
        lead: Span = ("", "dim")
        for run in experiment.running():
            if (found := known.leads.of(experiment, run)) is not None:
                in_sigmas = found.sigmas is not None
                row = SlotRow("", "run", lead=found.sigmas if in_sigmas else found.by, in_sigmas=in_sigmas)
                lead = lead_span(row, glyphs)
        pair, over = self._pair()
        curve: list[Line] = []
        if pair is not None and self._rested and height >= 14:
            curve = comparison(known, pair, over, width, min(_CHART, height // 2), glyphs)
        extras = self._fresh(experiment) or (self._extras[experiment.id][1] if experiment.id in self._extras else None)
        most = 200 if self.top else height  # scrolled, nothing gives way
        lines = detail_lines(experiment, known.study, known.figures, extras, lead, curve, width, most, glyphs)
        self.top = max(0, min(self.top, len(lines) - height))
        return lines[self.top : self.top + height]

    def note(self) -> list[Span]:
        experiment = self.found
        if experiment is None:
            return []
        return [(one_line(f"{experiment.id}, enter opens all of it"), "faint")]

    def move(self, rows: int) -> None:
        self.top = max(0, self.top + rows)
        self.redraw_with_note()

    def edge(self, direction: int) -> None:
        self.move(direction * 1000)
