"""The text in untrusted bytes: of a web page, a PDF or a plain file. Runs as a process of its own.

    python -P reading.py KIND SECONDS CHARSET < bytes > text

The parsers for such files are large, and a malicious file can keep them busy for ever or exhaust the memory. So they
run here, with limits on time and memory and without the supervisor's environment; the supervisor itself never loads
them. It opens no connection and no file. The exit status says what the output is: 0, the text; `SENTENCE`, a sentence
that says why there is none.
"""

import codecs
import contextlib
import logging
import re
import resource
import sys
from io import BytesIO

SENTENCE = 3
"""Exit status if the output is a sentence instead of the text."""

MEMORY = 1 << 30
"""Bytes of address space; the libraries take a fifth of it."""

LONGEST = 1_000_000
"""Characters of a text, a book of 400 pages; more is cut, with a note."""

CUT = "\n\n[cut here: the rest is left out]"

_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)


class Unreadable(Exception):
    """There is no text to read; the message is a sentence without its subject."""


def text_of_html(data: bytes, charset: str) -> str:
    """Title and main text of a web page, as Markdown.

    Raises:
        Unreadable: there is no text in it.
    """
    import trafilatura

    page = decode(data, charset, markup=True)
    text = trafilatura.extract(
        page, output_format="markdown", include_tables=True, include_comments=False, favor_recall=True
    )
    text = text or trafilatura.html2txt(page)
    if not text or not text.strip():
        raise Unreadable("has no text without JavaScript, which is not run: try another source")
    metadata = trafilatura.extract_metadata(page)
    title = metadata.title if metadata else None
    return f"# {title}\n\n{text}" if title and title not in text[: 2 * len(title) + 10] else text


def text_of_pdf(data: bytes, charset: str) -> str:
    """The text of a PDF, page after page.

    Raises:
        Unreadable: it is encrypted, broken, or has only pictures.
    """
    import pypdf
    from pypdf.errors import DependencyError, PyPdfError

    try:
        reader = pypdf.PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("is a PDF with a password: try another source")
        pages, length, unread = [], 0, 0
        for page in reader.pages:
            try:
                pages.append(page.extract_text().strip())
            except DependencyError:
                raise
            except Exception:  # pypdf raises anything, and one bad page need not spoil the others
                pages.append("[a page that cannot be read]")
                unread += 1
            length += len(pages[-1])
            if length > LONGEST:
                break
    except DependencyError:
        raise Unreadable("is a PDF that is encrypted: try another source") from None
    except (PyPdfError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        raise Unreadable("is a broken PDF: try another source") from None
    if unread == len(pages):
        raise Unreadable("is a broken PDF (no page can be read): try another source")
    if not any(pages):
        raise Unreadable("is a PDF of pictures without text: try another source")
    return "\n\n".join(pages)


def text_of_text(data: bytes, charset: str) -> str:
    """A plain file, unchanged.

    Raises:
        Unreadable: it is empty, or not text.
    """
    if b"\0" in data[:4096] and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable("claims to be text and is not: try another source")
    text = decode(data, charset)
    if not text.strip():
        raise Unreadable("is empty: try another source")
    return text


def decode(data: bytes, charset: str = "", *, markup: bool = False) -> str:
    """Bytes as text: by byte-order mark, by what the server or the page declares, as UTF-8, or by a guess.

    Never fails: what cannot be decoded is replaced.
    """
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(name, "replace")
    found = _DECLARED.search(data[:2048]) if markup else None
    for declared in (charset, found[1].decode("ascii") if found else ""):
        # Browsers read Latin-1 as cp1252, and pages rely on it (WHATWG, Encoding, 4.2).
        name = "cp1252" if declared.lower() in ("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii") else declared
        with contextlib.suppress(LookupError, ValueError):
            if name:
                return data.decode(name, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start > len(data) - 4:
            return data.decode("utf-8", "replace")  # cut in the middle of a character
    from charset_normalizer import from_bytes

    guess = from_bytes(data[:50_000]).best()
    return data.decode(guess.encoding if guess else "cp1252", "replace")


def bound(seconds: int) -> None:
    """Limit this process; its time ends even if the process that started it is gone."""
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        # macOS knows no limit of address space.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 * LONGEST, 8 * LONGEST))


READERS = {"html": text_of_html, "pdf": text_of_pdf, "text": text_of_text}


def main(kind: str, seconds: str, charset: str) -> int:
    """Read standard input, print its text. Returns the exit status."""
    bound(int(seconds))
    logging.disable(logging.CRITICAL)  # the libraries warn about every oddity of a file
    try:
        said, status = READERS[kind](sys.stdin.buffer.read(), charset), 0
    except Unreadable as why:
        said, status = str(why), SENTENCE
    except ImportError as error:
        said, status = f"needs a package that is missing ({error}): run `pip install 'looptop[web]'`", SENTENCE
    except (MemoryError, RecursionError):
        said, status = "takes too much memory to read: try another source", SENTENCE
    if len(said) > LONGEST:
        said = said[:LONGEST] + CUT
    sys.stdout.buffer.write(said.encode("utf-8", "replace"))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
