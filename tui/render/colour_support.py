"""What the terminal can show, from its environment alone, before Textual is imported (it reads this at import).

rich takes `screen`, `xterm`, `xterm-ghostty` and `alacritty` for 16 colours unless COLORTERM says otherwise, and ssh
does not forward COLORTERM. A wrong guess towards more colours is harmless on any terminal of the last fifteen years;
the ones below that really stop at 16 are named.
"""

from collections.abc import Mapping, MutableMapping
from typing import Literal

ColourSystem = Literal["truecolor", "256", "standard"]

_TRUE = ("kitty", "ghostty", "alacritty", "wezterm", "foot", "contour", "rio", "iterm", "konsole", "direct", "vte")
_TRUE_PROGRAMS = ("iTerm.app", "WezTerm", "vscode", "ghostty")
_SIXTEEN = ("linux", "cons25", "ansi", "vt100", "vt220", "xterm-color", "screen.linux", "rxvt-basic")


def colour_system(environ: Mapping[str, str]) -> ColourSystem:
    """The richest colour system that the terminal of `environ` is known to show.

    `screen` without more is GNU screen or an old tmux: 256 colours are safe there, true colour is not.
    """
    term = environ.get("TERM", "").lower()
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "truecolor"
    if term in _SIXTEEN:
        return "standard"
    if any(name in term for name in _TRUE) or environ.get("TERM_PROGRAM") in _TRUE_PROGRAMS:
        return "truecolor"
    if environ.get("TMUX") or term.startswith("tmux"):
        return "truecolor"  # tmux takes 24 bits from us and lowers them itself to what the outer terminal shows
    if environ.get("WT_SESSION") or environ.get("KITTY_WINDOW_ID") or environ.get("VTE_VERSION"):
        return "truecolor"
    return "256" if "256" in term or term.startswith(("screen", "xterm")) else "standard"


def theme_for(environ: Mapping[str, str]) -> str:
    """Name of the palette to begin with."""
    if environ.get("NO_COLOR"):
        return "mono"
    return "ansi" if colour_system(environ) == "standard" else "dark"


def wants_ascii(environ: Mapping[str, str]) -> bool:
    """Whether the locale says that anything but ASCII would come out garbled."""
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    named = "." in locale and "utf" not in locale.lower()
    return named or environ.get("TERM") == "linux"


def prepare(environ: MutableMapping[str, str], theme: str = "mono") -> None:
    """Set what Textual reads at its import: no animation, no smooth scrolling, and how soon it may draw.

    A theme that a person has named overrides NO_COLOR, which Textual would still obey.

    We draw at rates of our own (the stream at 4 Hz), so frames a second only say how long a key waits for its effect:
    at 15 a key took 100 to 150 ms to the screen, at 60 it takes 35, and nothing else costs more.
    """
    environ["TEXTUAL_FPS"] = "60"
    environ["TEXTUAL_ANIMATIONS"] = "none"
    environ["TEXTUAL_SMOOTH_SCROLL"] = "0"
    for name in ("COLUMNS", "LINES"):  # Textual would believe them over the terminal, and never see it grow
        environ.pop(name, None)
    if theme != "mono":
        environ.pop("NO_COLOR", None)
    environ.setdefault("TEXTUAL_COLOR_SYSTEM", colour_system(environ))
