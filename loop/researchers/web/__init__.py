"""What a language model may look up: papers on arXiv, and public web pages, as text.

What comes back is untrusted data, without control characters and invisible characters; whoever shows it to a model
fences it and says so. A `WebError` is our own sentence, in which only an address, cut to 200 characters, is untrusted.
`addresses` says which pages are allowed, `download` gets them, and `reading` turns bytes into text, in a process of its
own. Nothing is ever written to disk, and nothing leaves this machine but the address or the query itself.
"""

import asyncio
import importlib.util
import io
import re
import sys
import tempfile
from collections.abc import Callable, Container
from os import environ
from types import SimpleNamespace
from typing import IO, Any

from loop.researchers.web import reading
from loop.researchers.web.addresses import LONGEST_URL, WEB_PORTS, Address, WebError, globally_routable
from loop.researchers.web.download import MOST_TEXT, Downloaded, Downloader, short
from loop.sanitize import plain

__all__ = ["Web", "WebError"]

PAGE = 10_000
"""Characters of a page, about 2,500 tokens: a paper has six, and a model that wants the method need not pay for the
references."""

REMEMBERED = 4
"""Texts kept for their later pages, so that the next page is not downloaded again, nor from another version."""

PAPERS = 5
"""Papers that one search shows."""

AUTHORS = 3
"""Names before "and others"."""

ABSTRACT = 1_500
"""Characters of an abstract; arXiv's own longest is 1,920."""

_FIELDED = re.compile(r'\b(?:ti|au|abs|co|jr|cat|rn|id|all|submittedDate):|\b(?:AND|OR|ANDNOT)\b|"')
"""Signs of a query in arXiv's own language, which is passed on unchanged."""


