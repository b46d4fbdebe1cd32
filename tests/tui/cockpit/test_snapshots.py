"""Screens as they are, kept in `snapshots/`: text, and beside it how each cell looks, at three sizes and five themes.

A change that is meant is taken over with `LOOPTOP_SNAPSHOTS=write python -m pytest
tests/tui/cockpit/test_snapshots.py`, and looked at in the diff. The clock is the recording's, so nothing here
depends on the day.
"""

import os
from pathlib import Path

import pytest

from tests.recorded import record
from tests.tui.cockpit.cockpits import opened
from tui.cockpit.app import Cockpit

FOLDER = Path(__file__).parent / "snapshots"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

SCREENS = {
    "80x24-dark-mind": ((80, 24), "dark", False, "mind", ()),
    "80x24-ansi-experiments": ((80, 24), "ansi", False, "experiments", ()),
    "80x24-mono-progress": ((80, 24), "mono", False, "progress", ()),
    "80x24-ascii-machine": ((80, 24), "mono", True, "machine", ()),
    "120x36-light": ((120, 36), "light", False, "mind", ()),
    "120x36-ansi-kill": ((120, 36), "ansi", False, "experiments", ("x",)),
    "200x50-dark": ((200, 50), "dark", False, "mind", ()),
    "200x50-ascii": ((200, 50), "mono", True, "experiments", ()),
    "120x36-contrast-experiments": ((120, 36), "contrast", False, "experiments", ("z",)),
}


def snapshot(app: Cockpit) -> str:
    """The screen as text, then a letter for the style of each cell, then what the letters mean."""
    styles: dict[str, str] = {}
    texts, looks = [], []
    for strip in app.screen._compositor.render_strips():
        texts.append(strip.text.rstrip())
        look = ""
        for segment in strip:
            style = str(segment.style) if segment.style else "none"
            letter = styles.setdefault(style, LETTERS[len(styles) % len(LETTERS)])
            look += (letter if segment.text.strip() else "." if "on" not in style else letter) * segment.cell_length
        looks.append(look.rstrip("."))
    legend = [f"{letter} = {style}" for style, letter in styles.items()]
    return "\n".join([*texts, "-" * 20, *looks, "-" * 20, *legend]) + "\n"


@pytest.mark.parametrize("name", SCREENS)
async def test_the_screen_is_as_it_was(tmp_path: Path, utc: None, name: str) -> None:
    size, theme, plain, view, keys = SCREENS[name]
    record(tmp_path / ".looptop" / "journal.db", experiments=30, gpus=8 if "machine" in name else 1)
    async with opened(tmp_path, size, theme=theme, ascii_only=plain, view=view) as (app, pilot):
        await pilot.press(*keys)
        await pilot.pause(0.1)
        found = snapshot(app)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("LOOPTOP_SNAPSHOTS") == "write":
        FOLDER.mkdir(exist_ok=True)
        path.write_text(found)
    assert found == path.read_text(), f"{name} looks different; see the docstring above for taking it over"
