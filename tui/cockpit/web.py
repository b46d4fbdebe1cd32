"""`looptop web`: the cockpit in a browser, through textual-serve, on loopback and behind a token.

Each tab is a cockpit process of its own, as each terminal is. Nothing is fetched from elsewhere: the page is ours and
needs no font of a server, and its policy forbids the browser to ask anybody else. The token is asked for on every path;
a browser that has shown it once keeps it as a cookie, so that it does not stay in the address.
"""

import asyncio
import hmac
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from textual.drivers.web_driver import WebDriver
from textual_serve.server import Server

MOST = 8
"""Tabs at once; each is a process of about 60 MB."""

_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_ASK = "this cockpit wants its token: open the address that `looptop web` printed\n"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BrowserDriver(WebDriver):
    """Textual's driver for a browser, without reports of every move of the mouse."""

    def _enable_mouse_support(self) -> None:
        self.write("\x1b[?1000h\x1b[?1002h\x1b[?1006h")

    def _disable_mouse_support(self) -> None:
        self.write("\x1b[?1000l\x1b[?1002l\x1b[?1006l")


class CockpitServer(Server):
    """Serves one study's cockpit.

    Args:
        command: what starts the cockpit of one tab.
        token: what a browser has to show.
        title: the page's.
    """

    def __init__(self, command: str, port: int, token: str, title: str) -> None:
        super().__init__(command, "127.0.0.1", port, title, templates_path=Path(__file__).with_name("web_page"))
        self._token, self._open = token, 0
        self._cookie = f"looptop-{port}"

    async def app(self) -> web.Application:
        """The web application, with everything of it behind the token."""
        app = await self._make_app()
        app.on_startup.clear()  # which prints a logo
        app.middlewares.append(self._guard())
        return app

    def _guard(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._same(request.query.get("token", "")):
                answer: web.StreamResponse = web.HTTPFound(request.path)
                answer.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict", path="/")
                return answer
            if not self._same(request.cookies.get(self._cookie, "")):
                return web.Response(status=403, text=_ASK)
            if request.path == "/ws":
                if request.headers.get("Origin", "").partition("://")[2] != request.host:
                    return web.Response(status=403, text="another page may not open this cockpit\n")
                if self._open >= MOST:
                    return web.Response(status=503, text=f"{MOST} tabs are open already; close one\n")
            answer = await handler(request)
            if not answer.prepared:
                answer.headers["Content-Security-Policy"] = _POLICY
                answer.headers["Referrer-Policy"] = "no-referrer"
            return answer

        return guard

    def _same(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode("utf-8", "replace"), self._token.encode())

    async def handle_index(self, request: web.Request) -> Any:
        """The page, with the address by which this browser came here: it may be a tunnel's."""
        secure = "https" in (request.scheme, request.headers.get("X-Forwarded-Proto", ""))
        scheme = "https" if secure else "http"
        self.public_url = f"{scheme}://{request.host}"
        return await super().handle_index(request)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        self._open += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._open -= 1


async def serve(server: CockpitServer, listening: socket.socket, said: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        listening: the socket, bound.
        said: called once the first browser may come.
    """
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    runner = web.AppRunner(await server.app(), shutdown_timeout=2.0, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        said()
        await end.wait()
    finally:
        await runner.cleanup()
