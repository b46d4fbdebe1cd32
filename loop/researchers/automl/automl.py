"""The researcher that needs no key: Optuna's TPE over the numbers, switches and choices of the editable files.

It needs no model, no network and no GPU. It is the baseline that any cleverer researcher has to beat, and a fair one:
it stays near the champion, changes few constants at a time, and knows every result, including those from before a
restart. It reads no journal and runs nothing; what it knows of earlier experiments is in their notes.
"""

import asyncio
import random
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from dataclasses import replace as altered

from loop.researchers.automl import narration, plan
from loop.researchers.automl.constants import Constant
from loop.researchers.automl.estimator import Estimator
from loop.researchers.automl.focus import Focus, interpret
from loop.researchers.automl.plan import Move, Situation
from loop.researchers.automl.ranges import around
from loop.researchers.automl.sites import Site, idle, replace, tunable
from loop.researchers.automl.trials import Notes, Trial, Values, of_others, read, starts
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, Sink
from loop.study.experiment import Experiment
from loop.words import listed

Sites = dict[str, tuple[str, Constant]]
"""Path of the file and place in it, of each constant. The key is its name, or `path:NAME` where two files have a
constant of that name."""


OTHERS = 200
"""Changes of others that are looked at, the newest: each costs a look into git, once."""


class AutoML:
    """Proposes new values for the champion's constants, one experiment at a time."""

    about = (
        "Optuna's TPE over the constants of the edited files; needs no key. For a language model: --model NAME, with "
        "OPENAI_API_KEY or --base-url URL"
    )
    ahead = False  # it thinks for milliseconds, and every result helps it

    def __init__(self, seed: int = 0, name: str = "automl", learns: bool = True) -> None:
        """Args:
        learns: False draws constants and values at random from the champion's surroundings: the researcher `random`.
        """
        self.name = name
        self._seed = seed
        self._learns = learns
        self._focus: Focus | None = None
        self._reviewed: set[int] | None = None
        """Own experiments whose result has been commented on; None before the first proposal."""
        self._estimator = Estimator(seed)
        self._lock = threading.Lock()
        self._others: dict[int, Values] = {}
        """Constants of the changes of others, by number of the experiment."""

    async def prepare(self, sink: Sink) -> None:
        """It needs nothing but the constants, which it finds in each briefing."""

    async def close(self) -> None:
        self._estimator.close()

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        """The same briefing gives the same proposal, before a restart and after."""
        places = tunable(briefing.files, briefing.contract.run)
        sites = {site.name: (site.path, site.constant) for site in places}
        self._listen(briefing, sites, sink)
        assert self._focus is not None
        if not sites:
            raise NothingLeft(nothing_to_tune(briefing.files))
        present = {name: constant.value for name, (_, constant) in sites.items()}
        first = starts(briefing.experiments, present)
        ranges = {name: around(constant, first[name]).holding(constant.value) for name, (_, constant) in sites.items()}
        others = await self._of_others(briefing, present)
        trials = read(briefing.experiments, briefing.champion.id, present, briefing.contract, others)
        situation = Situation(
            present={
                name: value
                for name, value in present.items()
                if self._focus.allows(name) and name not in idle(places, present)
            },
            ranges=ranges,
            trials=trials,
            champion=briefing.champion.id,
            noise=briefing.noise.sd if briefing.noise is not None else 0.0,
        )
        if not situation.present:
            raise NothingLeft("every constant is frozen by what you said; say `search everything` to go on")
        self._review(briefing, situation, sink)
        # Optuna's process answers within milliseconds, or a second while it starts.
        move = await asyncio.to_thread(self._move, briefing, situation, [_at_work(trial, places) for trial in trials])
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
        for piece in narration.overview(briefing.contract.metric, situation.noise, situation):
            sink.think(piece)

    def _own(self, briefing: Briefing) -> list[Experiment]:
        return [experiment for experiment in briefing.experiments if experiment.researcher == self.name]

    async def _of_others(self, briefing: Briefing, present: Values) -> Mapping[int, Values]:
        """The constants that measured changes of others set, as they stand in the files that they changed."""
        for x in of_others(briefing.experiments)[-OTHERS:]:
            if x.id not in self._others:
                edits = await briefing.archive.edits(x.id)
                found = tunable({**briefing.files, **edits}, briefing.contract.run)
                self._others[x.id] = {site.name: site.constant.value for site in found if site.path in edits}
        return {
            number: {name: value for name, value in values.items() if name in present}
            for number, values in self._others.items()
        }

    # --- choosing ----------------------------------------------------------------------------------------------

    def _move(self, briefing: Briefing, situation: Situation, told: Sequence[Trial]) -> Move | None:
        # A cancelled proposal may still be computing in its thread.
        with self._lock:
            estimator, contract = self._estimator, briefing.contract
            estimator.tell(contract.goal, contract.protocol_id, situation.ranges, told)
            who = "" if self.name == "automl" else f" {self.name}"  # two of them draw differently
            rng = random.Random(f"{self._seed} {briefing.next_id}{who}")
            try:
                if not self._learns:
                    return plan.random_move(situation, rng)
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
                edits[path] = replace(source, change, path)
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


def _at_work(trial: Trial, places: Sequence[Site]) -> Trial:
    """A trial with those of its constants that did something in it: the others' values had no part in its number."""
    without = idle(places, trial.values)
    if not without:
        return trial
    return altered(trial, values={name: value for name, value in trial.values.items() if name not in without})


def nothing_to_tune(files: Collection[str]) -> str:
    """What a person can do where AutoML finds no constant in these files."""
    return (
        f"AutoML finds nothing to tune in {listed(sorted(files), 5)}: give a number that may vary a name, such as "
        "learning_rate = 0.02, name the file that holds such numbers under `edit:`, or let a language model propose "
        "(`--model NAME`)"
    )


def _remembered(own: list[Experiment]) -> Focus:
    """The focus of the newest own proposal."""
    notes = own[-1].notes if own else {}
    named = (notes.get(key) for key in ("only", "frozen"))
    return Focus(*(frozenset(map(str, names)) if isinstance(names, list) else frozenset() for names in named))
