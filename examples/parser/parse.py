"""Reads lines of `key = value` from a stream of bytes and adds the values up by key. The file that researchers edit.

It is correct and slow. What counts is the processor time that `time_it.py` measures; what it must return is checked
there on every run.
"""

from collections.abc import Iterator
from typing import BinaryIO

CHUNK = 24  # bytes read at once
BATCH = 2  # lines decoded at once


def totals(stream: BinaryIO) -> dict[str, int]:
    """The sum of all values of each key. Blank lines and lines that begin with `#` say nothing."""
    found: dict[str, int] = {}
    for line in lines(stream):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key, _, value = line.partition("=")
        key = key.strip()
        found[key] = found.get(key, 0) + int(value)
    return found


def lines(stream: BinaryIO) -> Iterator[str]:
    """The stream's lines as text."""
    rest = b""
    waiting: list[bytes] = []
    while piece := stream.read(CHUNK):
        *whole, rest = (rest + piece).split(b"\n")
        waiting += whole
        while len(waiting) >= BATCH:
            yield from b"\n".join(waiting[:BATCH]).decode().split("\n")
            del waiting[:BATCH]
    yield from b"\n".join([*waiting, rest]).decode().split("\n")
