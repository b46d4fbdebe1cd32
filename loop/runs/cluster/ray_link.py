"""The way to the nodes of a Ray cluster, over a bridge that is started again whenever it has ended."""

import asyncio
import importlib.util
import itertools
import logging
import sys
import time
from collections.abc import Sequence
from typing import Any, cast

from loop.errors import UserError
from loop.runs.cluster import frames
from loop.runs.cluster.wire import NOTHING, Facts, LinkDown, Needs, NodeGone, NodeInfo, Opened, Opening

log = logging.getLogger(__name__)

LONGEST_CONNECTING = 60.0
"""Seconds for Ray to connect; it takes three."""

LONGEST_LISTING = 20.0
"""Seconds for Ray to say which nodes there are; it takes milliseconds."""

INSTALL = "this looptop has no Ray; install it with `pip install 'looptop[ray]'`"


class RayLink:
    """See `Link`.

    Args:
        address: as Ray has it: `auto` or HOST:PORT.
        factory: what makes an agent on a node, as `module:function`.
        study: see `Opening`.
        log_file: descriptor to which Ray's own words go.
    """

    def __init__(self, address: str, factory: str, study: str, log_file: int | None = None) -> None:
        if importlib.util.find_spec("ray") is None:
            raise UserError(INSTALL)
        self._address, self._factory, self._study, self._log = address, factory, study, log_file
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._sessions: dict[str, int] = {}
        self._heard_at = 0.0
        self._connecting = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Have a bridge that is connected. Raises: LinkDown."""
        async with self._connecting:
            if self._process is not None and self._process.returncode is None and self._reader is not None:
                return
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "loop.runs.cluster.bridge",
                self._address,
                self._factory,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=self._log if self._log is not None else asyncio.subprocess.DEVNULL,
                start_new_session=True,
                limit=1 << 30,
            )
            assert process.stdout is not None
            try:
                _, kind, said = await asyncio.wait_for(frames.read(process.stdout), LONGEST_CONNECTING)
            except (TimeoutError, asyncio.IncompleteReadError):
                kind, said = "down", f"Ray at {self._address} does not answer"
            except BaseException:  # who has asked waits no longer, and a bridge that nobody knows would stay for ever
                process.kill()
                raise
            if kind != "ok":
                await _end(process)
                raise LinkDown(said)
            self._process = process
            self._reader = asyncio.create_task(self._read(process.stdout))

    async def nodes(self) -> Sequence[NodeInfo]:
        await self.connect()  # which has a longer patience of its own
        try:
            return cast(Sequence[NodeInfo], await asyncio.wait_for(self._ask("nodes"), LONGEST_LISTING))
        except TimeoutError:
            if self._process is not None and self._process.returncode is None and self._mute:
                self._process.kill()  # its Ray waits for a cluster that is gone; another one may find it again
            raise LinkDown(f"Ray at {self._address} does not answer") from None

    async def examine(self, node: NodeInfo, needs: Needs = NOTHING) -> Facts:
        return cast(Facts, await self._ask("examine", node, needs))

    async def open(self, node: NodeInfo, opening: Opening) -> Opened:
        opened = cast(Opened, await self._ask("open", node, opening))
        self._sessions[node.id] = opened.session
        return opened

    async def call(self, node: NodeInfo, method: str, *arguments: object) -> object:
        session = self._sessions.get(node.id, 0)
        return await self._ask("call", node, self._study, session, method, *arguments)

    async def release(self, node: NodeInfo) -> None:
        await self._ask("release", node, self._study)

    async def close(self) -> None:
        if self._process is not None:
            await _end(self._process)
        if self._reader is not None:
            await self._reader

    @property
    def _mute(self) -> bool:
        """Nothing comes over the bridge. Without its head Ray lists no nodes, but what nodes say still arrives."""
        return time.monotonic() - self._heard_at >= LONGEST_LISTING

    async def _ask(self, method: str, *arguments: object) -> object:
        await self.connect()
        assert self._process is not None and self._process.stdin is not None
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._process.stdin.write(frames.encode((number, method, arguments)))
            await self._process.stdin.drain()
        except OSError:
            self._waiting.pop(number, None)
            raise LinkDown("the way to the cluster was cut") from None
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        """Hand on answers until the bridge ends; then everybody who waits hears of it."""
        try:
            while True:
                number, kind, value = await frames.read(stream)
                self._heard_at = time.monotonic()
                future = self._waiting.get(number)
                if future is None or future.done():
                    continue
                if kind == "ok":
                    future.set_result(value)
                else:
                    future.set_exception(_KINDS.get(kind, UserError)(value))
        except asyncio.IncompleteReadError:
            pass
        self._reader = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(LinkDown("the way to the cluster was cut"))


_KINDS: dict[str, type[UserError]] = {"gone": NodeGone, "away": LinkDown, "down": LinkDown}


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
        await process.wait()
