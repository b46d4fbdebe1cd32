"""How a cockpit asks the loop for something: a request is put on record, where this screen may ask at all."""

from loop.journal import JournalError
from loop.study import events as e
from tui.cockpit.shell import Shell

READ_ONLY = "this cockpit only watches (--read-only); `looptop attach` without it can steer"
PAST = "this is the past, of which nothing can be asked; {} goes back to now"
GUEST = "somebody else's loop is only watched; `looptop adopt` goes on from it"


class AskingLoop(Shell, inherit_bindings=False):
    """Puts requests into the journal."""

    def request(
        self, body: e.Body, said: str, experiment: int | None = None, run: int | None = None, *, lasting: bool = False
    ) -> None:
        """Append a request to the journal, and say so.

        Args:
            lasting: to be on record is all of it, whether or not the loop runs.
        """
        if not self.may():
            return
        try:
            self.journal.append(body, experiment, run)
        except JournalError as error:
            self.say(str(error), "bad")
            return
        self.say(
            said
            if lasting or self.pid is not None
            else f"{said} (the loop is not running: it takes effect when it runs again)"
        )

    def may(self) -> bool:
        """Whether this cockpit may ask for anything; says so where it may not."""
        if self.replay is not None:
            self.say(PAST.format(next(key.show for key in self.keys if key.id == "replay")), "warn")
            return False
        if self.read_only:
            self.say(GUEST if self.guest else READ_ONLY, "warn")
        return not self.read_only
