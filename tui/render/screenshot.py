"""The screen as an SVG document, drawn by rich: each piece of text is held to its cells, whatever font there is.

Textual's own `App.export_screenshot` does the same on a dark ground, whatever the theme, because our lines carry no
background; and it names a font on a server, which a viewer would fetch.
"""

import io
import re
from collections.abc import Iterable
from copy import copy

from rich.color import Color
from rich.console import Console
from rich.segment import Segment, Segments
from rich.terminal_theme import SVG_EXPORT_THEME

from tui.render.palette import Palette

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def svg(rows: Iterable[Iterable[Segment]], width: int, palette: Palette, title: str) -> str:
    """The document. The same rows give the same one.

    Args:
        width: cells of a row.
        title: what stands over it, as in the bar of a window.
    """
    theme = copy(SVG_EXPORT_THEME)
    if not palette.native:
        theme.background_color = Color.parse(palette.background).get_truecolor()
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=True, legacy_windows=False)
    console.print(Segments([segment for row in rows for segment in (*row, Segment.line())]), end="")
    return _FONTS.sub("", console.export_svg(title=title, theme=theme), count=2)
