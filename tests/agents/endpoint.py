"""The server behind the agents: plays the model in four protocols, or a failure, on a socket of this machine.

    with PlayedModel("works") as model:
        ...  # start an agent with model.url
        model.scene = "429"

A scene is one of `model.answer`, an HTTP status, a status after the edit ("after 529"), one that ends after so many
requests ("500 for 2"), "cut" (the connection ends in the middle of an answer), "hang" (no answer comes) or "slow".
"""

import gzip
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.agents import wire
from tests.agents.model import Heard, answer
from tests.dialects import Answer

WHY = {
    401: "invalid x-api-key",
    402: "Your credit balance is too low to access the API",
    403: "Your account has no access to this model",
    429: "You have exceeded your rate limit of tokens per minute",
    500: "Internal server error",
    529: "Overloaded",
}
SLOW = 0.5
"""Seconds between two pieces of a slow answer."""
MODELS = ("gpt-5.4", "claude-sonnet-4-5", "gemini-2.5-pro", "played")


class PlayedModel:
    """A language model's endpoint."""

    def __init__(self, scene: str = "works") -> None:
        self.scene = scene
        self.requests: list[str] = []
        """The scene of every request for work, in order."""
        self.waiting = threading.Event()
        """Set once a request hangs or is answered slowly."""
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "PlayedModel":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def status(self, heard: Heard) -> int:
        """The status that this request fails with; 0 where it does not."""
        found = re.fullmatch(r"(after )?(\d{3})(?: for (\d+))?", self.scene)
        if found is None or (found[1] and len(heard.results) < 2):
            return 0
        if found[3] and self.requests.count(self.scene) > int(found[3]):
            return 0
        return int(found[2])


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], model: PlayedModel) -> None:
        super().__init__(address, _Connection)
        self.model = model


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            pass  # the agent has gone

    def do_HEAD(self) -> None:
        self._whole(200, {})

    def do_GET(self) -> None:
        if self.path.partition("?")[0].rstrip("/").endswith("/models"):
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "tests"} for name in MODELS]
            self._whole(200, {"object": "list", "data": models, "models": []})
        else:
            self._whole(404, {"error": {"message": f"there is no {self.path}"}})

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        body = json.loads(self._body() or b"{}")
        if path.endswith(("count_tokens", ":countTokens")):
            return self._whole(200, {"input_tokens": wire.READ, "totalTokens": wire.READ})
        kind = wire.protocol(path)
        if not kind:
            return self._whole(404, {"error": {"message": f"there is no {path}"}})
        body.setdefault("model", path.rpartition("/")[2].partition(":")[0])
        self._play(kind, body, wire.heard(kind, body), streamed=bool(body.get("stream")) or ":stream" in path)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def _play(self, kind: str, body: dict[str, Any], heard: Heard, streamed: bool) -> None:
        model = self.server.model
        if heard.is_work:
            model.requests.append(model.scene)
        if status := model.status(heard):
            wait = {"retry-after": "1"} if status == 429 else {}
            return self._whole(status, wire.error(kind, status, WHY.get(status, "no")), wait)
        if model.scene == "hang" and heard.is_work:
            model.waiting.set()
            model.ended.wait()
            self.close_connection = True
            return None
        said = answer(model.scene, heard)
        said = Answer(said.reasoning, said.text, said.calls, usage=wire.USAGE, reasoning_as="summary", pieces=12)
        if not streamed:
            return self._whole(200, wire.whole(kind, said, body, len(model.requests)))
        self._stream(list(wire.stream(kind, said, body, len(model.requests))), heard)
        return None

    def _stream(self, events: list[str], heard: Heard) -> None:
        model, scene = self.server.model, self.server.model.scene
        cut = len(events) // 2 if scene == "cut" and heard.is_work else len(events)
        self._head(200, "text/event-stream", {"Transfer-Encoding": "chunked"})
        for event in events[:cut]:
            data = event.encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            if scene == "slow" and heard.is_work and heard.results:
                model.waiting.set()
                time.sleep(SLOW)
        if cut == len(events):
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = cut < len(events)

    def _whole(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self._head(status, "application/json", {"Content-Length": str(len(data))} | (headers or {}))
        if self.command != "HEAD":
            self.wfile.write(data)

    def _head(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
