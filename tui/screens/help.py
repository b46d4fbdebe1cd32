"""help: every key and command, from their tables, and what the signs mean."""

from itertools import zip_longest

from tui.model.commands import COMMANDS
from tui.model.keys import help_lines
from tui.render.glyphs import WORDS, Glyphs
from tui.render.text import Line, Span, fit, hung, line_cells, wrap
from tui.screens.sheet import Sheet


def signs(glyphs: Glyphs, width: int) -> list[Line]:
    """What the signs mean, in lines of `width` cells."""
    lines: list[Line] = [(("Signs", "title"),)]
    for state, word in WORDS.items():
        lines.append((("  " + glyphs.state[state], state), (f"  {word}", "text")))
    lines.append((("  " + glyphs.champion, "champion"), ("  champion: everything new is measured against it", "text")))
    lines.append((("  " + glyphs.flag, "warn"), ("  flagged: look at its edit, or at its number", "text")))
    sigma = glyphs.sigma
    words = (
        f"effect over the champion in units of {sigma}, the noise of one run: what the same file scatters by with "
        f"another seed. Above about 2{sigma} it is hardly luck; {glyphs.plusminus} is the error of a mean of runs."
    )
    for index, (a, b) in enumerate(wrap(words, max(20, width - 10))):
        lines.append(((f"  +1.0{sigma}  " if not index else " " * 9, "kept"), (words[a:b], "text")))
    up = "^" if glyphs.ascii else "▲"
    words = (
        "in the runs: the curve of a run is that far ahead of the champion's mean at equal training, in units of what "
        "curves of one file scatter by there. It is for your eye; verdicts are made of the numbers at the end."
    )
    for index, (a, b) in enumerate(wrap(words, max(20, width - 11))):
        lines.append(((f"  +1.0{sigma} {up} " if not index else " " * 10, "kept"), (words[a:b], "text")))
    return lines


class Help(Sheet):
    view = "help"

    def heading(self) -> list[Span]:
        return [(" help", "strong"), ("   looptop watches a loop; closing it stops nothing", "dim")]

    def write(self, width: int) -> list[Line]:
        left = help_lines(self.cockpit.keys, ids=width >= 100, width=width)
        half = max(width // 2, min(width - 90, max(map(line_cells, left)) + 3)) if width >= 170 else 0
        right = signs(self.cockpit.glyphs, width - half)
        right += [(), (("Commands", "title"), ("  after :", "dim"))]
        for spec in COMMANDS:
            right += hung(((f"  {spec.name:<9}", "key"), (f"{spec.takes:<13}", "dim")), spec.help, width - half)
        if not half:
            return [*left, *right]
        return [
            (*fit(a, half - 2), (" " * (half - line_cells(fit(a, half - 2))), "text"), *b)
            for a, b in zip_longest(left, right, fillvalue=())
        ]
