"""The web as the product has it, a site of our own to read in it, and a name server of our own."""

import socket
import threading
from collections.abc import Iterator

import pytest

from loop.researchers.web import Web
from tests.researchers.web.sites import Site, here


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """A name server of our own: for each name its answers, one look-up after another, the last for ever."""
    known: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *rest: object, **more: object) -> list[tuple]:
        if host in known:
            answers = known[host]
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            return [each for address in found for each in real(address, port, *rest, **more)]
        if any(c.isalpha() for c in host) and ":" not in host:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.fixture
def web() -> Web:
    return here()
