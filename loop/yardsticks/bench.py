"""All studies of a bench: which there are, running them, and what is kept of them on disk.

`OUT/PROBLEM/METHOD/slots-N/seed-S/` is a study's project, `seed-S.json` beside it what it came to. What is there is not
done again, so the same command goes on where a killed one was, and one with more seeds or methods adds to it.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from loop.errors import UserError
from loop.yardsticks import study, truth
from loop.yardsticks.catalog import Problem
from loop.yardsticks.methods import Method
from loop.yardsticks.results import StudyResult
from loop.yardsticks.scripted import MODEL, ScriptedModel

TRUTH_RUNS = 7
"""Runs under fresh seeds by which a champion is measured, where its truth cannot be read."""


@dataclass(frozen=True)
class Cell:
    """One study to run."""

    problem: Problem
    method: Method
    slots: int
    seed: int
    runs: int

    def root(self, out: Path) -> Path:
        return out / self.problem.name / self.method.folder / f"slots-{self.slots}" / f"seed-{self.seed}"

    @property
    def name(self) -> str:
        many = "1 slot" if self.slots == 1 else f"{self.slots} slots"
        return f"{self.problem.name}, {self.method.name}, {many}, seed {self.seed}"


def plan(
    problems: Sequence[Problem], methods: Sequence[Method], slots: Sequence[int], seeds: int, runs: int | None
) -> list[Cell]:
    """Every study, seed by seed, so that a bench that is looked at early has a little of everything."""
    return [
        Cell(problem, method, count, seed, runs or problem.runs)
        for problem in problems
        for seed in range(1, seeds + 1)
        for count in slots
        for method in methods
    ]


class Bench:
    """Runs studies in a folder.

    Args:
        out: the folder; made where it is not there.
        told: hears a line for each study that has come to its end.
        scripted: models are played by a script of ours, whatever endpoint the person has.
        at_once: studies at the same time; those of problems that measure time run alone.
        seen: hears four times a second how many run lengths there have been, and of how many.
    """

    def __init__(
        self,
        out: Path,
        told: Callable[[str], None],
        scripted: bool,
        at_once: int,
        seen: Callable[[float, float], None] = lambda had, all: None,
    ) -> None:
        self._out, self._told, self._scripted, self._at_once, self._seen = out, told, scripted, at_once, seen
        self._had: dict[Cell, float] = {}
        self._stop = study.Stop()
        self._lock = threading.Lock()
        self._done = 0

    def stop(self) -> None:
        """Have it end; what has not come to its end goes on with the next start."""
        self._stop.asked = True

    def run(self, cells: Sequence[Cell]) -> list[StudyResult]:
        """Run what has not been run yet; returns all results, in the order of `cells`.

        Raises:
            UserError: a study failed, the folder is that of another bench, or it was stopped.
        """
        known = {cell: self._known(cell) for cell in cells}
        self._done = sum(found is not None for found in known.values())
        if self._done:
            self._told(f"{self._done} of {len(cells)} studies are there already")
        left = [cell for cell in cells if known[cell] is None]
        self._had = {cell: 0.0 if known[cell] is None else float(cell.runs) for cell in cells}
        asks = self._scripted and any(cell.method.asks_a_model for cell in left)
        model = ScriptedModel({cell.problem.name: cell.problem.ideas() for cell in left} if asks else {})
        with model:
            beside = [cell for cell in left if not cell.problem.alone]
            alone = [cell for cell in left if cell.problem.alone]
            for some, at_once in ((beside, self._at_once), (alone, 1)):
                with ThreadPoolExecutor(max(1, at_once)) as pool:
                    going = {cell: pool.submit(self._one, cell, model, len(cells)) for cell in some}
                    try:
                        for cell, future in going.items():
                            known[cell] = future.result()
                    except BaseException:
                        self.stop()
                        for future in going.values():
                            future.cancel()
                        raise
        return [found for found in known.values() if found is not None]

    def _known(self, cell: Cell) -> StudyResult | None:
        path = cell.root(self._out).with_suffix(".json")
        try:
            found = StudyResult.of(json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no result of a bench; move it away, and its study is run again") from error
        if found.given != cell.runs:
            raise UserError(
                f"{self._out} has studies of {found.given:g} run lengths, and {cell.runs} are asked for; take the same "
                "--runs, or another --out"
            )
        return found

    def _one(self, cell: Cell, model: ScriptedModel, of: int) -> StudyResult:
        if self._stop.asked:
            raise study.StudyFailed("stopped; the same command goes on from here")
        root = cell.root(self._out)
        cell.problem.make(root, cell.seed, cell.method.researchers(cell.seed), cell.runs)

        def seen(lengths: float) -> None:
            with self._lock:
                self._had[cell] = lengths
                self._seen(sum(self._had.values()), sum(one.runs for one in self._had))

        environ = self._environ(cell, model)
        found = study.work(root, cell.slots, cell.runs, environ, self._stop, cell.problem.budget, seen)
        commits = [step.commit for step in found.steps]
        levels = truth.levels(cell.problem, root, commits, TRUTH_RUNS)
        result = StudyResult(
            problem=cell.problem.name,
            method=cell.method.name,
            slots=cell.slots,
            seed=cell.seed,
            given=cell.runs,
            lengths=found.lengths,
            runs=found.runs,
            experiments=found.experiments,
            seconds=round(found.seconds, 1),
            busy=round(found.busy, 1),
            at=tuple(step.at for step in found.steps),
            levels=tuple(levels[commit] for commit in commits),
            goal=cell.problem.goal,
            ended=found.ended,
        )
        path = root.with_suffix(".json")
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(result.as_json(), indent=1) + "\n")
        partial.replace(path)
        with self._lock:
            self._done += 1
            self._told(
                f"{self._done} of {of}: {cell.name}: {result.kept} kept in {result.lengths:.0f} run lengths, "
                f"true gain {result.gain:.3g}"
            )
        return result

    def _environ(self, cell: Cell, model: ScriptedModel) -> Mapping[str, str]:
        """What a study's supervisor starts with: nothing of it shows up among a person's studies or in their news."""
        own = {"XDG_STATE_HOME": str((self._out / "state").resolve()), "LOOPTOP_NOTIFY": "off"}
        if self._scripted and cell.method.asks_a_model:
            own |= {
                "LOOPTOP_MODEL": MODEL,
                "LOOPTOP_BASE_URL": model.address(cell.problem.name, cell.seed),
                "LOOPTOP_API_KEY": "none",
                "LOOPTOP_DIALECT": "chat",
                "LOOPTOP_WEB": "false",
            }
        return {**os.environ, **own}
