"""digest: what has happened since a person last looked, as `looptop digest` says it."""

import asyncio

from loop.journal import Journal, JournalError
from loop.machine.looks import Look
from loop.reporting import digest as digests
from loop.study.events import Event
from tui.render.text import Line, Span, one_line, wrap
from tui.screens.sheet import Sheet

_ROLES = {"waits": "waiting", "best": "champion", "kept": "kept", "failed": "crashed", "faults": "bad", "idle": "warn"}
"""Role of a section's title; the others are titles like any other."""


class DigestSheet(Sheet):
    """The digest since a look, read anew whenever the study changes.

    Args:
        since: where it begins.
        lately: what comes before its time, such as "since you last looked, ".
    """

    view = "digest"

    def __init__(self, since: Look, lately: str) -> None:
        super().__init__()
        self.since, self.lately = since, lately
        self._events: list[Event] | None = None
        self._refused = ""

    def on_mount(self) -> None:
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Read what came since, beside the screen: of a week it is a second's work."""
        path, until = self.cockpit.journal.path, self.cockpit.known.study.seq

        def read() -> list[Event]:
            with Journal(path) as journal:
                return journal.read(self.since.seq, until=until, kinds=digests.TOLD)

        try:
            self._events = await asyncio.to_thread(read)
        except JournalError as error:
            self._refused = str(error)
        self.redraw()

    def state(self) -> tuple[object, ...]:
        known = self.cockpit.known
        self._take_new()
        return self._events is None, self._refused, known.version, int(self.cockpit.now() // 60)

    def _take_new(self) -> None:
        """Take in what has come since the sheet was opened."""
        if self._events is None:
            return
        seen = self._events[-1].seq if self._events else self.since.seq
        until = self.cockpit.known.study.seq
        if until > seen:
            self._events += self.cockpit.journal.read(seen, until=until, kinds=digests.TOLD)

    def _told(self) -> digests.Digest:
        return digests.digest(self.cockpit.known.study, self._events or [], self.since.at, self.cockpit.now())

    def heading(self) -> list[Span]:
        words = digests.since_words(self._told())
        return [(" digest", "strong"), (f"   {self.lately}{words}", "dim")]

    def write(self, width: int) -> list[Line]:
        if self._refused:
            return [((one_line(self._refused), "bad"),)]
        if self._events is None:
            return [(("reading the journal", "faint"),)]
        study, told = self.cockpit.known.study, self._told()
        lines: list[Line] = [((one_line(digests.headline(study, told)), "strong"),)]
        for kind, title, rows in digests.sections(study, told):
            lines += [(), ((title, _ROLES.get(kind, "title")),)]
            for row in rows:
                head, gap, rest = row.partition("  ")
                indent = len(head) + len(gap) if gap else 0
                words = one_line(rest) if gap else one_line(row)
                for index, (a, b) in enumerate(wrap(words, max(20, width - 2 - indent))):
                    lead = f"  {one_line(head):<{indent}}" if not index else " " * (2 + indent)
                    lines.append(
                        ((lead, "dim"), (words[a:b], "text")) if gap else (("  ", "text"), (words[a:b], "text"))
                    )
        if told.empty:
            lines += [(), (("nothing has happened since", "faint"),)]
        return lines
