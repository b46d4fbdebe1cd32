"""What a person's verdict would do to an experiment, in words, before they give it. Pure.

The supervisor decides; this says the same beforehand, so that the question names what will happen and a request that
would be refused is not asked for.
"""

from typing import Literal

from loop.study.experiment import Experiment
from loop.study.state import Study
from tui.render.text import number


def consequence(study: Study, experiment: Experiment, verdict: Literal["kept", "discarded"]) -> tuple[bool, str]:
    """Whether `verdict` can be given to `experiment` now, and what will happen, or why it cannot."""
    return _keep(study, experiment) if verdict == "kept" else _discard(study, experiment)


def _keep(study: Study, experiment: Experiment) -> tuple[bool, str]:
    name, best = experiment.id, study.best
    if experiment.verdict is None or experiment.commit is None:
        return False, f"experiment {name} has no verdict to overrule yet"
    if best is not None and name == best.id:
        return False, f"experiment {name} is the champion already"
    if experiment.metric is None:
        return False, f"experiment {name} has no number, so nothing could be measured against it"
    if experiment.parent != study.champion:
        return False, f"experiment {name} was made on another champion; `:requeue {name}` runs it on today's first"
    over = "" if best is None else f" instead of {best.id} ({number(best.metric)})"
    return True, (
        f"Experiment {name} ({number(experiment.metric)}) becomes the champion{over}: the branch moves to it, and "
        f"everything from here on is measured against it. The judge said: {_said(experiment)}."
    )


def _discard(study: Study, experiment: Experiment) -> tuple[bool, str]:
    name = experiment.id
    if experiment.verdict != "kept":
        return False, f"experiment {name} was not kept, so there is nothing to discard"
    if name == 0:
        return False, "the baseline cannot be discarded"
    if name not in study.built_on():
        return False, f"today's champion does not build on experiment {name}, so there is nothing to take back"
    if name != study.champion:
        return False, f"later champions build on experiment {name}; `:branch {name}` goes on from it without them"
    before = study.experiments.get(experiment.parent or 0)
    value = "" if before is None else f" ({number(before.metric)})"
    return True, (
        f"Experiment {name} ({number(experiment.metric)}) is champion no longer: the branch moves back to experiment "
        f"{experiment.parent or 0}{value}. Its commit and its record stay. The judge said: {_said(experiment)}."
    )


def requeuing(study: Study, experiment: Experiment) -> tuple[bool, str]:
    """Whether the experiment can run again, and what that means, or why it cannot."""
    name = experiment.id
    if experiment.verdict is None:
        return False, f"experiment {name} is open already"
    if name in study.built_on():
        return False, f"experiment {name} was kept; it needs no other run"
    if experiment.commit is None:
        return False, f"experiment {name} never became a commit, so there is nothing to run"
    moved = "" if experiment.parent == study.champion else f", moved onto today's champion {study.champion}"
    return True, f"Experiment {name} is queued again{moved}, and gets a new verdict from new runs. The old runs stay."


def branching(study: Study, experiment: Experiment) -> tuple[bool, str]:
    """Whether the search can go on from the experiment, and what that means, or why it cannot."""
    name, best = experiment.id, study.best
    if experiment.verdict is None:
        return False, f"experiment {name} has no verdict yet"
    if best is None or name == best.id:
        return False, f"experiment {name} is the champion: the search goes on from it as it is"
    if experiment.verdict != "kept":
        if experiment.parent == study.champion:
            return False, f"experiment {name} was not kept; `:keep {name}` makes it the champion"
        return False, f"experiment {name} was not kept; `:requeue {name}` runs it on today's champion first"
    line = study.built_on()
    left = line[: line.index(name)] if name in line else line[:1]
    leaves = f"{left[0]} leaves" if len(left) == 1 else f"{left[-1]} and {left[0]} leave"
    if len(left) > 2:
        leaves = f"{left[-1]} to {left[0]} ({len(left)} champions) leave"
    return True, (
        f"Experiment {name} ({number(experiment.metric)}) is the champion again instead of {best.id} "
        f"({number(best.metric)}): the branch moves to it, and everything from here on builds on it and is measured "
        f"against it. {leaves} the branch; commits, records and verdicts stay, and it can be gone back to."
    )


def _said(experiment: Experiment) -> str:
    word = (experiment.verdict or "").replace("_", " ")
    return f"{word}, {experiment.reason}".rstrip(", .") if experiment.reason else word
