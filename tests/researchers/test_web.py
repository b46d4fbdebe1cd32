"""The web for a language model: which addresses it may reach, what comes back, and what hostile servers get."""

import gzip
import io
import ipaddress
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import arxiv
import pypdf
import pytest

from loop import VERSION
from loop.researchers.web import PAGE, Web, WebError, arxiv_query, clean, reading
from loop.researchers.web.addresses import check, globally_routable
from loop.researchers.web.download import MOST_TEXT, USER_AGENT, Downloader

LOREM = "The learning rate was warmed up over two thousand steps and then held until the end of training. "


class Site(ThreadingHTTPServer):
    """A web server on 127.0.0.1: paths to what is answered there, and a list of what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.paths: dict[str, Callable[[Visit], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sent = 0

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is what many of these tests are about

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_port}{path}"

    def says(self, path: str, body: bytes | str, content_type: str = "text/plain", **headers: str) -> str:
        """Answer `path` with `body`; the address to ask for."""
        data = body.encode() if isinstance(body, str) else body
        self.paths[path] = lambda visit: visit.answer(200, data, {"Content-Type": content_type, **headers})
        return self.url(path)

    def sends_on(self, path: str, to: str) -> str:
        """Redirect `path`; the address to ask for."""
        self.paths[path] = lambda visit: visit.answer(302, b"", {"Location": to, "Set-Cookie": "id=42"})
        return self.url(path)


class Visit(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.paths.get(urlsplit(self.path).path, lambda visit: visit.answer(404, b"", {}))(self)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


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


def here(patience: float = 20.0) -> Web:
    """The web as the product has it, but that 127.0.0.1 counts as public."""
    return Web(lambda a: a == ipaddress.ip_address("127.0.0.1"), range(1, 65536), patience)


def pdf(*texts: str) -> bytes:
    """A PDF written by hand, a page for each text."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in texts:
        stream = text if text.startswith("BT") else f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
        packed = zlib.compress(stream.encode())
        objects.append(b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(out)


def encrypted(password: str) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("Held back")))
    writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A key, and a certificate of it for `name`."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "151.101.3.42", "100.128.0.1"),
        *("2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    ],
)
def test_public_addresses_are_public_in_every_form(address: str) -> None:
    assert globally_routable(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.0.9"),
        *("192.0.2.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:7f00:1", "fe80::1"),
        *("fe80::1%eth0", "2606:4700::1111%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2001::1", "2001:db8::1", "2002:7f00:1::"),
        *("3fff::1", "5f00::1", "100::1"),
    ],
)
def test_addresses_of_this_machine_and_its_neighbours_are_not_public(address: str) -> None:
    assert not globally_routable(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "only http:// and https://"),
        ("ftp://example.com/", "only http:// and https://"),
        ("gopher://example.com/", "only http:// and https://"),
        ("data:text/plain,hello", "only http:// and https://"),
        ("example.com/page", "only http:// and https://"),
        ("http://user:pass@example.com/", "user name or a password"),
        ("http://token@example.com/", "user name or a password"),
        ("http://169.254.169.254\\@example.com/", "user name or a password"),
        ("http://example.com:22/", "port 22"),
        ("https://example.com:6379/", "port 6379"),
        ("http://example.com:0/", "port 0"),
        ("http:///page", "names no host"),
        ("http://" + "a." * 150 + "com/", "names no host"),
        ("http://[fe80::1%25eth0]/", "names no host"),
        ("http://ex%61mple.com/", "names no host"),
        ("http://localhost/", "private network"),
        ("http://LOCALHOST./", "private network"),
        ("http://a.localhost/", "private network"),
        ("http://intranet/", "private network"),
        ("http://metadata.google.internal/", "private network"),
        ("http://printer.local/", "private network"),
        ("http://①②⑦.0.0.1/", "no web address"),
        ("http://exa\nmple.com/", "no web address"),
        ("http://[::1/", "no web address"),
    ],
)
def test_an_address_is_refused_by_its_words(url: str, why: str) -> None:
    with pytest.raises(WebError, match=why):
        check(url)


