"""What has climbed the ladder, as text and as data. Pure."""

from typing import Any

from loop.policy import climbing, ladder
from loop.policy.comparison import figure
from loop.study import rungs
from loop.study.climb import Climb, ClimbEnded
from loop.study.state import Study
from loop.words import listed


def as_data(study: Study) -> dict[str, Any]:
    """What `looptop ladder --json` prints, and `looptop status --json` under `ladder`.

    Effects are in the metric's units of their rung, and positive where they are better.
    """
    now = study.climb
    return {
        "rungs": [_rung(study, name) for name in study.contract.scales],
        "under_way": None if now is None else _progress(study, now),
        "held": {str(number): how for number, how in study.grounded.items()},
    }


def _rung(study: Study, name: str) -> dict[str, Any]:
    there = rungs.at(study.contract, name)
    assert there is not None
    found = ladder.predicts(study, name)
    return {
        "name": name,
        "differs": there.rung.told,
        "metric": there.contract.metric,
        "runs": there.rung.runs,
        "results": [one.model_dump(exclude={"kind", "v"}) for one in ladder.results(study, name)],
        "predicted": None
        if found is None
        else {"rank_correlation": found.rank, "low": found.low, "high": found.high, "experiments": found.of},
    }


def _progress(study: Study, now: Climb) -> dict[str, Any]:
    done, of = climbing.progress(study, now)
    began = now.began
    told = {"experiment": began.experiment, "rung": began.rung, "against": began.against, "why": began.why}
    return told | {"began_at": now.began_at, "runs": done, "of": of}


def lines(study: Study) -> list[str]:
    """The ladder for a plain terminal: how each rung differs, what climbed there, and how well small predicts it."""
    names = list(study.contract.scales)
    if not names:
        return [
            "program.md names no ladder; `scales: {small: {}, large: {budget: 1h}}` is one of two rungs, the first of "
            "which is the study itself"
        ]
    found = [f"{names[0]}: the study's own rung, on which it searches"]
    for name in names[1:]:
        there = rungs.at(study.contract, name)
        assert there is not None
        found.append(f"{name}: {there.rung.told}; {there.rung.runs} runs of each side")
        results = ladder.results(study, name)
        if not results:
            found.append("  nothing has climbed here yet")
        else:
            found += _rows(study, results, there.contract.metric)
        if (ranked := ladder.predicts(study, name)) is not None:
            found.append(f"  {ladder.ranked_words(ranked)}")
    if progress(study):
        found.append(progress(study))
    found += [_broken(one) for one in _without_result(study)]
    held = [str(number) for number, how in study.grounded.items() if how == "hold"]
    never = [str(number) for number, how in study.grounded.items() if how == "forbid"]
    found += [f"held until `looptop promote N`: {listed(held)}"] if held else []
    found += [f"forbidden to climb: {listed(never)}"] if never else []
    return found


def _rows(study: Study, results: list[ClimbEnded], metric: str) -> list[str]:
    """A table of what climbed to one rung."""
    rows = [("experiment", "mark", metric, "baseline", "worth there", "95% interval", "worth small", "time")]
    for one in results:
        span = "" if one.low is None or one.high is None else f"{_signed(one.low)} to {_signed(one.high)}"
        rows.append(
            (
                f"#{one.experiment} {study.experiments[one.experiment].title}"[:36],
                ladder.SHORT[one.mark],
                "-" if one.metric is None else f"{one.metric:.6g}",
                "-" if one.baseline_metric is None else f"{one.baseline_metric:.6g}",
                "-" if one.gain is None else _signed(one.gain),
                span or "-",
                "-" if one.small is None else _signed(one.small),
                "-" if one.time is None else f"{one.time:.2f}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    right = range(2, len(widths))
    return [
        "  "
        + "  ".join(
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '-' if value < 0 else ''}{figure(abs(value), 3)}"


def progress(study: Study) -> str:
    """How far the climb under way is; empty where none is."""
    if (now := study.climb) is None:
        return ""
    against = "the baseline" if now.began.against is None else f"experiment {now.began.against} and the baseline"
    return (
        f"climbing: experiment {now.began.experiment} on {now.began.rung} beside {against}, "
        f"{climbing.told_progress(study, now)}"
    )


def _without_result(study: Study) -> list[ClimbEnded]:
    """The newest climbs that ended without a mark, where nothing has come of another since."""
    told: dict[tuple[int, str], ClimbEnded] = {}
    for one in study.climbs:
        if one.ended is not None:
            told[one.ended.experiment, one.ended.rung] = one.ended
    return [one for one in told.values() if not one.mark][-3:]


def _broken(ended: ClimbEnded) -> str:
    return (
        f"no result: experiment {ended.experiment} on {ended.rung}, because {ended.reason or 'too few runs gave one'}"
    )


def sentence(study: Study) -> str:
    """What a summary says of the ladder; empty where there is nothing to say."""
    if told := ladder.sentence(study):
        return f"The ladder: {told}."
    return f"{progress(study)[:1].upper()}{progress(study)[1:]}." if study.climb is not None else ""
