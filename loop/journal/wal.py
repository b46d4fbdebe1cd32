"""The size of the WAL, and how often the stream is committed while it grows.

While a reader keeps a transaction open SQLite cannot restart the WAL, and every commit adds all the pages that it
touches: some 20 kB for one word. Nothing may be dropped and nobody else's process ended, so the loop commits less
often: the longer the WAL, the more of the stream goes into one commit.
"""

from pathlib import Path

WAL_USUAL = 16 << 20
"""Bytes up to which a WAL is normal: SQLite restarts it after 4 MB, but not while anybody is reading."""

WAL_STEP = 4 << 20
"""Bytes of further growth after which the flush interval doubles: some 200 flushes."""

MOST_DOUBLINGS = 12
"""0.25 s become 17 minutes: less than 2 MB a day, and still a heartbeat."""


def flush_factor(wal: int) -> int:
    """The factor by which the flush interval is longer with a WAL of `wal` bytes."""
    return 1 << min(MOST_DOUBLINGS, max(0, wal - WAL_USUAL + WAL_STEP - 1) // WAL_STEP)


def wal_size(path: Path) -> int:
    """Bytes of the journal's WAL; 0 where there is none."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:
        return 0
