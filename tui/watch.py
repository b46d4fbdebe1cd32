"""What the screens show: the folded study, and beside it the streams that the fold leaves out.

Plain data, no screen and no clock. `apply` takes events in order and says which parts changed, so that a panel is
drawn again only when it has to be. Nothing here is kept anywhere: a new cockpit reads it from the journal again.
"""

import time
from collections import deque
from collections.abc import Iterable

from loop import events as e
from loop.study import Experiment, Run, Study
from tui.ring import Paragraph, Ring
from tui.text import brief, clean, cut, number, one_line, sigmas

MIND = frozenset(
    {"thought", "tool_called", "experiment_proposed", "experiment_judged", "champion_changed", "approval_asked"}
    | {"fault", "limit_reached", "supervisor_started", "supervisor_stopped", "program_changed", "wish_granted"}
    | e.WISHES
)
"""Kinds that leave a line in the mind view."""

SAMPLES = 4000
"""Samples kept of one run; at two a second a run of half an hour is whole, and a longer one is thinned."""

_PIECE = 4000
"""Characters of one paragraph; a longer one goes on in another, so that no single line is laid out for ever."""

Sample = tuple[float, dict[str, float]]
"""Seconds of training, and what the run reported then."""


class Watch:
    """Everything on screen, as of the last event taken in."""

    def __init__(self) -> None:
        self.study = Study()
        self.mind = Ring()
        self.gauge: e.GaugeRead | None = None
        self.heartbeat = 0.0
        """Time of the newest gauge."""
        self.history: deque[e.GaugeRead] = deque(maxlen=240)
        self.samples: dict[tuple[int, int], list[Sample]] = {}
        """Of the runs somebody asked for: those in flight, the champion's, the one on screen."""
        self.share = 0.0
        """How much of the journal's past has been read, 0 to 1."""
        self.version = 0
        """Goes up whenever the study changed, so that what is counted over all of it is counted once."""
        self.open: dict[int, Experiment] = {}
        """Experiments without a verdict, by number."""
        self._verdicts: tuple[int, dict[str, int]] = (-1, {})
        self._speaker: tuple[str, int | None] = ("", None)
        self._open = False

    # --- taking in events --------------------------------------------------------------------------------------

    def apply(self, events: Iterable[e.Event]) -> set[str]:
        """Take in what is new; returns which of "study", "mind", "gauge" and "samples" changed."""
        changed: set[str] = set()
        for event in events:
            if event.seq <= self.study.seq:
                continue
            self.study.apply(event)
            match event.body:
                case e.GaugeRead():
                    self.take_gauge(event)
                    changed.add("gauge")
                case e.StepSampled():
                    self.take_sample(event)
                    changed.add("samples")
                case e.Thought() | e.ToolCalled():
                    pass
                case _:
                    self._changed(event.experiment)
                    changed.add("study")
            if event.kind in MIND:
                self.tell(event)
                changed.add("mind")
        return changed

    def caught_up(self) -> None:
        """The study was folded without us: look at all of it once."""
        self.version += 1
        self.share = 1.0
        self.open = {x.id: x for x in self.study.experiments.values() if x.phase != "judged"}

    def _changed(self, experiment: int | None) -> None:
        self.version += 1
        found = None if experiment is None else self.study.experiments.get(experiment)
        if found is None:
            return
        if found.phase == "judged":
            self.open.pop(found.id, None)
        else:
            self.open[found.id] = found

    def take_gauge(self, event: e.Event) -> None:
        """The machine's newest readings."""
        assert isinstance(event.body, e.GaugeRead)
        self.gauge, self.heartbeat = event.body, event.at
        self.history.append(event.body)

    def take_sample(self, event: e.Event) -> None:
        """A point of a run's curves, at its time of training."""
        body = event.body
        if not isinstance(body, e.StepSampled) or event.experiment is None or event.run is None:
            return
        key = (event.experiment, event.run)
        run = self.run(*key)
        if run is None:
            return
        seconds = event.at - run.started_at if body.progress is None else body.progress * run.budget
        kept = self.samples.setdefault(key, [])
        kept.append((seconds, body.values))
        if len(kept) > SAMPLES:
            del kept[: SAMPLES // 2 : 2]

    def forget_samples(self, wanted: set[tuple[int, int]]) -> None:
        """Keep only the samples of these runs."""
        for key in self.samples.keys() - wanted:
            del self.samples[key]

    # --- what panels ask ---------------------------------------------------------------------------------------

    def run(self, experiment: int, run: int) -> Run | None:
        found = self.study.experiments.get(experiment)
        return None if found is None else found.runs.get(run)

    def running(self) -> list[tuple[Experiment, Run]]:
        """Runs in flight."""
        return [(x, run) for x in self.open.values() if (run := x.in_flight()) is not None]

    def in_flight(self) -> tuple[Experiment, Run] | None:
        """The run in flight that started last."""
        return max(self.running(), key=lambda pair: pair[1].started_at, default=None)

    def waiting(self) -> Experiment | None:
        """The oldest proposal that waits for a person."""
        return min((x for x in self.open.values() if x.phase == "waiting"), key=lambda x: x.id, default=None)

    def verdicts(self) -> dict[str, int]:
        """How many experiments ended how."""
        if self._verdicts[0] != self.version:
            self._verdicts = self.version, self.study.verdicts()
        return self._verdicts[1]

    def judged(self) -> int:
        """Experiments with a verdict, the baseline not counted."""
        return sum(count for name, count in self.verdicts().items() if name != "open")

    def reference(self, experiment: int | None = None) -> tuple[Experiment, Run] | None:
        """The champion's run to compare with: the one nearest to its mean, never its luckiest.

        Args:
            experiment: another one to take the run of, such as the champion of that time.
        """
        best = self.study.best if experiment is None else self.study.experiments.get(experiment)
        if best is None:
            return None
        runs = [run for run in best.runs.values() if run.metric is not None]
        if not runs:
            return None
        mean = sum(run.metric or 0.0 for run in runs) / len(runs)
        return best, min(runs, key=lambda run: abs((run.metric or 0.0) - mean))

    # --- the mind ----------------------------------------------------------------------------------------------

    def tell(self, event: e.Event) -> None:
        """Put what an event says into the reasoning stream."""
        body, now = event.body, time.strftime("%H:%M", time.localtime(event.at))
        match body:
            case e.Thought():
                self._think(body, event.experiment, now)
            case e.ToolCalled():
                self._line("tool", f"{body.intent}  →  {body.result}", "  ▸ ", brief(body.seconds))
            case e.ExperimentProposed():
                self._gap()
                self._line("proposal", f"{event.experiment}  {body.title}", "  ", now)
                if body.hypothesis:
                    self._line("hypothesis", body.hypothesis, "   ")
                if body.expected:
                    self._line("hypothesis", f"expects {body.expected}", "   ")
                self._speaker = ("", None)
            case e.ExperimentJudged():
                self._verdict(event, body, now)
            case e.ChampionChanged():
                self._line("champion", f"{event.experiment} is the champion at {number(body.metric)}", "★ ", now)
            case e.ApprovalAsked():
                self._line("waiting", f"{event.experiment} waits for a person: {body.reason}", "? ", now)
            case e.Steered():
                self._gap()
                self._line(
                    "you",
                    body.text,
                    f"{cut(one_line(body.who), 20) or 'you'} ▸ ",
                    "interrupts" if body.interrupt else now,
                )
                self._gap()
            case e.WishGranted():
                wish = self.study.wishes.get(body.wish)
                if wish is not None and body.outcome:
                    self._line("note", f"{wish.kind}: {body.outcome}", "  ", now)
            case e.Wish():
                target = "" if event.experiment is None else f" {event.experiment}"
                self._line("note", f"{body.who or 'you'}: {body.kind}{target}", "  ", now)
            case e.Fault():
                self._line("fault", f"{body.where}: {body.message}", "! ", now)
            case e.LimitReached():
                self._line("fault", f"limit reached: {body.reason}", "! ", now)
            case e.ProgramChanged():
                what = ", ".join(body.changed) or "nothing that counts"
                self._line("note", f"the program changed: {what}", "  ", now)
            case e.SupervisorStarted():
                self._line("note", f"supervisor {body.pid} started on {body.host}", "  ", now)
            case e.SupervisorStopped():
                self._line("fault" if body.failed else "note", f"the loop has stopped: {body.reason}", "  ", now)
            case _:
                pass

    def _think(self, body: e.Thought, experiment: int | None, now: str) -> None:
        speaker = (body.researcher, experiment)
        if speaker != self._speaker:
            self._speaker = speaker
            self._gap()
            about = "" if experiment is None else f"  on {experiment}"
            self._line("speaker", f"{cut(one_line(body.researcher), 40)}{about}", "", now)
        text = clean(body.text)
        for index, piece in enumerate(text.split("\n")):
            if index:
                self._open = False
            if not piece:
                continue
            if self._open and len(self.mind.paragraphs[-1].text) < _PIECE:
                self.mind.extend(piece)
                continue
            for start in range(0, len(piece), _PIECE):
                self.mind.add(Paragraph("thought", piece[start : start + _PIECE]))
            self._open = True

    def _verdict(self, event: e.Event, body: e.ExperimentJudged, now: str) -> None:
        effect = sigmas(body.effect, body.noise)
        words = body.verdict.replace("_", " ") + (f" {effect}" if effect else "")
        self._line(body.verdict, f"{event.experiment} {words}: {body.reason}", "\0 ", now)

    def _line(self, kind: str, text: str, lead: str, right: str = "") -> None:
        self._open = False
        self.mind.add(Paragraph(kind, clean(text).replace("\n", " ")[: 2 * _PIECE], lead, right))

    def _gap(self) -> None:
        self._open = False
        if self.mind.paragraphs and self.mind.paragraphs[-1].kind != "gap":
            self.mind.add(Paragraph("gap", ""))
