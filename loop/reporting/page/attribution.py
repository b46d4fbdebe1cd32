"""What each kept change is worth today, as the report shows it: rows, and bars with intervals. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.policy import ablation
from loop.reporting.page import values as v
from loop.reporting.page.values import Interval, Value
from loop.study.ablation import Worth
from loop.study.figures import Figures
from loop.study.state import Study

WIDTH, LEFT, RIGHT, ROW, TOP = 960.0, 300.0, 24.0, 26.0, 10.0
TITLE = 34
"""Signs of a title beside its bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A worth on the page and in the chart."""

    ids: Sequence[int]
    """The experiments that are switched together; empty for the sum and for the whole."""
    title: str
    worth: Value
    interval: Interval
    before: Value | None
    """What it measured when it was kept."""
    opinion: str
    kind: str
    """carries, harms or open; "sum" and "whole" for these two."""
    y: float
    """Of the middle of its row, like the next in the chart's units."""
    x: float
    """Left edge of its bar."""
    width: float
    low: float
    high: float
    """Ends of its interval."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the newest ablation says."""

    champion: int
    of_today: bool
    """That is still the champion."""
    runs: Value
    failed: Value | None
    bars: Sequence[Bar]
    """Changes, the best first; then their sum, the whole and the difference of the two, where they are known."""
    zero: float
    height: float
    compared: str
    whole_from: str
    noise: Value | None
    noise_from: str
    nothing: Sequence[int]
    """Changes that are worth nothing today, by their first experiment."""


def attribution(study: Study) -> Attribution | None:
    """The newest ablation under the present protocol; None where there is none."""
    found = ablation.newest(study)
    if found is None:
        return None
    order = sorted(enumerate(found.worths), key=lambda pair: -pair[1].worth)
    rows = [(f"ablation.worths.{index}", one) for index, one in order]
    rows += [
        (f"ablation.{name}", one) for name in ("together", "whole", "gap") if (one := getattr(found, name)) is not None
    ]
    scale = _Scale([one for _, one in rows])
    sources = {
        "study": "the study's",
        "runs": "what these runs leave unexplained",
        "both": "the study's and these runs'",
    }
    return Attribution(
        champion=found.champion,
        of_today=found.champion == study.champion,
        runs=Value("ablation.runs", found.runs, str(found.runs)),
        failed=v.count("ablation.failed", found.failed or None),
        bars=[_bar(study, place, of, one, scale) for place, (of, one) in enumerate(rows)],
        zero=scale.at(0.0),
        height=TOP * 2 + ROW * len(rows),
        compared=ablation.agreement(found),
        whole_from={"validation": "its validation", "runs": "all runs of the two", "": ""}[found.whole_from],
        noise=v.plain("ablation.sd", found.sd, 2),
        noise_from=sources.get(found.noise_from, ""),
        nothing=[one.changes[0] for one in ablation.barnacles(study)],
    )


class _Scale:
    def __init__(self, worths: Sequence[Worth]) -> None:
        self._low = min(0.0, *(one.low for one in worths))
        self._high = max(0.0, *(one.high for one in worths))

    def at(self, value: float) -> float:
        span = (self._high - self._low) or 1.0
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - self._low) / span, 1)


def _bar(study: Study, place: int, of: str, one: Worth, scale: _Scale) -> Bar:
    kept = [study.experiments[number] for number in one.changes if number in study.experiments]
    title = " + ".join(x.title for x in kept)
    kind = "carries" if one.low > 0 else "harms" if one.high < 0 else "open"
    if not one.changes:
        kind = {"together": "sum", "whole": "whole", "gap": "open"}[of.rpartition(".")[2]]
        title = {"sum": "all of them singly", "whole": "the whole champion", "open": "the first less the second"}[kind]
    effects = [effect for x in kept if (effect := Figures(study).effect(x)) is not None]
    before = v.signed(f"{of}.before", sum(effects)) if effects else None
    low, high = (Value(f"{of}.{name}", value, v.signs(value)) for name, value in (("low", one.low), ("high", one.high)))
    ends = sorted((scale.at(0.0), scale.at(one.worth)))
    return Bar(
        ids=one.changes,
        title=title,
        worth=Value(f"{of}.worth", one.worth, v.signs(one.worth)),
        interval=Interval(low, high),
        before=before,
        opinion=ablation.opinion(one) if one.changes else "",
        kind=kind,
        y=TOP + ROW * (place + 0.5),
        x=ends[0],
        width=round(ends[1] - ends[0], 1),
        low=scale.at(one.low),
        high=scale.at(one.high),
    )
