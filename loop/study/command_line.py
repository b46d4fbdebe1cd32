"""A command line of `program.md`, as a person types it: whether it takes a shell, and what can be read in it.

Pure. The shell itself decides what a line means; here it is only looked at, and where that is not certain (a quoted
`>`, say) too much is found rather than too little. Python's own `shlex` does the splitting: bashlex, which parses the
whole language, is under the GPL, and tree-sitter's grammar is a compiled package for a few words.
"""

import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template

SHELLS = ("bash", "sh", "dash", "zsh", "ksh")

# As GNU make decides it: a sign that means something to a shell, wherever it stands, or a first word that is no
# program.
_SIGNS = re.compile(r"[|&;<>()$`*?\[\]{}~#\n]")
_ASSIGNS = re.compile(r"\s*[A-Za-z_][A-Za-z0-9_]*\+?=")
# fmt: off
_BUILT_IN = frozenset({
    ".", "!", ":", "[[", "alias", "case", "cd", "command", "declare", "eval", "exec", "export", "for", "if", "local",
    "pushd", "popd", "set", "shopt", "source", "time", "trap", "typeset", "ulimit", "umask", "unset", "until", "while",
})
# fmt: on
# `PYTHONPATH=src` of the line comes before what the run has there already, and not instead of it.
_PYTHONPATH = re.compile(r"(?<![\w$\"'{])(PYTHONPATH=)((?:[^\s;&|<>()\"'`\\]|\\.|\"[^\"]*\"|'[^']*')*)")
_HERE_DOCUMENT = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1([^\n]*)\n.*?(?:^[ \t]*\2[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*")
_REDIRECTION = re.compile(r"&?>{1,2}[|&]?")


def fill(line: str, *, seed: int, budget_s: float) -> str:
    """The line with the run's seed and training time (seconds) in the places of `{seed}` and `{budget}`."""
    budget = f"{budget_s:.6f}".rstrip("0").rstrip(".")
    values = {"seed": str(seed), "budget": budget}
    return re.sub(r"(?<!\$)\{(seed|budget)\}", lambda place: values[place[1]], line)  # ${seed} is the shell's


def takes_a_shell(line: str) -> bool:
    """Whether only a shell can start the line: it has pipes, redirections, variables, patterns, several commands..."""
    first = line.split(maxsplit=1)[0] if line.strip() else ""
    signs = _SIGNS.search(line) or _ASSIGNS.match(line) or _PYTHONPATH.search(line)
    return bool(signs) or first in _BUILT_IN


def split(line: str) -> list[str]:
    """The words of a line that takes no shell.

    Raises:
        ValueError: it is empty or its quotes do not match, in one sentence.
    """
    try:
        found = shlex.split(line)
    except ValueError as error:
        raise ValueError(f"the command {line!r:.200} cannot be read: {error} (check its quotes)") from None
    if not found:
        raise ValueError("the command is empty: say what to run, for example `python train.py`")
    return found


def check(line: str) -> None:
    """Refuse what cannot be started, or would be over before it has begun.

    Raises:
        ValueError: with one sentence.
    """
    if not takes_a_shell(line.strip()):
        split(line)
    elif re.search(r"(?<![&>|])&\s*$", _COMMENT.sub("", line)):
        raise ValueError(
            "the `&` at its end sends the command to the background, where its run is over at once; leave it out"
        )


def for_shell(line: str) -> str:
    """The line as the shell gets it: a PYTHONPATH that it sets keeps what is there behind its own."""
    return _PYTHONPATH.sub(r"\1\2${PYTHONPATH:+:$PYTHONPATH}", line)


def words(line: str) -> list[str]:
    """Words and operators of a line, without quotes. Of a here-document only the first line is looked at.

    Raises:
        ValueError: its quotes do not match.
    """
    line = _COMMENT.sub("", _HERE_DOCUMENT.sub(r"\3\n", line)).strip().replace("\\\n", " ").replace("\n", " ; ")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    return list(lexer)


@dataclass(frozen=True)
class Redirection:
    """A file that a command's output goes to."""

    path: str
    """From the folder in which the line starts, or absolute."""
    appends: bool


def redirections(line: str, variables: Mapping[str, str]) -> list[Redirection]:
    """The files that the line sends standard output and errors to.

    A name that only the shell could know, as one made with `$(date)`, is left out.

    Args:
        variables: the run's environment, for names such as `$LOOPTOP_RUN_DIR/train.log`.
    """
    try:
        found = words(line)
    except ValueError:
        return []
    targets: list[Redirection] = []
    folder = ""
    for at, word in enumerate(found[:-1]):
        target = Template(found[at + 1]).safe_substitute(variables)
        if word == "cd" and (at == 0 or not found[at - 1].strip("&|;()")):
            folder = posixpath.join(folder, target)
        if not _REDIRECTION.fullmatch(word) or set(target) & set("$`*?<>()&|") or target.startswith("/dev/"):
            continue
        if not (word.endswith("&") and re.fullmatch(r"\d+|-", target)):
            targets.append(Redirection(posixpath.normpath(posixpath.join(folder, target)), ">>" in word))
    return list({one.path: one for one in targets}.values())


def script_of(argv: Sequence[str]) -> str:
    """What `argv` has a shell do, where it is `sh -c ...` or the like; else nothing."""
    if not argv or posixpath.basename(argv[0]) not in SHELLS:
        return ""
    for at, word in enumerate(argv[1:-1], 1):
        if re.fullmatch(r"-[a-z]*c", word):
            return argv[at + 1]
    return ""
