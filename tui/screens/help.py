"""help: every key and command, from their tables, and what the signs mean."""

from itertools import zip_longest

from tui.model.commands import COMMANDS
from tui.model.keys import help_lines
from tui.render.glyphs import WORDS, Glyphs
from tui.render.text import Line, Span, fit, line_cells
from tui.screens.sheet import Sheet


def signs(glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = [(("Signs", "title"),)]
    for state, word in WORDS.items():
        lines.append((("  " + glyphs.state[state], state), (f"  {word}", "text")))
    lines.append((("  " + glyphs.champion, "champion"), ("  champion: everything new is measured against it", "text")))
    lines.append((("  " + glyphs.flag, "warn"), ("  flagged: look at its edit, or at its number", "text")))
    sigma = glyphs.sigma
    words = f"effect over the champion in units of the noise of one run; above about 2{sigma} it is hardly luck"
    return [*lines, ((f"  +1.0{sigma}", "kept"), (f"  {words}", "text"))]


class Help(Sheet):
    view = "help"

    def heading(self) -> list[Span]:
        return [(" help", "strong"), ("   looptop watches a loop; closing it stops nothing", "dim")]

    def write(self, width: int) -> list[Line]:
        left, right = help_lines(self.cockpit.keys, ids=width >= 100), signs(self.cockpit.glyphs)
        right += [(), (("Commands", "title"), ("  after :", "dim"))]
        right += [
            ((f"  {spec.name:<9}", "key"), (f"{spec.takes:<13}", "dim"), (spec.help, "text")) for spec in COMMANDS
        ]
        if width < 170:
            return [*left, *right]
        half = width // 2
        return [
            (*fit(a, half - 2), (" " * (half - line_cells(fit(a, half - 2))), "text"), *b)
            for a, b in zip_longest(left, right, fillvalue=())
        ]
