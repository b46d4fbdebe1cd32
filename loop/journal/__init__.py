"""The journal: one SQLite file that holds every event of a study, in order, for ever.

- `append` is the one way to make a fact. A batch is one transaction: all of it is there, or nothing.
- Nothing updates or deletes a row: no code here can, and triggers in the file itself refuse it to any other program.
- Any number of processes read while one or more append; a reader never blocks a writer (WAL), and one that never ends
  makes the WAL grow by a stated rule only (`wal`).
- On a remote file system WAL's shared memory does not work, so there it is a rollback journal (`filesystem`).
- Whatever is wrong with the file is one sentence (`errors`), and if it can still be read it is (`connect`).

Stream kinds (thoughts, step samples, gauges) survive the death of any process; everything else is fsynced before
`append` returns, and survives a power cut.
"""

from loop.journal.connect import exists
from loop.journal.errors import JournalBusy, JournalDamaged, JournalError, JournalFull
from loop.journal.journal import FOLLOW_INTERVAL, Journal
from loop.journal.schema import VERSION

__all__ = [
    "FOLLOW_INTERVAL",
    "VERSION",
    "Journal",
    "JournalBusy",
    "JournalDamaged",
    "JournalError",
    "JournalFull",
    "exists",
]
