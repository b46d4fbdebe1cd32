"""Whether a person may ask for something now, and what it would mean.

Screen, command line and supervisor ask here, so they give one answer. Which request has which check is in
`request_table`. Pure: a check reads the study and nothing else.
"""

from dataclasses import dataclass

from loop.study import queries
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.words import clock, listed


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may be done now."""

    sentence: str = ""
    """What it would mean; a person who is asked first is asked with this."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be done now."""

    sentence: str
    """Why not, and what to do instead where there is something."""


Answer = Allowed | Refused


def find_experiment(study: Study, number: int | None) -> Experiment | Refused:
    """The experiment of that number."""
    if number is not None and number in study.experiments:
        return study.experiments[number]
    most = max(study.experiments, default=None)
    known = "there is none yet" if most is None else f"they go from 0 to {most}"
    return Refused(f"there is no experiment {number}; {known}")


def find_pin(study: Study, number: int | None) -> int | Refused | None:
    """The pin of that number; None for None, which means all of them."""
    if not study.pins:
        return Refused("nothing is pinned")
    if number is None or number in study.pins:
        return number
    return Refused(f"there is no pin {number}; pinned are {', '.join(map(str, study.pins))}")


def find_slot(study: Study, name: str) -> str | Refused:
    """The slot that a person names as it is shown, in whatever case, or by its number alone."""
    known = study.supervisor.slots if study.supervisor is not None else ()
    wanted = " ".join(name.split()).casefold()
    same = [slot for slot in known if wanted == slot.casefold()]
    found = same or [slot for slot in known if wanted and wanted == slot.casefold().partition(" ")[2]]
    if len(found) == 1:
        return found[0]
    if not known:
        return Refused("there is no slot yet")
    return Refused(f"{f'there is no slot {name!r:.60}' if wanted else 'name a slot'}: {', '.join(known)}")


def find_researcher(study: Study, name: str) -> str | Refused:
    """The researcher of that name; the empty name stands for all of them."""
    known = [mind.name for mind in study.minds.of.values() if mind.present]
    if not name or name in known:
        return name
    there = f"there is {listed(known)}" if known else "none has joined yet"
    return Refused(f"there is no researcher called {name}; {there}")


# --- which experiment is meant -------------------------------------------------------------------------------------


def current(study: Study) -> Experiment | Refused:
    """The experiment whose run started last and has not ended."""
    newest = max(study.running(), key=lambda pair: pair[1].started_at, default=None)
    return Refused("no run is under way") if newest is None else newest[0]


def waiting(study: Study) -> Experiment | Refused:
    """The oldest proposal that waits for a person."""
    found = (experiment for experiment in study.open_experiments() if experiment.phase == "waiting")
    return next(found, Refused("no proposal waits for approval"))


# --- whether it may be done, and what it would mean ----------------------------------------------------------------


def approve(study: Study, experiment: Experiment) -> Answer:
    """Let a waiting proposal run, or be judged where it has run."""
    if experiment.phase != "waiting":
        return _not_waiting(experiment)
    size = f"+{experiment.lines_added} -{experiment.lines_removed} lines"
    judged = experiment.counted() and experiment.parent == study.champion
    then = "It has run, and gets its verdict now." if judged else "It is queued and run."
    return Allowed(f"{experiment.title:.80} ({size}; {experiment.waits_for}). {then}")


def reject(study: Study, experiment: Experiment) -> Answer:
    """Turn down a waiting proposal."""
    if experiment.phase != "waiting":
        return _not_waiting(experiment)
    return Allowed(f"Experiment {experiment.id} ({experiment.title:.60}) is rejected. Its record stays.")


def _not_waiting(experiment: Experiment) -> Refused:
    return Refused(f"experiment {experiment.id} does not wait for approval")


def kill(study: Study, experiment: Experiment) -> Answer:
    """End the run or the verification of an experiment, or take it out of the queue."""
    name, running = experiment.id, experiment.running()
    titled = f"({experiment.title:.60})"
    if len(running) > 1:
        runs = " and ".join(f"{name}.{run.number}" for run in running)
        return Allowed(
            f"Runs {runs} {titled} are ended with all their processes. The experiment counts as killed, and is not "
            "tried again. The loop goes on."
        )
    if running:
        (run,) = running
        done = clock(min(max(0.0, study.at - run.started_at), run.deadline))
        return Allowed(
            f"Run {name}.{run.number} {titled} started {done} ago and trains for {clock(run.budget)}. It is ended with "
            "all its processes, counts as killed, and is not tried again. The loop goes on."
        )
    if (verified := _verifying(study, experiment)) is not None:
        return Allowed(f"The verification of run {name}.{verified.number} {titled} is ended; the run counts as killed.")
    if experiment.verdict is not None:
        return not_running(experiment)
    return Allowed(f"Experiment {name} {titled} is taken out of the queue and counts as killed.")


def not_running(experiment: Experiment) -> Refused:
    """Why there is nothing to kill of an experiment that has its verdict."""
    return Refused(f"experiment {experiment.id} is not running; it was {_verdict(experiment)}")


