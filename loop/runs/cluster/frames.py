"""Messages between the supervisor and its bridge: pickled, each behind its length. Both are our own processes."""

import asyncio
import pickle
import struct
from typing import Any

_LENGTH = struct.Struct("!Q")


def encode(message: object) -> bytes:
    """A message as bytes."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


async def read(stream: asyncio.StreamReader) -> Any:
    """The next message. Raises: `asyncio.IncompleteReadError` where the other side is gone."""
    (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
    return pickle.loads(await stream.readexactly(length))
