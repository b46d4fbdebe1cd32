"""Who waits for something, since when and for how long, and what happened to the clock, in words. Pure."""

import time

from loop.study.events import ClockMoved
from loop.study.supervision import Trouble
from tui.render.text import brief, cut, one_line


def trouble_words(name: str, trouble: Trouble, now: float, room: int = 60) -> str:
    """`llm waits since 02:11, next in 40 s`; in less room `llm waits, next in 40 s` or `llm waits 40 s`."""
    name = cut(one_line(name), 20)
    left = 0.0 if trouble.next_at is None else max(0.0, trouble.next_at - now)
    wait = f"{left:.0f} s" if left < 120 else f"{left / 60:.0f} min"
    following = f"next in {wait}" if left >= 1 else "trying again"
    since = time.strftime("%H:%M", time.localtime(trouble.since))
    for words in (f"{name} waits since {since}, {following}", f"{name} waits, {following}"):
        if len(words) <= room:
            return words
    return f"{name} waits {wait}"


def clock_words(moved: ClockMoved) -> str:
    """`the clock was set ahead by 24h00m`, `the machine was suspended for 8h12m`, or both."""
    said = [f"the machine was suspended for {brief(moved.slept)}"] if moved.slept >= 1 else []
    if abs(moved.set_by) >= 1:
        said.append(f"the clock was set {'ahead' if moved.set_by > 0 else 'back'} by {brief(abs(moved.set_by))}")
    return " and ".join(said)
