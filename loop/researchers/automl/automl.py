"""The researcher that needs no key: Optuna's TPE over the ALL-CAPS numeric constants of the editable files.

It needs no model, no network and no GPU. It is the baseline that any cleverer researcher has to beat, and a fair one:
it stays near the champion, changes few constants at a time, and knows every result, including those from before a
restart. It reads no journal and runs nothing; what it knows of earlier experiments is in their notes.
"""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict

from loop.researchers.automl import narration, plan
from loop.researchers.automl.constants import Constant, find, replace
from loop.researchers.automl.estimator import Estimator
from loop.researchers.automl.focus import Focus, interpret
from loop.researchers.automl.plan import Move, Situation
from loop.researchers.automl.ranges import around
from loop.researchers.automl.trials import Notes, Values, read, starts
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, Sink
from loop.study.experiment import Experiment

Sites = dict[str, tuple[str, Constant]]
"""Path of the file and place in it, of each constant. The key is its name, or `path:NAME` where two files have a
constant of that name."""


class AutoML:
    """Proposes new values for the champion's constants, one experiment at a time."""

    name = "automl"
    about = (
        "Optuna's TPE over the ALL-CAPS constants; needs no key. For a language model: --model NAME, with "
        "OPENAI_API_KEY or --base-url URL"
    )
    ahead = 0

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._focus: Focus | None = None
        self._reviewed: set[int] | None = None
        """Own experiments whose result has been commented on; None before the first proposal."""
        self._estimator = Estimator(seed)
        self._lock = threading.Lock()

    async def prepare(self, sink: Sink) -> None:
        """It needs nothing but the constants, which it finds in each briefing."""

    async def close(self) -> None:
        self._estimator.close()

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        """The same briefing gives the same proposal, before a restart and after."""
        sites = _sites(briefing.files)
        self._listen(briefing, sites, sink)
        assert self._focus is not None
        if not sites:
            raise NothingLeft(
                f"there is no ALL-CAPS numeric constant to search in {', '.join(sorted(briefing.files))}: give the "
                "numbers that may vary a name at its top, such as LEARNING_RATE = 0.02"
            )
        present = {name: constant.value for name, (_, constant) in sites.items()}
        first = starts(briefing.experiments, present)
        ranges = {name: around(constant, first[name]).holding(constant.value) for name, (_, constant) in sites.items()}
        trials = read(briefing.experiments, briefing.champion.id, present, briefing.contract)
        situation = Situation(
            present={name: value for name, value in present.items() if self._focus.allows(name)},
            ranges=ranges,
            trials=trials,
            champion=briefing.champion.id,
            noise=briefing.noise.sd if briefing.noise is not None else 0.0,
        )
        if not situation.present:
            raise NothingLeft("every constant is frozen by what you said; say `search everything` to go on")
        self._review(briefing, situation, sink)
        # Optuna's process answers within milliseconds, or a second while it starts.
        move = await asyncio.to_thread(self._move, briefing, situation)
        if move is None:
            raise NothingLeft(
                f"every combination of {', '.join(sorted(situation.present))} near the champion has been tried"
            )
        for piece in narration.choice(move, situation):
            sink.think(piece)
        return self._proposal(briefing, sites, present, situation, move)

    # --- listening and explaining ---------------------------------------------------------------------------------

    def _listen(self, briefing: Briefing, sites: Sites, sink: Sink) -> None:
        """Follow the person's words. The focus is kept in the notes, so it survives a restart."""
        if self._focus is None:
            self._focus = _remembered(self._own(briefing))
        for text in briefing.words:
            self._focus, answer = interpret(text, sites, self._focus)
            sink.think(f"You said “{text.strip()}”. {answer}\n")

    def _review(self, briefing: Briefing, situation: Situation, sink: Sink) -> None:
        """Comment on the results of earlier proposals, and write into the notebook what is worth remembering."""
        own = [experiment for experiment in self._own(briefing) if experiment.verdict is not None]
        if self._reviewed is None:
            self._reviewed = {experiment.id for experiment in own[:-1]}
        by_id = {trial.id: trial for trial in situation.trials}
        for experiment in own:
            if experiment.id in self._reviewed:
                continue
            self._reviewed.add(experiment.id)
            if (trial := by_id.get(experiment.id)) is None:
                continue
            sink.think(narration.outcome(experiment, trial, situation))
            lesson = narration.lesson(experiment, trial)
            # Not by the whole line: its figure changes a little when that champion is measured again.
            mark = f"(experiment {experiment.id})."
            if lesson and not any(line.endswith(mark) for line in briefing.notebook):
                sink.note(lesson)
        for piece in narration.overview(briefing, situation):
            sink.think(piece)

    def _own(self, briefing: Briefing) -> list[Experiment]:
        return [experiment for experiment in briefing.experiments if experiment.researcher == self.name]

    # --- choosing ----------------------------------------------------------------------------------------------

    def _move(self, briefing: Briefing, situation: Situation) -> Move | None:
        # A cancelled proposal may still be computing in its thread.
        with self._lock:
            estimator, contract = self._estimator, briefing.contract
            estimator.tell(contract.goal, contract.protocol_id, situation.ranges, situation.trials)
            rng = random.Random(f"{self._seed} {briefing.next_id}")
            try:
                return plan.next_move(situation, rng, lambda names: estimator.ask(names, rng.getrandbits(30)))
            finally:
                estimator.forget()

    def _proposal(
        self, briefing: Briefing, sites: Sites, present: Values, situation: Situation, move: Move
    ) -> Proposal:
        assert self._focus is not None
        edits = {}
        for path, source in briefing.files.items():
            change = {
                constant.name: move.values[name]
                for name, (where, constant) in sites.items()
                if where == path and name in move.values
            }
            if change:
                edits[path] = replace(source, change)
        was = {name: present[name] for name in move.values}
        notes = Notes({**present, **move.values}, was, briefing.champion.id)
        steering = {"only": sorted(self._focus.only), "frozen": sorted(self._focus.frozen)}
        return Proposal(
            title=narration.change(move.values, was),
            hypothesis=narration.hypothesis(move, situation),
            edits=edits,
            expected=narration.expected(move, situation),
            notes={**asdict(notes), "sampler": move.kind, **{key: value for key, value in steering.items() if value}},
        )


def _sites(files: Mapping[str, str]) -> Sites:
    found = [(path, constant) for path, source in files.items() for constant in find(source)]
    times = Counter(constant.name for _, constant in found)
    return {
        constant.name if times[constant.name] == 1 else f"{path}:{constant.name}": (path, constant)
        for path, constant in found
    }


def _remembered(own: list[Experiment]) -> Focus:
    """The focus of the newest own proposal."""
    notes = own[-1].notes if own else {}
    named = (notes.get(key) for key in ("only", "frozen"))
    return Focus(*(frozenset(map(str, names)) if isinstance(names, list) else frozenset() for names in named))
