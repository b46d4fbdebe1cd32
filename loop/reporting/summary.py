"""A study as data for scripts, and what it has come to in a few sentences. Pure; the layout is the caller's."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from loop.policy import early_stop, error_account, false_discovery, honesty, idle, limits, placebos
from loop.policy.standing import noise
from loop.reporting import ablation, ladder, promises, sealed, validation
from loop.reporting.researchers import lacking, researchers, shortage
from loop.reporting.table import claimed, flagged, moved, not_counted, values_of
from loop.study.experiment import Experiment, Run
from loop.study.figures import Figure, Figures
from loop.study.outcomes import Outcome
from loop.study.state import Study


def status(study: Study, pid: int | None, now: float) -> dict[str, Any]:
    """What `looptop status --json` prints; durations in seconds, times in Unix seconds."""
    supervisor, best, baseline, figures = study.supervisor, study.best, study.baseline, Figures(study)
    return {
        "state": state(study, pid),
        "reason": supervisor.reason if supervisor is not None and pid is None else "",
        "supervisor": {
            "alive": pid is not None,
            "pid": pid,
            "host": supervisor.host if supervisor is not None else None,
            "slots": list(supervisor.slots) if supervisor is not None else [],
            "sandbox": supervisor.sandbox or None if supervisor is not None else None,
        },
        "study": {
            "tag": study.tag,
            "branch": study.branch,
            "base": study.base,
            "started_at": study.started_at or None,
            "hours": study.hours(now if pid is not None else None),
            "metric": study.contract.metric,
            "goal": study.contract.goal,
            "verified": study.contract.verify is not None,
        },
        "champion": _fields(best, "id", "title", "commit") | _number(figures.best),
        "baseline": _fields(baseline, "noise") | _number(figures.of(baseline)),
        "experiments": study.verdicts(),
        "imported": study.imported,
        "error_account": {"spent": (account := error_account.of(study)).spent, **_fields(account, "budget", "left")},
        "placebos": None if (rate := placebos.rate(study)) is None else asdict(rate),
        "validation": validation.as_data(study),
        "ablation": ablation.as_data(study),
        "ladder": ladder.as_data(study),
        "milestones": sealed.as_data(study),
        "expected_false": false_discovery.of(study),
        "early_stopping": _early_stopping(study),
        "running": [_running(experiment, run, now) for experiment, run in study.running()] if pid is not None else [],
        "slots": [_fields(one, "name", "device", "run", "since", "why") for one in idle.states(study, pid is not None)],
        "kinds": [_kind(study, kind) for kind in study.kinds if kind],
        "busy": idle.busy_share(study, now) if pid is not None else None,
        "an_hour": idle.an_hour(study, now) if pid is not None else None,
        "verifying": [f"{found.id}.{run.number}" for found, run in study.verifying()],
        "waiting": [experiment.id for experiment in study.experiments.values() if experiment.phase == "waiting"],
        "notices": honesty.notices(study),
        "researchers": [asdict(one) for one in researchers(study)] if pid is not None else [],
        "promises": promises.as_data(study),
        "shortage": shortage(study) if pid is not None else "",
        "researchers_lacking": lacking(study) if pid is not None else 0,
        "limits": {
            left.name: _fields(left, "used", "limit", "left")
            for left in limits.limits(study, now if pid is not None else None)
        },
        "troubles": {
            name: _fields(one, "since", "next_at", "tries", "message") for name, one in study.troubles.items()
        },
        "pins": {str(number): text for number, text in study.pins.items()},
        "edited": [] if study.checkout is None else list(study.checkout.files),
        "spent": {"tokens": study.tokens, "usd": None if study.usd_unknown else study.usd},
    }


def _early_stopping(study: Study) -> dict[str, Any]:
    """Whether hopeless runs are ended, and how often that would have been, or was, wrong; `saved` is in seconds."""
    found = early_stop.account(study)
    known = _fields(found, "stopped", "audited", "false", "saved")
    return {"mode": early_stop.mode(study), **known, "at_most": found.at_most if found.audited else None}


def _kind(study: Study, kind: str) -> dict[str, Any]:
    """What is known of a kind of slot: numbers compare within it only."""
    best = study.measured(study.best, kind) if study.best is not None else []
    known, beside = noise(study, kind), study.company(kind)
    return {
        "name": kind,
        "champion": sum(best) / len(best) if best else None,
        "runs": len(best),
        "noise": None if known is None else known.sd,
        "neighbours": None if beside is None else beside.model_dump(exclude={"kind", "slots", "protocol_id"}),
    }


def _fields(found: object, *names: str) -> dict[str, Any]:
    """Some of its fields; without it each is None."""
    return {name: getattr(found, name, None) for name in names}


def _number(figure: Figure | None) -> dict[str, Any]:
    """The mean of all runs so far, its standard error, and how many runs there were."""
    return {"metric": None if figure is None else figure.mean, **_fields(figure, "error", "runs")}


def _running(experiment: Experiment, run: Run, now: float) -> dict[str, Any]:
    return {
        "id": experiment.id,
        "run": run.number,
        "title": experiment.title,
        "seconds": max(0.0, now - run.started_at),
        "budget": run.budget,
    }


def experiment(study: Study, found: Experiment) -> dict[str, Any]:
    """One experiment, as `looptop experiments --json` prints it."""
    return {
        **_fields(found, "id", "parent", "title", "hypothesis", "expected", "researcher", "phase", "verdict", "reason"),
        "imported": found.imported,
        "parts": list(found.parts),
        "placebo": found.id in study.placebos,
        **_fields(found, "metric", "effect", "noise", "confidence"),
        "uncounted": not_counted(study, found),
        "judged_by": found.judged_by or None,
        "flags": list(flagged(found)),
        "waits_for": found.waits_for if found.phase == "waiting" else None,
        "values": values_of(found),
        "note": found.note or None,
        "noted_by": found.noted_by or None,
        "champion": found.id == study.champion,
        "runs": [
            {
                "run": run.number,
                "serves": run.serves or "experiment",
                **_fields(run, "seed", "metric", "seconds", "outcome", "reason", "verified", "slot_name", "device"),
                **_fields(run, "peak_memory", "peak_gpu_memory", "metrics", "texts"),
                "condemned": None if run.condemned is None else run.condemned.model_dump(exclude={"kind", "v"}),
            }
            for run in found.runs.values()
        ],
        **_fields(found, "commit", "lines_added", "lines_removed"),
    }


def state(study: Study, pid: int | None) -> str:
    """What the loop is doing; a supervisor that ended without recording it has "died"."""
    if pid is None and study.state in ("baseline", "running", "paused", "no room", "stopping"):
        return "died"
    if pid is None and study.state == "empty" and study.tag:
        return "not started"  # it has only a past, that of the loop it adopted
    return "starting" if pid is not None and study.state in ("empty", "stopped", "failed") else study.state


def sentences(study: Study) -> list[str]:
    """What the study has come to so far, in one or two sentences; none before the first verdict."""
    figures, baseline = Figures(study), study.baseline
    best, base = figures.best, figures.of(baseline)
    if best is None or baseline is None or base is None:
        return []
    if not study.judged():
        return []
    kept = study.verdicts()[Outcome.KEPT]  # not the champions there were: one may have been discarded later
    if not kept:
        least = honesty.floor(study)
        noise = f"the noise of {baseline.noise or 0:.2g}"
        if not baseline.noise and least is not None:
            noise = f"what a fixed seed leaves unknown ({least.bound:.2g})"
        return [
            f"None of {study.judged()} experiments beat {noise} "
            f"in {study.contract.metric}; the baseline has {base.mean:.6g}.",
            *_trust(study),
        ]
    lines = [
        f"{kept} of {study.judged()} experiments kept: {study.contract.metric} went from {base.mean:.6g} "
        f"to {best.mean:.6g} ({moved(study)}){claimed(study)}; "
        f"the result is on the branch {study.branch}."
    ]
    false = false_discovery.of(study)
    if false is not None:
        told = "fewer than 0.1" if false < 0.1 else f"about {false:.1f}"
        lines.append(f"Of those, {told} are expected to be false, by their confidences and by how many were tried.")
    lines += _trust(study)
    if opened := sealed.newest(study):
        lines.append(opened)
    lines += filter(None, (validation.sentence(study), ablation.sentence(study), ladder.sentence(study)))
    return lines


def _trust(study: Study) -> list[str]:
    """What is left of the false keeps that the program allows, and how many placebos were kept."""
    account, rate = error_account.of(study), placebos.rate(study)
    lines = [] if account.budget is None else [f"Error account: {error_account.told(account)}."]
    return lines if rate is None else [*lines, f"Placebos: {placebos.told(rate)}."]


def newest(experiments: Iterable[Experiment]) -> Experiment | None:
    """The experiment that ran last, or that is running."""
    ran = [found for found in experiments if found.runs]
    return max(ran, key=lambda found: max(run.started_at for run in found.runs.values()), default=None)
