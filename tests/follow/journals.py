"""A recorded study that is told in parts, and what a tracker has to have of it in the end, counted from the events."""

import math
from collections import Counter
from pathlib import Path

from loop.follow.translation import READ, name_of
from loop.journal import Journal
from loop.study import events as e
from tests.recorded import record


class Parts:
    """A journal that grows: the events of a recorded study, as many as are told."""

    def __init__(self, folder: Path, experiments: int = 4) -> None:
        whole = folder / "whole.db"
        record(whole, experiments=experiments, live=False)
        with Journal(whole) as journal:
            self.events = journal.read()
        self.path = folder / ".looptop" / "journal.db"
        self.path.parent.mkdir()
        self.journal = Journal(self.path, create=True)
        self._told = 0

    def tell(self, share: float) -> None:
        """Go on up to this share of the events."""
        until = round(share * len(self.events))
        part = self.events[self._told : until]
        self.journal.append_all([(x.body, x.experiment, x.run) for x in part], [x.at for x in part])
        self._told = until

    def curves(self) -> Counter[tuple[int, str]]:
        """How many points each curve of each experiment has."""
        found: Counter[tuple[int, str]] = Counter()
        for event in self.events:
            if isinstance(event.body, e.StepSampled) and event.experiment is not None:
                suffix = "" if event.run == 1 else f"/run{event.run}"
                for name, value in event.body.values.items():
                    if math.isfinite(value):
                        found[event.experiment, name_of(name) + suffix] += 1
        return found

    def verdicts(self) -> dict[int, str]:
        """By experiment."""
        return {
            event.experiment: str(event.body.verdict)
            for event in self.events
            if isinstance(event.body, e.ExperimentJudged) and event.experiment is not None
        }

    @property
    def read(self) -> int:
        """How many events a follower reads."""
        return sum(event.kind in READ for event in self.events)
