"""The bytes of a public web page: one careful GET, for addresses that untrusted text may have chosen.

For every request and every redirect, each of which is followed explicitly:

- The host is resolved once, all its addresses must be allowed, and the connection goes to one of exactly those; TLS and
  the Host header keep the name. So a second, different answer of the name server has no effect.
- No cookie, no credential and no header of this machine is sent, except the name and version of looptop.
- Reading stops at a size limit, whatever length was announced and however well the data is compressed.
- Everything together, with redirects and one retry, ends at a deadline.

Where the environment names a proxy (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, without `NO_PROXY`), the proxy connects
and resolves, since this machine may not be able to. Names that also resolve here are still checked here; other names
are left to the proxy.

It never writes a file and never interprets what it has read.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
import urllib.request
from collections.abc import AsyncIterator, Callable, Container
from dataclasses import dataclass
from functools import cached_property
from ssl import SSLContext
from typing import Literal

import httpx2

from loop import VERSION
from loop.researchers.web.addresses import Address, WebError, check, port_of

USER_AGENT = f"looptop/{VERSION}"

MOST_TEXT = 5_000_000
"""Bytes of a page, decompressed. The rest is not read, and the reader is told."""

MOST_PDF = 20_000_000
"""Bytes of a PDF: papers have pictures, and a truncated PDF cannot be read at all."""

MOST_REDIRECTS = 5

CONNECTING_S = 5.0
"""Seconds to connect to one address; of a host with IPv6 and IPv4, one of each is tried."""

COME_BACK_S = 3.0
"""Seconds before the one retry, where a busy server names none; what arXiv asks for between two calls."""

LONGEST_WAIT_S = 10.0
"""A server that asks for a longer wait is not retried: the model has better things to do."""

Kind = Literal["html", "pdf", "text"]

_PDF = b"%PDF-"

_TEXTS = ("json", "xml", "tex", "latex", "yaml", "toml", "markdown", "javascript", "sh", "python", "bibtex")


@dataclass(frozen=True)
class Downloaded:
    """The page: its final address, its kind, and whether it was cut."""

    url: str
    kind: Kind
    charset: str | None
    body: bytes
    cut: bool


class _Busy(WebError):
    """A temporary refusal, and the seconds to wait."""

    def __init__(self, sentence: str, seconds: float) -> None:
        super().__init__(sentence)
        self.seconds = seconds


@dataclass
class _Moved(Exception):
    """A redirect, and where to."""

    to: str


class Downloader:
    """Downloads pages, one connection each.

    Args:
        allowed: which addresses may be connected to.
        ports: on which ports.
        patience: seconds for one page in total.
    """

    def __init__(self, allowed: Callable[[Address], bool], ports: Container[int], patience: float) -> None:
        self.allowed = allowed
        self.ports = ports
        self.patience = patience

    async def get(self, address: str) -> Downloaded:
        """The page at `address`, or where it redirects to.

        Raises:
            WebError: it may not or cannot be downloaded.
        """
        try:
            async with asyncio.timeout(self.patience):
                try:
                    return await self._follow(address)
                except _Busy as busy:
                    if busy.seconds > LONGEST_WAIT_S:
                        raise
                    await asyncio.sleep(busy.seconds)
                return await self._follow(address)
        except TimeoutError:
            raise WebError(
                f"{short(address)} did not answer completely within {self.patience:g} seconds: try another source"
            ) from None

    async def _follow(self, address: str) -> Downloaded:
        url = check(address, self.ports)
        for _ in range(1 + MOST_REDIRECTS):
            try:
                return await self._ask(url)
            except _Moved as moved:
                try:
                    target = str(url.join(moved.to))
                except (httpx2.InvalidURL, ValueError):
                    raise WebError(f"{short(url)} redirects to {moved.to[:200]!r}, which is not an address") from None
                try:
                    url = check(target, self.ports)
                except WebError as error:
                    raise WebError(f"{short(url)} redirects to an address that is not allowed: {error}") from None
        raise WebError(f"{short(address)} redirects more than {MOST_REDIRECTS} times: try another source")

    async def _ask(self, url: httpx2.URL) -> Downloaded:
        try:
            async with self._answer(url) as response:
                return await self._read(url, response)
        except httpx2.DecodingError:
            raise WebError(f"{short(url)} is compressed in a way that cannot be decoded: try another source") from None
        except httpx2.RemoteProtocolError:
            raise WebError(f"{short(url)} does not answer like a web server: try another source") from None
        except httpx2.ProxyError as error:
            raise WebError(f"the proxy refused {short(url)}: {error}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise WebError(f"{short(url)} cannot be reached: {why[:300]}") from None

    @contextlib.asynccontextmanager
    async def _answer(self, url: httpx2.URL) -> AsyncIterator[httpx2.Response]:
        """The head of an answer. Each request has its own client: a pool knows a connection by its address only, and
        would reuse it for another name at the same address."""
        proxy = _proxy(url)
        addresses = await self._resolve(url, must=proxy is None)
        host = url.host.rstrip(".")
        named = url.copy_with(host=host).netloc.decode()
        targets = [url.copy_with(host=str(each)) for each in addresses] if proxy is None else [url]
        async with contextlib.AsyncExitStack() as stack:
            for target in targets:
                try:
                    client = await stack.enter_async_context(self._client(proxy))
                    request = client.build_request(
                        "GET", target, headers={"Host": named}, extensions={"sni_hostname": host}
                    )
                    response = await client.send(request, stream=True)
                except (httpx2.ConnectError, httpx2.ConnectTimeout):
                    if target is targets[-1]:
                        raise
                    continue
                stack.push_async_callback(response.aclose)
                yield response
                return

    def _client(self, proxy: str | None) -> httpx2.AsyncClient:
        try:
            return httpx2.AsyncClient(
                verify=self._tls,
                trust_env=False,
                proxy=proxy,
                follow_redirects=False,
                timeout=httpx2.Timeout(self.patience, connect=CONNECTING_S),
                headers={
                    "User-Agent": USER_AGENT,
                    "Accept": "text/html, application/pdf, text/*;q=0.9, application/json;q=0.8, */*;q=0.1",
                    "Accept-Encoding": "gzip, deflate",
                },
            )
        except (ImportError, ValueError) as error:
            raise WebError(f"the proxy that the environment names cannot be used: {error}") from None

    @cached_property
    def _tls(self) -> SSLContext:
        return httpx2.create_ssl_context()  # reading the machine's certificates takes 30 ms: once

    async def _resolve(self, url: httpx2.URL, *, must: bool) -> list[Address]:
        """The addresses to connect to: the first of each family, provided that all of them are allowed."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(url.host, port_of(url), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            if not must:
                return []
            raise WebError(f"there is no host called {url.host}: check the address") from None
        addresses = [ipaddress.ip_address(each[4][0]) for each in found]
        if not addresses or not all(self.allowed(each) for each in addresses):
            raise WebError(f"{url.host} is not on the public internet: only public web pages can be read")
        return list({each.version: each for each in reversed(addresses)}.values())[::-1]

    async def _read(self, url: httpx2.URL, response: httpx2.Response) -> Downloaded:
        _check_status(url, response)
        kind, charset = _kind(url, response.headers.get("Content-Type", ""))
        packing = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packing not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise WebError(
                f"{short(url)} is compressed as {packing[:20]!r}, which cannot be decoded: try another source"
            )
        body = bytearray()
        async for piece in response.aiter_bytes():  # decompressed a mebibyte at a time: a bomb stops two lines on
            body += piece
            if kind is None and len(body) >= len(_PDF):
                kind = _sniffed(url, response, body)
            if len(body) > (MOST_PDF if kind == "pdf" else MOST_TEXT):
                break
        kind = kind or _sniffed(url, response, body)
        most = MOST_PDF if kind == "pdf" else MOST_TEXT
        if kind == "pdf" and len(body) > most:
            raise WebError(f"{short(url)} is a PDF of more than {most // 1_000_000} MB: try its HTML or its abstract")
        return Downloaded(str(url), kind, charset, bytes(body[:most]), cut=len(body) > most)


