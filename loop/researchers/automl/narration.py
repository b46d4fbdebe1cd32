"""How the AutoML researcher explains itself: short sentences, each with a number.

Pure: trials and moves in, text out.
"""

from collections.abc import Iterator
from statistics import fmean

from loop.researchers.automl.constants import Value
from loop.researchers.automl.plan import Move, Situation
from loop.researchers.automl.trials import Trial, Values, importance
from loop.study.experiment import Experiment
from loop.words import listed

_NAMED = 3
"""Constants named in one sentence at most."""

_SMALL, _LARGE = 0.05, 0.25
"""Shares of a range below which a step is called small, and above which large."""


def number(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def amount(value: float) -> str:
    return f"{value:.3g}"


def change(values: Values, was: Values) -> str:
    """Such as "DEPTH 4 → 5, CLIP 1 → 1.6"."""
    return ", ".join(f"{name} {number(was[name])} → {number(value)}" for name, value in values.items())


def overview(metric: str, sd: float | None, now: Situation) -> Iterator[str]:
    """The state of the study, and which constants seem to matter.

    Args:
        metric: its name.
        sd: standard deviation of one run; None while unknown.
    """
    measured = [trial for trial in now.trials if trial.state == "measured" and trial.before]
    best = next((trial for trial in now.trials if trial.id == now.champion), None)
    if best is not None and best.metric is not None:
        noise = f", one run's noise is {amount(sd)}" if sd else ""
        name = "the baseline" if now.champion == 0 else f"experiment {now.champion}"
        yield f"Best so far is {name} with {metric} {best.metric:.5g}{noise}. "
    if not measured:
        are = "is 1 constant" if len(now.present) == 1 else f"are {len(now.present)} constants"
        yield f"There {are} to search: {listed(now.present, 100)}.\n"
        return
    moved = importance(now.trials, now.present)
    ranked = sorted(((size, name) for name, size in moved.items() if size is not None), reverse=True)
    strong = [f"{name} ({amount(size)})" for size, name in ranked if size > now.noise][:_NAMED]
    weak = [name for size, name in reversed(ranked) if size <= now.noise][:_NAMED]
    times = "one experiment" if len(measured) == 1 else f"{len(measured)} experiments"
    if strong:
        yield f"What moved it most, on average over {times}: {listed(strong)}. "
    if weak:
        yield f"Inside the noise so far: {listed(weak)}. "
    open_names = [name for name, size in moved.items() if size is None]
    yield f"Not measured yet: {len(open_names)} of {len(moved)} constants.\n" if open_names else "\n"


def outcome(experiment: Experiment, trial: Trial, now: Situation) -> str:
    """The result of an own proposal, and what it means."""
    what = f"Experiment {trial.id} ({_done(trial)})"
    if trial.state == "void":
        return f"{what} has no number that counts, so it says nothing.\n"
    if experiment.stopped_at is not None:
        return f"{what} was stopped early, far behind: I rank such values behind every measured one.\n"
    if trial.effect is None:
        verdict = experiment.verdict.word if experiment.verdict else ""
        return f"{what} {verdict}: I rank such values behind every measured one.\n"
    effect = _judged(experiment, trial.effect)
    size = f"{'better' if effect > 0 else 'worse'} by {amount(abs(effect))}"
    if trial.kept:
        return f"{what} was kept: {size}. I go on from there.\n"
    if abs(effect) <= 2 * now.noise:
        return f"{what} came out {size}, which is inside the noise.\n"
    return f"{what} came out {size}" + (".\n" if effect < 0 else ", but not with enough confidence to be kept.\n")


def _judged(experiment: Experiment, effect: float) -> float:
    """What its verdict said of a change, so that nobody reads two figures for one thing; else `effect`, as of now."""
    return effect if experiment.effect is None else experiment.effect


def lesson(experiment: Experiment, trial: Trial) -> str | None:
    """A line for the notebook: what helped, or what breaks; None for anything else."""
    if not trial.before:
        return None
    if trial.kept and trial.effect is not None:
        return f"{_done(trial)} helps: better by {amount(_judged(experiment, trial.effect))} (experiment {trial.id})."
    if experiment.stopped_at is not None:
        return f"{_done(trial)} is far behind: stopped early (experiment {trial.id})."
    if trial.state == "failed":
        verdict = experiment.verdict.word if experiment.verdict else ""
        return f"{_done(trial)} fails: {verdict} (experiment {trial.id})."
    return None


def choice(move: Move, now: Situation) -> Iterator[str]:
    """What is tried next, and how far that goes; why, and what is expected, is in the proposal itself."""
    steps = []
    for name, value in move.values.items():
        span = now.ranges[name]
        step = abs(span.place(value) - span.place(now.present[name]))
        size = "small" if step < _SMALL else "large" if step > _LARGE else ""
        far = f" (a {size} step)" if size and span.scale != "choice" else ""
        steps.append(f"{name} {_factor(value, now.present[name])}{far}")
    yield f"Next: {listed(steps, 100)}.\n"


def hypothesis(move: Move, now: Situation) -> str:
    """Why this change, in a sentence."""
    names = listed(list(move.values))
    told = sum(trial.state in ("measured", "failed") for trial in now.trials)
    because = move.because
    known = because.effect if because is not None else None
    match move.kind:
        case "further":
            gained = f"This very step gained {amount(known)}" if known is not None else "This very step was kept"
            return f"{gained} in experiment {now.champion}; the best {names} may lie further in this direction."
        case "other way" if because is not None:
            lost = f"lost {amount(-known)}" if known is not None and known < 0 else "settled nothing"
            return f"{_done(because)} {lost} in experiment {because.id}, so the opposite may gain."
        case "first look":
            return f"{names} has not been changed alone yet: a step shows whether it matters, and which way helps."
        case "random":
            return f"{names} at random: what the results so far say is left aside."
        case _:
            which = f"such {names} values" if len(move.values) == 1 else f"such values of {names}"
            return f"Good results cluster at {which}, of {told} tried."


def expected(move: Move, now: Situation) -> str:
    """A guess with a number, from the effects of earlier changes of these constants; empty without any."""
    because = move.because
    effects = [trial.effect for trial in now.trials if trial.effect is not None and trial.before]
    match move.kind:
        case "random":
            return ""
        case "further" if because is not None and because.effect is not None:
            return f"better by about {amount(abs(because.effect) / 2)}, half of what the last step gained"
        case "other way" if because is not None and because.effect is not None and because.effect < 0:
            return f"better by up to {amount(-because.effect)}, what the opposite lost"
        case "tpe" if (guess := _by_slopes(move, now)) is not None:
            return f"better by about {amount(guess)}, by earlier steps" if guess > 0 else "a probe; no gain expected"
        case _ if effects:
            return f"a change of {amount(fmean(map(abs, effects)))} either way, as far as other constants went"
        case _:
            return ""


def _by_slopes(move: Move, now: Situation) -> float | None:
    """Half of what a straight line through earlier changes of each constant predicts: slopes flatten out."""
    total: list[float] = []
    for name, value in move.values.items():
        span = now.ranges[name]
        slopes = []
        for trial in now.trials:
            if trial.effect is not None and name in trial.before:
                step = span.place(trial.values[name]) - span.place(trial.before[name])
                if step:
                    slopes.append(trial.effect / len(trial.before) / step)
        if slopes:
            total.append(fmean(slopes) * (span.place(value) - span.place(now.present[name])))
    return sum(total) / 2 if total else None


def _done(trial: Trial) -> str:
    return change({name: trial.values[name] for name in trial.before}, trial.before)


def _factor(value: Value, was: Value) -> str:
    if isinstance(value, str | bool) or isinstance(was, str | bool) or was == 0 or value == 0:
        return f"{number(was)} → {number(value)}"
    return f"×{value / was:.3g}"
