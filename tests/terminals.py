"""A real terminal for tests: tmux, with a server of its own. What people type goes in, what they see comes out."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

ROOT = Path(__file__).parents[1]
PATIENCE = 20.0
"""Seconds after which something that did not happen never will, also on a busy machine."""


class Tmux:
    """One tmux server with one window that runs a shell, of our own and gone after the test."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.socket = folder / "t"
        self.environ = {
            **{k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR", "COLORTERM")},
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PS1": "$ ",
            **environ,
        }

    def __call__(self, *words: str) -> str:
        command = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *words]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=True, timeout=20).stdout

    def start(self, width: int, height: int, term: str = "") -> None:
        self("new-session", "-d", "-x", str(width), "-y", str(height), "sh")
        self("set", "-g", "window-size", "manual")
        if term:
            self("set", "-g", "default-terminal", term)

    def type(self, *keys: str) -> None:
        self("send-keys", *keys)

    def line(self, text: str) -> None:
        self("send-keys", "-l", text)
        self("send-keys", "Enter")

    def screen(self) -> str:
        return self("capture-pane", "-p")

    def wait(self, what: str | Callable[[str], bool]) -> str:
        """Until the screen shows something."""
        shows = what if callable(what) else lambda text: what in text
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            text = self.screen()
            if shows(text):
                return text
            time.sleep(0.05)
        raise AssertionError(f"never shown: {what!r}\n{text}")

    def flags(self) -> str:
        """Alternate screen, mouse reports and cursor, as tmux sees them."""
        return self("display-message", "-p", "#{alternate_on}#{mouse_any_flag}#{cursor_flag}").strip()

    def close(self) -> None:
        """End the server and all that runs in it, as when a terminal is closed."""
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], capture_output=True, check=False)

    def resize(self, width: int, height: int) -> None:
        self("resize-window", "-x", str(width), "-y", str(height))


def gone(process: psutil.Process) -> bool:
    try:
        process.wait(PATIENCE)
    except psutil.TimeoutExpired:
        return False
    return True


def whole(tmux: Tmux) -> bool:
    """The terminal is as a shell wants it: main screen, cursor, no mouse, echo and line editing on."""
    tmux.type("C-u")
    tmux.line("stty -a | tr ';' '\\n' | tr ' ' '\\n' | grep -c -x -e icanon -e echo -e icrnl; echo whole=$?")
    text = tmux.wait("whole=0")
    return tmux.flags() == "001" and "\n3\n" in text
