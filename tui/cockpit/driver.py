"""How the cockpit ends: a signal leaves a restored terminal, and the process ends when its terminal is closed.

Textual by itself leaves the alternate screen on after SIGTERM, and spins at 100% for ever once its terminal is closed
while SIGHUP is ignored (`nohup`, some SSH servers). Mouse motion is never asked for: to report every move costs
20-30% of a core while the mouse moves.
"""

import os
import select
import signal
import termios
import threading
from types import FrameType

from textual.drivers.linux_driver import LinuxDriver

from tui.cockpit.notifications import POP_TITLE, PUSH_TITLE

_PATIENCE = 2.0
"""Seconds that an orderly end may take: a write to a stalled terminal never returns."""

_RESTORE = b"\x1b[23;2t\x1b[?1000l\x1b[?1002l\x1b[?1006l\x1b[?2004l\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
"""Title as it was, mouse and bracketed paste off, line wrap on, keyboard as it was, main screen, cursor, no reports."""


class CockpitDriver(LinuxDriver):
    """Textual's Linux driver, which restores the terminal and ends on every signal and hangup."""

    _watched = False

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        for number in (signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._told_to_end)
        self.write(PUSH_TITLE)
        if not self._watched:  # again after a pager
            self._watched = True
            threading.Thread(target=self._watch_terminal, name="looptop-hangup", daemon=True).start()

    def stop_application_mode(self) -> None:
        self.write(POP_TITLE)
        super().stop_application_mode()

    def _told_to_end(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; it arrives even while the event loop waits for a stalled terminal."""
        self._end(128 + number)

    def _watch_terminal(self) -> None:
        """Sleep until the terminal hangs up; asking for no event means waking for nothing else."""
        poll = select.poll()
        poll.register(self.fileno, 0)
        if poll.poll():
            self._end(128 + signal.SIGHUP)

    def _end(self, code: int) -> None:
        """End in order, or after `_PATIENCE` in any case."""
        hurry = threading.Timer(_PATIENCE, self._end_now, (code,))
        hurry.daemon = True
        hurry.start()
        loop = self._loop
        if not loop.is_closed():
            loop.call_soon_threadsafe(lambda: self._app.exit(return_code=code))

    def _end_now(self, code: int) -> None:
        """Exit without the event loop, after restoring what the terminal will take."""
        try:
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            out = self._file.fileno() if self._file is not None else 1
            os.set_blocking(out, False)
            os.write(out, _RESTORE)
        except (OSError, termios.error, ValueError):
            pass  # gone, or still stalled: nobody sees it
        os._exit(code)

    # --- the mouse ---------------------------------------------------------------------------------------------

    def _enable_mouse_support(self) -> None:
        """Clicks, drags and the wheel (1000, 1002, in SGR form 1006); not every move (1003)."""
        if self._mouse:
            self.write("\x1b[?1000h\x1b[?1002h\x1b[?1006h")
            self.flush()

    def _disable_mouse_support(self) -> None:
        if self._mouse:
            self.write("\x1b[?1000l\x1b[?1002l\x1b[?1006l")
            self.flush()

    def _enable_mouse_pixels(self) -> None:
        """Never: cells are all we need, and in pixels every small move is an event."""

    def switch_mouse(self, on: bool) -> None:
        """Take the mouse, or leave it to the terminal, which selects text with it."""
        self._disable_mouse_support()
        self._mouse = on
        self._enable_mouse_support()
