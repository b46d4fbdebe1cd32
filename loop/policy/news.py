"""What a person who is looking elsewhere is told of, and in which words. Pure.

The same words ring a cockpit's bell and go out as a message: one event has one sentence.
"""

from dataclasses import dataclass
from typing import Literal

from loop.study import events as e
from loop.study.state import Study

News = Literal["best", "waiting", "fault", "end", "idle", "plateau", "digest"]

NOTIFY = "notify "
"""What the name of a fault begins with that is about telling a person: of those nobody is told by the same way."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of news."""

    kind: News
    text: str
    urgent: bool = False
    """A person has to do something."""


def of_event(study: Study, event: e.Event, again: bool = False) -> Notice | None:
    """What an event has to say to a person who is not looking; None where it can wait.

    Args:
        study: with this event folded in.
        again: a fault is another try at a trouble already told of: no bell every minute of a night.
    """
    match event.body:
        case e.ChampionChanged(metric=metric) if event.experiment:
            number = "" if metric is None else f" at {metric:.5g}"
            found = study.experiments.get(event.experiment)
            title = f": {_line(found.title)}" if found is not None and found.title else ""
            return Notice("best", f"experiment {event.experiment} is the champion{number}{title}")
        case e.ApprovalAsked(reason=reason):
            return Notice("waiting", f"experiment {event.experiment} waits for you: {_line(reason)}", urgent=True)
        case e.Fault(where=where, message=message):
            return None if again or where.startswith(NOTIFY) else Notice("fault", _line(f"{where}: {message}"))
        case e.SupervisorStopped(reason=reason, failed=failed):
            return Notice("end", f"the loop has {'failed' if failed else 'stopped'}: {_line(reason)}", urgent=failed)
        case _:
            return None


def _line(text: str) -> str:
    return " ".join(text.split())


def plateau(study: Study, most: int) -> Notice | None:
    """That so many experiments have brought nothing since the last gain: told at `most`, at twice, four times that."""
    best = study.best
    if best is None or best.judged_seq is None or most < 1:
        return None
    since = 0
    for number in reversed(study.closed):
        if number == best.id:
            break
        since += not study.experiments[number].imported
    if since < most or since % most or (since // most) & (since // most - 1):
        return None
    return Notice("plateau", f"{since} experiments since the last gain (experiment {best.id}): {_line(best.title)}")
