"""The follower: reads a journal from its beginning, goes on as it grows, and sends what the tracker has not yet."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from loop.follow.tracker import Details, Tracker, TrackerTrouble
from loop.follow.translation import READ, Translation, Update, identity
from loop.journal import Journal
from loop.lineage import Lineage, LineageError
from loop.researchers.automl.sites import tunable

T = TypeVar("T")

BATCH = 2000
"""Events that are read and sent together."""

PAUSES = (1.0, 60.0)
"""Seconds until a tracker that fails is asked again, first and at most; they double."""


class Follower:
    """Follows the study at `root` into a tracker.

    Args:
        say: tells a person what goes on, a sentence each.
        sleep: waits so many seconds.
    """

    def __init__(
        self, root: Path, tracker: Tracker, say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._root, self._tracker, self._say, self._sleep = root, tracker, say, sleep
        self._translation = Translation()
        self._known: Mapping[int, int] | None = None
        self._seq = 0

    def catch_up(self, journal: Journal) -> int:
        """Send everything that the journal has by now; returns how many events were read.

        Raises:
            JournalError: it cannot be read.
        """
        count = 0
        while events := journal.read(self._seq, kinds=READ, limit=BATCH):
            updates: dict[int, Update] = {}
            for event in events:
                found = self._translation.take(event)
                known = self._begun()
                for update in found:
                    if update.seq <= known.get(update.key, 0):
                        continue  # the tracker has it from an earlier follower
                    if update.key in updates:
                        updates[update.key].join(update)
                    else:
                        updates[update.key] = update
            self._send(list(updates.values()))
            self._seq = events[-1].seq
            count += len(events)
        return count

    def follow(self, journal: Journal, every: float) -> None:
        """Go on for ever, with a look every so many seconds."""
        while True:
            self.catch_up(journal)
            self._sleep(every)

    # --- inside ------------------------------------------------------------------------------------------------

    def _begun(self) -> Mapping[int, int]:
        """How far the tracker has come with each experiment; asked once, as soon as there is a study."""
        study = self._translation.study
        if self._known is None and study.tag:
            self._known = self._again(lambda: self._tracker.begin(identity(study), study.tag))
        return self._known or {}

    def _send(self, updates: list[Update]) -> None:
        if updates:
            details = Details(self._constants, self._diff)
            self._again(lambda: self._tracker.send(updates, details))

    def _again(self, ask: Callable[[], T]) -> T:
        """Ask until the tracker answers; a person is told once for each trouble."""
        told: list[str] = []

        def failed(state: RetryCallState) -> None:
            why = "" if state.outcome is None else str(state.outcome.exception())
            if why not in told:
                told.append(why)
                self._say(f"{why}; it is tried again until it works")

        found = Retrying(
            retry=retry_if_exception_type(TrackerTrouble),
            wait=wait_exponential(multiplier=PAUSES[0], max=PAUSES[1]),
            after=failed,
            sleep=self._sleep,
        )(ask)
        if told:
            self._say("it works again")
        return found

    def _constants(self, number: int) -> Mapping[str, str]:
        x, contract = self._translation.study.experiments[number], self._translation.study.contract
        if not x.commit:
            return {}
        try:
            lineage = Lineage(self._root, self._translation.study.tag)
            files = lineage.commits.files([x.commit], contract.edit)[x.commit]
        except LineageError:
            return {}
        return {site.name: str(site.constant.value) for site in tunable(files, contract.run)}

    def _diff(self, number: int) -> str:
        between = self._translation.study.experiments[number].between()
        try:
            return "" if between is None else Lineage(self._root, self._translation.study.tag).commits.diff(*between)
        except LineageError:
            return ""
