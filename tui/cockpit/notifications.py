"""What reaches a person who is not looking at the screen: the terminal's title, its bell, a notification (OSC 9).

Pure: text for the terminal. The title says state and best and changes only when they do. Bell and notifications are
off until the settings say `notify = "bell"`, `"desktop"` or `"both"`: a bell nobody asked for, at night, in an open
plan office, is what people remember of a tool.
"""

import os
from collections.abc import Iterable

from loop.machine.channels import Channel
from loop.reporting.table import change
from tui.model.view_state import ViewState
from tui.render.glyphs import Glyphs
from tui.render.text import cut, number, one_line
from tui.widgets.status_line import Life, state_word

PUSH_TITLE, POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"
"""Have the terminal save its title, and restore it."""


def by(ways: Iterable[Channel]) -> str:
    """How a cockpit's terminal announces news: "off", "bell", "desktop" or "both"; the loop sends the rest."""
    here = [way.kind for way in ways if not way.far]
    return "both" if len(here) == 2 else here[0] if here else "off"


def title(state: ViewState, alive: Life, glyphs: Glyphs) -> str:
    """`● running 0.9412 (-2.8%) h100-a`: the state first, because a tab shows the first few letters."""
    sign, word, _ = state_word(state, alive, glyphs)
    if waiting := state.waiting():
        sign = glyphs.state["waiting"]
        word = f"{waiting[0].id} waits" if len(waiting) == 1 else f"{len(waiting)} wait"
    parts = [sign, alive.word if alive.word == "stale" else word]
    if (best := state.figures.best) is not None:
        parts.append(number(best.mean))
        if moved := change(state.study):
            parts.append(f"({moved})")
    return " ".join([*parts, cut(one_line(state.study.tag) or "looptop", 24)])


def title_sequence(text: str) -> str:
    """The sequence that sets the title of a window or tab; empty where the terminal has none."""
    return "" if os.environ.get("TERM") == "linux" else f"\x1b]2;{one_line(text)}\x07"


def news_sequence(text: str, by: str) -> str:
    """The sequence for a bell, a notification or both; tmux passes the latter on where `allow-passthrough` is on."""
    bell = "\x07" if by in ("bell", "both") else ""
    if by not in ("desktop", "both"):
        return bell
    note = f"\x1b]9;looptop: {cut(one_line(text), 120)}\x07"
    if os.environ.get("TMUX"):
        note = "\x1bPtmux;" + note.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return bell + note
