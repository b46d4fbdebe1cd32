"""What a terminal can show is known before Textual is imported."""

import os
import subprocess
import sys

import pytest

from tui.render.colour_support import colour_system, prepare, theme_for, wants_ascii
from tui.render.palette import PALETTES


@pytest.mark.parametrize(
    ("environ", "system"),
    [
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm-ghostty"}, "truecolor"),
        ({"TERM": "alacritty"}, "truecolor"),
        ({"TERM": "xterm-kitty"}, "truecolor"),
        ({"TERM": "screen", "TMUX": "/tmp/x"}, "truecolor"),
        ({"TERM": "tmux-256color"}, "truecolor"),
        ({"TERM": "screen"}, "256"),
        ({"TERM": "xterm"}, "256"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "linux"}, "standard"),
        ({"TERM": "vt100"}, "standard"),
        ({}, "standard"),
    ],
)
def test_the_colour_system_of_a_terminal(environ: dict[str, str], system: str) -> None:
    assert colour_system(environ) == system


def test_no_color_and_sixteen_colours_have_their_own_themes() -> None:
    assert theme_for({"TERM": "xterm", "NO_COLOR": "1"}) == "mono"
    assert theme_for({"TERM": "xterm", "NO_COLOR": ""}) == "dark"
    assert theme_for({"TERM": "linux"}) == "ansi"


def test_ascii_where_the_locale_is_not_utf8() -> None:
    assert wants_ascii({"LANG": "de_DE.ISO-8859-1"}) and wants_ascii({"TERM": "linux", "LANG": "C.UTF-8"})
    assert not wants_ascii({"LANG": "C.UTF-8"}) and not wants_ascii({})


def test_a_person_s_own_choice_of_colours_stands() -> None:
    environ = {"TERM": "xterm", "TEXTUAL_COLOR_SYSTEM": "256"}
    prepare(environ)
    assert environ["TEXTUAL_COLOR_SYSTEM"] == "256" and environ["TEXTUAL_ANIMATIONS"] == "none"


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
def test_every_theme_draws_every_role(palette) -> None:
    assert palette.roles.keys() == PALETTES["dark"].roles.keys()
    for role in palette.roles:
        palette.style(role)
    if palette.name == "mono":
        assert all(palette.style(role).color is None for role in palette.roles)


def test_importing_the_entry_point_does_not_import_textual() -> None:
    code = "import sys, tui.cockpit.launch, tui.render.colour_support as _; "
    code += "sys.exit('textual' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False).returncode == 0
