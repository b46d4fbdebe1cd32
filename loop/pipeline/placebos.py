"""Placebos: the champion itself among the candidates, sealed until its verdict. What and when says `policy/placebos`.

The secret is a file that only its owner may read. Where it is lost, what was sealed stays sealed: a placebo that is
kept then is a champion like the one before it, and no harm.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from loop.journal.recorder import Recorder
from loop.pipeline.disguise import disguised
from loop.pipeline.judging import Judging
from loop.pipeline.own import propose
from loop.pipeline.proposals import Proposals
from loop.policy import bundles, placebos
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.state import Study

BYTES = 32


class Seals:
    """The secret of one study, by which its placebos are told from its ideas.

    Args:
        path: where it is kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._secret = b""

    @property
    def secret(self) -> bytes:
        """The secret; made where there is none."""
        if not self._secret:
            try:
                self._secret = self._path.read_bytes()
            except FileNotFoundError:
                pass
            if len(self._secret) != BYTES:
                self._secret = secrets.token_bytes(BYTES)
                self._write()
        return self._secret

    def _write(self) -> None:
        half = self._path.with_name(f"{self._path.name}.new")
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(self._secret)
        half.replace(self._path)

    def of(self, number: int, placebo: bool = False) -> str:
        """The seal of a proposal."""
        return placebos.seal(placebos.nonce(self.secret, number), number, placebo)

    def is_placebo(self, experiment: Experiment) -> bool:
        return placebos.is_placebo(self.secret, experiment.id, experiment.seal)

    def opened(
        self, experiment: Experiment, judged: e.ExperimentJudged
    ) -> tuple[e.ExperimentJudged, e.PlaceboOpened] | None:
        """A placebo's verdict as it goes on record, with its open seal; None for any other experiment.

        Whatever the judge says of it, it is no champion: that is what the champion is already.
        """
        if not self.is_placebo(experiment):
            return None
        kept = judged.verdict == Outcome.KEPT if judged.by == "judge" and judged.verdict.has_number else None
        said = f"the judge {'kept' if kept else 'discarded'} it: " if kept is not None else ""
        body = e.PlaceboOpened(
            nonce=placebos.nonce(self.secret, experiment.id), kept=kept, confidence=judged.confidence
        )
        reason = (
            f"a placebo, the champion itself with one constant moved by about a ten thousandth; {said}{judged.reason}"
        )
        verdict = Outcome.DISCARDED if judged.verdict == Outcome.KEPT else judged.verdict
        return judged.model_copy(update={"verdict": verdict, "reason": reason}), body


class Placebos:
    """Proposes one study's placebos.

    Args:
        next_number: the number of the next experiment.
        slots: places where runs can happen.
    """

    def __init__(
        self,
        recorder: Recorder,
        proposals: Proposals,
        judging: Judging,
        seals: Seals,
        next_number: Callable[[], int],
        slots: int,
    ) -> None:
        self._recorder, self._proposals, self._judging = recorder, proposals, judging
        self._seals, self._next_number, self._slots = seals, next_number, slots
        self._looked: object = None
        self._owed = False

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def follow(self) -> None:
        """Propose a placebo whenever one is owed. Never returns."""
        while True:
            await self._recorder.until(self._is_owed)
            self._owed = False
            await self._propose()

    def _is_owed(self) -> bool:
        study = self._study
        if self._looked != (now := (len(study.experiments), study.champion, study.contract.placebos)):
            self._looked, self._owed = now, placebos.is_owed(study, self._seals.secret)
        return self._owed and bundles.has_queue(study, self._slots)

    async def _propose(self) -> None:
        study, number = self._study, self._next_number()
        assert study.champion is not None
        found = disguised(study, self._proposals.champion_files(), lambda what: self._drawn(number, what))
        if found is None:
            return
        who, proposal, parent = found.researcher, found.proposal, study.champion
        if self._proposals.repeated(parent, proposal.edits) is not None:
            return
        if found.said:
            self._recorder.record(e.ThoughtBegan(researcher=who, champion=parent), number)
            for piece in found.said:
                self._recorder.stream(e.Thought(researcher=who, text=piece), number)
        await propose(self._recorder, self._proposals, self._judging, number, parent, proposal, who, placebo=True)

    def _drawn(self, number: int, what: int) -> float:
        return placebos.draw(self._seals.secret, -(number * 10 + what))
