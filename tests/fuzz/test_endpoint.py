"""An endpoint's answers: any bytes on a real socket are a reply, or one of the faults that the researcher knows."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st

from loop.config.settings import Prices, Settings
from loop.researchers.llm import chat, faults, prices, responses, text_tools
from loop.researchers.llm.conversation import Conversation, Reply, Request, ToolResult, UserMessage
from loop.researchers.llm.endpoint import Endpoint
from loop.researchers.protocol import Unusable
from loop.study.codec import decode, encode
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import NESTED, VALUES, as_json, one_sentence

KNOWN = (faults.TransientError, faults.ContextTooLong, faults.UnsupportedParameter, faults.RequestRefused, Unusable)
KEY = "sk-marker-4711"

NAMES = (
    *(
        "id",
        "choices",
        "delta",
        "content",
        "role",
        "tool_calls",
        "index",
        "function",
        "name",
        "arguments",
        "finish_reason",
    ),
    *(
        "usage",
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "reasoning_content",
        "refusal",
    ),
    *(
        "type",
        "response",
        "item",
        "output",
        "status",
        "error",
        "message",
        "code",
        "data",
        "summary",
        "text",
        "call_id",
        "param",
    ),
    *("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details", "incomplete_details", "reason"),
)
KINDS = (
    *(
        "response.completed",
        "response.failed",
        "response.incomplete",
        "response.output_text.delta",
        "response.output_item.done",
    ),
    *(
        "response.reasoning_text.delta",
        "response.refusal.delta",
        "error",
        "message",
        "function_call",
        "reasoning",
        "stop",
        "tool_calls",
    ),
)
CHAT: dict[str, Any] = {
    "id": "1",
    "choices": [
        {
            "index": 0,
            "delta": {"content": "Hm", "tool_calls": [{"index": 0, "function": {"name": "note", "arguments": "{}"}}]},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 1}},
}
DONE: dict[str, Any] = {
    "type": "response.completed",
    "response": {
        "status": "completed",
        "usage": {"input_tokens": 3, "output_tokens": 4, "input_tokens_details": {}},
        "error": None,
    },
}
ITEM: dict[str, Any] = {
    "type": "response.output_item.done",
    "item": {"type": "function_call", "call_id": "1", "name": "note", "arguments": "{}", "content": [], "summary": []},
}


@st.composite
def bent(draw: st.DrawFn) -> Any:
    """A chunk that is right but for some places, at which there is anything."""
    whole = json.loads(json.dumps(draw(st.sampled_from((CHAT, DONE, ITEM)))))
    for _ in range(draw(st.integers(0, 3))):
        at = whole
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(at[key], dict | list) or draw(st.booleans()):
                break
            at = at[key]
        if key is not None:
            at[key] = draw(VALUES | st.sampled_from(KINDS))
    return whole


ANYTHING = st.dictionaries(st.sampled_from(NAMES), VALUES | st.sampled_from(KINDS), max_size=5)
CHUNKS = (bent() | ANYTHING | VALUES).map(as_json) | NESTED | st.sampled_from(("[DONE]", "", "{", "\ud800", "<html>"))
LINES = st.builds(
    "{}{}\n\n".format,
    st.sampled_from(("data: ", "data: ", "data: ", "data:", "event: error\ndata: ", ": ", "id: 1\n", "")),
    CHUNKS,
)
HEADS = st.sampled_from(
    (
        *(["HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"] * 6),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=odd\r\nContent-Encoding: gzip\r\n\r\n",
        *(
            f"HTTP/1.1 {code} X\r\nRetry-After: {after}\r\nConnection: close\r\n\r\n"
            for code, after in ((429, "nan"), (503, "1e999"), (400, "x"))
        ),
        *(
            f"HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
            for code in (401, 404, 413, 422, 500, 204, 301, 999)
        ),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        "HTTP/9.9 OK\r\n\r\n",
        "",
    )
)
ENDS = st.sampled_from(
    (
        "data: [DONE]\n\n",
        "",
        f"data: {as_json({'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}]})}\n\n",
        f"data: {as_json(DONE)}\n\n",
    )
)
ANSWERS = st.builds(
    lambda head, lines, end: (head + "".join(lines) + end).encode("utf-8", "surrogatepass"),
    HEADS,
    st.lists(LINES, max_size=4),
    ENDS,
)


class Wire:
    """A server on a real socket that answers every request with the same bytes, and the clients of both dialects."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.answer = b""
        self.server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1"
        values = {"base_url": url, "api_key": KEY, "model": "m", "silence": 20, "prices": {"read": 1, "written": 2}}
        self.endpoints = [
            Endpoint(Settings.model_validate({**values, "dialect": name})) for name in ("chat", "responses")
        ]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b": 0")
            await reader.readexactly(int(length.partition(b":")[2]))
            writer.write(self.answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone

    def ask(self, data: bytes) -> None:
        self.answer = data
        for endpoint in self.endpoints:
            self.loop.run_until_complete(self._ask(endpoint))

    async def _ask(self, endpoint: Endpoint) -> None:
        conversation = Conversation("You are.", [UserMessage("Go on.")])
        heard: list[tuple[str, str]] = []
        try:
            reply = await endpoint.ask(Request("m", conversation), lambda kind, piece: heard.append((kind, piece)))
        except KNOWN as error:
            one_sentence(str(error) or "-")
            assert KEY not in str(error)
            if isinstance(error, faults.TransientError) and error.after is not None:
                assert 0 <= error.after <= 3600
        else:
            self._goes_on(endpoint, conversation, reply, heard)
        try:
            assert all(isinstance(name, str) for name in await endpoint.models())
        except KNOWN as error:
            one_sentence(str(error))

    def _goes_on(
        self, endpoint: Endpoint, conversation: Conversation, reply: Reply, heard: list[tuple[str, str]]
    ) -> None:
        assert all(kind in ("thinking", "text") and isinstance(piece, str) for kind, piece in heard)
        "".join(piece for _, piece in heard).splitlines()
        if reply.usage is not None:
            spent = endpoint.spent(reply.usage, "m")
            assert spent.tokens >= 0 and decode(encode(spent))
            (
                prices.cost(reply.usage, "gpt-4o", None, None),
                prices.cost(reply.usage, "m", None, Prices(read=1, written=1)),
            )
        conversation.messages.append(reply)
        for call in reply.calls:
            conversation.messages.append(ToolResult(call, "noted"))
        request = Request("m", conversation)
        for dialect in (chat, responses):
            assert json.dumps(dialect.body(request), ensure_ascii=False).encode()
        text_tools.calls(reply.text, {"note": ["text"]}, {"train.py": ""})


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.server.close()
    for endpoint in made.endpoints:
        made.loop.run_until_complete(endpoint.close())
    made.loop.close()


def test_anything_an_endpoint_answers_is_a_reply_or_a_known_fault(budget: Budget, wire: Wire) -> None:
    budget.spend("endpoint", ANSWERS, wire.ask, dear=5)


@pytest.mark.parametrize("data", corpus.cases("endpoint"))
def test_every_answer_of_the_corpus_is_a_reply_or_a_known_fault(data: bytes, wire: Wire) -> None:
    wire.ask(data)
