"""A web server on 127.0.0.1 that plays the world, and files as the world has them."""

import io
import ipaddress
import subprocess
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pypdf

from loop.researchers.web import Web

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
