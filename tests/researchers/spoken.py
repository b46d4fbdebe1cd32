"""The loop's side of a researcher, for tests without a loop: keeps what it is told, and answers from plain data."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from loop.researchers.protocol import Work
from loop.study.events import Spent
from loop.study.experiment import Experiment


@dataclass
class Spoken:
    """A sink that keeps what it is told."""

    thoughts: list[str] = field(default_factory=list)
    tools: list[tuple[str, str]] = field(default_factory=list)
    """Intent and result of each."""
    notes: list[str] = field(default_factory=list)
    lessons: dict[int, str] = field(default_factory=dict)
    ideas: list[str] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)
    troubles: list[tuple[str, float | None]] = field(default_factory=list)
    recoveries: int = 0
    words: list[str] = field(default_factory=list)
    """What is said next; a test appends to it."""
    claims: list[str] = field(default_factory=list)
    near: str = ""
    """What is answered to a claim."""
    others: tuple[str, ...] = ()
    """What others are thinking about."""
    limit: str | None = None
    """Why nothing more may be paid for, once a test says so."""

    def think(self, text: str, thinking: bool = False) -> None:
        self.thoughts.append(text)

    def tool(self, intent: str, result: str, seconds: float) -> None:
        self.tools.append((intent, result))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def lesson(self, experiment: int, text: str) -> None:
        self.lessons[experiment] = text

    def idea(self, text: str) -> None:
        self.ideas.append(text)

    def rewrite(self, text: str) -> None:
        self.notes = [text]

    def claim(self, title: str) -> str:
        self.claims.append(title)
        return self.near

    def claimed(self) -> Sequence[str]:
        return self.others

    def messages(self) -> Sequence[str]:
        heard, self.words = self.words, []
        return heard

    def spend(self, spent: Spent) -> None:
        self.spent.append(spent)

    def last_call(self) -> str | None:
        return self.limit

    def trouble(self, message: str, wait: float | None = None) -> None:
        self.troubles.append((message, wait))

    def recovered(self) -> None:
        self.recoveries += 1

    async def until(self, text: str) -> None:
        """Wait until `text` has been said."""
        while text not in self.said:  # noqa: ASYNC110 - plain data has nobody who could say that it changed
            await asyncio.sleep(0.01)

    @property
    def said(self) -> str:
        """The whole stream of reasoning."""
        return "".join(self.thoughts)


@dataclass
class Shelf:
    """An archive of plain data."""

    files: dict[str, str] = field(default_factory=dict)
    changes: dict[int, dict[str, str]] = field(default_factory=dict)
    """Edits of each experiment."""
    diffs: dict[int, str] = field(default_factory=dict)
    logs: dict[int, str] = field(default_factory=dict)
    refuse: Callable[[Mapping[str, str]], str | None] = lambda edits: None
    reigns: tuple[Experiment, Mapping[str, str]] | None = None
    """The champion and its files, where a test has changed them since the briefing."""

    since: Sequence[Experiment] = ()
    """Experiments that have come since the briefing."""

    def later(self, number: int) -> Sequence[Experiment]:
        return self.since

    async def champion(self) -> tuple[Experiment, Mapping[str, str]]:
        assert self.reigns is not None, "the briefing says who is champion"
        return self.reigns

    async def paths(self) -> Sequence[str]:
        return sorted(self.files)

    async def read(self, path: str) -> str | None:
        return self.files.get(path)

    async def edits(self, experiment: int) -> Mapping[str, str]:
        return self.changes.get(experiment, {})

    async def diff(self, experiment: int) -> str:
        return self.diffs.get(experiment, "it is not a commit, so there is no diff")

    async def log(self, experiment: int) -> str:
        return self.logs.get(experiment, "it has not run")

    async def refusal(self, edits: Mapping[str, str]) -> str | None:
        return self.refuse(edits)


class Closed:
    """A workshop for researchers that need none."""

    async def work(self, command: str, text: str, deadline: float, heard: Callable[[bytes], None]) -> Work:
        raise AssertionError("nothing works here")
