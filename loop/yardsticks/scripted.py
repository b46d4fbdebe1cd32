"""A language model's endpoint on this machine that plays a script: ideas about a problem's structure, in random order.

It is no model. It stands for one in `looptop bench`, so that what a loop makes of structural ideas can be measured
without a key, the same every time: its ideas are those of a problem's `ideas.json`, good ones, useless ones and such as
crash. It speaks Chat Completions over HTTP, whole or streamed, with tool calls, as any server of open models does.

It remembers nothing: which ideas have been tried it reads by their titles, in what it is asked and in the list of all
experiments, as any model may. An idea that does not fit the champion's file any more is passed over.
"""

import json
import random
import re
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

MODEL = "scripted"

Ideas = Sequence[Mapping[str, str]]
Call = tuple[str, dict[str, Any]]

_PIECES = (("find", "put"), ("also_find", "also_put"))
"""What an idea replaces, and by what; the second where it needs two pieces."""


class ScriptedModel:
    """The endpoint; a context manager, which listens on 127.0.0.1 where there is anything to say.

    Args:
        ideas: of each problem, see `Problem.ideas`.
    """

    def __init__(self, ideas: Mapping[str, Ideas]) -> None:
        self.ideas = ideas
        self._server: _Server | None = None

    def __enter__(self) -> "ScriptedModel":
        if self.ideas:
            self._server = _Server(("127.0.0.1", 0), _Handler)
            self._server.model = self
            threading.Thread(target=self._server.serve_forever, args=(0.1,), name="scripted", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def address(self, problem: str, seed: int) -> str:
        """Base URL of the endpoint for one study."""
        port = self._server.server_address[1] if self._server is not None else 0
        return f"http://127.0.0.1:{port}/{problem}/{seed}/v1"

    def answer(self, problem: str, seed: int, body: Mapping[str, Any]) -> tuple[str, list[Call]]:
        """Text and tool calls that answer a request.

        Args:
            body: as it was sent, a Chat Completions request.
        """
        return answer(self.ideas.get(problem, ()), seed, body)


_AGAIN = ("", "Again: ", *(f"Again, {number}: " for number in range(3, 20)))
"""Once all has been tried, what fits is tried again, as another champion may stand by then."""


def answer(ideas: Ideas, seed: int, body: Mapping[str, Any]) -> tuple[str, list[Call]]:
    """The next idea of an order that the seed draws, as its edits and the proposal; words where nothing fits.

    In a conversation that goes on after a proposal (it was refused, or is to be mended) the idea is left for the next.
    """
    messages = body.get("messages") or []
    if (more := _unread(messages)) is not None:
        return "What has been tried?", [("list_experiments", more)]
    said = "\n".join(_text(message) for message in messages)
    order = list(ideas)
    random.Random(f"ideas {seed}").shuffle(order)
    for idea, title in ((idea, f"{again}{idea['title']}") for again in _AGAIN for idea in order):
        if title in said:
            continue
        path = idea["path"]
        pieces = [(idea[find], idea[put]) for find, put in _PIECES if find in idea]
        if not all(find in said for find, _ in pieces):
            continue  # what it changes is not there any more
        gain = float(idea.get("gain", 0.0))
        edits: list[Call] = [("edit_file", {"path": path, "search": find, "replace": put}) for find, put in pieces]
        told = {"title": title, "hypothesis": idea["why"], "expected_gain": gain}
        afresh: list[Call] = [("give_up", {"why": "another idea"})] if _edited(messages) else []
        return idea["why"], [*afresh, *edits, ("propose", told)]
    return "I have no further idea.", []


def _unread(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What of the list of all experiments it has not seen yet: arguments of the next call; None where it has all."""
    answers = [_text(message) for message in messages if message.get("role") == "tool"]
    if not answers:
        return {}
    older = re.search(r"call again with before=(\d+)", answers[-1])
    return {"before": int(older[1])} if older else None


def _edited(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether this conversation has edits already, which another idea must not carry along."""
    return any(
        call["function"]["name"] == "edit_file" for message in messages for call in message.get("tool_calls") or ()
    )


def _text(message: Mapping[str, Any]) -> str:
    """Everything that a message says: its content, and the arguments of its calls."""
    content = message.get("content")
    parts = [content] if isinstance(content, str) else [part.get("text") or "" for part in content or ()]
    parts += [call["function"]["arguments"] for call in message.get("tool_calls") or ()]
    return "\n".join(parts)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    model: ScriptedModel


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            pass  # the study was ended in the middle of an answer

    def do_GET(self) -> None:
        if self.path.rstrip("/").endswith("/models"):
            self._whole(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "looptop"}]})
        else:
            self._whole(404, _error(f"there is nothing at {self.path}"))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        parts = self.path.strip("/").split("/")
        if parts[2:] != ["v1", "chat", "completions"] or not parts[1].isdigit():
            return self._whole(404, _error(f"there is nothing at {self.path}"))
        text, calls = self.server.model.answer(parts[0], int(parts[1]), body)
        if body.get("stream"):
            return self._stream(text, calls)
        message: dict[str, Any] = {"role": "assistant", "content": text, "tool_calls": _calls(calls)}
        self._whole(200, {**_head("chat.completion"), "usage": _USAGE, "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}]})  # fmt: skip

    def _stream(self, text: str, calls: Sequence[Call]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        made = [{"index": index, **call} for index, call in enumerate(_calls(calls))]
        for delta, finish in (
            ({"role": "assistant", "content": text}, None),
            *(({"tool_calls": [call]}, None) for call in made),
            ({}, "tool_calls" if calls else "stop"),
        ):
            self._event({**_head("chat.completion.chunk"), "choices": [
                {"index": 0, "delta": delta, "finish_reason": finish}]})  # fmt: skip
        self._event({**_head("chat.completion.chunk"), "choices": [], "usage": _USAGE})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, body: Mapping[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(body).encode() + b"\n\n")

    def _whole(self, status: int, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def _head(kind: str) -> dict[str, Any]:
    return {"id": "scripted", "object": kind, "created": 0, "model": MODEL}


def _calls(calls: Sequence[Call]) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for index, (name, arguments) in enumerate(calls)
    ]


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
