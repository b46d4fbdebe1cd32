"""What the screens show: the folded study, and the streams that the fold leaves out.

Plain data: no screen, no clock, and no second copy of anything the study knows. `apply` takes events in order and
says which parts changed, so that a panel is drawn again only when it has to be. Nothing here is saved: a new cockpit
reads it from the journal again.
"""

from collections import deque
from collections.abc import Iterable

from loop.policy import idle, news
from loop.reporting import researchers
from loop.reporting.seen import Seen
from loop.study import events as e
from loop.study.curves import Sample
from loop.study.experiment import Experiment, Run
from loop.study.figures import Figures
from loop.study.folding import apply
from loop.study.readings import GpuUse
from loop.study.state import Study
from tui.model.leads import Leads
from tui.model.text_buffer import TextBuffer
from tui.model.transcript import MIND, Transcript
from tui.model.voices import Voices
from tui.render.text import one_line

SAMPLES, SHARED = 4000, 64_000
"""Samples kept of one run (all of half an hour at two a second), and of all together; of a longer run the older half is
thinned."""


class ViewState:
    """Everything on screen, as of the last event taken in. What a study can be asked, the screens ask `study`."""

    def __init__(self) -> None:
        self.study = Study()
        self.transcript = Transcript(self.study)
        self.news: list[str] = []
        """What to tell a person who is looking elsewhere: a champion, a wait, a fault, the end; nothing of the past."""
        self.gauge: e.GaugeRead | None = None
        self.heartbeat = 0.0
        """Time of the newest gauge."""
        self.gpu_use: tuple[GpuUse, ...] | None = None
        """Who was on the GPUs when that was last asked."""
        self.history: deque[e.GaugeRead] = deque(maxlen=240)
        self.samples: dict[tuple[int, int], list[Sample]] = {}
        """By experiment and run, of the runs on screen: the current one, the champion's, that of an open sheet."""
        self.progress: dict[tuple[int, int], float] = {}
        """Share of its training that a run reports to have done, 0 to 1, by experiment and run; of those in `samples`
        only, and of those that report it."""
        self.share = 0.0
        """How much of the journal's past has been read, 0 to 1."""
        self.version = 0
        """Goes up whenever the study changes, so that a page is written anew only then."""
        self.figures = Figures(self.study)
        """The numbers of the study as it is now."""
        self.leads = Leads(self.study, self.samples)
        """How far the current runs are ahead of the champion."""
        self.voices = Voices()
        """What each researcher said last."""
        self._slots: tuple[int, list[idle.SlotState]] = (-1, [])
        self._rate: tuple[tuple[int, int], float | None] = ((-1, -1), None)
        self._minds: tuple[int, list[researchers.Doing]] = (-1, [])
        self.seen = Seen(self.study, self.figures)
        """The study as the table of experiments shows, filters and sorts it."""
        self.marked: dict[int, None] = {}
        """Experiments that the person at this screen has marked, to see them beside others; in that order."""

    # --- taking in events --------------------------------------------------------------------------------------

    def apply(self, events: Iterable[e.Event]) -> set[str]:
        """Take in new events; returns which of "study", "mind", "gauge" and "samples" changed."""
        changed: set[str] = set()
        for event in events:
            if event.seq <= self.study.seq:
                continue
            apply(self.study, event)
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
                    self.version += 1
                    self.figures.changed(event.experiment)
                    changed.add("study")
            if event.kind in MIND:
                self.voices.hear(event)
                self.transcript.tell(event)
                changed.add("mind")
            if (notice := news.of_event(self.study, event, self._waited_for(event.body))) is not None:
                self.news.append(one_line(notice.text))
        return changed

    def _waited_for(self, body: e.Body) -> bool:
        """Whether a fault is only another try at a trouble already told of."""
        trouble = self.study.troubles.get(body.where) if isinstance(body, e.Fault) else None
        return trouble is not None and trouble.tries > 1

    def caught_up(self) -> None:
        """The past is in `study`, which the feed folds by itself."""
        self.version += 1
        self.figures.changed(None)
        self.share = 1.0

    def take_gauge(self, event: e.Event) -> None:
        """The machine's newest readings."""
        assert isinstance(event.body, e.GaugeRead)
        self.gauge, self.heartbeat = event.body, event.at
        self.gpu_use = event.body.gpu_use or self.gpu_use
        self.history.append(event.body)

    def take_sample(self, event: e.Event) -> None:
        """A point of a run's curves, at its training time."""
        body = event.body
        if not isinstance(body, e.StepSampled) or event.experiment is None or event.run is None:
            return
        key = (event.experiment, event.run)
        experiment = self.study.experiments.get(event.experiment)
        if experiment is None or (run := experiment.runs.get(event.run)) is None:
            return
        if body.progress is not None:
            self.progress[key] = body.progress
        seconds = event.at - run.started_at if body.progress is None else body.progress * run.budget
        kept = self.samples.setdefault(key, [])
        kept.append((seconds, body.values))
        if len(kept) > (most := min(SAMPLES, SHARED // len(self.samples))):
            del kept[: most // 2 : 2]

    # --- what the screens ask ----------------------------------------------------------------------------------

    @property
    def mind(self) -> TextBuffer:
        """The reasoning stream."""
        return self.transcript.buffer

    @property
    def slots(self) -> list[idle.SlotState]:
        """The slots of the present supervisor and what each is at; reckoned anew where the study has changed."""
        if self._slots[0] != self.version:
            self._slots = self.version, idle.states(self.study)
        return self._slots[1]

    def an_hour(self, now: float) -> float | None:
        """Experiments that got their verdict in the last hour; reckoned anew once a minute, or after a verdict."""
        key = (len(self.study.closed), int(now // 60))
        if self._rate[0] != key:
            self._rate = key, idle.an_hour(self.study, now)
        return self._rate[1]

    @property
    def minds(self) -> list[researchers.Doing]:
        """The researchers that take part and what each is at; reckoned anew where the study has changed."""
        if self._minds[0] != self.version:
            self._minds = self.version, researchers.researchers(self.study)
        return self._minds[1]

    def in_flight(self) -> tuple[Experiment, Run] | None:
        """The current run; of several the one that started last."""
        return max(self.study.running(), key=lambda pair: pair[1].started_at, default=None)

    def waiting(self) -> list[Experiment]:
        """Experiments that wait for a person, the oldest first."""
        return [x for x in self.study.open_experiments() if x.phase == "waiting"]

    def newest_run(self, experiment: int) -> tuple[Experiment, Run] | None:
        """The run of an experiment that began last."""
        found = self.study.experiments.get(experiment)
        return None if found is None or found.newest is None else (found, found.newest)

    def reference(self, experiment: int | None = None) -> tuple[Experiment, Run] | None:
        """The champion's run to compare with: the one nearest to its mean, never its luckiest.

        Args:
            experiment: whose run to take instead, such as the champion of an earlier time.
        """
        best = self.study.best if experiment is None else self.study.experiments.get(experiment)
        if best is None:
            return None
        runs = [run for run in best.own() if run.metric is not None]
        if not runs:
            return None
        mean = sum(run.metric or 0.0 for run in runs) / len(runs)
        return best, min(runs, key=lambda run: abs((run.metric or 0.0) - mean))
