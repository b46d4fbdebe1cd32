"""Roles and their looks: what the pure functions call a span, and how each theme draws it.

A role names a meaning ("kept", "you", "axis"), never a colour, so one table change gives a new theme and a
screen without colour stays readable. `Palette.style` gives rich styles; the import of rich stays in here.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from loop.study.outcomes import VERDICTS

if TYPE_CHECKING:
    from rich.style import Style

_DARK = {
    "text": "#c5cdd9",
    "dim": "#8a94a3",
    "faint": "#596372",
    "strong": "bold #e6ebf2",
    "accent": "#7fb4ff",
    "title": "bold #9fc3f5",
    "border": "#333c49",
    "focus": "#6c9fe0",
    "kept": "#84d694",
    "champion": "bold #84d694",
    "discarded": "#93858d",
    "crashed": "#f0857a",
    "killed": "#e6b566",
    "rejected": "#d29ae8",
    "running": "bold #7fb4ff",
    "waiting": "bold #e6b566",
    "bad": "bold #f0857a",
    "you": "bold #d9b3f2",
    "tool": "#6fb9c4",
    "band": "#4d5f52",
    "track": "#2a323d",
    "cursor": "on #26344a",
    "pale": "on #1b222c",
    "match": "#101318 on #e6b566",
    "code": "#d7b98a",
    "keyword": "#c59bea",
    "string": "#a5c88f",
    "number": "#e0a46c",
    "comment": "#6f7a89",
    "name": "#9fc3f5",
    "plus": "on #14261c",
    "minus": "on #2c181b",
}
_LIGHT = {
    "text": "#2c3440",
    "dim": "#5c6673",
    "faint": "#8b94a0",
    "strong": "bold #10151c",
    "accent": "#1d5fbf",
    "title": "bold #1d4f9c",
    "border": "#c3cad3",
    "focus": "#1d5fbf",
    "kept": "#1a7a35",
    "champion": "bold #1a7a35",
    "discarded": "#7d6a73",
    "crashed": "#b3261e",
    "killed": "#8f5b00",
    "rejected": "#7b2fa0",
    "running": "bold #1d5fbf",
    "waiting": "bold #8f5b00",
    "bad": "bold #b3261e",
    "you": "bold #7b2fa0",
    "tool": "#0f6b78",
    "band": "#b7cfbd",
    "track": "#dde2e8",
    "cursor": "on #cfe0f7",
    "pale": "on #e9edf2",
    "match": "#10151c on #f2cf7c",
    "code": "#7a4e00",
    "keyword": "#7b2fa0",
    "string": "#2f6b1f",
    "number": "#9a4a00",
    "comment": "#7d8794",
    "name": "#1d4f9c",
    "plus": "on #e0f3e4",
    "minus": "on #fbe6e4",
}
# Colours 0-15 only, and never "white" or "black" for text: the terminal's own foreground reads on its own background.
_ANSI = {
    "text": "",
    "dim": "",
    "thinking": "dim",
    "faint": "bright_black",
    "strong": "bold",
    "accent": "blue",
    "title": "bold blue",
    "border": "bright_black",
    "focus": "blue",
    "kept": "green",
    "champion": "bold green",
    "discarded": "bright_black",
    "crashed": "red",
    "killed": "yellow",
    "rejected": "magenta",
    "running": "bold blue",
    "waiting": "bold yellow",
    "bad": "bold red",
    "you": "bold magenta",
    "tool": "cyan",
    "band": "bright_black",
    "track": "bright_black",
    "cursor": "reverse",
    "pale": "underline",
    "match": "reverse bold",
    "code": "yellow",
    "keyword": "",
    "string": "",
    "number": "",
    "comment": "",
    "name": "",
    "plus": "green",
    "minus": "red",
}
# For weak eyes, poor screens and sunlight: text is nowhere dimmer than 7:1 on black.
_CONTRAST = dict.fromkeys(_DARK, "#ffffff") | {
    "dim": "#d8d8d8",
    "faint": "#b4b4b4",
    "strong": "bold #ffffff",
    "accent": "#66d9ff",
    "title": "bold #66d9ff",
    "border": "#9a9a9a",
    "focus": "bold #ffff00",
    "key": "bold #ffff00",
    "queued": "#ffffff",
    "kept": "#5cff5c",
    "champion": "bold #5cff5c",
    "discarded": "#c8c8c8",
    "crashed": "#ff8f8f",
    "killed": "#ffd75f",
    "rejected": "#ff9dff",
    "running": "bold #66d9ff",
    "waiting": "bold #ffff00",
    "bad": "bold #ff8f8f",
    "you": "bold #ff9dff",
    "tool": "#5fffff",
    "code": "#ffd75f",
    "plus": "#5cff5c",
    "minus": "#ff8f8f",
    "band": "#8a8a8a",
    "track": "#5a5a5a",
    "cursor": "bold on #004b8d",
    "pale": "on #333333",
    "match": "bold #000000 on #ffff00",
}
_BOLD = {"strong", "title", "champion", "running", "waiting", "bad", "you"}
_MONO = dict.fromkeys(_DARK, "") | dict.fromkeys(_BOLD, "bold") | {"cursor": "reverse", "pale": "underline"}
_MONO |= {"thinking": "dim", "match": "reverse bold", "faint": "dim", "border": "dim", "band": "dim", "track": "dim"}

_LIKE = (
    {verdict.value: verdict.role for verdict in VERDICTS}
    | {"good": "kept", "added": "kept", "reference": "kept", "warn": "killed", "hot": "killed", "automl": "rejected"}
    | {"removed": "crashed", "full": "crashed", "hunk": "tool", "bar": "tool", "curve": "accent", "key": "title"}
    | {"thinking": "dim", "queued": "dim", "proposed": "queued", "verifying": "running", "axis": "faint"}
)
"""Roles that look like another one, where a theme does not say otherwise; verdicts are roles too."""


def _whole(theme: dict[str, str]) -> dict[str, str]:
    """All roles of a theme."""
    for role, like in _LIKE.items():
        theme.setdefault(role, theme[like])
    return theme


Ground = Literal["background", "raised"]
"""What text stands on: the views, or the status lines and boxes that lie on top."""


@dataclass(frozen=True)
class Palette:
    """One theme. An empty `background` is the terminal's own."""

    name: str
    background: str
    raised: str
    """Background of the status lines and of boxes that lie on top."""
    roles: dict[str, str] = field(hash=False)

    @property
    def native(self) -> bool:
        """The terminal's own colours are used as they are, its background included."""
        return not self.background

    def style(self, role: str, ground: Ground = "background") -> "Style":
        """The rich style of a role, or of several joined by `+`: the later over the earlier.

        Args:
            ground: what it stands on. Every cell is painted: the terminal's own background may be as light as the text.
        """
        parts = role.split("+")
        on = self.background if ground == "background" else self.raised
        if self.native and parts[-1] == "cursor":
            parts = parts[-1:]  # reversed colours of each word would make a patchwork of backgrounds
        return _style(" ".join([*([f"on {on}"] if on else []), *(self.roles[part] for part in parts)]))


@lru_cache(512)
def _style(definition: str) -> "Style":
    from rich.style import Style

    return Style.parse(definition)  # words that come later win, so joined roles need no more than this


PALETTES = {
    "dark": Palette("dark", "#101318", "#171c24", _whole(_DARK)),
    "light": Palette("light", "#f7f8fa", "#eceff3", _whole(_LIGHT)),
    "contrast": Palette("contrast", "#000000", "#1c1c1c", _whole(_CONTRAST)),
    "ansi": Palette("ansi", "", "", _whole(_ANSI)),
    "mono": Palette("mono", "", "", _whole(_MONO)),
}
