"""`python -m tests.crash`: kill the supervisor at so many points of whole studies, and say what was lost.

Prints what is wrong in which trial, with the command that does exactly that again, then a table of the steps at which
kills happened, and last how many experiments were lost, doubled or left inconsistent. Exit code 1 where that is not
three times 0.
"""

import argparse
import itertools
import math
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter as Tally
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.consistency import Fault
from tests.crash.studies import LIVES
from tests.crash.tracer import cannot_trace
from tests.crash.trial import Counter, Kill, Outcome, Trial, Victims

KILLS = 6
"""Starts of one study that are killed, before one is let through."""

GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, taken by their fractions, fill a line more evenly than any lottery."""


@dataclass(frozen=True)
class Job:
    """One trial: its number, the study, and where its starts are killed."""

    number: int
    study: str
    kills: tuple[Kill, ...]


@dataclass(frozen=True)
class Reference:
    """A study without kills: what came of it, and how many steps of each kind it takes."""

    study: str
    outcome: Outcome


def main() -> int:
    """Work through trials until there were enough kills."""
    asked = _arguments()
    reason = cannot_trace()
    if reason:
        print(f"no system calls are counted: {reason}")
    home = Path(tempfile.mkdtemp(prefix="looptop-crash-"))
    began = time.monotonic()
    print(f"seed {asked.seed}; workspaces in {home}", flush=True)
    studies = [name for name in LIVES if asked.study in (None, name)]
    _warm()
    forked = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(asked.workers, mp_context=forked) as pool:
        first = pool.map(_refer, studies, [home / f"{name} without kills" for name in studies])
        references = {found.study: found for found in first}
        only = f" --study {asked.study}" if asked.study else ""
        sums = Sums(f"--seed {asked.seed}{only}")
        for found in references.values():
            sums.add_reference(found)
        jobs = _jobs(asked.seed, list(references.values()), traced=not reason)
        if asked.only is not None:
            jobs = iter([next(job for job in jobs if job.number == asked.only)])
        while sums.points < asked.points and (batch := list(itertools.islice(jobs, asked.workers))):
            for job, outcome in pool.map(_work, batch, [home] * len(batch), [references[x.study] for x in batch]):
                sums.add(job, outcome, home / str(job.number))
    if not sums.faults:
        shutil.rmtree(home)
    sums.tell(time.monotonic() - began)
    return 1 if sums.faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=300, help="kills at least (300)")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000, help="of where they happen")
    parser.add_argument("--only", type=int, help="the one trial of this number")
    parser.add_argument("--study", choices=list(LIVES), help="this study only")
    parser.add_argument("--workers", type=int, default=max(2, 2 * (os.cpu_count() or 1)), help="trials at a time")
    return parser.parse_args()


def _warm() -> None:
    """Import what a supervisor imports late, so that no trial has to."""
    import optuna  # noqa: F401
    import scipy.special  # noqa: F401

    import loop.researchers.agents.command
    import loop.researchers.automl.automl  # noqa: F401


def _jobs(seed: int, references: list[Reference], traced: bool) -> Iterator[Job]:
    """Trials without end. First kills are spread over the whole of a life, those after them over how one begins."""
    for number in itertools.count():
        chance = random.Random(f"{seed} {number}")
        reference = references[number % len(references)]
        kills = [_kill(chance, reference.outcome, traced, (seed + number) * GOLDEN % 1)]
        kills += [_kill(chance, reference.outcome, traced, None) for _ in range(KILLS - 1)]
        yield Job(number, reference.study, tuple(kills))


def _kill(chance: random.Random, length: Outcome, traced: bool, share: float | None) -> Kill:
    """Where a start is to be killed.

    Args:
        length: of a life without kills.
        share: how far into the life; None where that is behind it already, so that early is likely.
    """
    counter: Counter = chance.choices(("step", "call", "git"), (2, 1, 1))[0] if traced else "step"
    what = chance.choice(sorted(length.steps)) if counter == "step" and chance.random() < 0.6 else ""
    most = length.steps[what] if what else max(2, length.counts[counter])
    at = 1 + int(share * most) if share is not None else round(most ** chance.random())
    victims: Victims = chance.choices(("supervisor", "guards", "everything"), (5, 2, 3))[0]
    return Kill(counter, at, victims, what, chance.random() < 0.5)


def _refer(study: str, home: Path) -> Reference:
    """Have a study come to its end with nobody killed, counting."""
    return Reference(study, Trial(LIVES[study], home).go(()))


def _work(job: Job, home: Path, reference: Reference) -> tuple[Job, Outcome]:
    """Do one trial and compare with the one without kills; its folder stays where something is wrong."""
    place = home / str(job.number)
    outcome = Trial(LIVES[job.study], place).go(job.kills)
    wanted = reference.outcome.told
    for title in sorted(wanted.keys() | outcome.told.keys()) if outcome.told else ():
        if wanted.get(title) != outcome.told.get(title):
            kind = "lost" if title not in outcome.told else "inconsistent"
            outcome.faults.append(
                Fault(kind, f"{title}: {outcome.told.get(title)}; without kills: {wanted.get(title)}")
            )
    if not outcome.faults:
        shutil.rmtree(place)
    return job, outcome


class Sums:
    """What all trials came to."""

    def __init__(self, asked: str) -> None:
        self._asked = asked
        self.points = 0
        self.faults: list[Fault] = []
        self._steps: Tally[str] = Tally()
        self._victims: Tally[str] = Tally()

    def add_reference(self, found: Reference) -> None:
        counts = ", ".join(f"{count} {name}s" for name, count in found.outcome.counts.items())
        print(f"{found.study}: {counts}", flush=True)
        self._say(f"{found.study}, without kills", found.outcome.faults)

    def add(self, job: Job, outcome: Outcome, place: Path) -> None:
        self.points += len(outcome.kills)
        self._steps.update(step for _, step in outcome.kills)
        self._victims.update(kill.victims for kill, _ in outcome.kills)
        if outcome.faults:
            self._say(f"trial {job.number} ({job.study}) in {place}", outcome.faults)
            for kill, step in outcome.kills:
                print(f"    {kill}: {step}")
            print(f"    again: python -m tests.crash {self._asked} --only {job.number}", flush=True)

    def _say(self, where: str, faults: list[Fault]) -> None:
        self.faults += faults
        if faults:
            print(where)
        for fault in faults:
            print(f"  {fault}", flush=True)

    def tell(self, seconds: float) -> None:
        for step, times in sorted(self._steps.items(), key=lambda item: (-item[1], item[0])):
            print(f"{times:6}  {step}")
        kinds = Tally(fault.kind for fault in self.faults)
        died = ", ".join(f"{times} × {who}" for who, times in self._victims.most_common())
        print(
            f"{self.points} kill points ({len(self._steps)} kinds of steps; {died}) in {seconds:.0f} s, "
            f"{self._asked}: "
            f"experiments lost {kinds['lost']}, doubled {kinds['doubled']}, inconsistent {kinds['inconsistent']}"
        )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a thread of some library that a fork has left behind holds nothing up
