"""What a person asks for: each request is an event like any other, on record before anything is done about it.

What each is called, when it may be asked and what it means is the table in `loop/policy/permissions.py`.
"""

from typing import Literal

from loop.study.fact import Fact


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
    | Stopped
)
"""What a person can ask for; a new class joins here."""
