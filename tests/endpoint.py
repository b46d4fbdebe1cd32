"""A language model's endpoint on a real socket that plays a script: OpenAI-compatible answers, and what goes wrong.

    with Endpoint(Fault(429, headers={"retry-after": "1"}), Answer("hm", "Hello")) as endpoint:
        client = AsyncOpenAI(base_url=endpoint.url, api_key="any")

It speaks HTTP/1.1 and server-sent events on 127.0.0.1: POST chat/completions and responses, GET models. It checks what
such servers check (the key, the model, the context's size, that tool calls and results pair) and says so in their
words; it knows no language and never looks at what it is asked beyond that.
"""

import json
import select
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests import dialects
from tests.dialects import Answer, words
from tests.endpoint_script import Fault, Request

__all__ = ["Answer", "Endpoint", "Fault", "Request"]

PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"


Step = Answer | Fault | Callable[[Request], Answer | Fault]


class Endpoint:
    """The steps are played in order, one a request; the last is repeated for ever.

    A request that is refused for what it is (key, model, size, tools) takes no step. An exception inside a step is
    answered with a 500 and raised again on leaving. May be stopped and started, on the same port.
    """

    def __init__(
        self,
        *steps: Step,
        models: Sequence[str] = ("test-model",),
        key: str | None = None,
        context: int | None = None,
        tools: bool = True,
        stream_options: bool = True,
    ) -> None:
        """Args:
        models: those it has; any other is a 404.
        key: without this one a request is a 401; None takes any.
        context: words that a conversation may have; beyond them it is a 400.
        tools: False refuses requests with tools.
        stream_options: False refuses requests with stream options.
        """
        self.models, self.key, self.context = models, key, context
        self.takes_tools, self.takes_stream_options = tools, stream_options
        self.requests: list[Request] = []
        self.defect: BaseException | None = None
        self._steps = list(steps) or [Answer(text="Hello.")]
        self._lock = threading.Lock()
        self._port = 0
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="endpoint", daemon=True).start()

    def stop(self) -> None:
        """Closes the port and every connection; the next one is refused."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> "Endpoint":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None and self.defect is not None:
            raise self.defect

    def take(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Request:
        """Notes a request."""
        with self._lock:
            request = Request(len(self.requests) + 1, path, headers, body, time.monotonic())
            self.requests.append(request)
        return request

    def step(self, request: Request) -> Answer | Fault:
        """What is played for this request."""
        with self._lock:
            step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        return step(request) if callable(step) else step

    def unwelcome(self, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]] | None:
        """The status and body for who may not come in."""
        given = headers.get("authorization", "").removeprefix("Bearer ").strip()
        if self.key is None or given == self.key:
            return None
        if not given:
            return 401, dialects.error("You didn't provide an API key.", status=401)
        hidden = f"{given[:8]}{'*' * max(0, len(given) - 12)}{given[-4:]}" if len(given) > 12 else "*" * len(given)
        where = "You can find your API key at https://platform.openai.com/account/api-keys."
        return 401, dialects.error(f"Incorrect API key provided: {hidden}. {where}", "invalid_api_key", 401)

    def refusal(self, request: Request) -> tuple[int, dict[str, Any]] | None:
        """The status and body of a request that no server with these models would take."""
        body, model = request.body, request.body.get("model", "")
        if (unwelcome := self.unwelcome(request.headers)) is not None:
            return unwelcome
        if not request.path.endswith(("/v1/chat/completions", "/v1/responses")):
            return 404, dialects.error(f"Invalid URL (POST {request.path})", status=404)
        if model not in self.models:
            why = f"The model `{model}` does not exist or you do not have access to it."
            return 404, dialects.error(why, "model_not_found", 404)
        if body.get("tools") and not self.takes_tools:
            return 400, dialects.error(f"registry.ollama.ai/library/{model} does not support tools", status=400)
        if "stream_options" in body and not self.takes_stream_options:
            return 400, dialects.error("Unrecognized request argument supplied: stream_options", status=400)
        if (unpaired := dialects.unanswerable(body)) is not None:
            return 400, unpaired
        size = words(request.text)
        if self.context is None or size <= self.context:
            return None
        chat = request.dialect == "chat"
        why = "Your input exceeds the context window of this model. Please adjust your input and try again."
        if chat:
            why = f"This model's maximum context length is {self.context} tokens. However, your messages resulted in "
            why += f"{size} tokens. Please reduce the length of the messages."
        return 400, dialects.error(why, "context_length_exceeded", 400, "messages" if chat else "input")


class _Server(ThreadingHTTPServer):
    """Listens, and knows its open connections so that it can close them all at once."""

    daemon_threads = False  # so that `server_close` waits for them
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], endpoint: Endpoint) -> None:
        super().__init__(address, _Connection)
        self.endpoint = endpoint
        self.stopping = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Only closes: a shutdown before it would turn every reset into a tidy end."""
        with self._lock:
            self._open.discard(request)
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes between two requests is none of our business; the rest is a defect, printed."""
        traceback.print_exc()

    def stop(self) -> None:
        self.stopping = True
        self.shutdown()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # closed by the client meanwhile
        self.server_close()


class _Gone(Exception):
    """The client is not there any more, or the endpoint stops."""


class _Connection(BaseHTTPRequestHandler):
    """One connection: reads requests, plays what the endpoint says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    number = 0
    """Of the request under way, if it is a POST."""

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            pass  # gone between two requests

    def do_GET(self) -> None:
        endpoint = self.server.endpoint
        if (unwelcome := endpoint.unwelcome(self._lowered())) is not None:
            self._whole(*unwelcome)
        elif self.path.rstrip("/") == "/v1/models":
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in endpoint.models]
            self._whole(200, {"object": "list", "data": models})
        else:
            self._whole(404, dialects.error(f"Invalid URL (GET {self.path})", status=404))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        request = self.server.endpoint.take(self.path, self._lowered(), body)
        self.number = request.number
        try:
            self._play(request)
        except (_Gone, ConnectionError):
            self.close_connection = True
            if not self.server.stopping:
                request.gone_at = time.monotonic()

    def _lowered(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _play(self, request: Request) -> None:
        endpoint = self.server.endpoint
        if (refusal := endpoint.refusal(request)) is not None:
            return self._whole(*refusal)
        try:
            step = endpoint.step(request)
        except BaseException as error:
            endpoint.defect = error
            return self._whole(500, dialects.error(f"{type(error).__name__} in a step of the script: {error}"))
        fault = Fault(answer=step) if isinstance(step, Answer) else step
        if fault.html:
            status = HTTPStatus(fault.status or 502)
            page = PAGE.format(f"{status.value} {status.phrase}").encode()
            self._whole(status.value, page, fault.headers)
        elif fault.status:
            why = fault.message or HTTPStatus(fault.status).phrase
            self._whole(fault.status, dialects.error(why, fault.code, fault.status), fault.headers)
        elif fault.refuse and fault.cut_after is None:
            self._reset()
        elif fault.hang and not (fault.pulse and request.body.get("stream")):
            self._hang()
        elif request.body.get("stream"):
            self._stream(request, fault)
        else:
            self._at_once(request, fault)

    def _whole(self, status: int, body: dict[str, Any] | bytes, headers: Mapping[str, str] | None = None) -> None:
        """A response of known length."""
        page = isinstance(body, bytes)
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self._head(status, "text/html" if page else "application/json", headers, length=len(data))
        self.wfile.write(data)

    def _head(
        self, status: int, kind: str, headers: Mapping[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if self.number:
            self.send_header("x-request-id", f"req_{self.number}")
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def _at_once(self, request: Request, fault: Fault) -> None:
        """An answer that is not streamed; one that hangs or is cut stops in the middle of its body."""
        answer = fault.answer or Answer()
        whole = dialects.responses_whole if request.dialect == "responses" else dialects.chat_whole
        body = whole(answer, request.body, request.number, request.text)
        if fault.fail_after is not None:
            return self._whole(500, dialects.error(fault.message, fault.code), fault.headers)
        if answer.rate:
            self._wait(words(f"{answer.reasoning} {answer.text}") / answer.rate)
        if fault.hang_after is None and fault.cut_after is None:
            return self._whole(200, body, fault.headers)
        data = json.dumps(body, ensure_ascii=False).encode()
        self._head(200, "application/json", fault.headers, length=len(data))
        self.wfile.write(data[: len(data) // 2])
        self._end_badly(fault)

    def _stream(self, request: Request, fault: Fault) -> None:
        """The answer as events, and what goes wrong with it."""
        answer, responses = fault.answer or Answer(), request.dialect == "responses"
        stream = dialects.responses_stream if responses else dialects.chat_stream
        limits = (fault.hang_after, fault.cut_after, fault.fail_after)
        limit = 0 if fault.hang else next((limit for limit in limits if limit is not None), None)
        self._head(200, "text/event-stream", fault.headers)
        sent = 0
        for event in self._paced(stream(answer, request.body, request.number, request.text), answer.rate, limit):
            self._send(event, responses)
            sent += 1
        if limit is not None and fault.fail_after is None:
            return self._end_badly(fault)
        if fault.fail_after is not None and responses:
            why = fault.message, fault.code, fault.failure
            self._send(dialects.responses_failure(request.body, request.number, sent, *why), responses)
        elif fault.fail_after is not None:
            self._send(dialects.error(fault.message, fault.code), responses)
        elif not responses:
            self._chunks(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _paced(self, events: Iterable[dialects.Event], rate: float, limit: int | None) -> Iterator[dict[str, Any]]:
        """The events at so many words a second, up to where word number `limit` + 1 would begin."""
        spoken = 0
        for begins, event in events:
            if begins:
                if spoken == limit:
                    return
                spoken += 1
                self._wait(1 / rate if rate else 0)
            yield event

    def _send(self, event: dict[str, Any], named: bool) -> None:
        name = f"event: {event['type']}\n" if named else ""
        self._chunks(f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())

    def _chunks(self, data: bytes) -> None:
        """The bytes in two chunks of HTTP, cut inside the first character of several bytes, if there is one."""
        cut = next((place + 1 for place, byte in enumerate(data) if byte > 0x7F), len(data) // 2)
        self.wfile.write(b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (data[:cut], data[cut:])))

    def _end_badly(self, fault: Fault) -> None:
        """Hangs, resets, or closes."""
        self.close_connection = True
        if fault.hang or fault.hang_after is not None:
            self._hang(fault.pulse)
        elif fault.refuse:
            self._reset()
        elif fault.tidy:
            self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        """No lingering: closing sends a reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _hang(self, pulse: float = 0) -> None:
        while True:
            self._wait(pulse or None)
            if pulse:
                self._chunks(b": keep-alive\n\n")

    def _wait(self, seconds: float | None) -> None:
        """Waits that long, None for ever; raises at once when the other end has gone."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise _Gone