def _check_status(url: httpx2.URL, response: httpx2.Response) -> None:
    status = response.status_code
    if status in (301, 302, 303, 307, 308) and "Location" in response.headers:
        raise _Moved(response.headers["Location"])
    phrase = httpx2.codes.get_reason_phrase(status)  # not the server's own text
    said = f"{short(url)} answered {status} {phrase}".rstrip()
    if status in (429, 503):
        wait = response.headers.get("Retry-After", "")  # a date is rare there and is ignored
        seconds = float(wait) if wait.isascii() and wait.isdigit() else COME_BACK_S
        raise _Busy(f"{said}: the server is busy; try again later, or another source", seconds)
    if status in (401, 402, 403, 407, 451):
        raise WebError(f"{said}: it is not open to everyone; try another source")
    if status in (404, 410):
        raise WebError(f"{said}: there is no such page; check the address")
    if not 200 <= status < 300:
        raise WebError(f"{said}: try another source")


def _kind(url: httpx2.URL, content_type: str) -> tuple[Kind | None, str | None]:
    """The declared kind and character set of a page; None where only its first bytes can tell.

    Raises:
        WebError: it cannot be read as text.
    """
    name, *parameters = (part.strip() for part in content_type.lower().split(";"))
    charset = next((p.removeprefix("charset=").strip("\"' ") for p in parameters if p.startswith("charset=")), None)
    if name in ("text/html", "application/xhtml+xml"):
        return "html", charset
    if name in ("application/pdf", "application/x-pdf"):
        return "pdf", None
    if name in ("", "application/octet-stream", "binary/octet-stream"):
        return None, charset
    family, _, subtype = name.partition("/")
    if family == "text" or (family == "application" and subtype.removeprefix("x-").rpartition("+")[2] in _TEXTS):
        return "text", charset
    raise WebError(_refused(url, name))


def _sniffed(url: httpx2.URL, response: httpx2.Response, body: bytearray) -> Kind:
    """The kind of a page that does not declare it: a PDF, or text where there is no Content-Type at all."""
    if body.startswith(_PDF):
        return "pdf"
    if "Content-Type" in response.headers:
        raise WebError(_refused(url, "application/octet-stream"))
    return "text"


def _refused(url: httpx2.URL, name: str) -> str:
    name = name if re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,80}", name) else "of an unnamed kind"
    return f"{short(url)} is {name}: only HTML, PDF and text can be read"


def _proxy(url: httpx2.URL) -> str | None:
    """The proxy that the environment names for this address."""
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass(url.host):
        return None
    return proxies.get(url.scheme) or proxies.get("all")


def short(url: httpx2.URL | str) -> str:
    """An address, cut for a message: it may be of any length."""
    text = str(url)
    return text if len(text) <= 200 else text[:199] + "…"
