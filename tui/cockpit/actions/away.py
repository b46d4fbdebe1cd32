"""What a person who was away is shown: the digest, by its key and when they come back; and the studies elsewhere.

What it is made from is imported when somebody asks: it brings the judge and all, which the first paint does without.
"""

from typing import TYPE_CHECKING

from loop.machine.looks import Look
from loop.reporting.moments import moment
from loop.workspace import who
from tui.cockpit.presence import Presence
from tui.cockpit.shell import Shell
from tui.render.text import one_line
from tui.screens.sheet import SheetScreen

if TYPE_CHECKING:
    from loop.reporting.digest import Digest

_SOON = 20_000
"""Events that are read while the screen waits, in about 20 ms."""


class AwayActions(Shell, inherit_bindings=False):
    """The digest's actions, and who looked when."""

    _presence: Presence | None = None

    def present(self) -> Presence:
        """Whether a person is there; who watches somebody else's loop leaves nothing behind."""
        if self._presence is None:
            self._presence = Presence(None if self.guest else self.root / ".looptop", who(), self.now())
        return self._presence

    def arrived(self) -> None:
        """The past has been read and a person has attached: after a longer absence the digest lies over the views."""
        if self.present().there(self.known.study.seq, self.now()):
            told = self._lately()
            if told is None or not told.empty:
                self.action_digest()

    def pressed(self) -> None:
        """A key was pressed: somebody is there, and is told in a line where they were not for a while."""
        if self.known.share == 1 and self.present().there(self.known.study.seq, self.now()):
            from loop.reporting import digest as digests

            told = self._lately()
            if told is None:
                self.say("much has happened since your last key: d tells")
            elif not told.empty:
                line = f"since {digests.since_words(told)}: {digests.headline(self.known.study, told)} (d tells)"
                self.say(one_line(line))

    def left(self) -> None:
        """The person has detached."""
        self.present().note()

    def _since(self) -> Look:
        study = self.known.study
        return self.present().since or Look(0, study.started_at or self.now())

    def _lately(self) -> "Digest | None":
        """What has happened since the last visit; None where that would take long to read."""
        from loop.reporting import digest as digests

        since, study = self._since(), self.known.study
        if study.seq - since.seq > _SOON:
            return None
        events = self.journal.read(since.seq, until=study.seq, kinds=digests.TOLD)
        return digests.digest(study, events, since.at, self.now())

    def action_studies(self) -> None:
        """Open the list of this machine's studies."""
        from tui.screens.studies import StudiesSheet

        if not isinstance(self.sheet, StudiesSheet):
            self.hush()
            self.push_screen(SheetScreen(StudiesSheet()))

    def action_digest(self, since: str = "") -> None:
        """Open the digest.

        Args:
            since: a moment as a person types it; empty: their last look.
        """
        from tui.screens.digest import DigestSheet

        look, lately = self._since(), "since you last looked, "
        if self.present().since is None:
            lately = "of the whole study, since "
        if since:
            try:
                at = moment(since, self.now())
            except ValueError as error:
                self.say(str(error), "warn")
                return
            look, lately = Look(self.journal.seq_at(at), at), "since "
        if not isinstance(self.sheet, DigestSheet):
            self.hush()
            self.push_screen(SheetScreen(DigestSheet(look, lately)))