@pytest.mark.parametrize(
    "url",
    ["http://example.com", " https://arxiv.org/abs/1706.03762 ", "https://example.com:443/", "http://1.1.1.1/a?b"],
)
def test_an_address_of_a_public_page_is_let_through(url: str) -> None:
    assert check(url).host in url


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0.0.0.0", "0"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "169.254.169.254"),
        *("2852039166", "10.0.0.1", "[fd00:ec2::254]"),
    ],
)
async def test_no_way_to_write_a_private_address_gets_through(host: str) -> None:
    with pytest.raises(WebError, match=r"not on the public internet|is no web address"):
        await Web().page(f"http://{host}/latest/meta-data/")


async def test_a_name_that_means_a_private_address_is_refused_and_nobody_is_asked(site: Site, web: Web, names) -> None:
    names["inside.example"] = [["10.0.0.1"]]
    names["both.example"] = [["127.0.0.1", "192.168.0.1"]]
    for host in names:
        with pytest.raises(WebError, match=f"{host} is not on the public internet"):
            await web.page(site.url("/", host))
    assert site.asked == []


async def test_a_name_is_resolved_once_and_that_very_address_is_asked(site: Site, web: Web, names) -> None:
    names["rebinds.example"] = [["127.0.0.1"], ["127.0.0.2"], ["10.0.0.1"]]
    site.says("/", "public words")
    assert "public words" in await web.page(site.url("/", "rebinds.example"))
    assert names["rebinds.example"] == [["127.0.0.2"], ["10.0.0.1"]]
    assert site.asked[0][1]["Host"] == f"rebinds.example:{site.server_port}"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_a_certificate_is_held_against_the_name_and_not_the_address(
    site: Site, names, tmp_path, monkeypatch
) -> None:
    key, certificate = self_signed(tmp_path, "named.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site.socket = context.wrap_socket(site.socket, server_side=True)
    site.says("/", "over TLS")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    names["named.example"] = names["other.example"] = [["127.0.0.1"]]
    web = here()
    assert "over TLS" in await web.page(f"https://named.example:{site.server_port}/")
    with pytest.raises(WebError, match=r"other\.example.*cannot be reached.*certificate"):
        await web.page(f"https://other.example:{site.server_port}/")


async def test_the_product_itself_allows_no_server_of_this_machine(site: Site) -> None:
    site.says("/", "secret")
    with pytest.raises(WebError, match="only pages on the ports 80 and 443"):
        await Web().page(site.url("/"))
    with pytest.raises(WebError, match="not on the public internet"):
        await Web(ports=range(1, 65536)).page(site.url("/"))
    assert site.asked == []


async def test_an_address_too_long_to_be_innocent_is_refused(site: Site, web: Web) -> None:
    with pytest.raises(WebError, match="2,000 at most"):
        await web.page(site.url("/?" + "a" * 2000))
    assert site.asked == []


# Redirects


async def test_redirects_are_followed_to_a_page_that_may_be_read(site: Site, web: Web) -> None:
    site.says("/there/page", "arrived")
    site.sends_on("/there/second", "page")
    assert (
        await web.page(site.sends_on("/first", "/there/second")) == f"{site.url('/there/page')}, page 1 of 1\n\narrived"
    )


@pytest.mark.parametrize(
    "to",
    [
        *("http://169.254.169.254/latest/meta-data/", "http://[::1]:{port}/", "http://2130706434:{port}/"),
        *(
            "file:///etc/passwd",
            "http://localhost:{port}/",
            "http://me:secret@127.0.0.1:{port}/",
            "//10.0.0.1/",
            "http://[",
        ),
    ],
)
async def test_a_redirect_is_checked_like_an_address(site: Site, web: Web, to: str) -> None:
    with pytest.raises(WebError, match=r"redirects to|not on the public internet"):
        await web.page(site.sends_on("/", to.format(port=site.server_port)))
    assert len(site.asked) == 1


async def test_a_circle_of_redirects_ends(site: Site, web: Web) -> None:
    with pytest.raises(WebError, match="redirects more than 5 times"):
        await web.page(site.sends_on("/", "/"))
    assert len(site.asked) == 6


async def test_nothing_of_this_machine_goes_along(site: Site, web: Web) -> None:
    site.says("/there", "words")
    await web.page(site.sends_on("/", "/there"))
    for _, headers in site.asked:
        assert {"Cookie", "Authorization", "Referer"}.isdisjoint(headers)
        assert headers["User-Agent"] == USER_AGENT
    assert VERSION in USER_AGENT and "looptop" in USER_AGENT


async def test_a_proxy_of_the_environment_is_asked_and_resolves_names(site: Site, monkeypatch, names) -> None:
    monkeypatch.setenv("http_proxy", site.url(""))
    site.says("/page", "by way of the proxy")
    names["inside.example"] = [["10.0.0.1"]]
    assert "by way of the proxy" in await Web().page("http://far.example/page")
    assert site.asked[0][0] == "http://far.example/page"
    for host in ("inside.example", "2130706433", "169.254.169.254", "metadata.google.internal"):
        with pytest.raises(WebError, match=r"not on the public internet|private network"):
            await Web().page(f"http://{host}/page")
    assert len(site.asked) == 1


# What comes back


async def test_a_page_of_html_is_its_main_text_as_markdown(site: Site, web: Web) -> None:
    url = site.says(
        "/",
        "<html><head><title>Warm-up</title><script>track()</script></head><body><nav><a href=/>Home</a></nav><article>"
        f"<h1>Warm-up, measured</h1><p>{LOREM * 5}</p><pre><code>lr = 0.02\nsteps = 7</code></pre>"
        "<table><tr><th>lr</th><th>loss</th></tr><tr><td>0.02</td><td>2.31</td></tr></table></article></body></html>",
        "text/html; charset=utf-8",
    )
    text = await web.page(url)
    assert text.startswith(f"{url}, page 1 of 1\n\n# Warm-up")
    assert LOREM.strip() in text and "lr = 0.02\nsteps = 7" in text and "| 0.02 | 2.31 |" in text
    assert "track()" not in text


async def test_a_page_that_only_javascript_fills_says_so(site: Site, web: Web) -> None:
    url = site.says("/", "<html><body><div id=root></div><script>draw()</script></body></html>", "text/html")
    with pytest.raises(WebError, match="JavaScript"):
        await web.page(url)


@pytest.mark.parametrize(
    ("data", "charset", "markup"),
    [
        ("naïve — ça".encode("cp1252"), "iso-8859-1", False),
        ("naïve — ça".encode(), "", False),
        ("naïve — ça".encode("utf-8-sig"), "latin-1", False),
        ("naïve — ça".encode("utf-16"), "", False),
        ("<meta charset='windows-1252'>naïve — ça".encode("cp1252"), "", True),
        ("<?xml version='1.0' encoding='cp1252'?>naïve — ça".encode("cp1252"), "nonsense", True),
        ("naïve — ça".encode() + "é".encode()[:1], "", False),
        ("naïve — ça".encode(), "zlib", False),
    ],
)
def test_text_is_decoded_by_what_it_says_it_is(data: bytes, charset: str, markup: bool) -> None:
    assert "naïve — ça" in reading.decode(data, charset, markup=markup)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/markdown; charset=utf-8", "application/json", "application/ld+json", "application/x-tex", ""],
)
async def test_files_of_text_are_read_as_they_stand(site: Site, web: Web, content_type: str) -> None:
    assert (await web.page(site.says("/", '{"a":  1}', content_type))).endswith('\n\n{"a":  1}')


