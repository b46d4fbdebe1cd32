"""Who proposes: the promise between the supervisor and any researcher.

A researcher is given a briefing and a sink, thinks aloud into the sink, and hands over one proposal. It sees no
journal, no git, no slot and no judge: what it cannot do by construction needs no rule in a prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loop.contract import Contract
from loop.study import Experiment


@dataclass(frozen=True)
class Proposal:
    """One change to try."""

    title: str
    hypothesis: str
    edits: Mapping[str, str]
    """New full text of each changed file, by its path from the root."""
    expected: str = ""
    notes: Mapping[str, object] = field(default_factory=dict)
    """The researcher's own bookkeeping (JSON values), given back to it in `Experiment.notes`."""


@dataclass(frozen=True)
class Briefing:
    """What a researcher knows when it is asked for a proposal."""

    contract: Contract
    program: str
    """Instructions of `program.md` in plain words."""
    champion: Experiment
    files: Mapping[str, str]
    """The champion's editable files, by path."""
    experiments: Sequence[Experiment]
    """All experiments so far in order, the baseline first, open ones included."""
    noise: float | None
    """Standard deviation of one run's metric; None while it is not known."""
    notebook: Sequence[str]
    words: Sequence[str]
    """What the person said since the last proposal."""
    next_id: int
    """Number the proposal will get."""


class Sink(Protocol):
    """Where a researcher's reasoning goes as it thinks. Never blocks, never fails."""

    def think(self, text: str) -> None:
        """Append a piece of reasoning to the stream; pieces join without a separator."""

    def tool(self, intent: str, result: str, seconds: float) -> None:
        """Say that a tool was used: what for, what came of it, how long it took."""

    def note(self, text: str) -> None:
        """Write into the notebook what was learnt."""


class NothingLeft(Exception):
    """The researcher has nothing to propose; the message says why, in a sentence."""


class Researcher(Protocol):
    """Proposes experiments, one at a time."""

    name: str
    about: str
    """What it is, in one line."""
    ahead: int
    """Proposals it may have waiting while all slots are busy. 0: it wants every result first."""

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        """Think, then hand over a proposal.

        Cancelled when the person interrupts or the loop stops. Any exception is a fault of the researcher: the
        supervisor tells it and asks again later.

        Raises:
            NothingLeft: it has nothing to propose.
        """
        ...
