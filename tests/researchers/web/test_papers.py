"""The web for a language model: a search for papers on arXiv."""

from urllib.parse import parse_qs, urlsplit

import arxiv
import pytest

from loop.researchers.web import Web, WebError, arxiv_query
from loop.researchers.web.download import USER_AGENT
from tests.researchers.web.sites import Site

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
