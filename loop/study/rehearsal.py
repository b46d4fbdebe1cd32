"""What a rehearsal has shown, as an event."""

from typing import Literal

from loop.study.fact import Fact


class Rehearsed(Fact):
    """A short start with the editable files broken on purpose has shown whether a run uses an experiment's own."""

    kind: Literal["rehearsed"] = "rehearsed"
    proof: Literal["proven", "unused", "unproven"]
    """"unused": it came to its metric all the same, so the loop stops."""
    said: str = ""
    """What was seen, in a sentence."""
    files: tuple[str, ...] = ()
    """The editable files that are not used, or of which that is not known."""
    setup: str = ""
    """Digest of what was rehearsed: the command, the files and the environment. Another one is rehearsed anew."""
    seconds: float = 0.0
