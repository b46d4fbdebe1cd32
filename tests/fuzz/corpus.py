"""The corpus: files of real and of broken input, by reader; each is tried as it is, and changed in small ways."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

FOLDER = Path(__file__).with_name("corpus")

SPLINTERS = (
    *(
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\r",
        b"\r\n",
        b"\n",
        b"\n\n",
        b"\t",
        b" ",
        b"\x1b[2J",
        b"\x1b]0;t\x07",
        b"\x9b",
    ),
    *(b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xc2\x85", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\xd9\xa3", b"\xc2\xb2"),
    *(b"nan", b"inf", b"-inf", b"1e999", b"-0", b"1_000", b"0x" + b"f" * 5000, b"9" * 400, b"9" * 5000, b"1e-400"),
    *(
        b"[" * 300,
        b"{" * 300,
        b'{"a":' * 1200,
        b"[" * 5000,
        b"]",
        b"}",
        b'"',
        b"'",
        b"`",
        b"```\n",
        b"---\n",
        b"#",
        b":",
        b",",
    ),
    *(
        b"null",
        b"true",
        b"NaN",
        b"Infinity",
        b"!!bool x",
        b"&a [*a]",
        b"*a",
        b"<<: *a",
        b"../",
        b"/",
        b"~",
        b"a" * 5000,
    ),
)
"""What is put into a changed case: the signs and numbers that readers of text stumble over."""


def cases(*readers: str) -> list[Any]:
    """The corpus of one or several readers, as parameters of a test, each with the name of its file."""
    paths = sorted(path for reader in readers for path in (FOLDER / reader).iterdir())
    return [pytest.param(path.read_bytes(), id=path.name) for path in paths]


def keep(reader: str, data: bytes) -> Path:
    """Make a case of what broke a reader."""
    path = FOLDER / reader / f"found-{hashlib.sha256(data).hexdigest()[:8]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@st.composite
def changed(draw: st.DrawFn, reader: str) -> bytes:
    """A case of the corpus with pieces cut out, doubled, put in, and exchanged with those of another one."""
    contents = [path.read_bytes() for path in sorted((FOLDER / reader).iterdir())]
    data = draw(st.sampled_from(contents))
    for _ in range(draw(st.integers(0, 4))):
        place = st.integers(0, len(data))
        start, end = sorted((draw(place), draw(place)))
        match draw(st.sampled_from(("cut", "double", "insert", "exchange", "flip"))):
            case "cut":
                data = data[:start] + data[end:]
            case "double":
                data = data[:end] + data[start:end][:20_000] + data[end:]
            case "insert":
                data = data[:start] + draw(st.sampled_from(SPLINTERS) | st.binary(max_size=8)) + data[start:]
            case "exchange":
                other = draw(st.sampled_from(contents))
                at = draw(st.integers(0, len(other)))
                data = data[:start] + other[at:][:20_000]
            case "flip":
                data = data[:start] + draw(st.binary(min_size=1, max_size=1)) + data[start + 1 :]
    return data