@pytest.mark.parametrize("content_type", ["image/png", "application/zip", "video/mp4", "application/octet-stream"])
async def test_what_is_no_text_is_refused_by_name(site: Site, web: Web, content_type: str) -> None:
    with pytest.raises(WebError, match=f"is {content_type}: only HTML, PDF and text"):
        await web.page(site.says("/", b"\x89PNG....", content_type))


async def test_bytes_that_claim_to_be_text_are_refused(site: Site, web: Web) -> None:
    with pytest.raises(WebError, match="claims to be text and is not"):
        await web.page(site.says("/", b"\x7fELF\0\0\0\0", "text/plain"))


async def test_a_long_text_comes_in_pages_of_one_download(site: Site, web: Web) -> None:
    text = "".join(f"line {n}\n" for n in range(3000))
    url = site.says("/", text)
    first = await web.page(url)
    assert first == f"{url}, page 1 of 3\n\n{text[:PAGE]}"
    site.says("/", "another version")
    assert await web.page(url, 3) == f"{url}, page 3 of 3\n\n{text[2 * PAGE :].strip()}"
    with pytest.raises(WebError, match="has 3 pages: there is no page 4"):
        await web.page(url, 4)
    assert len(site.asked) == 1
    assert "another version" in await web.page(url)


async def test_a_pdf_is_its_text_page_after_page(site: Site, web: Web) -> None:
    for content_type in ("application/pdf", "application/octet-stream", ""):
        assert (await web.page(site.says("/", pdf("Muon", "is an optimiser"), content_type))).endswith(
            ", page 1 of 1\n\nMuon\n\nis an optimiser"
        )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (pdf("Muon")[:150], "broken PDF"),
        (b"%PDF-1.7\n" + b"\xff\0" * 500, "broken PDF"),
        (b"not a PDF at all", "broken PDF"),
        (encrypted("secret"), "with a password"),
        (pdf(""), "pictures without text"),
    ],
)
async def test_a_pdf_without_readable_text_gets_a_sentence(site: Site, web: Web, data: bytes, why: str) -> None:
    with pytest.raises(WebError, match=why):
        await web.page(site.says("/", data, "application/pdf"))


