"""The use of a tool as the stream shows it: what for, and with what result, a line each. Pure."""

from collections.abc import Mapping
from typing import Any

from loop.sanitize import one_line


def intent(name: str, values: Mapping[str, Any]) -> str:
    """A call in a few words."""
    match name:
        case "read_file":
            part = f" from line {values['first']}" if values["first"] > 1 else ""
            return f"read {values['path']}{part}"
        case "edit_file" | "write_file":
            return f"{name.partition('_')[0]} {values['path']}"
        case "show_experiment":
            return f"look at the {values['part']} of experiment {values['number']}"
        case "list_experiments":
            return "list experiments" + ("" if values["which"] == "all" else f" that are {values['which']}")
        case "take_experiment":
            return f"go on from experiment {values['number']}"
        case "search_papers":
            return f"search papers for “{values['query']}”"
        case "read_page":
            return f"read {values['url']}"
        case "try_draft":
            return "try the draft" + (f" for {values['steps']} steps" if values["steps"] is not None else "")
        case "time_code":
            return f"run a snippet: {short(values['code'])}"
        case "note":
            return f"note: {short(values['text'])}"
        case "propose":
            return f"propose “{values['title']}”"
        case _:
            return name.replace("_", " ")


def length(text: str) -> str:
    """A long answer as its number of lines."""
    count = text.count("\n") + 1
    return short(text) if count == 1 else f"{count} lines"


def short(text: str) -> str:
    """An answer in a line."""
    line, _, rest = text.strip().partition("\n")
    count = rest.count("\n") + 1 if rest else 0
    line = one_line(line, 160)
    return f"{line}  (+{count} lines)" if count else line
