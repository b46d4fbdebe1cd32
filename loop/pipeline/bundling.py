"""Bundling: near wins are made on today's champion together, and go the way of every proposal.

Which and when says `policy/bundles`; here their changes are brought together line by line. One whose lines a champion
or another part has changed is left out.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.pipeline.judging import Judging
from loop.pipeline.own import propose
from loop.pipeline.proposals import Proposals
from loop.policy import bundles, line_merge
from loop.policy.bundles import NearWin
from loop.policy.comparison import figure
from loop.researchers.protocol import Proposal
from loop.sanitize import one_line
from loop.study.state import Study
from loop.words import listed

Texts = Mapping[str, str]


class Bundling:
    """Proposes one study's bundles.

    Args:
        next_number: the number of the next experiment.
        slots: places where runs can happen.
    """

    def __init__(
        self,
        recorder: Recorder,
        proposals: Proposals,
        judging: Judging,
        lineage: Lineage,
        next_number: Callable[[], int],
        slots: int,
    ) -> None:
        self._recorder, self._proposals, self._judging = recorder, proposals, judging
        self._lineage, self._next_number, self._slots = lineage, next_number, slots
        self._found: tuple[object, list[NearWin]] = (None, [])
        self._looked: object = None
        self._making = False

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def follow(self) -> None:
        """Propose a bundle whenever one is due. Never returns."""
        while True:
            await self._recorder.until(self._is_due)
            self._looked, self._making = self._state(), True
            try:
                await self._propose()
            finally:
                self._making = False
                self._recorder.wake()

    @property
    def busy(self) -> bool:
        """Whether a bundle is about to be proposed."""
        return self._making or self._is_due()

    def _state(self) -> object:
        """What the near wins follow from: they are looked for once after every verdict."""
        return len(self._study.closed), self._study.champion, self._study.contract

    def _is_due(self) -> bool:
        if self._looked == self._state() or not bundles.has_room(self._study, self._slots):
            return False
        if self._found[0] != self._state():
            self._found = self._state(), bundles.near_wins(self._study)
        return bundles.is_due(self._study, self._found[1])

    async def _propose(self) -> None:
        best = self._study.best
        assert best is not None
        texts = self._proposals.champion_files()
        parts, edits = await asyncio.to_thread(self._together, texts, self._found[1])
        if self._study.best is not best or not bundles.is_worth_it(self._study, parts):
            return
        if self._proposals.repeated(best.id, edits) is not None:
            return
        number = self._next_number()
        idea, ids = self._worded(parts, edits), [x.id for x in parts]
        await propose(self._recorder, self._proposals, self._judging, number, best.id, idea, bundles.NAME, parts=ids)

    def _together(self, texts: Texts, found: Sequence[NearWin]) -> tuple[list[NearWin], dict[str, str]]:
        """As many near wins as go together on these texts, and the files that they change. Blocks."""
        parts: list[NearWin] = []
        edits: dict[str, str] = {}
        for one in found:
            if len(parts) == bundles.MOST:
                break
            x = self._study.experiments[one.id]
            assert x.commit and x.parent_commit
            both = self._lineage.commits.files([x.parent_commit, x.commit], self._study.contract.edit)
            # What is there already adds nothing, and is left out, too.
            if merged := line_merge.moved({**texts, **edits}, both[x.parent_commit], both[x.commit]):
                parts.append(one)
                edits |= merged
        return parts, edits

    def _worded(self, parts: Sequence[NearWin], edits: Mapping[str, str]) -> Proposal:
        study = self._study
        lines = [
            f"- experiment {one.id} ({one_line(study.experiments[one.id].title, 80)}): measured better by "
            f"{figure(study.experiments[one.id].effect or 0.0, 2)}, likely worth {figure(one.gain, 2)}"
            for one in parts
        ]
        numbers = listed([str(number) for number in sorted(one.id for one in parts)])
        return Proposal(
            title=f"near wins together: {numbers}",
            hypothesis="Each of these measured better than its champion, and too little better to be kept alone:\n"
            + "\n".join(lines),
            edits=edits,
            expected=f"better by {figure(sum(one.gain for one in parts), 2)} together",
        )
