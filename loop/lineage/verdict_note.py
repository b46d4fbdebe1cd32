"""The note of a verdict in git: how it is written, and what it means when it is read back.

The journal is the record and the note a copy, rich enough that a study whose journal is lost goes on with the same
numbers: besides verdict, reason, metric and runs it holds when and by whom the verdict was given, its figures, under
which protocol the runs were measured and how long they took. Pure; `notes` writes it to git.

    Verdict: kept
    Reason: better by 0.0121 than experiment 3 ...
    val_bpb: 0.9712
    Measured: val_bpb 0.9712, not counted          where the verdict takes no number
    Runs: seed 1337: 0.9713, seed 1338: 0.9711
    Judged: 1767225600.25 s by judge
    Figures: effect 0.0121, noise 0.0011, confidence 0.9998, champion 3
    Under: measure 0123456789ab, budget 300
    Times: run 1 took 312.5 verified 9.1 stepping 299.8 claimed 300.0; run 3 took 311.9 ...
    Flags: ...
    Doubts: ...
    Touched: ...
    Fingerprint: files 0123456789abcdef

No line but the metric's is a plain number, since an older reader takes the first of those for the metric.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from loop.lineage import Judged
from loop.policy.run_checks import CLAIM
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import named
from loop.study.queries import uncounted

_PAIR = re.compile(r"(\w+) (\S+)")
_RUN = re.compile(r"seed (-?\d+): (\S+)")
SAME_MOMENT = 0.001
"""Seconds by which a note's time of judging may differ from the journal's and be the same."""


@dataclass(frozen=True)
class NotedRun:
    """A run as a note has it; None where the note does not say. Times in seconds."""

    number: int
    seed: int
    metric: float
    seconds: float = 0.0
    verify_seconds: float | None = None
    waited: float = 0.0
    """What others on its machine took from it outside of its budget."""
    stepping: float = 0.0
    claimed: float | None = None


@dataclass(frozen=True)
class RecordedVerdict:
    """What a note says of its experiment."""

    verdict: e.ExperimentJudged
    at: float | None
    """When it was judged, in Unix seconds; None in a note from before that was written."""
    runs: tuple[NotedRun, ...]
    protocol_id: str = ""
    budget: float | None = None
    touched: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    fingerprint: str = ""


def write(contract: Contract, experiment: Experiment) -> dict[str, str]:
    """The note of an experiment's verdict, line by line."""
    note = {"Verdict": (experiment.verdict or "").replace("_", " "), "Reason": experiment.reason}
    runs = [run for run in experiment.counted() if run.metric is not None]
    if experiment.metric is not None:
        note[contract.metric] = repr(experiment.metric)
    if (number := uncounted(experiment, contract)) is not None:
        note["Measured"] = f"{contract.metric} {number!r}, not counted"
    note["Runs"] = ", ".join(f"seed {run.seed}: {run.metric!r}" for run in runs)
    note["Judged"] = f"{experiment.judged_at!r} s by {experiment.judged_by}"
    figures = {name: getattr(experiment, name) for name in ("effect", "noise", "confidence", "champion")}
    note["Figures"] = ", ".join(f"{name} {value!r}" for name, value in figures.items() if value is not None)
    if runs:
        note["Under"] = f"measure {runs[-1].protocol_id}, budget {runs[-1].budget!r}"
    note["Times"] = "; ".join(map(_times, runs))
    note["Flags"] = " | ".join(experiment.flags)
    note["Doubts"] = " | ".join(experiment.doubts)
    note["Touched"] = " | ".join(sorted({path for run in runs for path in run.touched}))
    note["Fingerprint"] = experiment.fingerprint and f"files {experiment.fingerprint}"
    return {key: value for key, value in note.items() if value or key == "Runs"}


def _times(run: Run) -> str:
    verified = f" verified {run.verify_seconds!r}" if run.verified else ""
    claim = run.metrics.get(CLAIM)
    claimed = f" claimed {claim!r}" if claim is not None else ""
    waited = f" waited {run.waited.around!r}" if run.waited is not None and run.waited.around else ""
    return f"run {run.number} took {run.seconds!r}{waited} stepping {run.stepping!r}{verified}{claimed}"


def read(judged: Judged) -> RecordedVerdict | None:
    """What a note says; None where its verdict is none that a study knows."""
    verdict = named(judged.verdict.replace(" ", "_"))
    if verdict is None or not verdict.is_verdict:
        return None
    more = judged.more
    at, _, by = more.get("Judged", "").partition(" s by ")
    figures = dict(_PAIR.findall(more.get("Figures", "").replace(",", " ")))
    under = dict(_PAIR.findall(more.get("Under", "").replace(",", " ")))
    champion = figures.get("champion", "")
    said = e.ExperimentJudged(
        verdict=verdict,
        reason=judged.reason,
        metric=judged.value,
        effect=_number(figures.get("effect")),
        noise=_number(figures.get("noise")),
        confidence=_number(figures.get("confidence")),
        champion=int(champion) if champion.isdecimal() else None,
        by=by or "judge",
        flags=_several(judged, "Doubts"),
    )
    return RecordedVerdict(
        verdict=said,
        at=_number(at),
        runs=tuple(_runs(judged)),
        protocol_id=under.get("measure", ""),
        budget=_number(under.get("budget")),
        touched=_several(judged, "Touched"),
        flags=_several(judged, "Flags"),
        fingerprint=more.get("Fingerprint", "").removeprefix("files "),
    )


def _several(judged: Judged, key: str) -> tuple[str, ...]:
    return tuple(filter(None, judged.more.get(key, "").split(" | ")))


def _runs(judged: Judged) -> Iterator[NotedRun]:
    times = [dict(_PAIR.findall(one)) for one in judged.more.get("Times", "").split(";")]
    for index, (seed, value) in enumerate(_RUN.findall(judged.runs)):
        metric = _number(value.rstrip(","))
        if metric is None:
            continue  # the last one, cut off
        time = times[index] if index < len(times) else {}
        number = time.get("run", "")
        yield NotedRun(
            number=int(number) if number.isdecimal() else index + 1,
            seed=int(seed),
            metric=metric,
            seconds=_number(time.get("took")) or 0.0,
            verify_seconds=_number(time.get("verified")),
            waited=_number(time.get("waited")) or 0.0,
            stepping=_number(time.get("stepping")) or 0.0,
            claimed=_number(time.get("claimed")),
        )


def agrees(judged: Judged, experiment: Experiment) -> bool:
    """Whether a note agrees with the journal: verdict, number, and time and runs if it has those."""
    told = read(judged)
    if told is None or told.verdict.verdict != experiment.verdict or told.verdict.metric != experiment.metric:
        return False
    if told.at is None:
        return True
    metrics = [run.metric for run in experiment.counted() if run.metric is not None]
    return same_moment(told.at, experiment.judged_at) and [run.metric for run in told.runs] == metrics


def same_moment(one: float, other: float | None) -> bool:
    """Whether two times of judging are the same."""
    return other is not None and abs(one - other) < SAME_MOMENT


def is_known(told: RecordedVerdict, judged: Collection[float]) -> bool:
    """Whether a journal has the verdict of a note.

    Args:
        judged: when the journal has judged that experiment, in Unix seconds, every time.
    """
    return bool(judged) and (told.at is None or any(same_moment(told.at, at) for at in judged))


def _number(word: str | None) -> float | None:
    try:
        return float(word) if word else None
    except ValueError:
        return None
