"""A small real HTTP server that takes posts and answers what it is told to, for tests of what goes out."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Listener:
    """What was posted, and what is answered: one status after another, the last one for ever."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers) or [200]
        self.posted: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.silent = threading.Event()
        """While this is set, no answer is given."""
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.paths.append(self.path)
                listener.headers.append(dict(self.headers))
                while listener.silent.is_set():
                    time.sleep(0.01)
                answer = listener.answers.pop(0) if len(listener.answers) > 1 else listener.answers[0]
                self.send_response(answer)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"words")
                listener.posted.append(json.loads(body))

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass  # whoever asked has gone

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def listening(*answers: int) -> Iterator[Listener]:
    """A server that is there for as long as the context is."""
    found = Listener(*answers)
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.silent.clear()
        found.server.shutdown()
        found.server.server_close()
        thread.join(5)
