"""What crosses between the supervisor and a node. Plain data; both ends are the same looptop, which is looked at first.

Times are seconds of the node's monotonic clock, so that a node whose clock is wrong measures as well as any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from loop.errors import UserError
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study.slot_plan import DEFAULT, SlotPlan


class NodeGone(UserError):
    """The node, or our agent on it, has ended."""


class LinkDown(UserError):
    """The way to all nodes is closed; it is opened again."""


@dataclass(frozen=True)
class NodeInfo:
    """A node as the cluster lists it."""

    id: str
    """Another one whenever the node is started anew."""
    name: str
    host: str
    cpus: float = 0.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Facts:
    """What a machine says of itself, found out with the standard library alone."""

    python: str
    executable: str
    looptop: str
    """Version and digest of the code; empty: it is not installed there."""
    ray: str
    clock: float
    """Unix seconds."""
    disk_free: int
    """Bytes, where our folder is or would be."""
    folder: str
    bubblewrap: str
    """Its path; empty where there is none."""
    git: str
    torch: str
    driver: str
    """Version of the GPU driver; empty where there is none."""
    processor: str
    """Its name."""
    lacking: tuple[str, ...]
    """Those paths that are not there, of the ones that were asked for."""
    runs_in: str
    """The Python that `python` is in runs: the one asked for, or the node's own where that is not there."""
    modules_lacking: tuple[str, ...]
    """Those modules that it does not have, of the ones that were asked for."""
    study: str
    """Which study has the node now; empty where none has."""
    token: bool
    """Whether the node's Ray admits nobody without the token."""


@dataclass(frozen=True)
class Needs:
    """What a program needs on every node, as it is at home."""

    paths: tuple[str, ...] = ()
    """Data that it reads."""
    python: str = ""
    """The Python of the project's own environment; empty where it has none."""
    modules: tuple[str, ...] = ()
    """What it imports that is neither Python's nor its own."""


NOTHING = Needs()


@dataclass(frozen=True)
class Opening:
    """What a node is told before its first run."""

    study: str
    """Names the study among those that use the node."""
    base: str
    """The study's first commit."""
    prefix: str
    """The project's folder in its repository."""
    top: Path
    """The checkout on the supervisor's machine. What is at that place here too, such as on a shared disk, is used."""
    outside: tuple[str, ...] = ()
    """What runs read that git does not have: paths relative to the project's folder."""
    sandbox: str = "bubblewrap"
    """What confines the runs: "bubblewrap" or "off"."""
    plan: SlotPlan = DEFAULT
    corpus: str = ""
    """Name of the text that the study is measured with, by its content; empty: it is not ours."""
    lease: float = 60.0
    """Seconds without a word from the supervisor after which the node ends its runs."""


@dataclass(frozen=True)
class Going:
    """A run that an earlier supervisor has left on a node, and that waits to be taken over."""

    token: str
    job: Job
    slots: tuple[int, ...]
    """Numbers of its slots there, and of how many of their GPUs it has where there are several."""
    gpus: int
    seconds: float
    """Since it was started."""
    ended: RunResult | None = None
    """None while it goes on."""


@dataclass(frozen=True)
class Opened:
    """What a node answers."""

    session: int
    """Counts the supervisors that have opened the agent; words for an earlier one are refused."""
    code: str
    """As `Facts.looptop`, of the agent that is at work."""
    slots: tuple[Slot, ...]
    notes: tuple[str, ...]
    going: tuple[Going, ...] = ()
    """Runs of an earlier session. Nothing is said of them until they are adopted."""


@dataclass(frozen=True)
class Heard:
    """A piece of a run's output."""

    token: str
    offset: int
    """Bytes of its output before this piece."""
    data: bytes
    at: float


@dataclass(frozen=True)
class Holds:
    """What a run holds, in bytes."""

    token: str
    memory: int
    gpu_memory: int | None


@dataclass(frozen=True)
class Ended:
    """A run has ended, and no process of it is left."""

    token: str
    result: RunResult | None
    """None: what it left could not be looked at, for `fault`."""
    fault: str = ""
    left: int = 0
    """Bytes of the archive of what it wrote into its folder; 0 where that is nothing."""
    heard: int = 0
    """Bytes of its whole output."""


Event = Heard | Holds | Ended


@dataclass(frozen=True)
class Batch:
    """Events in order."""

    last: int
    """Number of the last of them, to ask for what comes after it."""
    events: Sequence[Event] = field(default=())


class Link(Protocol):
    """The way to the nodes. Every call raises `LinkDown` where there is none."""

    async def nodes(self) -> Sequence[NodeInfo]:
        """Those that are alive."""
        ...

    async def examine(self, node: NodeInfo, needs: Needs = NOTHING) -> Facts:
        """Look at a node before anything of ours is on it, and whether these paths are there.

        Raises: UserError with a sentence."""
        ...

    async def open(self, node: NodeInfo, opening: Opening) -> Opened:
        """Start our agent there, or find the one that is there. Raises: UserError with a sentence, `NodeGone`."""
        ...

    async def call(self, node: NodeInfo, method: str, *arguments: object) -> object:
        """Have the agent do something. Raises: what the agent raised, as a UserError; `NodeGone`."""
        ...

    async def release(self, node: NodeInfo) -> None:
        """End our agent there, and with it all that it runs."""

    async def close(self) -> None:
        """Let go of all nodes."""
