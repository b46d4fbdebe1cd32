"""The past on the same screens: the view state folded up to a moment, and the keys that move that moment.

While a replay is on, nothing is asked of the loop, and the feed of what happens now rests; leaving it reads the journal
again, as attaching does.
"""

import asyncio

from loop.journal import JournalError
from tui.cockpit.shell import Shell
from tui.model.feed import Feed
from tui.model.replay import Place, Replay
from tui.model.view_state import ViewState

_TICK = 0.25
"""Seconds between two steps of a replay that goes on."""

_NEAR = 4000
"""Events that are folded on top of what is shown; for more, and for a step back, the study is folded anew."""


class ReplayActions(Shell, inherit_bindings=False):
    """The actions of a replay."""

    opens_in: tuple[str, int] | None = None
    """The moment at which a replay begins when this screen opens, as a person types it, and its speed; None: now."""
    _shown = Place(0, 0.0)

    def start_feed(self) -> None:
        """Read the journal from its beginning, up to now and on."""
        raise NotImplementedError

    def stop_feed(self) -> None:
        raise NotImplementedError

    def caught_up(self) -> None:
        raise NotImplementedError

    def take(self, changed: set[str]) -> None:
        """Parts of the view state have changed: draw them."""
        raise NotImplementedError

    # --- beginning and ending ------------------------------------------------------------------------------------

    def open_past(self) -> bool:
        """Begin with a replay, where that is what this screen was opened for."""
        if self.opens_in is None:
            return False
        (when, speed), self.opens_in = self.opens_in, None
        self._begin(when, speed, playing=True)
        return True

    def action_replay(self, when: str = "") -> None:
        """Go back in time; or, from there, back to now."""
        if self.replay is not None and not when:
            self._end()
        elif self.replay is not None:
            self._go_to(when)
        elif not self.room_for_time():
            self.say("no room for a time line: that takes 24 columns and 4 lines", "warn")
        elif self.known.share == 1:
            self._begin(when, 60, playing=False)

    def _begin(self, when: str, speed: int, playing: bool) -> None:
        try:
            replay = Replay(self.journal, speed, alive=self._alive(self.root) is not None)
        except JournalError as error:
            self.say(str(error), "bad")
            return
        if not replay.end.seq:
            self.say("nothing has happened yet", "warn")
            return
        self.stop_feed()
        self.replay, self._shown = replay, Place(0, 0.0)
        self._going: asyncio.Task[None] | None = None
        self._live = self.now
        self.now = lambda: self._shown.at
        if playing:
            replay.place = replay.begin
        if when and when != "begin":
            self._go_to(when)
        replay.playing = playing and replay.place.seq < replay.end.seq
        self._ticking = self.set_interval(_TICK, self._play)
        self._aim(replay.place)

    def _end(self) -> None:
        assert self.replay is not None
        self.replay = None
        self._ticking.stop()
        if self._going is not None:
            self._going.cancel()
        self.now = self._live
        self.show(ViewState())
        self.hush()
        self.start_feed()

    # --- moving --------------------------------------------------------------------------------------------------

    def action_verdict(self, direction: int) -> None:
        """To the next verdict, or the one before."""
        if (replay := self._past()) is not None:
            replay.playing = False
            self._aim(replay.verdict(direction))

    def action_wind(self, direction: int) -> None:
        """A twentieth of the whole time on, or back."""
        if (replay := self._past()) is not None:
            self._aim(replay.wound(0.05 * direction))

    def action_speed(self, direction: int) -> None:
        if (replay := self._past()) is not None:
            replay.faster(direction)
            self.bars()

    def play_or_stop(self) -> None:
        """Let the replay go on, or stand still; from its end it begins anew."""
        if (replay := self._past()) is not None:
            if not replay.playing and replay.place.seq >= replay.end.seq:
                self._aim(replay.begin)
            replay.playing = not replay.playing
            self.bars()

    def _past(self) -> Replay | None:
        if self.replay is None:
            self.say(f"{self._key('replay')} goes back in time first")
        return self.replay

    def _key(self, name: str) -> str:
        return next(key.show for key in self.keys if key.id == name)

    def _go_to(self, when: str) -> None:
        assert self.replay is not None
        try:
            place = self.replay.meant(when)
        except ValueError as error:
            self.say(str(error), "warn")
        else:
            self._aim(place)

    def _play(self) -> None:
        """One step of a replay that goes on; none while the last one is still being read."""
        replay = self.replay
        if replay is not None and replay.playing and (self._going is None or self._going.done()):
            self._aim(replay.after(_TICK))

    def _aim(self, place: Place) -> None:
        """Have the screens show a place. The time line is there at once; the screens follow as fast as they can."""
        assert self.replay is not None
        self.hush()
        self.replay.place = place
        self.bottom_bar.redraw()
        if self._going is None or self._going.done():
            self._going = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        try:
            while (replay := self.replay) is not None and self._shown != replay.place:
                await self._fold(replay.place)
        except JournalError as error:
            self.say(str(error), "bad", forever=True)

    async def _fold(self, place: Place) -> None:
        """Fold up to a place and draw it."""
        seq = self.known.study.seq
        if self._shown.seq and seq <= place.seq <= seq + _NEAR:
            changed = self.known.apply(self.journal.read(seq, until=place.seq))
            self.known.study.seq = max(self.known.study.seq, place.seq)
            self._shown = place
            self.look_for_supervisor()
            self.take(changed)
            await asyncio.sleep(0)  # keys that were pressed meanwhile
            return
        known = ViewState()
        async for _ in Feed(self.journal, known).catch_up(place.seq):
            pass
        if self.replay is None:
            return
        self._shown = place
        self.show(known)
        self.caught_up()

    def supervisor_then(self) -> int | None:
        """The supervisor that was at work at the moment on screen."""
        return None if self.replay is None else self.replay.pid(self.known.study, self._shown)

    def look_for_supervisor(self) -> None:
        raise NotImplementedError
