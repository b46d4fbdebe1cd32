"""Pictures of the cockpit, by the cockpit: `python -m tui.cockpit.picture WORKSPACE OUT.svg --size 200x50 --view tree`.

Writes SVG, and PNG where cairosvg is installed. Every cell is placed, and box lines, blocks and braille dots are
drawn as shapes, so a picture looks the same wherever it is shown, whatever fonts are there.
"""

import argparse
import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tui.render import colour_support

if TYPE_CHECKING:
    from rich.segment import Segment
    from rich.style import Style

    from tui.cockpit.app import Cockpit

_WIDE, _HIGH = 8.4, 17.0
"""Pixels of one cell."""

_LINES = {  # arms of box-drawing characters: left, right, up, down
    "─": "lr", "│": "ud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu", "├": "rud", "┤": "lud", "┬": "lrd",
    "┴": "lru", "┼": "lrud", "└": "ru", "┘": "lu", "┌": "rd", "┐": "ld",
}  # fmt: skip
_BLOCKS = "▁▂▃▄▅▆▇█"


def _colour(style: "Style | None", ground: str, ink: str) -> tuple[str, str]:
    from rich.color import ColorType
    from rich.terminal_theme import DIMMED_MONOKAI

    def hexed(value: object, default: str) -> str:
        if value is None or value.type == ColorType.DEFAULT:  # type: ignore[attr-defined]
            return default
        return value.get_truecolor(DIMMED_MONOKAI).hex  # type: ignore[attr-defined, no-any-return]

    if style is None:
        return ink, ground
    fore, back = hexed(style.color, ink), hexed(style.bgcolor, ground)
    return (back, fore) if style.reverse else (fore, back)


def _shape(char: str, x: float, y: float, ink: str) -> str | None:
    """A character drawn as a shape, where it is one that fonts disagree about."""
    if "\u2800" <= char <= "\u28ff":
        bits = ord(char) - 0x2800
        dots = []
        for bit, (column, row) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
            if bits >> bit & 1:
                cx, cy = x + _WIDE * (0.25 + 0.5 * column), y + _HIGH * (0.125 + 0.25 * row)
                dots.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="1.35"/>')
        return f'<g fill="{ink}">{"".join(dots)}</g>'
    cx, cy = x + _WIDE / 2, y + _HIGH / 2
    if char in _LINES:
        ends = {"l": (x, cy), "r": (x + _WIDE, cy), "u": (cx, y), "d": (cx, y + _HIGH)}
        path = "".join(f"M{cx:.1f} {cy:.1f}L{ends[arm][0]:.1f} {ends[arm][1]:.1f}" for arm in _LINES[char])
        return f'<path d="{path}" stroke="{ink}" stroke-width="1.1" stroke-linecap="square"/>'
    if char in _BLOCKS:
        high = _HIGH * (_BLOCKS.index(char) + 1) / 8
        return (
            f'<rect x="{x:.1f}" y="{y + _HIGH - high:.1f}" width="{_WIDE - 1:.1f}" height="{high:.1f}" fill="{ink}"/>'
        )
    if char in "━╸":
        wide = _WIDE if char == "━" else _WIDE / 2
        return f'<rect x="{x:.1f}" y="{cy - 2:.1f}" width="{wide:.1f}" height="4" fill="{ink}"/>'
    return None


def svg(rows: Iterable[Iterable["Segment"]], size: tuple[int, int], ground: str, ink: str) -> str:
    """The screen as an SVG document."""
    from rich.cells import get_character_cell_size

    columns, lines = size
    width, height = columns * _WIDE + 16, lines * _HIGH + 16
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">'
        f'<rect width="100%" height="100%" rx="8" fill="{ground}"/>'
        "<g font-family=\"'DejaVu Sans Mono','Menlo','Consolas',monospace\" font-size=\"13.2px\" fill=\"none\" "
        'transform="translate(8 8)" xml:space="preserve">'
    ]
    for index, row in enumerate(rows):
        x, y = 0.0, index * _HIGH
        for segment in row:
            fore, back = _colour(segment.style, ground, ink)
            wide = sum(map(get_character_cell_size, segment.text)) * _WIDE
            if back != ground:
                out.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide + 0.3:.1f}" height="{_HIGH + 0.3:.1f}" fill="{back}"/>'
                )
            weight = ' font-weight="bold"' if segment.style and segment.style.bold else ""
            opacity = ' opacity="0.6"' if segment.style and segment.style.dim else ""
            for char in segment.text:
                if char != " ":
                    drawn = _shape(char, x, y, fore)
                    text = f'<text x="{x:.1f}" y="{y + 12.8:.1f}" fill="{fore}"{weight}{opacity}>{escape(char)}</text>'
                    out.append(drawn or text)
                x += get_character_cell_size(char) * _WIDE
    return "\n".join([*out, "</g></svg>"])


def screen_svg(app: "Cockpit") -> str:
    """What `app` shows at this moment."""
    rows = app.screen._compositor.render_strips()
    light = app.palette.name == "light"
    ground = app.palette.background or "#16181d"
    return svg(rows, (app.size.width, app.size.height), ground, "#2c3440" if light else "#c5cdd9")


async def picture(
    workspace: Path,
    size: tuple[int, int],
    *,
    view: str,
    keys: Iterable[str] = (),
    theme: str = "dark",
    plain: bool = False,
) -> str:
    """The cockpit on a recorded study as SVG, at the moment of the recording's last event.

    Args:
        keys: pressed before the picture is taken, as Textual names them.
    """
    from loop.journal import Journal
    from tui.cockpit.app import Cockpit

    with Journal(workspace / ".looptop" / "journal.db") as journal:
        moment = journal.read(journal.last_seq() - 1)[-1].at + 0.4
    app = Cockpit(workspace, ascii_only=plain, theme=theme, alive=lambda root: 4242, now=lambda: moment, view=view)
    async with app.run_test(size=size) as pilot:
        while app.known.share < 1:
            await pilot.pause(0.02)
        app.caught_up()
        await pilot.press(*keys)
        await pilot.pause(0.1)
        return screen_svg(app)


def main() -> None:
    parser = argparse.ArgumentParser(description="A picture of the cockpit on the study of WORKSPACE.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("out", type=Path, help="an .svg, or a .png where cairosvg is installed")
    parser.add_argument("--size", default="200x50")
    parser.add_argument("--view", default="mind")
    parser.add_argument("--keys", default="", help="keys to press first, with commas between: 2,enter")
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--ascii", action="store_true")
    choice = parser.parse_args()
    colour_support.prepare(os.environ)
    width, height = map(int, choice.size.split("x"))
    keys = [key for key in choice.keys.split(",") if key]
    text = asyncio.run(
        picture(choice.workspace, (width, height), view=choice.view, keys=keys, theme=choice.theme, plain=choice.ascii)
    )
    if choice.out.suffix == ".png":
        import cairosvg  # type: ignore[import-untyped]

        cairosvg.svg2png(bytestring=text.encode(), write_to=str(choice.out), scale=1.0)
    else:
        choice.out.write_text(text)


if __name__ == "__main__":
    main()
