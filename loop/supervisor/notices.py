"""Tells a person who is elsewhere: news from the journal, slots that stay idle, a plateau, a digest at an hour.

It follows the journal like any reader and holds nothing up. Each way to reach a person has a queue and a worker of its
own; what is not taken is tried again with growing pauses (tenacity), and told once as a fault until something gets
through again. What is still waiting when the loop ends is tried once more, for a few seconds.
"""

import asyncio
import datetime
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from loop.config.settings import Settings
from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.machine.channels import Channel, Message, NotTaken, send
from loop.policy import idle, news
from loop.policy.news import NOTIFY, Notice
from loop.reporting import digest as digests
from loop.study import events as e
from loop.workspace import Workspace

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at the journal."""

IDLE = 600.0
"""Seconds after which a slot without a run is news."""

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
"""Seconds before a message is tried again."""

_MOST = 50
"""Messages that wait for one channel; of more, the oldest go."""

_GOODBYE = 5.0
"""Seconds for what still waits when the loop ends."""

_DAY = 86400.0

_WATCHED = frozenset({"champion_changed", "approval_asked", "fault", "recovered", "supervisor_stopped"})

_QUIET = 600.0
"""Seconds in which faults at one place are told once."""

_SLOTS = 30.0
"""Seconds between two looks at the slots; one goes through every run."""


class Notices:
    """Those of one supervisor.

    Args:
        settings: which ways there are, and what is told by them.
    """

    def __init__(self, workspace: Workspace, recorder: Recorder, journal: Journal, settings: Settings) -> None:
        self._workspace, self._recorder, self._journal = workspace, recorder, journal
        self._wanted, self._hour = settings.notify_on, settings.digest_at
        self._plateau = settings.plateau
        self._boxes = [Outbox(one, recorder.record, send) for one in settings.notify if one.far]
        self._seen = journal.last_seq()
        self._idle_told: dict[str, float] = {}
        self._slots_at = 0.0
        self._lasting: set[str] = set()
        """Where troubles are that were told and are not over."""
        self._fault_at: dict[str, float] = {}
        self._due = self._next_digest(time.time())

    async def tell(self) -> None:
        """Tell of what happens, for ever."""
        if not self._boxes:
            await asyncio.Event().wait()
        for box in self._boxes:
            box.open()
        while True:
            self.look(time.time())
            await asyncio.sleep(LOOK)

    async def finish(self) -> None:
        """Tell of the end, and try once more what has not been taken yet."""
        if self._boxes:
            self.look(time.time())
            await asyncio.gather(*(box.close(_GOODBYE) for box in self._boxes))

    def look(self, now: float) -> None:
        """See what there is to tell at `now` (Unix seconds), and put it into the queues."""
        last = self._journal.last_seq()
        for event in self._journal.read(self._seen, until=last, kinds=_WATCHED):
            if (notice := news.of_event(self._recorder.study, event, self._again(event))) is not None:
                self._put(notice)
        judged = self._journal.read(self._seen, until=last, kinds={"experiment_judged"}, limit=1)
        self._seen = last
        if judged and (notice := news.plateau(self._recorder.study, self._plateau)) is not None:
            self._put(notice)
        if now - self._slots_at >= _SLOTS:
            self._slots_at = now
            self._look_at_slots(now)
        if self._due is not None and now >= self._due:
            self._send_digest(now)
            self._due = self._next_digest(now)

    def _again(self, event: e.Event) -> bool:
        """Whether a fault has been told: its trouble lasts, or the last one there was a moment ago."""
        match event.body:
            case e.Recovered(where=where):
                self._lasting.discard(where)
            case e.Fault(where=where, next_at=next_at):
                told = where in self._lasting or event.at - self._fault_at.get(where, -_QUIET) < _QUIET
                if next_at is not None:
                    self._lasting.add(where)
                if not told:
                    self._fault_at[where] = event.at
                return told
            case _:
                pass
        return False

    def _look_at_slots(self, now: float) -> None:
        study = self._recorder.study
        if "idle" not in self._wanted or study.state not in ("running", "baseline") or study.limit is not None:
            return
        for slot in idle.states(study):
            since = slot.since
            if slot.run or since is None or slot.name in study.drained or now - since < IDLE:
                continue
            if self._idle_told.get(slot.name) != since:
                self._idle_told[slot.name] = since
                text = f"{slot.name} has had no run for {(now - since) / 60:.0f} min: {slot.why}"
                self._put(Notice("idle", " ".join(text.split())))

    def _send_digest(self, now: float) -> None:
        study, since = self._recorder.study, now - _DAY
        events = self._journal.read(self._journal.seq_at(since), kinds=digests.TOLD)
        told = digests.digest(study, events, max(since, study.started_at), now)
        lines = digests.text(study, told)
        self._send("digest", lines[0], "\n".join(lines[1:]).strip() or "nothing has happened", urgent=False)

    def _next_digest(self, now: float) -> float | None:
        """When the next digest is due, in Unix seconds; None where none is wanted."""
        if self._hour is None or "digest" not in self._wanted:
            return None
        here = datetime.datetime.fromtimestamp(now)
        due = here.replace(hour=self._hour.hour, minute=self._hour.minute, second=0, microsecond=0)
        return (due if due > here else due + datetime.timedelta(days=1)).timestamp()

    def _put(self, notice: Notice) -> None:
        if notice.kind in self._wanted:
            study = self._recorder.study
            title = f"{study.tag or 'looptop'} ({self._workspace.root.name})"
            text = notice.text
            if notice.kind == "end":
                events = self._journal.read(kinds=digests.TOLD)
                text += f"\n{digests.headline(study, digests.digest(study, events, study.started_at, time.time()))}"
            self._send(notice.kind, title, text, notice.urgent)

    def _send(self, kind: str, title: str, text: str, urgent: bool) -> None:
        for box in self._boxes:
            box.put(Message(kind, title, text, urgent))


class Outbox:
    """What goes out by one channel, in order.

    Args:
        record: makes a fact, as the recorder does.
        post: sends one message once, or raises `NotTaken`.
    """

    def __init__(
        self, channel: Channel, record: Callable[[e.Body], None], post: Callable[[Channel, Message], Awaitable[str]]
    ) -> None:
        self._channel, self._record, self._post = channel, record, post
        self._where = f"{NOTIFY}{channel.name}"
        self._waiting: deque[Message] = deque(maxlen=_MOST)
        self._more = asyncio.Event()
        self._failing = False
        self._worker: asyncio.Task[None] | None = None

    def put(self, message: Message) -> None:
        """Have a message sent; this returns at once."""
        self._waiting.append(message)
        self._more.set()

    def open(self) -> None:
        """Send what comes from now on."""
        self._worker = asyncio.create_task(self._work())

    async def close(self, seconds: float) -> None:
        """Send what still waits, for no longer than `seconds`; what failed before is tried once more."""
        worker, self._worker = self._worker, None
        try:
            async with asyncio.timeout(seconds):
                # A worker may end for a reason that sets no event.
                while (  # noqa: ASYNC110
                    self._waiting and not self._failing and worker is not None and not worker.done()
                ):
                    await asyncio.sleep(0.02)
                if worker is not None:
                    worker.cancel()
                while self._waiting:
                    await self._post(self._channel, self._waiting.popleft())
        except (TimeoutError, NotTaken) as error:
            why = str(error) or f"no answer within {seconds:g} s"
            log.error("a message about the end of the loop was not taken by %s: %s", self._channel.name, why)
        finally:
            if worker is not None:
                worker.cancel()
                await asyncio.gather(worker, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._more.wait()
            while self._waiting:
                message = self._waiting[0]
                await self._deliver(message)
                if self._waiting and self._waiting[0] is message:  # it may have given way to newer ones meanwhile
                    self._waiting.popleft()
            self._more.clear()

    async def _deliver(self, message: Message) -> None:
        """Send one message, however long that takes; one that will never be taken is given up."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, NotTaken) and not error.lasting),
            wait=wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            before_sleep=self._failed,
        )
        try:
            await retrying(self._post, self._channel, message)
        except NotTaken as error:
            self._tell_failure(error, "that message is given up; `looptop notify` tries it once you have mended it")
            return
        if self._failing:
            self._failing = False
            self._record(e.Recovered(where=self._where))

    async def _failed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, NotTaken):
            self._tell_failure(error, "it is tried again with pauses of up to 5 min, and the loop goes on")

    def _tell_failure(self, error: NotTaken, then: str) -> None:
        if not self._failing:
            self._failing = True
            self._record(e.Fault(where=self._where, message=f"{error}; {then}"))
