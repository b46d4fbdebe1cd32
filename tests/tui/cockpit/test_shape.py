"""The shape of the screen in a real terminal: one cockpit on eight runs and four researchers, at each size.

One server and one study for all of it; every step begins at the views, and resizes the terminal where it has to.
"""

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loop.workspace import supervise
from tests.crowded import crowd
from tests.recorded import record
from tests.terminals import Tmux, needs_tmux
from tests.tui.cockpit.test_terminal import PROGRAM

pytestmark = needs_tmux

WIDE, MIDDLING, USUAL, SMALL, LEAST = (200, 50), (120, 36), (80, 24), (50, 10), (40, 4)


@dataclass(frozen=True)
class Step:
    """Keys, and what has to be on the screen after them."""

    name: str
    keys: tuple[str, ...]
    shows: dict[tuple[int, int], tuple[str, ...]]
    back: tuple[str, ...] = ()
    gone: str = "esc back"
    """What is not on the screen any more after `back`: an escape and a key in one go would be another key."""


STEPS = (
    Step(
        "two lines that answer",
        ("1",),
        {
            WIDE: ("6 running · verifying · 2 thinking", "exp 13 ✓2 ✗8 !3", "±0.0011 (-1.3%, 11.4σ, 1 run)",
                   "last gain", "2 wait for you (20 and 21; oldest", "GPU 6 idle: waits for", "$3.42", "stale"),
            MIDDLING: ("6 running", "exp 13", "(-1.3%, 11.4σ, 1 run)", "$3.42", "⚑ 2 wait", "GPU 6 idle"),
            USUAL: ("6 running", "exp 13", "best 0.98", "⚑ 2 wait", "GPU 6 idle", "llm-b waits", "stale"),
            SMALL: ("6 running", "exp 13", "best 0.98", "⚑ 2 wait", "stale"),
            LEAST: ("6 running", "best 0.98", "⚑ 2 wait", "stale", "? help"),
        },
    ),
    Step(
        "runs",
        ("1",),
        {
            WIDE: ("GPU run", "vs champ.", "°C", "3:15/5:00", "verify ", "σ ▲", "σ ▼", "idle: waits for", "champion"),
            MIDDLING: ("GPU run", "vs champ.", " 65%", "verify ", "σ ▲", "idle"),
            USUAL: ("GPU run", "vs champ.", " 65%", "verify ", "─ 2 researchers ─", "─ 6 mind ─"),
            SMALL: ("GPU run", " 65%", "verify ", "more, j and k"),
        },
    ),
    Step(
        "researchers",
        ("2",),
        dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("llm-a   thinks about 22", "llm-b   waits", "heard by llm-a")),
    ),
    Step(
        "experiments: the cursor's detail follows, or is a key away",
        ("3", "j", "j", "j", "j"),
        {
            WIDE: ("verdict", "effect", "val_bpb", "7 detail", "17 rotary base", "by ada"),
            MIDDLING: ("verdict", "effect", "val_bpb", "17 verifying"),
            USUAL: ("verdict", "effect", "age", "17 verifying"),
            SMALL: ("verdict", "effect", "17 verifying"),
        },
        ("g",),
    ),
    Step("detail", ("7",), dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("why     ", "so far  "))),
    Step("a filter is asked for", ("3", "/"), dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("filter ▸",))),
    Step(
        "experiments: the language of filters",
        (*"is:kept", "Space", *"effect>5", "Enter"),
        dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("is:kept effec", "Squared ReLU")),
        ("Escape",),
        "is:kept",
    ),
    Step("curves", ("5",), dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("┅ champion 12", "└┬"))),
    Step(
        "progress",
        ("4",),
        {
            WIDE: ("kept 2 of 13  expected false", "! 3 without number", "-1.3% (11.4σ) over baseline"),
            MIDDLING: ("kept 2 of 13  expected false", "-1.3% (11.4σ) over baseline"),
            USUAL: ("kept 2 of 13  expected false", "! 3 without number", "-1.3% (11.4σ)"),
            SMALL: ("! 3 without number", "-1.3% (11.4σ)"),
        },
    ),
    Step(
        "digest",
        ("d",),
        dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("digest   of the whole study", "+13 experiments", "bold 0")),
        ("Escape",),
    ),
    Step(
        "replay",
        ("T",),
        dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("replay  ‖ 60x", "✓━", "live")),
        ("T", "1"),
    ),
    Step(
        "mind",
        ("6",),
        dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("▸ Edit train.py  →  +12 -3", "leave the tokenizer alone")),
    ),
    Step(
        "studies",
        ("L",),
        dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("studies   of this machine", "0.98", "⚑ 2", "here")),
        ("Escape",),
    ),
    Step(
        "compare",
        ("3", "j", "="),
        dict.fromkeys((WIDE, MIDDLING, USUAL, SMALL), ("compare 12 ", "val_bpb")),
        ("Escape",),
    ),
)  # fmt: skip


@pytest.fixture
def cockpit(tmp_path: Path) -> Iterator[Tmux]:
    folder = tmp_path
    path = folder / "many" / ".looptop" / "journal.db"
    crowd(path, record(path, experiments=12, gpus=8))
    tmux = Tmux(folder, XDG_STATE_HOME=str(folder / "state"), HOME=str(folder))
    with supervise(folder / "many"):
        tmux.start(*WIDE)
        tmux.line(shlex.join([sys.executable, "-P", "-c", PROGRAM, str(folder / "many")]))
        tmux.wait("vs champ.")
        yield tmux
        tmux.close()


def test_each_part_of_the_shape_at_each_size(cockpit: Tmux) -> None:
    for size in (WIDE, MIDDLING, USUAL, SMALL, LEAST):
        cockpit.resize(*size)
        cockpit.wait(lambda text: "q detach" in text)
        for step in STEPS:
            if size in step.shows:
                take(cockpit, step, size)


def take(cockpit: Tmux, step: Step, size: tuple[int, int]) -> None:
    """Press the keys of a step, see what it is for, and come back to the views."""
    cockpit.type(*step.keys)
    text = cockpit.wait(lambda text: all(word in text for word in step.shows[size]))
    assert all(len(line) <= size[0] for line in text.splitlines()), (step.name, size)
    if step.back:
        cockpit.type(*step.back)
    cockpit.wait(lambda text: step.gone not in text)
