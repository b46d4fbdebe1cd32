"""A node as the supervisor keeps it: opened, listened to, silent, given up, opened again.

It is given up when Ray says that our agent there has ended, or when it has been silent for as long as its lease: by
then the agent has ended its runs, whether or not anybody can see it. Its runs are run again as other attempts; what the
old ones say later is not heard any more.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from loop.errors import UserError
from loop.runs.cluster.run import ClusterRun
from loop.runs.cluster.wire import Batch, Going, Link, LinkDown, NodeGone, NodeInfo, Opened, Opening
from loop.runs.slot import Slot
from loop.words import duration

log = logging.getLogger(__name__)

HOLD_S = 2.0
"""Seconds that the node keeps a question for news; every one of them is a word from us."""

SILENT_S = 10.0
"""Seconds without an answer after which a node is said to be silent."""

AGAIN_S = 0.25
"""Seconds until somebody who could not be asked is asked again."""

MOST_KNOWN = 50
"""Commits that are named when another is packed."""


class ClusterNode:
    """One node of one study.

    Args:
        opening: as it is opened, now and after it was lost.
        tell: hears what is wrong with a node, by its name, and an empty text once that is over.
    """

    def __init__(self, info: NodeInfo, link: Link, opening: Opening, tell: Callable[[str, str], None]) -> None:
        self.info, self.name = info, info.name
        self.slots: tuple[Slot, ...] = ()
        """With the numbers that they have in the study."""
        self.known: list[str] = []
        """Commits that it has, the newest last."""
        self.storing = asyncio.Lock()
        self._link, self._opening, self._tell = link, opening, tell
        self.going: tuple[Going, ...] = ()
        """Runs that an earlier supervisor has left there and nobody has taken over yet."""
        self._runs: dict[str, ClusterRun] = {}
        self._session = self._attempts = 0
        self._pump: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._over.set()
        self._heard_at = 0.0
        self._told = ""
        self._unfit = False
        """Somebody was told why it gets no runs."""

    @property
    def working(self) -> bool:
        """Whether runs can start there."""
        return not self._over.is_set()

    @property
    def silent(self) -> bool:
        return time.monotonic() - self._heard_at >= self._silent_after

    @property
    def _silent_after(self) -> float:
        """Seconds; fewer where the lease is short."""
        return min(SILENT_S, self._opening.lease / 6)

    async def open(self, code: str) -> Opened:
        """Have an agent of this very looptop there. Raises: UserError, with a sentence."""
        opened = await self._link.open(self.info, self._opening)
        if opened.code != code:  # it was started by a supervisor of before
            await self._link.release(self.info)
            opened = await self._link.open(self.info, self._opening)
        if opened.code != code:
            raise UserError(f"its looptop is {opened.code}, and {code} here")
        self._session, self.going = opened.session, opened.going
        return opened

    async def end_going(self) -> tuple[Going, ...]:
        """End the runs there that are not to be taken over; which they were. Raises: UserError, as `open`."""
        going, self.going = self.going, ()
        if going:
            await self._link.call(self.info, "adopt", ())
        return going

    async def adopt(self, tokens: Sequence[str]) -> None:
        """Have these runs go on, and all others of an earlier supervisor ended. Raises: UserError, as `ask`."""
        self.going = ()
        await self.ask("adopt", tuple(tokens))

    def begin(self, info: NodeInfo) -> None:
        """Listen to it: it was opened just now."""
        self.info, self.known = info, []
        self._heard_at = time.monotonic()
        self._over.clear()
        self._unfit = False
        self._pump = asyncio.create_task(self._listen())

    async def end(self) -> None:
        """End all that is there, and our agent."""
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
        if not self.working:
            return
        try:
            async with asyncio.timeout(SILENT_S):
                await self._link.call(self.info, "end")
                await self._link.release(self.info)
        except (UserError, TimeoutError):
            pass  # its lease ends it

    def token(self, name: str) -> str:
        """A name for another attempt at a run."""
        self._attempts += 1
        return f"{name}/{self._session}-{self._attempts}"

    def follow(self, run: ClusterRun) -> None:
        """Hand on to `run` what is heard of it."""
        self._runs[run.token] = run

    def forget(self, run: ClusterRun) -> None:
        self._runs.pop(run.token, None)

    async def ask(self, method: str, *arguments: object) -> object:
        """Ask the agent, again where the way there is cut for a while.

        Raises:
            NodeGone: the node is given up.
            UserError: what the agent says against it.
        """
        while self.working:
            asked = asyncio.ensure_future(self._link.call(self.info, method, *arguments))
            over = asyncio.ensure_future(self._over.wait())
            try:
                await asyncio.wait([asked, over], return_when=asyncio.FIRST_COMPLETED)
                if asked.done():
                    return asked.result()
            except LinkDown:
                await asyncio.sleep(AGAIN_S)
            finally:
                over.cancel()
                asked.cancel()
        raise NodeGone(f"{self.name} is gone")

    def remember(self, commits: Sequence[str]) -> None:
        """It has these commits now."""
        self.known = [*(one for one in self.known if one not in commits), *commits][-MOST_KNOWN:]

    # --- listening ---------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Take what the node says, until it is lost."""
        watch = asyncio.create_task(self._watch())
        hear = asyncio.create_task(self._hear())
        try:
            await asyncio.wait([watch, hear], return_when=asyncio.FIRST_COMPLETED)
            why = (hear if hear.done() else watch).result()
        except UserError as error:
            why = f"{self.name}: {error}"
        except Exception as error:  # whatever it was, nobody must wait for a node that nobody listens to
            log.exception("listening to %s failed", self.name)
            why = f"listening to {self.name} failed ({type(error).__name__}: {error})"
        finally:
            watch.cancel()
            hear.cancel()
        self._lose(why)

    async def _hear(self) -> str:
        after, warned = 0, False
        while True:
            try:
                batch = await self._link.call(self.info, "poll", after, min(HOLD_S, self._opening.lease / 4))
            except LinkDown as error:
                if not warned:
                    log.warning("%s cannot be asked: %s", self.name, error)
                warned = True
                await asyncio.sleep(AGAIN_S)
                continue
            except NodeGone:
                return f"{self.name} has gone"
            assert isinstance(batch, Batch)
            after, warned = batch.last, False
            self._heard_at = time.monotonic()
            for event in batch.events:
                if (run := self._runs.get(event.token)) is not None:
                    run.take(event)

    async def _watch(self) -> str:
        """Tell of its silence; returns when that has lasted for the lease."""
        while (silence := time.monotonic() - self._heard_at) < self._opening.lease:
            left = duration(self._opening.lease)
            if silence >= self._silent_after:
                quiet = duration(self._silent_after)
                self._say(f"{self.name} has been silent for {quiet}; after {left} its runs are run again")
            else:
                self._say("")
            await asyncio.sleep(min(1.0, self._opening.lease / 10))
        return f"{self.name} has not answered for {duration(self._opening.lease)}"

    def _lose(self, why: str) -> None:
        self._over.set()
        self._say(f"{why}; its runs are run again, and it is looked for until it is back")
        runs, self._runs = self._runs, {}
        for run in runs.values():
            run.lose(why)

    def unfit(self, why: str) -> None:
        """Tell, once, why no runs go there although it is back."""
        if not self._unfit:
            self._unfit = True
            self._say(f"{self.name} is back and gets no runs: {why}")

    def back(self) -> None:
        """Tell that it is there again."""
        self._say("")

    def _say(self, what: str) -> None:
        if what != self._told:
            self._told = what
            self._tell(self.name, what)
