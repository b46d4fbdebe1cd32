"""What a study's validations have come to, as text and as data. Pure."""

from typing import Any

from loop.policy import validation
from loop.study.state import Study
from loop.study.validation import Validation


def as_data(study: Study) -> dict[str, Any]:
    """What `looptop validate --json` prints, and `looptop status --json` under `validation`.

    `result` is that of today's champion. Metrics are means over the pairs, and effects positive where they are better.
    """
    now, newest = study.validation, study.validated
    return {
        "under_way": None if now is None else _progress(study, now),
        "result": None if newest is None else _result(newest),
        "earlier": [_result(one) for one in study.validations if one.ended is not None and one is not newest],
    }


def _progress(study: Study, now: Validation) -> dict[str, Any]:
    done, of = validation.progress(study, now)
    return {"champion": now.began.champion, "began_at": now.began_at, "runs": done, "of": of}


def _result(one: Validation) -> dict[str, Any]:
    assert one.ended is not None
    told = one.ended.model_dump(exclude={"kind", "v"})
    return {**told, "runs_each": len(one.began.seeds), "began_at": one.began_at, "ended_at": one.ended_at}


def lines(study: Study) -> list[str]:
    """The validation under way and what those of before have come to, a line each, the newest first."""
    found = [progress(study)] if study.validation is not None else []
    ended = (one.ended for one in reversed(study.validations) if one.ended is not None)
    return [*found, *(validation.told(study.contract.metric, one) for one in ended)]


def progress(study: Study) -> str:
    """How far the validation under way is; empty where none is."""
    if (now := study.validation) is None:
        return ""
    done, of = validation.progress(study, now)
    return f"validating experiment {now.began.champion} against the baseline: {done} of {of} runs"


def sentence(study: Study) -> str:
    """What a summary says of the gain that was validated, or, where the loop has ended, how to have it validated."""
    if (newest := study.validated) is not None and newest.ended is not None:
        told = validation.told(study.contract.metric, newest.ended)
        return f"Validated: {told}."
    if study.validation is not None:
        return f"{progress(study)[:1].upper()}{progress(study)[1:]}."
    if not study.champion or study.supervisor is None or study.supervisor.stopped_at is None:
        return ""
    flatters = "these numbers have also chosen what was kept, which flatters them"
    return f"Not validated yet: {flatters}; `looptop validate` measures the gain anew."
