"""Variables of the person's shell that a program's own files name, and that its runs do not get.

Pure: it is given the texts. It tells names only, never a value. A hint and no more: a name that is put together at run
time, or read by a library, is not found.
"""

import re
from collections.abc import Collection, Mapping

from loop.words import listed

_QUOTED = r"[rb]?[\"'](?P<quoted>[A-Za-z_]\w*)[\"']"
# Python, Rust, Go, C, R and Julia, JavaScript, OmegaConf; then shells and make. `environ["X"] = ...` reads nothing.
_READS = re.compile(
    r"(?:\benviron\w?|\b[gG]etenv|\bLookupEnv|\bENV|\benv(?:::var(?:_os)?)?)(?:\.\w+)?\s*[\[(]\s*"
    + _QUOTED
    + r"(?!\s*\]\s*=[^=])"
    r"|" + _QUOTED.replace("quoted", "tested") + r"\s+(?:not\s+)?in\s+(?:os\.)?environ\b"
    r"|\bprocess\.env\.(?P<script>\w+)|\$[{(]?(?:oc\.env:)?(?P<shell>[A-Za-z_]\w*)"
)
_SET = re.compile(r"^[ \t]*(?:export[ \t]+|local[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*[:?+]?=(?P<value>.*)", re.MULTILINE)

BY_SHELLS = frozenset(
    {"PWD", "OLDPWD", "SHLVL", "_", "SHELL", "TERM", "IFS", "PATH", "HOME", "TMPDIR", "COLUMNS", "LINES"}
)
"""What every shell and every run has, of its own."""

# fmt: off
OF_SESSIONS = re.compile(
    r"TMUX|TMUX_PANE|STY|TERM_\w+|COLORTERM|COLORFGBG|VTE_VERSION|WINDOWID|DISPLAY|WAYLAND_DISPLAY|NO_COLOR|FORCE_COLOR|"
    r"CLICOLOR\w*|LS_COLORS|PS1|EDITOR|VISUAL|PAGER|LESS\w*|BROWSER|MAIL|HOSTNAME|HOSTTYPE|INVOCATION_ID|"
    r"PYTHON(?:DONTWRITEBYTECODE|UNBUFFERED|PYCACHEPREFIX|FAULTHANDLER)|"
    r"(?:SSH|DBUS|XDG_SESSION|XDG_CURRENT|KONSOLE|KITTY|WEZTERM|ITERM|VSCODE|WT|CMUX|ZELLIJ)_\w+"
)
# fmt: on
"""What tells of a terminal, a desktop or a login, of which a run has none; and how Python writes files and output."""


def read_in(text: str) -> set[str]:
    """Names of the variables that a file reads from its environment."""
    found = {next(filter(None, match.groups())) for match in _READS.finditer(text)}
    # A shell script's own variable, unless it is `X=${X:-default}`.
    return found - {one["name"] for one in _SET.finditer(text) if not re.search(rf"\b{one['name']}\b", one["value"])}


def wanted(texts: Mapping[str, str], withheld: Collection[str]) -> dict[str, str]:
    """Those of `withheld` that a text reads, each with the first file that does.

    Args:
        texts: contents by path, or only the lines of them in which one of the names stands.
        withheld: variables that are set where the loop was started and that no run gets.
    """
    found: dict[str, str] = {}
    for path, text in texts.items():
        for name in sorted(read_in(text) & set(withheld) - BY_SHELLS):
            if not OF_SESSIONS.fullmatch(name):
                found.setdefault(name, path)
    return found


def sentences(found: Mapping[str, str], unset: Collection[str]) -> list[str]:
    """What to tell a person.

    Args:
        found: as from `wanted`.
        unset: names that `env:` passes on and that are not set where the loop was started.
    """
    said = []
    if found:
        files = list(dict.fromkeys(found.values()))
        reads = "reads" if len(files) == 1 else "read"
        many = len(found) > 1
        said.append(
            f"{listed(files, 3)} {reads} {listed(found)}, which {'are' if many else 'is'} set in your shell and "
            f"runs do not get; to pass {'them' if many else 'it'} on, write `env: [{', '.join(found)}]` in program.md"
        )
    if unset:
        verb = "are" if len(unset) > 1 else "is"
        said.append(f"`env:` in program.md names {listed(unset)}, which {verb} not set where the loop was started")
    return said