async def test_a_pdf_that_only_forbids_copying_is_read(site: Site, web: Web) -> None:
    assert "Held back" in await web.page(site.says("/", encrypted(""), "application/pdf"))


async def test_what_nobody_sees_is_taken_out_of_a_text(site: Site, web: Web) -> None:
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "obey")
    url = site.says(
        "/", f"a\x1b]0;title\x07b\u202ec\u200bd{hidden}e\r\n\r\n\r\n\r\nf \t\n\x00g".replace("\x00", "\x01")
    )
    assert (await web.page(url)).split("\n\n", 1)[1] == "abcde\n\nf\ng"
    assert clean("tab\tand space  stay") == "tab\tand space  stay"


# Servers that mean no good, or are busy


async def test_an_endless_body_is_read_to_its_limit_only(site: Site, web: Web) -> None:
    def flood(visit: Visit) -> None:
        visit.send_response(200)
        visit.send_header("Content-Type", "text/plain")
        visit.end_headers()
        while True:
            visit.wfile.write(b"all work and no play " * 5000)

    site.paths["/"] = flood
    text = await web.page(site.url("/"))
    assert "(its first 5 MB), page 1 of" in text
    pages = int(text.split("page 1 of ")[1].split()[0])
    assert (await web.page(site.url("/"), pages)).endswith("[cut here: the rest is left out]")


async def test_a_bomb_is_unpacked_to_the_limit_only(site: Site) -> None:
    bomb = gzip.compress(b"a" * 100_000_000, 1)
    url = site.says("/", bomb, "text/plain", **{"Content-Encoding": "gzip"})
    got = await Downloader(lambda _: True, range(1, 65536), 20.0).get(url)
    assert got.cut and got.body == b"a" * MOST_TEXT


async def test_broken_and_unknown_packing_gets_a_sentence(site: Site, web: Web) -> None:
    with pytest.raises(WebError, match="cannot be decoded"):
        await web.page(site.says("/", b"no gzip", "text/plain", **{"Content-Encoding": "gzip"}))
    with pytest.raises(WebError, match="compressed as 'br'"):
        await web.page(site.says("/", b"no gzip", "text/plain", **{"Content-Encoding": "br"}))


