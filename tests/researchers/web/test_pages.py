"""The web for a language model: what comes back of a page, a file of text and a PDF."""

import subprocess
import sys

import pytest

from loop.researchers.web import PAGE, Web, WebError, clean, reading
from tests.researchers.web.sites import LOREM, Site, encrypted, pdf


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
