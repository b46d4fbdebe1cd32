"""An agent that says by the tools of `looptop mcp` what it has changed: started in its worktree, as agents start it."""

import asyncio
import os
import sys

from mcp import Client, StdioServerParameters, stdio_client


async def main() -> None:
    passed_on = {name: os.environ[name] for name in ("PYTHONPATH", "HOME") if name in os.environ}
    server = StdioServerParameters(command=sys.executable, args=["-m", "tui.cli", "mcp"], env=passed_on)
    async with Client(stdio_client(server)) as client:
        found = await client.call_tool("experiments", {"filter": "is:kept"})
        print("kept so far:", found.structured_content["total"])
        await client.call_tool("note", {"text": "said by tool"})
        said = {"title": "by tool", "hypothesis": "no line has to be found", "expected": "-1"}
        await client.call_tool("propose", said)


asyncio.run(main())