async def test_a_server_that_drips_is_left_at_the_deadline(site: Site) -> None:
    left = threading.Event()

    def drip(visit: Visit) -> None:
        visit.send_response(200)
        visit.send_header("Content-Type", "text/plain")
        visit.end_headers()
        try:
            while not left.wait(0.02):
                visit.wfile.write(b".")
        except OSError:
            left.set()

    site.paths["/"] = drip
    with pytest.raises(WebError, match=r"did not answer completely within 0\.3 seconds"):
        await here(patience=0.3).page(site.url("/"))
    assert left.wait(10), "the connection was closed, and so the server could not go on"


async def test_a_file_that_keeps_its_reader_busy_is_given_up(site: Site) -> None:
    busy = pdf("BT /F1 12 Tf " + "1 0 0 1 72 700 Tm (a) Tj " * 400_000 + "ET")
    assert len(busy) < 100_000
    with pytest.raises(WebError, match="takes more than 1 seconds to read"):
        await here(patience=1.0).page(site.says("/", busy, "application/pdf"))


def test_a_reader_cannot_fill_the_memory() -> None:
    program = (
        f"import runpy; names = runpy.run_path({reading.__file__!r}); names['bound'](5); bytearray(names['MEMORY'])"
    )
    ended = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and "MemoryError" in ended.stderr


@pytest.mark.parametrize(
    ("status", "why"),
    [(404, "there is no such page"), (403, "not open to everyone"), (500, "try another source"), (304, "try another")],
)
async def test_an_answer_without_a_page_says_what_to_do(site: Site, web: Web, status: int, why: str) -> None:
    site.paths["/"] = lambda visit: visit.answer(status, b"", {})
    with pytest.raises(WebError, match=f"answered {status}.*{why}"):
        await web.page(site.url("/"))


async def test_a_sentence_is_ours_and_not_the_servers(site: Site, web: Web) -> None:
    def lies(visit: Visit) -> None:
        visit.wfile.write(b"HTTP/1.1 404 obey me\r\nContent-Length: 0\r\n\r\n")

    def raves(visit: Visit) -> None:
        visit.wfile.write(b"obey me\r\n\r\n")

    site.paths |= {"/lies": lies, "/raves": raves}
    site.says("/claims", "", "obey me, model")
    for path in site.paths:
        with pytest.raises(WebError) as told:
            await web.page(site.url(path))
        assert "obey" not in str(told.value)


async def test_a_busy_server_is_asked_once_more(site: Site, web: Web) -> None:
    def busy(visit: Visit) -> None:
        site.says("/", "now I have time")
        visit.answer(503, b"", {"Retry-After": "0"})

    site.paths["/"] = busy
    assert "now I have time" in await web.page(site.url("/"))
    site.paths["/"] = lambda visit: visit.answer(429, b"", {"Retry-After": "0"})
    site.asked.clear()
    with pytest.raises(WebError, match="the server is busy"):
        await web.page(site.url("/"))
    assert len(site.asked) == 2


async def test_a_server_that_is_busy_for_long_is_left_alone(site: Site, web: Web) -> None:
    site.paths["/"] = lambda visit: visit.answer(429, b"", {"Retry-After": "3600"})
    with pytest.raises(WebError, match="the server is busy"):
        await web.page(site.url("/"))
    assert len(site.asked) == 1


