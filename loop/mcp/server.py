"""The tools of a study over the Model Context Protocol, on standard input and output.

Needs the package `mcp`, which the extra `looptop[mcp]` brings: it takes 0.4 s to import and fourteen packages to
install, and only this command wants it.
"""

import json
from pathlib import Path
from typing import Any, get_type_hints

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as Listed
from pydantic import TypeAdapter, ValidationError

from loop import VERSION
from loop.errors import UserError
from loop.journal import Journal
from loop.mcp.results import LONG, Text, part
from loop.mcp.tools import StudyTools, handed_over
from loop.researchers.llm.tool import Tool, ToolError, wrong_arguments
from loop.workspace import Workspace

INSTRUCTIONS = (
    "The record of a study that improves a program by measured experiments. Look up what was tried before you "
    "change anything: experiments, experiment, diff, log, curve, notebook. try_draft starts your edits for a moment. "
    "When they are as you want them, call propose once with a title, why it should help and what you expect; then end. "
    "Notes are for whoever proposes after you."
)


async def serve(root: Path) -> None:
    """Serve the study at `root` until standard input ends.

    Raises:
        JournalError: there is no study, or its journal cannot be read.
    """
    with Journal(Workspace(root).journal) as journal:
        served = server(StudyTools(root, journal, handed_over(root)))
        async with stdio_server() as (read, write):
            await served.run(read, write, served.create_initialization_options())


def server(tools: StudyTools) -> Server[dict[str, Any]]:
    """These tools as a server, on whatever transport."""
    known = {tool.name: tool for tool in tools.all}
    reading = {tool.name for tool in tools.reading}
    listed = [_listed(tool, tool.name in reading) for tool in known.values()]

    async def list_tools(_: object, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=listed)

    async def call_tool(_: object, asked: CallToolRequestParams) -> CallToolResult:
        tool = known.get(asked.name)
        if tool is None:
            return _refusal(f"there is no tool {asked.name!r:.80}; there are {', '.join(known)}")
        return await _called(tool, asked.arguments or {})

    return Server(
        "looptop", version=VERSION, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )


def _listed(tool: Tool[Any], reads: bool) -> Listed:
    schema = tool.schema()
    answers = get_type_hints(tool.call)["return"]
    return Listed(
        name=tool.name,
        description=tool.description,
        input_schema=schema["parameters"],
        output_schema=TypeAdapter(Text if answers is str else answers).json_schema(mode="serialization"),
        annotations=ToolAnnotations(
            read_only_hint=reads, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


async def _called(tool: Tool[Any], given: dict[str, Any]) -> CallToolResult:
    """Carry out one call; whatever is wrong with it comes back as a sentence, and the server goes on."""
    try:
        made = tool.arguments.model_validate({name: value for name, value in given.items() if value is not None})
        answer = await tool.call(**{name: getattr(made, name) for name in tool.arguments.model_fields})
    except ValidationError as error:
        return _refusal(wrong_arguments(tool, error))
    except (ToolError, UserError) as error:
        return _refusal(str(error))
    except Exception as error:
        return _refusal(f"a bug in looptop: {type(error).__name__}: {error}")
    if isinstance(answer, str):
        answer = part(answer, 0, LONG)
    text = TypeAdapter(type(answer)).dump_json(answer).decode()  # numbers that are not finite are null there
    content = answer.readable() if isinstance(answer, Text) else text
    return CallToolResult(content=[TextContent(type="text", text=content)], structured_content=json.loads(text))


def _refusal(sentence: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=sentence)], is_error=True)
