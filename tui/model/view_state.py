"""What the screens show: the folded study, and beside it the streams that the fold leaves out.

Plain data, no screen and no clock. `apply` takes events in order and says which parts changed, so that a panel is
drawn again only when it has to be. Nothing here is kept anywhere: a new cockpit reads it from the journal again.
"""

from collections import deque
from collections.abc import Iterable

from loop.study import events as e
from loop.study.experiment import Experiment, Run
from loop.study.state import Study
from tui.model.text_buffer import TextBuffer
from tui.model.transcript import MIND, Transcript
from tui.render.text import number, one_line

SAMPLES = 4000
"""Samples kept of one run; at two a second a run of half an hour is whole, and a longer one is thinned."""

Sample = tuple[float, dict[str, float]]
"""Seconds of training, and what the run reported then."""


class ViewState:
    """Everything on screen, as of the last event taken in."""

    def __init__(self) -> None:
        self.study = Study()
        self.story = Transcript(self.study)
        self.news: list[str] = []
        """What a person who looks elsewhere should hear of: a champion, a wait, a fault, the end; none of the past."""
        self.gauge: e.GaugeRead | None = None
        self.heartbeat = 0.0
        """Time of the newest gauge."""
        self.gpu_use: tuple[e.GpuUse, ...] | None = None
        """Who was on the GPUs when that was last asked."""
        self.history: deque[e.GaugeRead] = deque(maxlen=240)
        self.samples: dict[tuple[int, int], list[Sample]] = {}
        """Of the runs somebody asked for: those under way, the champion's, the one on screen."""
        self.share = 0.0
        """How much of the journal's past has been read, 0 to 1."""
        self.version = 0
        """Goes up whenever the study changed, so that what is counted over all of it is counted once."""
        self.open: dict[int, Experiment] = {}
        """Experiments without a verdict, by number."""
        self._verdicts: tuple[int, dict[str, int]] = (-1, {})

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
                self.story.tell(event)
                changed.add("mind")
            if (news := news_of(event)) is not None and not self._waited_for(event.body):
                self.news.append(news)
        return changed

    def _waited_for(self, body: e.Body) -> bool:
        """Whether a fault is only the next try of a trouble that was heard of: no bell every minute of a night."""
        trouble = self.study.troubles.get(body.where) if isinstance(body, e.Fault) else None
        return trouble is not None and trouble.tries > 1

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
        self.gpu_use = event.body.gpu_use or self.gpu_use
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

    @property
    def mind(self) -> TextBuffer:
        """The reasoning stream."""
        return self.story.ring

    def verifying(self) -> tuple[Experiment, Run] | None:
        """A run that has ended and whose number is being measured anew."""
        return next(iter(self.study.verifying()), None)

    def running(self) -> list[tuple[Experiment, Run]]:
        """Runs under way."""
        return [(x, run) for x in self.open.values() for run in x.running()]

    def in_flight(self) -> tuple[Experiment, Run] | None:
        """The current run that started last."""
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


def news_of(event: e.Event) -> str | None:
    """What there is to say of an event to a person who is not looking; None where it can wait."""
    match event.body:
        case e.ChampionChanged(metric=metric) if event.experiment:
            return f"experiment {event.experiment} is the champion at {number(metric)}"
        case e.ApprovalAsked():
            return f"experiment {event.experiment} waits for you"
        case e.Fault(where=where, message=message):
            return one_line(f"{where}: {message}")
        case e.SupervisorStopped(reason=reason):
            return f"the loop has stopped: {one_line(reason)}"
        case _:
            return None