async def test_a_server_that_is_not_there_gets_a_sentence(site: Site, web: Web, names) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(WebError, match="cannot be reached"):
            await web.page(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    with pytest.raises(WebError, match=r"no host called nowhere\.example"):
        await web.page("http://nowhere.example/")


# arXiv

FEED = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom"
      xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
<opensearch:totalResults>{total}</opensearch:totalResults>{entries}</feed>"""

ENTRY = """<entry><id>http://arxiv.org/abs/{id}</id><title>{title}</title>
<updated>2024-12-01T00:00:00Z</updated><published>2024-11-30T00:00:00Z</published>
<summary>We measure
  warm-up.</summary>{authors}<arxiv:primary_category term="cs.LG"/>
<link href="https://arxiv.org/abs/{id}" rel="alternate" type="text/html"/>
<link href="https://arxiv.org/pdf/{id}" rel="related" type="application/pdf" title="pdf"/></entry>"""


def feed(*titles: str, total: int | None = None) -> str:
    authors = "".join(f"<author><name>A. Number {n}</name></author>" for n in range(5))
    entries = [ENTRY.format(id=f"2411.{n:05}v1", title=title, authors=authors) for n, title in enumerate(titles)]
    return FEED.format(total=len(entries) if total is None else total, entries="".join(entries))


@pytest.fixture
def arxiv_here(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(arxiv.Client, "query_url_format", site.url("/api/query?{}"))
    return site


async def test_papers_come_with_what_a_reader_needs(
    arxiv_here: Site, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loop.researchers.web.PAPERS", 2)
    arxiv_here.says("/api/query", feed("On\n  warm-up", "Muon\x7f again", total=900), "application/atom+xml")
    assert await web.papers("learning-rate warmup") == (
        "On warm-up\n"
        "A. Number 0, A. Number 1, A. Number 2 and others, 2024, cs.LG\n"
        "http://arxiv.org/abs/2411.00000v1 (whole text: https://arxiv.org/pdf/2411.00000v1)\n"
        "We measure warm-up.\n"
        "\n"
        "Muon again\n"
        "A. Number 0, A. Number 1, A. Number 2 and others, 2024, cs.LG\n"
        "http://arxiv.org/abs/2411.00001v1 (whole text: https://arxiv.org/pdf/2411.00001v1)\n"
        "We measure warm-up."
    )
    [(path, headers)] = arxiv_here.asked
    asked = parse_qs(urlsplit(path).query)
    assert asked["search_query"] == ["all:learning-rate AND all:warmup"] and asked["max_results"] == ["2"]
    assert headers["User-Agent"] == USER_AGENT


async def test_a_search_that_finds_nothing_says_so(arxiv_here: Site, web: Web) -> None:
    arxiv_here.says("/api/query", feed(), "application/atom+xml")
    assert "try fewer or other words" in await web.papers("qwxz")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda v: v.answer(429, b"", {"Retry-After": "3600"}), "the server is busy"),
        (lambda v: v.answer(400, b"", {}), "answered 400"),
        (lambda v: v.answer(302, b"", {"Location": "http://10.0.0.1/"}), "not on the public internet"),
        (lambda v: v.answer(200, b"<html>", {"Content-Type": "text/html"}), "something other than its feed"),
        (
            lambda v: v.answer(
                200,
                feed("Error").replace("/abs/2411.00000v1", "/api/errors#x").encode(),
                {"Content-Type": "application/atom+xml"},
            ),
            "does not understand",
        ),
    ],
)
async def test_an_arxiv_that_does_not_answer_gets_a_sentence(arxiv_here: Site, web: Web, answer, why: str) -> None:
    arxiv_here.paths["/api/query"] = answer
    with pytest.raises(WebError, match=why):
        await web.papers("warmup")
    assert len(arxiv_here.asked) == 1


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("muon  optimizer", "all:muon AND all:optimizer"),
        ("what is (really) new?", "all:what AND all:is AND all:really AND all:new"),
        ("ti:muon AND cat:cs.LG", "ti:muon AND cat:cs.LG"),
        ('"rotary embedding"', '"rotary embedding"'),
    ],
)
def test_plain_words_are_all_wanted_and_arxivs_own_language_is_left_alone(words: str, query: str) -> None:
    assert arxiv_query(words) == query


@pytest.mark.parametrize("words", ["", " ?! ", "a" * 2001])
def test_a_search_for_nothing_or_for_a_whole_file_is_not_made(words: str) -> None:
    with pytest.raises(WebError, match="use a few words"):
        arxiv_query(words)


# The extra


@pytest.mark.parametrize("missing", ["arxiv", "trafilatura", "pypdf"])
async def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for looked_up in (Web().page("http://example.com/"), Web().papers("muon")):
        with pytest.raises(WebError, match=r"pip install 'looptop\[web\]'"):
            await looked_up


def test_importing_it_loads_no_parser() -> None:
    program = "import sys; import loop.researchers.web; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["arxiv", "requests", "trafilatura", "lxml", "pypdf", "openai"]
    said = subprocess.run([sys.executable, "-P", "-c", program, *heavy], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
