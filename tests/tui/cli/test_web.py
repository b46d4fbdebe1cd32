"""The cockpit in a browser: behind its token, watching only, and really drawn."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve")

from tests.browser import browsing, needs_browser  # noqa: E402
from tests.recorded import record  # noqa: E402

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """The address that `looptop web` prints for a recorded study."""
    record(tmp_path / ".looptop" / "journal.db", experiments=8)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tui.cli", "-C", str(tmp_path), "web", "--port", "0"),
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)


async def test_nobody_without_the_token_sees_anything_and_who_has_it_only_watches(address: str) -> None:
    base, _, token = address.partition("/?token=")
    assert base.startswith("http://127.0.0.1:") and len(token) > 20
    async with aiohttp.ClientSession() as stranger:
        for path in ("/", "/ws", "/static/js/textual.js", "/?token=guess"):
            async with stranger.get(base + path) as answer:
                assert answer.status == 403 and "wants its token" in await answer.text(), path
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as person:
        async with person.get(address) as answer:
            page = await answer.text()
            assert answer.status == 200 and str(answer.url) == f"{base}/", "the token does not stay in the address"
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert "//" not in page.replace(base, "").replace(base.replace("http", "ws"), ""), "nothing from elsewhere"
        async with person.get(f"{base}/ws", headers={"Origin": "http://evil.example"}) as answer:
            assert answer.status == 403
        where = base.replace("http", "ws") + "/ws?width=100&height=30"
        async with person.ws_connect(where, headers={"Origin": base}) as socket:
            drawn = b""

            async def until(words: bytes) -> None:
                nonlocal drawn
                async with asyncio.timeout(40):
                    while words not in drawn:
                        message = await socket.receive()
                        drawn += message.data if isinstance(message.data, bytes) else b""

            await socket.send_json(["resize", {"width": 100, "height": 30}])
            await until(b"read-only")
            drawn = b""
            await socket.send_json(["stdin", "p"])
            await until(b"only watches")


@pytest.mark.soak
@needs_browser
async def test_a_browser_without_a_screen_draws_it(address: str, tmp_path: Path) -> None:
    async with browsing(address) as page:
        await page.until("document.body.classList.contains('-first-byte')")
        await asyncio.sleep(0.5)  # the browser paints when it likes
        await page.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000, "the page that says “opening” has 9 kB"
    if place := os.environ.get("LOOPTOP_PICTURES"):
        (Path(place) / "cockpit-web.png").write_bytes((tmp_path / "page.png").read_bytes())
