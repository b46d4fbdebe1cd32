"""The screen as an SVG document: readable in every theme, and nothing in it comes from elsewhere."""

import re

import pytest
from rich.segment import Segment
from rich.style import Style

from tui.render.palette import PALETTES
from tui.render.screenshot import svg

ROWS = [[Segment("│ best "), Segment("0.9412", Style(bold=True))], [Segment("<&> 猫 ⣿")], []]


def drawn(theme: str) -> str:
    return svg(ROWS, 20, PALETTES[theme], "h100-a")


@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
def test_the_ground_is_the_theme_s(theme: str) -> None:
    frame = re.search(r'<rect fill="(#[0-9a-f]{6})" stroke', drawn(theme))
    assert frame is not None and frame[1] == PALETTES[theme].background


@pytest.mark.parametrize("theme", PALETTES)
def test_it_fetches_nothing_and_is_the_same_each_time(theme: str) -> None:
    text = drawn(theme)
    assert "@font-face" not in text
    assert {found for found in re.findall(r"https?://[^\s\"')]+", text) if "w3.org" not in found} <= {
        "https://www.textualize.io"
    }, "rich names itself in a comment"
    assert drawn(theme) == text


def test_every_sign_is_in_it_and_none_of_them_is_markup() -> None:
    text = drawn("dark").replace("&#160;", " ")
    assert "│ best " in text and "0.9412" in text and "&lt;&amp;&gt; 猫 ⣿" in text and "h100-a" in text
