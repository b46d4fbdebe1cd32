"""What a person asks for: each request is an event like any other, on record before anything is done about it.

What each is called, when it may be asked and what it means is the table in `loop/policy/permissions.py`.
"""

import re
from typing import Literal

from pydantic import Field

from loop.study.fact import Fact

_ADDRESS = re.compile(r"\s*@([A-Za-z0-9][A-Za-z0-9._-]*)[,:]?(?:\s+|$)")


class Request(Fact):
    """Asked by a person through any screen or script."""

    who: str = ""


class Paused(Request):
    """Start no run after the current one."""

    kind: Literal["paused"] = "paused"


class Resumed(Request):
    kind: Literal["resumed"] = "resumed"


class Steered(Request):
    """Words for the researchers."""

    kind: Literal["steered"] = "steered"
    text: str
    interrupt: bool = False
    to: str = ""
    """The researcher that they are for; empty: each of them hears them once."""


def addressed(text: str) -> tuple[str, str]:
    """Whom words are for, and the words: `@llm-2 try a wider head`. The name is empty where they are for everybody."""
    found = _ADDRESS.match(text)
    return (found[1], text[found.end() :].strip()) if found else ("", text.strip())


class Pinned(Request):
    """Guidance that stands in every briefing until it is taken back."""

    kind: Literal["pinned"] = "pinned"
    text: str


class Unpinned(Request):
    kind: Literal["unpinned"] = "unpinned"
    pin: int | None = None
    """Number of the pin; None takes all of them back."""


class Submitted(Request):
    """A person's own experiment: it passes the same guards, runs and judge as any other."""

    kind: Literal["submitted"] = "submitted"
    title: str
    hypothesis: str = ""
    parent: int
    """Experiment that the edits were made on."""
    edits: dict[str, str]
    """New full text of each changed file, by path."""


class Approved(Request):
    kind: Literal["approved"] = "approved"


class Rejected(Request):
    kind: Literal["rejected"] = "rejected"
    why: str = ""


class Killed(Request):
    """End the current run of the experiment in the envelope."""

    kind: Literal["killed"] = "killed"


class Overruled(Request):
    kind: Literal["overruled"] = "overruled"
    verdict: Literal["kept", "discarded"]
    why: str = ""


class Requeued(Request):
    kind: Literal["requeued"] = "requeued"


class Branched(Request):
    """Go on from the experiment in the envelope, which was kept: it is the champion again."""

    kind: Literal["branched"] = "branched"


class Noted(Request):
    """A person's note on the experiment in the envelope, in place of the one before; an empty text takes it back."""

    kind: Literal["noted"] = "noted"
    text: str


class Drained(Request):
    """Start no run in a slot after the one that it has, until it is taken back."""

    kind: Literal["drained"] = "drained"
    slot: str
    """Its name."""


class Undrained(Request):
    """Use a slot again, also one that is out of work by itself and would be looked at later."""

    kind: Literal["undrained"] = "undrained"
    slot: str


class Validated(Request):
    """Measure the total gain anew: champion and baseline side by side, with fresh seeds."""

    kind: Literal["validated"] = "validated"
    runs: int = Field(default=5, ge=0, le=50)
    """Of each of the two; 0 ends the validation that is under way."""
    only: bool = False
    """Do nothing else meanwhile, and stop then."""


class Ablated(Request):
    """Measure what each kept change is worth in the champion today."""

    kind: Literal["ablated"] = "ablated"
    runs: int | None = Field(default=None, ge=2, le=400)
    """At most so many; None: as many as the changes need."""
    end: bool = False
    """End the ablation that is under way; what has run counts."""
    only: bool = False
    """Do nothing else meanwhile, and stop then."""


class Promoted(Request):
    """The experiment in the envelope climbs the ladder; or does not until it is asked for again."""

    kind: Literal["promoted"] = "promoted"
    to: str = ""
    """The rung up to which it goes on as long as it is better; empty: the next one."""
    then: Literal["climb", "hold", "forbid"] = "climb"
    """Climb; start no further run of it; or end the climb under way, and never begin one by itself."""
    only: bool = False
    """Do nothing else meanwhile, and stop then."""


class Without(Request):
    """Propose today's champion without the change of the experiment in the envelope, which was kept."""

    kind: Literal["without"] = "without"


class Stopped(Request):
    kind: Literal["stopped"] = "stopped"
    now: bool = False
    """False: after the current run."""


AnyRequest = (
    Paused
    | Resumed
    | Steered
    | Pinned
    | Unpinned
    | Submitted
    | Approved
    | Rejected
    | Killed
    | Overruled
    | Requeued
    | Branched
    | Noted
    | Drained
    | Undrained
    | Validated
    | Ablated
    | Without
    | Promoted
    | Stopped
)
"""What a person can ask for; a new class joins here."""
