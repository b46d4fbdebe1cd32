"""How a coding agent's command line goes on in a session that it began before. Pure.

Agents keep their sessions by themselves, most of them by the folder that they worked in, which stays the same.
"""

import re
import shlex

from loop.researchers.agents.command_line import speaker

_WORD = r"(?P<before>(?:^|[\s;&|(/'\"]){program}['\"]?(?=\s|$){verb})"
_RESUMES = (
    ("claude", "", " --resume {id}"),
    ("codex", r"\s+exec\b", ""),
    ("gemini", "", " --resume {id}"),
    ("opencode", r"\s+run\b", " --session {id}"),
    ("qwen", "", " --resume {id}"),
    ("pi", "", " --session {id}"),
    ("copilot", "", " --resume {id}"),
    ("cline", "", " --id {id}"),
    ("vibe", "", " --resume {id}"),
    ("agent", "", " --resume {id}"),
    ("cursor-agent", "", " --resume {id}"),
)
"""Program, the verb it must be followed by, and what is put after both."""


def resumed(command: str, session: str) -> str | None:
    """The command line that goes on in a session; None where it is not known how.

    Args:
        session: the agent's own id of it.
    """
    if not session:
        return None
    for program, verb, addition in _RESUMES:
        found = re.search(_WORD.format(program=re.escape(program), verb=verb), command)
        if found is None or speaker(command) != program:
            continue
        named = shlex.quote(session)
        if program == "codex":  # its subcommand comes after the options, and before the prompt
            rest = command.rstrip()
            rest = rest[:-1].rstrip() if rest.endswith(" -") else rest
            return f"{rest} resume {named} -"
        end = found.end("before")
        return command[:end] + addition.format(id=named) + command[end:]
    return None
