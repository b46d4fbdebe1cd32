"""Web pages and a model's queries: any bytes become safe text or a sentence, and cost what they are long."""

import pytest
from hypothesis import strategies as st

from loop.researchers.briefing.excerpt import fenced, one_line, tokens, within
from loop.researchers.web import arxiv_query, clean
from loop.researchers.web.addresses import WebError, check
from loop.researchers.web.reading import decode
from loop.sanitize import plain
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import TEXTS, as_bytes, one_sentence

PIECES = st.sampled_from(
    (
        *(
            b"<html>",
            b"<meta charset=utf-16>",
            b"<meta charset='no such'>",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"\xfe\xff",
            b"\0",
            b"\xff",
        ),
        *(
            b"http://",
            b"https://a",
            b"://",
            b"@",
            b":80",
            b":99999",
            b"[::1]",
            b"[::ffff:169.254.169.254]",
            b"127.1",
            b"0x7f000001",
        ),
        *(
            b"localhost",
            b".local",
            b"\xe3\x80\x82",
            b"xn--",
            b"%00",
            b"%",
            b"ti:",
            b'"',
            b"AND ",
            b"a" * 3000,
            b"```",
            b"~~~~",
            b"\r",
        ),
        *(
            b" " * 3000,
            b"\n" * 3000,
            b"\xc2\xa0",
            b"\xe2\x80\xae",
            b"\xf3\xa0\x81\x81",
            b"\x1b[2J",
            b"\x1b]0;t",
            b"`" * 3000,
        ),
    )
)
PAGES = st.lists(PIECES | TEXTS.map(as_bytes) | st.binary(max_size=20), max_size=12).map(b"".join)


def read(data: bytes) -> None:
    text = decode(data, data[:10].decode("latin-1"), markup=True)
    shown = clean(text)
    assert clean(shown) == shown and "\x1b" not in shown
    for said in (plain(text), fenced("a page", text, 200), one_line(text, 100)):
        assert "\x1b" not in said and "\u202e" not in said
    assert len(one_line(text, 100)) <= 100 and tokens(within(text, 60, "more")) <= 60
    body = fenced("a page", text, 200)
    fence = body.split("\n")[1]
    assert set(fence) == {"`"} and body.split("\n").count(fence) == 2, "nobody closes the fence from inside"
    for words in (text, text[:300]):
        try:
            assert arxiv_query(words)
        except WebError as refused:
            one_sentence(str(refused))
        try:
            url = check(words)
        except WebError as refused:
            assert str(refused)
        else:
            assert url.scheme in ("http", "https") and url.host and not url.userinfo


def test_any_page_is_text_or_a_sentence(budget: Budget) -> None:
    budget.spend("pages", PAGES, read)


@pytest.mark.parametrize("data", corpus.cases("pages"))
def test_every_page_of_the_corpus_is_text_or_a_sentence(data: bytes) -> None:
    read(data)


@pytest.mark.parametrize(
    "piece", [" ", "\t ", "\u00a0", "\n ", "`", "```\n", "<", "\x1b[", "\x1b]", "\r", "\u202e", "a "]
)
def test_a_megabyte_of_one_sign_costs_no_more_than_its_length(piece: str, budget: Budget) -> None:
    """What goes back over it at each sign takes hours here, so the time-out ends it."""
    budget.tried += 1
    text = piece * ((1_000_000 if budget.seconds else 100_000) // len(piece)) + "x"
    for shown in (clean(text), plain(text), fenced("a page", text, 200), within(text, 60, ""), one_line(text, 100)):
        assert len(shown) <= len(text) + 1000
