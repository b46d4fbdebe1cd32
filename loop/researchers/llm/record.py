"""What a language model may look up about earlier experiments: result, change, output, files."""

from collections.abc import Collection, Sequence
from typing import Annotated, Literal

from loop.researchers.briefing.excerpt import fenced
from loop.researchers.briefing.result import outcome
from loop.researchers.llm.tool import ToolError
from loop.researchers.protocol import Briefing
from loop.study.experiment import Experiment
from loop.study.outcomes import NO_NUMBER

RESULT = 16_000
"""Characters of one answer at most, about 5,000 tokens."""

ROWS = 60
"""Experiments listed in one answer."""

Part = Literal["summary", "diff", "log", "file"]
Which = Literal["all", "kept", "discarded", "crashed", "rejected", "open"]


class Record:
    """The experiments of a briefing, and what their archive has of them."""

    def __init__(self, briefing: Briefing) -> None:
        self.briefing = briefing
        self.told = False
        """The conversation began with a table that has all of them whole."""
        self._settled = {x.id for x in briefing.experiments if x.verdict is not None}

    async def list_experiments(
        self,
        which: Annotated[Which, "Only those with this verdict."] = "all",
        before: Annotated[int | None, "Only those with a smaller number, to go further back."] = None,
    ) -> str:
        """List experiments, the newest first: what was changed, what was measured, what became of it."""
        every = [x for x in self._every() if _is(x, which) and (before is None or x.id < before)]
        if self.told:
            since = [x for x in every if x.id not in self._settled]
            told = "is in the table of the briefing; show_experiment tells more of a single one"
            if not since:
                return f"all of it {told}"
            return "\n".join([f"the rest {told}; since then, or open:", *(outcome(x, self.briefing) for x in since)])
        if not every:
            return "there is none"
        newest = every[::-1][:ROWS]
        left = len(every) - len(newest)
        more = f"\n({left} older ones: call again with before={newest[-1].id})" if left else ""
        return "\n".join(outcome(x, self.briefing) for x in newest) + more

    async def show_experiment(
        self,
        number: int,
        part: Annotated[Part, "summary: result and why; diff: its change; log: the end of its output; file: its text."],
    ) -> str:
        """Look at one experiment."""
        found = self.experiment(number)
        archive = self.briefing.archive
        match part:
            case "summary":
                return outcome(found, self.briefing)
            case "diff":
                return fenced(f"diff of experiment {number}", await archive.diff(number), RESULT - 500)
            case "log":
                return fenced(f"output of experiment {number}", await archive.log(number), RESULT // 2)
            case "file":
                edits = await archive.edits(number)
                if not edits:
                    raise ToolError(f"experiment {number} changed no file")
                return "\n\n".join(fenced(path, text, RESULT - 500) for path, text in edits.items())

    def experiment(self, number: int) -> Experiment:
        """The experiment of that number.

        Raises:
            ToolError: there is none.
        """
        every = self._every()
        found = next((x for x in every if x.id == number), None)
        if found is None:
            raise ToolError(f"there is no experiment {number}; they go from 0 to {every[-1].id}")
        return found

    def _every(self) -> Sequence[Experiment]:
        """All experiments by now: the briefing's, and those that have come since."""
        told = self.briefing.experiments
        return [*told, *self.briefing.archive.later(told[-1].id)]

    def titled(self, title: str, mended: Collection[int]) -> Experiment | None:
        """The newest experiment with this title: the idea is the same, even if the champion has changed since.

        Args:
            mended: experiments that may be called like what mends them.
        """
        tried = (x for x in reversed(self._every()) if x.id and x.id not in mended)
        return next((x for x in tried if _plain(x.title) == _plain(title)), None)


def _plain(title: str) -> str:
    """A title without case, spaces and punctuation."""
    return "".join(sign for sign in title.casefold() if sign.isalnum())


def _is(experiment: Experiment, which: Which) -> bool:
    match which:
        case "all":
            return True
        case "open":
            return experiment.verdict is None
        case "crashed":
            return experiment.verdict in NO_NUMBER
        case _:
            return experiment.verdict == which
