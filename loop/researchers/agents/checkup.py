"""What `looptop doctor` asks a coding agent: its version, and whether somebody is logged in. No model is asked.

Only agents that are known are started, and only with arguments that print something and end: a command that is not
known may do anything.
"""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.researchers.agents.command_line import first_word
from loop.researchers.checkup import Answer
from loop.sanitize import one_line

PATIENCE_S = 30.0
"""Seconds that one question may take: on a busy machine some take ten to start."""


@dataclass(frozen=True)
class _Known:
    """An agent whose command line is known."""

    login: Sequence[str] = ()
    """Arguments by which it says whether somebody is logged in: exit code 0 if so. Empty: it has none."""
    remedy: str = ""


_KNOWN: Mapping[str, _Known] = {
    "claude": _Known(("auth", "status"), "log in with `claude auth login`, or set ANTHROPIC_API_KEY"),
    "codex": _Known(
        ("login", "status"), "log in with `codex login`; a provider of your own in its command line needs no login"
    ),
    "agent": _Known(("status",), "log in with `agent login`, or set CURSOR_API_KEY"),
    **dict.fromkeys(
        ("gemini", "opencode", "qwen", "copilot", "cline", "pi", "aider", "mini", "vibe", "gptme"), _Known()
    ),
}
"""By the name of the program. Claude Code 2.1, Codex 0.171, Gemini CLI 0.61, OpenCode 1.18, Qwen Code 0.24, Copilot
1.0 and Cline 3.0 were asked so."""


def examine(command: str) -> list[Answer]:
    """What can be found out about the coding agent that a command line starts, without a proposal."""
    words = shlex.split(command)
    program = next((word for word in words if Path(word).name in _KNOWN), "")
    if not program:
        said = f"{Path(first_word(words)).name} is there; what else it needs shows at its first proposal"
        return [Answer("agent", True, said)]
    known, name = _KNOWN[Path(program).name], Path(program).name
    environ = os.environ | _assigned(words[: words.index(program)])
    code, text = _run([program, "--version"], environ)
    if code != 0:
        return [Answer("agent", False, f"{name} does not start: {text}", "run it by hand once")]
    answers = [Answer("agent", True, text if name in text.lower() else f"{name} {text}")]
    if not known.login:
        said = f"{name} does not say whether it has a login; that shows at its first proposal"
        return [*answers, Answer("login", True, said)]
    code, text = _run([program, *known.login], environ)
    good = code == 0
    return [*answers, Answer("login", good, f"{name} has one" if good else f"{name} says it has none", known.remedy)]


def _assigned(words: Sequence[str]) -> dict[str, str]:
    """Variables that a command line sets for its program, but for those that a shell would have to work out."""
    pairs = (word.partition("=") for word in words)
    return {name: value for name, equals, value in pairs if equals and name.isidentifier() and "$" not in value}


def _run(command: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
    """Its exit code and the last line that it printed."""
    try:
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, f"nothing came in {PATIENCE_S:g} s"
    except OSError as error:
        return 1, error.strerror or str(error)
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return done.returncode, one_line(lines[-1], 100) if lines else "it says nothing"