def keep(study: Study, experiment: Experiment) -> Answer:
    """Overrule the judge: make a discarded experiment the champion."""
    name, best = experiment.id, study.best
    if experiment.imported:
        return _imported(experiment)
    if experiment.doubted and experiment.parent == study.champion:
        return approve(study, experiment)
    if experiment.verdict is None or experiment.commit is None:
        return Refused(f"experiment {name} has no verdict to overrule yet")
    if name == study.champion:
        return Refused(f"experiment {name} is the champion already")
    if experiment.metric is None:
        return Refused(f"experiment {name} has no number, and everything later would be measured against it")
    if experiment.parent != study.champion:
        return Refused(f"experiment {name} was made on another champion; `requeue {name}` runs it on today's first")
    over = "" if best is None else f" instead of {best.id} ({_figure(best.metric)})"
    return Allowed(
        f"Experiment {name} ({_figure(experiment.metric)}) becomes the champion{over}: the branch moves to it, and "
        f"everything from here on is measured against it. The judge said: {_said(experiment)}."
    )


def discard(study: Study, experiment: Experiment) -> Answer:
    """Overrule the judge: take the champion back, to the one that it was built on."""
    name = experiment.id
    if experiment.doubted and experiment.parent == study.champion:
        return Allowed(f"Experiment {name} ({experiment.title:.60}) is discarded. Its record stays.")
    if experiment.verdict != Outcome.KEPT:
        return Refused(f"experiment {name} was not kept, so there is nothing to discard")
    if name == 0:
        return Refused("the baseline cannot be discarded")
    if name not in queries.built_on(study):
        return Refused(f"today's champion does not build on experiment {name}, so there is nothing to take back")
    if name != study.champion:
        return Refused(f"later champions build on experiment {name}; `branch {name}` goes on from it without them")
    before = study.experiments[experiment.parent or 0]
    return Allowed(
        f"Experiment {name} ({_figure(experiment.metric)}) is champion no longer: the branch moves back to experiment "
        f"{before.id} ({_figure(before.metric)}). Its commit and its record stay. The judge said: {_said(experiment)}."
    )


def requeue(study: Study, experiment: Experiment) -> Answer:
    """Run an experiment again that has its verdict."""
    name = experiment.id
    if experiment.imported:
        return _imported(experiment)
    if experiment.verdict is None:
        return Refused(f"experiment {name} is open already")
    if name in queries.built_on(study):
        return Refused(f"experiment {name} was kept; it needs no other run")
    if experiment.commit is None:
        return Refused(f"experiment {name} never became a commit, so there is nothing to run")
    moved = "" if experiment.parent == study.champion else f", moved onto today's champion {study.champion}"
    return Allowed(
        f"Experiment {name} is queued again{moved}, and gets a new verdict from new runs. The old runs stay."
    )


def branch(study: Study, experiment: Experiment) -> Answer:
    """Make an earlier champion the champion again."""
    name, best = experiment.id, study.best
    if experiment.imported:
        return _imported(experiment)
    if experiment.verdict is None:
        return Refused(f"experiment {name} has no verdict yet")
    if best is None or name == best.id:
        return Refused(f"experiment {name} is the champion already")
    if experiment.verdict != Outcome.KEPT:
        if experiment.parent == study.champion:
            return Refused(f"experiment {name} was not kept; `keep {name}` makes it the champion")
        return Refused(f"experiment {name} was not kept; `requeue {name}` runs it on today's champion first")
    line = queries.built_on(study)
    left = line[: line.index(name)] if name in line else line[:1]
    leaves = f"{left[0]} leaves" if len(left) == 1 else f"{left[-1]} and {left[0]} leave"
    if len(left) > 2:
        leaves = f"{left[-1]} to {left[0]} ({len(left)} champions) leave"
    return Allowed(
        f"Experiment {name} ({_figure(experiment.metric)}) is the champion again instead of {best.id} "
        f"({_figure(best.metric)}): the branch moves to it, and everything from here on builds on it and is measured "
        f"against it. {leaves} the branch; commits, records and verdicts stay, and it can be gone back to."
    )


def resume(study: Study, experiment: None) -> Answer:
    """Go on after a pause."""
    return Allowed() if study.paused else Refused("the loop is not paused")


def _imported(experiment: Experiment) -> Refused:
    return Refused(
        f"experiment {experiment.id} was imported and has not run here; to try its change, make it in your checkout "
        "and `looptop submit` it"
    )


def stop(study: Study, experiment: None) -> Answer:
    """End the loop."""
    return Allowed(f"The loop of {study.tag} ends. Nothing is lost: `looptop` goes on from there.")


def _verifying(study: Study, experiment: Experiment) -> Run | None:
    """Its run whose number is being measured anew, or is next to be."""
    active = experiment.verdict is None or experiment.id in study.lineage
    runs = experiment.counted() if active else []
    return next((run for run in runs if study.awaits_verification(run)), None)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _verdict(experiment: Experiment) -> str:
    return experiment.verdict.word if experiment.verdict else ""


def _said(experiment: Experiment) -> str:
    return f"{_verdict(experiment)}, {experiment.reason}".rstrip(", .")
