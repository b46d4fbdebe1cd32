"""Lines as coding agents print them, and what is heard of them."""

import json
from typing import Any

from loop.researchers.agents.agent_events import ToolUse, Usage
from loop.researchers.agents.listener import Listener, Shown, Words


def jsonl(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def listen(data: bytes, *more: tuple[float, bytes]) -> tuple[str, list[ToolUse], list[Usage], str]:
    """What is shown of some output: the words, the tools, the costs; and the final message."""
    listener = Listener()
    said: list[Shown] = listener.feed(data, 0.0)
    for at, piece in more:
        said += listener.feed(piece, at)
    said += listener.finish(more[-1][0] if more else 0.0)
    words = "".join(one.text for one in said if isinstance(one, Words))
    tools = [one for one in said if isinstance(one, ToolUse)]
    return words, tools, [one for one in said if isinstance(one, Usage)], listener.final


def claude(*blocks: dict[str, Any], **usage: int) -> dict[str, Any]:
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "claude-x", "content": list(blocks)}
    return {"type": "assistant", "message": message | ({"usage": usage} if usage else {}), "session_id": "s"}


INIT = {"type": "system", "subtype": "init", "model": "claude-x", "tools": ["Bash"] * 500, "session_id": "s"}
RESULT = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "result": "Done.\ntitle: wider",
    "total_cost_usd": 0.31,
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 1000,
        "output_tokens": 50,
    },
    "modelUsage": {"claude-x": {"inputTokens": 10}},
}
BASH = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "python train.py", "timeout": 5}}


def bash_result(**more: Any) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": "t1", "content": "val_bpb: 1.0\nand more"} | more
    return {"type": "user", "message": {"role": "user", "content": [block]}}