class Web:
    """Searches arXiv and reads pages.

    Args:
        allowed: which addresses may be connected to; the public internet, except in tests.
        ports: on which ports.
        patience: seconds for one page to arrive, and again for reading it.
    """

    def __init__(
        self,
        allowed: Callable[[Address], bool] = globally_routable,
        ports: Container[int] = WEB_PORTS,
        patience: float = 30.0,
    ) -> None:
        self.patience = patience
        self._downloader = Downloader(allowed, ports, patience)
        self._texts: dict[str, tuple[str, str]] = {}
        self._client: Any = None
        self._searching = asyncio.Lock()  # the client counts its three seconds between calls for one caller

    async def papers(self, query: str) -> str:
        """What arXiv finds, best first: title, authors, year, addresses and abstract, one block each.

        Args:
            query: plain words, all of which must occur, or a query in arXiv's own language (`ti:muon AND cat:cs.LG`).

        Raises:
            WebError: the search failed.
        """
        _check_installed()
        asked = arxiv_query(query)
        async with self._searching:
            found = await asyncio.to_thread(self._search, asked, asyncio.get_running_loop())
        if not found:
            return f"arXiv has no paper for {asked!r}: try fewer or other words."
        return "\n\n".join(clean(_block(paper)) for paper in found)

    async def page(self, url: str, page: int = 1) -> str:
        """One page of the text at `url`, after a line with its address and the number of pages.

        The first page is always downloaded; the others are from the same text as the first.

        Raises:
            WebError: it may not or cannot be read, or has no such page.
        """
        _check_installed()
        if len(url) > LONGEST_URL:
            raise WebError(f"an address of {len(url)} characters is too long: {LONGEST_URL:,} at most")
        if page < 1:
            raise WebError("pages count from 1")
        if page == 1 or url not in self._texts:
            self._texts.pop(url, None)
            got = await self._downloader.get(url)
            self._texts[url] = await self._read(got)
            while len(self._texts) > REMEMBERED:
                del self._texts[next(iter(self._texts))]
        head, text = self._texts[url]
        pages = -(-len(text) // PAGE)
        if page > pages:
            raise WebError(f"{url} has {pages} page{'s' * (pages > 1)}: there is no page {page}")
        return f"{head}, page {page} of {pages}\n\n{text[(page - 1) * PAGE : page * PAGE]}"

    async def _read(self, got: Downloaded) -> tuple[str, str]:
        """The origin of a text, and the text."""
        text = clean(await text_of(got, self.patience))
        if not text:
            raise WebError(f"{short(got.url)} has no text: try another source")
        return short(got.url) + (f" (its first {MOST_TEXT // 1_000_000} MB)" if got.cut else ""), text

    def _search(self, query: str, loop: asyncio.AbstractEventLoop) -> list[Any]:
        """Papers as `arxiv.Result`; blocks, so call it in a thread. The library keeps arXiv's three seconds between
        calls and parses its feed; our own downloader gets the bytes, with a size limit, a deadline and one retry."""
        import arxiv
        import requests

        def send(request: Any, **_: object) -> Any:
            coming = asyncio.run_coroutine_threadsafe(self._downloader.get(request.url), loop)
            got = coming.result(self.patience + 5)
            if got.kind != "text":
                raise WebError("arXiv answered with something other than its feed: try again later")
            response = requests.Response()
            response.status_code = 200
            response.url = request.url
            response.request = request
            response.raw = io.BytesIO(got.body)
            return response

        if self._client is None:
            self._client = arxiv.Client(num_retries=0)
        session = SimpleNamespace(send=send, close=lambda: None)
        self._client._session.mount("https://", session)
        self._client._session.mount("http://", session)
        self._client.page_size = PAPERS
        try:
            found = list(self._client.results(arxiv.Search(query, max_results=PAPERS)))
        except arxiv.ArxivError as error:
            raise WebError(f"arXiv cannot be searched: {error}") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise WebError(f"arXiv's answer cannot be read ({error}): try again later") from None
        if found and "/api/errors" in found[0].entry_id:
            raise WebError(f"arXiv does not understand {query!r}: {clean(found[0].summary)[:200]}")
        return found


async def text_of(got: Downloaded, patience: float) -> str:
    """The text in what was downloaded, read by a process that ends within `patience` seconds.

    Raises:
        WebError: there is none, or not in time.
    """
    command = [sys.executable, "-P", reading.__file__, got.kind, str(int(patience) + 1), got.charset or ""]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(got.body)
        given.seek(0)
        status = await _run(command, given, said, patience)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    if status == 0:
        return text
    if status == reading.SENTENCE:
        raise WebError(f"{short(got.url)} {clean(text)}")
    if status is None:
        raise WebError(f"{short(got.url)} takes more than {patience:g} seconds to read: try another source")
    raise WebError(f"{short(got.url)} cannot be read as {got.kind.upper()}: try another source")


async def _run(command: list[str], given: IO[bytes], said: IO[bytes], patience: float) -> int | None:
    """The exit status of a process; None for one that ran out of time. It never outlives this call."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=given,
        stdout=said,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in environ},  # and no keys
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(patience):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def arxiv_query(words: str) -> str:
    """Plain words as a query for papers that have all of them; a query in arXiv's own language unchanged.

    The language is https://info.arxiv.org/help/api/user-manual.html, section 5.1.

    Raises:
        WebError: there is nothing to search for, or too much.
    """
    words = " ".join(words.split())
    if len(words) > LONGEST_URL:
        raise WebError(f"a search of {len(words)} characters is too long: use a few words")
    if _FIELDED.search(words):
        return words
    terms = re.findall(r"\w[\w.+'-]*", words)
    if not terms:
        raise WebError("there is nothing to search for: use a few words")
    return " AND ".join(f"all:{term}" for term in terms)


def clean(text: str) -> str:
    """The text of a page, made plain: lines lose their trailing blanks, and at most one in a row is empty."""
    seen = plain(text.replace("\f", "\n").replace("\u2028", "\n"), tab="\t")
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"(?<![^\S\n])[^\S\n]++(?=\n|$)", "", seen)).strip()


def _block(paper: Any) -> str:
    names = [author.name for author in paper.authors]
    authors = ", ".join(names[:AUTHORS]) + (" and others" if len(names) > AUTHORS else "")
    abstract = " ".join(paper.summary.split())
    return "\n".join(
        (
            " ".join(paper.title.split()),
            f"{authors or 'no author named'}, {paper.published.year}, {paper.primary_category}",
            paper.entry_id + (f" (whole text: {paper.pdf_url})" if paper.pdf_url else ""),
            abstract if len(abstract) <= ABSTRACT else abstract[:ABSTRACT] + "…",
        )
    )


def _check_installed() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("arxiv", "trafilatura", "pypdf")):
        raise WebError(
            "reading the web needs packages that are not installed: a person has to run `pip install 'looptop[web]'`"
        )
