"""Copies text to where a person can paste it, and says which way it went.

In tmux that is tmux's own buffer and the clipboard of the terminal around it; else OSC 52, of which terminals take up
to about 75 kB; else a file. Never a clipboard program: on a server that would fill the server's clipboard.
"""

import base64
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

LARGEST = 75_000
"""Bytes of text that OSC 52 is trusted with; as base64 that is the 100 kB many terminals stop at."""


def osc52(text: str) -> str | None:
    """The sequence that puts `text` into the terminal's clipboard; None where it is too long for that."""
    data = text.encode("utf-8", "replace")
    return None if len(data) > LARGEST else f"\x1b]52;c;{base64.b64encode(data).decode()}\x07"


def copy(text: str, write: Callable[[str], None], folder: Path) -> str:
    """Copy `text`; returns the sentence that says how.

    Args:
        write: sends a sequence to the terminal.
        folder: where a file is put when nothing else takes it.

    Raises:
        OSError: not even the file could be written.
    """
    lines = text.count("\n") + 1
    what = f"{lines} lines" if lines > 1 else f"“{text}”" if len(text) <= 48 else f"{len(text)} characters"
    if os.environ.get("TMUX") and _tmux(text):
        return f"copied {what} to tmux (prefix ] pastes) and the terminal's clipboard"
    sequence = osc52(text)
    if sequence is not None and not os.environ.get("TMUX"):
        write(sequence)
        return f"sent {what} to the terminal's clipboard (OSC 52)"
    path = folder / "copied.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="replace")
    return f"too long for the clipboard: {what} are in {path}"


def _tmux(text: str) -> bool:
    command = ["tmux", "load-buffer", "-w", "-"]
    try:
        done = subprocess.run(
            command, input=text.encode("utf-8", "replace"), capture_output=True, timeout=3, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
