"""OpenCode with `--format json`: see anomalyco/opencode, packages/opencode/src/cli/cmd/run.ts."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import content, count, intent, mapping, question, short, string

_REFUSED = re.compile(r"rejected permission|permission .{0,40}(denied|rejected)|prevents you from", re.IGNORECASE)


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    return bool(mapping(line, "part"))


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    part = mapping(line, "part")
    if kind == "step_start":
        yield a.MessageStart()
        yield a.SessionNamed(string(line, "sessionID"))
    elif kind in ("text", "reasoning"):
        yield a.Text(string(part, "text").strip("\n") + "\n", aside=kind == "reasoning")
    elif kind == "tool_use":  # printed once it has ended, with its times in milliseconds
        state = mapping(part, "state")
        times, failure = mapping(state, "time"), string(state, "error")
        took = max(0, count(times, "end") - count(times, "start")) / 1000
        result = f"failed: {failure}" if failure else content(state.get("output"))
        name, given = string(part, "tool"), state.get("input")
        refused = bool(failure) and _REFUSED.search(failure) is not None
        yield a.ToolUse(short(intent(name, given)), short(result) or "done", took, refused)
        if asked := question(name, given):
            yield a.Question(asked)
    elif kind == "step_finish":
        tokens, usd = mapping(part, "tokens"), part.get("cost")
        cache, reasoning = mapping(tokens, "cache"), count(tokens, "reasoning")
        yield a.Usage(
            read=count(tokens, "input") + count(cache, "read") + count(cache, "write"),
            cached=count(cache, "read"),
            written=count(tokens, "output") + reasoning,
            reasoning=reasoning,
            usd=float(usd) if isinstance(usd, int | float) and 0 < usd < 1e6 else None,  # 0 is also "no price known"
        )
