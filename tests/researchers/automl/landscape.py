"""A training script whose true metric is known, and a study over it without processes: what researchers are tried on.

The script is text as any other; its "training" is a formula over its constants. As in life, few of the constants
matter much, some pull on each other, too high a rate diverges, and every run has noise. Champions are made by the
real judge, with the runs it asks for.
"""

import math
import random

from loop.policy.judge import judge
from loop.policy.noise import Noise, present_noise
from loop.researchers.automl.ranges import Range, around
from loop.researchers.automl.sites import find
from loop.researchers.protocol import Briefing, Proposal, Researcher
from loop.study.contract import Contract
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.queries import repetitions
from loop.study.state import Study
from tests.researchers.spoken import Closed, Shelf, Spoken

SOURCE = '''"""A script of the usual kind."""

DEPTH = 5  # layers
WIDTH = 192
HEAD_SIZE = 32
EXPANSION = 4
BATCH_ROWS = 2**4  # rows a step
MATRIX_RATE = 0.02
EMBEDDING_RATE = 3e-2
HEAD_RATE = 0.004
MATRIX_MOMENTUM = 0.95
BETA1 = 0.9
BETA2 = 0.95
WEIGHT_DECAY = 0.1
CLIP = 1.0
WARMDOWN = 0.4
SEED = 1337
'''


class Landscape:
    """A bowl around a hidden best place, in the places of the constants' ranges.

    Args:
        seed: decides where the best place lies, which constants matter and how they pull on each other.
        noise: standard deviation of one run, as a share of what there is to gain.
    """

    def __init__(self, seed: int, noise: float) -> None:
        rng = random.Random(f"landscape {seed}")
        self.ranges: dict[str, Range] = {constant.name: around(constant) for constant in find(SOURCE)}
        names = list(self.ranges)
        start = {
            name: span.place(value) for (name, span), value in zip(self.ranges.items(), _values(SOURCE), strict=True)
        }
        self._best = {name: min(0.98, max(0.02, start[name] + rng.gauss(0, 0.22))) for name in names}
        self._weight = {name: math.exp(rng.gauss(0, 1.3)) for name in names}
        self._steep = {name: 1 + rng.uniform(0, 1) for name in names}
        self._pairs = [(*rng.sample(names, 2), rng.gauss(0, 0.5)) for _ in range(len(names) // 2)]
        rates = [name for name in names if name.endswith("RATE")]
        self._cliffs = {name: max(self._best[name] + 0.4, start[name] + 0.2) for name in rates}
        self._gap = self._height(SOURCE)
        self.noise = noise

    def left(self, source: str) -> float:
        """Share of what there was to gain at the start that is still to be gained: 1 at the start, 0 at the best."""
        return self._height(source) / self._gap

    def run(self, source: str, rng: random.Random) -> float | None:
        """The metric of one run, lower is better; None where it diverges."""
        places = self._places(source)
        if any(places[name] > cliff for name, cliff in self._cliffs.items()):
            return None
        return 3.0 + self.left(source) + rng.gauss(0, self.noise)

    def _height(self, source: str) -> float:
        places = self._places(source)
        off = {name: places[name] - best for name, best in self._best.items()}
        pulled = dict(off)
        for one, other, pull in self._pairs:
            pulled[one] += pull * off[other]
        return sum(
            self._weight[name] * (gap * self._steep[name] if gap > 0 else gap) ** 2 for name, gap in pulled.items()
        )

    def _places(self, source: str) -> dict[str, float]:
        found = {constant.name: constant.value for constant in find(source)}
        return {name: span.place(found[name]) for name, span in self.ranges.items()}


def _values(source: str) -> list[float]:
    return [constant.value for constant in find(source)]


class Desk:
    """Plays the supervisor: one slot, no process, the real judge."""

    def __init__(self, landscape: Landscape, seed: int, contract: Contract | None = None) -> None:
        self.landscape = landscape
        self.contract = contract or Contract()
        self.rng = random.Random(f"runs {seed}")
        self.files: dict[int, str] = {0: SOURCE}
        self.experiments: list[Experiment] = []
        self.champion = 0
        self.notebook: list[str] = []
        self.sink = Spoken()
        baseline = self.add("", Proposal("baseline", "", {}), None)
        for _ in range(self.contract.keep.baseline_runs):
            self.run(baseline)
        baseline.verdict = Outcome.KEPT

    def add(self, researcher: str, proposal: Proposal, parent: int | None) -> Experiment:
        id = len(self.experiments)
        experiment = Experiment(
            id, researcher, proposal.title, proposal.hypothesis, proposal.expected, parent, dict(proposal.notes), 0.0
        )
        self.experiments.append(experiment)
        self.files.setdefault(id, proposal.edits.get("train.py", self.files[self.champion]))
        return experiment

    def run(self, experiment: Experiment) -> float | None:
        number = len(experiment.runs) + 1
        metric = self.landscape.run(self.files[experiment.id], self.rng)
        experiment.runs[number] = Run(
            number,
            1,
            0,
            20,
            60,
            self.contract.protocol_id,
            0.0,
            1,
            0.0,
            Outcome.CRASHED if metric is None else Outcome.FINISHED,
        )
        experiment.runs[number].metric = metric
        return metric

    def briefing(self, *words: str) -> Briefing:
        return Briefing(
            contract=self.contract,
            program="",
            champion=self.experiments[self.champion],
            files={"train.py": self.files[self.champion]},
            experiments=tuple(self.experiments),
            noise=self._noise(),
            notebook=tuple(self.notebook),
            words=words,
            next_id=len(self.experiments),
            archive=Shelf({"train.py": self.files[self.champion]}),
            workshop=Closed(),
        )

    async def ask(self, researcher: Researcher, *words: str) -> Experiment:
        """A proposal, taken in and not yet run."""
        proposal = await researcher.propose(self.briefing(*words), self.sink)
        self.notebook = [*self.notebook, *self.sink.notes[len(self.notebook) :]]
        return self.add(researcher.name, proposal, self.champion)

    def settle(self, experiment: Experiment) -> None:
        """Run and judge."""
        champion = self.experiments[self.champion]
        action = "again"
        while action in ("again", "remeasure"):
            if self.run(experiment if action == "again" else champion) is None and action == "again":
                experiment.verdict = Outcome.CRASHED
                return
            numbers = [x.measured(self.contract.protocol_id) for x in (champion, experiment)]
            decision = judge(self.contract.keep, self.contract.goal, *numbers, self._noise())
            action = decision.action
        experiment.verdict = Outcome.KEPT if decision.action == "keep" else Outcome.DISCARDED
        if experiment.verdict == "kept":
            self.champion = experiment.id

    async def study(self, researcher: Researcher, experiments: int) -> list[float]:
        """What is left to gain after each experiment, the start first."""
        course = [1.0]
        for _ in range(experiments):
            self.settle(await self.ask(researcher))
            course.append(self.landscape.left(self.files[self.champion]))
        return course

    def _noise(self) -> Noise | None:
        study = Study(contract=self.contract, champion=self.champion)
        study.experiments = dict(enumerate(self.experiments))
        return present_noise(repetitions(study))
