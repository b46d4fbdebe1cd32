"""A real browser without a screen, for tests of what it is served: Chromium, told what to do by its own protocol."""

import asyncio
import base64
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


class Page:
    """One page of it."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._count = socket, 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        self._count += 1
        await self._socket.send_json({"id": self._count, "method": method, "params": params})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("id") == self._count:
                return dict(answer.get("result", {}))

    async def value(self, script: str) -> Any:
        found = await self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        return found.get("result", {}).get("value")

    async def until(self, script: str, patience: float = 40.0) -> Any:
        """Until a script gives something that is true."""
        async with asyncio.timeout(patience):
            while not (found := await self.value(script)):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)
        return found

    async def press(self, key: str) -> None:
        await self.ask("Input.dispatchKeyEvent", type="keyDown", text=key, key=key)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def picture(self, path: Path) -> None:
        found = await self.ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))


@asynccontextmanager
async def browsing(address: str, width: int = 1200, height: int = 720) -> AsyncIterator[Page]:
    """A browser on one page, gone afterwards."""
    import aiohttp

    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"),
            *(f"--user-data-dir={folder}", f"--window-size={width},{height}", address),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            told = Path(folder) / "DevToolsActivePort"
            async with asyncio.timeout(40):
                while not told.exists() or "\n" not in told.read_text():  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.1)
            port = told.read_text().split("\n")[0]
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    pages = json.loads(await answer.text())
                place = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
                async with session.ws_connect(place, max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            process.kill()
            await process.wait()
