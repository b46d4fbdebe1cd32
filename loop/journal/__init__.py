"""The journal: one SQLite file that holds every event of a study, in order, for ever.

- `append` is the one way to make a fact. A batch is one transaction: all of it is there, or nothing.
- Nothing updates or deletes a row: no code here can, and triggers in the file itself refuse it to any other program.
- Any number of processes read while one or more append; a reader never blocks a writer (WAL), and one that never ends
  makes the WAL grow by a stated rule only (`readers`).
- On a remote file system WAL's shared memory does not work, so there it is a rollback journal (`place`).
- Whatever is wrong with the file is one sentence (`faults`), and where it can still be looked at it is (`opening`).

Stream kinds (thoughts, step samples, gauges) survive the death of any process; everything else is also on the
disk itself, through a power cut, before `append` returns.
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
