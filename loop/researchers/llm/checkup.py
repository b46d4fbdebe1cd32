"""What `looptop doctor` asks an endpoint: is it reachable, is the key valid, is the model there, and so on.

Two short calls, for which a paid endpoint charges a few hundred tokens. Nothing is retried: the answer is how things
are now.
"""

import asyncio
from collections.abc import Callable

from loop.config.settings import Settings
from loop.researchers.checkup import Answer
from loop.researchers.llm import faults
from loop.researchers.llm.conversation import Conversation, Request
from loop.researchers.llm.endpoint import Endpoint
from loop.researchers.protocol import Unusable

PATIENCE_S = 60.0
"""Seconds that one answer may take: a server that has to load its model first may need that long."""

_TOOL: dict[str, object] = {
    "name": "report",
    "description": "Report a number.",
    "parameters": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
}


async def examine(settings: Settings) -> list[Answer]:
    """Ask the endpoint of `settings` one question after another, until one makes the next pointless."""
    endpoint = Endpoint(settings.model_copy(update={"silence": min(settings.silence, PATIENCE_S)}))
    found: list[Answer] = []
    try:
        model = await _model(endpoint, settings, found.append)
        if model:
            await _answers(endpoint, model, settings, found.append)
    finally:
        await endpoint.close()
    return found


async def _model(endpoint: Endpoint, settings: Settings, tell: Callable[[Answer], None]) -> str:
    """Name of the model, or "" where there is none to ask."""
    where = f"{endpoint.where} ({endpoint.dialect})"
    try:
        listed = await endpoint.models()
    except Unusable as error:
        tell(Answer("endpoint", False, str(error)))
        return ""
    except (faults.TransientError, faults.RequestRefused) as error:
        tell(Answer("endpoint", False, str(error), "start the server, or check --base-url"))
        return ""
    tell(Answer("endpoint", True, f"{where} answers" + (f", {len(listed)} models" if listed else "")))
    model = settings.model or (listed[0] if len(listed) == 1 else "")
    if not model:
        names = ", ".join(listed[:8]) or "it lists none"
        said = f"none is named, and the endpoint does not have exactly one: {names}"
        tell(Answer("model", False, said, "name it: --model"))
    return model


async def _answers(endpoint: Endpoint, model: str, settings: Settings, tell: Callable[[Answer], None]) -> None:
    conversation = Conversation("You are a connection test.")
    conversation.say("Call the tool `report` with the number 7.")
    tools: tuple[dict[str, object], ...] = (_TOOL,)
    streamed: list[str] = []
    for _ in range(7):  # one more than a request has optional parameters
        request = Request(model, conversation, tools, settings.effort, settings.answer, frozenset(endpoint.without))
        try:
            async with asyncio.timeout(PATIENCE_S):
                reply = await endpoint.ask(request, lambda kind, piece: streamed.append(kind))
            break
        except faults.UnsupportedParameter as error:
            tools = () if error.parameter == "tools" else tools
            endpoint.without.add(error.parameter)
        except TimeoutError:
            if streamed:
                tell(Answer("model", True, f"{model} answers and streams, and is not done after {PATIENCE_S:g} s"))
                tell(Answer("tools", False, "not tried, since its answer did not end"))
                return
            tell(Answer("model", False, f"{model} said nothing for {PATIENCE_S:g} s", "try again when it has loaded"))
            return
        except (Unusable, faults.TransientError, faults.RequestRefused, faults.ContextTooLong) as error:
            tell(Answer("model", False, str(error)))
            return
    else:
        tell(Answer("model", False, f"{endpoint.where} supports none of our requests"))
        return
    thinks = "; its reasoning streams too" if reply.reasoning else ""
    tell(Answer("model", True, f"{model} answers and streams{thinks}"))
    said = "it calls tools" if reply.calls else "it calls no tools, so it is asked to write them as blocks of text"
    tell(Answer("tools", bool(reply.calls), said))
