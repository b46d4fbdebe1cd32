"""A cockpit on a recorded study in Textual's own test harness: what the tests of screens and keys share."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from loop.journal import Journal
from loop.study import events as e
from tui.render import colour_support

colour_support.prepare(os.environ)
from tui.cockpit.app import Cockpit  # noqa: E402 - Textual reads the environment at its import


def journal_of(workspace: Path) -> Journal:
    return Journal(workspace / ".looptop" / "journal.db")


@asynccontextmanager
async def opened(
    workspace: Path, size: tuple[int, int] = (80, 24), *, alive: int | None = 4242, **options: object
) -> AsyncIterator[tuple[Cockpit, Pilot[None]]]:
    """A cockpit that has read the journal, at the moment of its last event."""
    with journal_of(workspace) as journal:
        moment = journal.read(max(0, journal.last_seq() - 1))[-1].at if journal.last_seq() else 0.0
    options.setdefault("view", "mind")
    app = Cockpit(workspace, alive=lambda root: alive, now=lambda: moment + 0.5, **options)  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        yield app, pilot


async def settle(app: Cockpit, pilot: Pilot[None]) -> None:
    """Until all that is in the journal is on the screen."""
    for _ in range(400):
        await pilot.pause(0.01)
        if app.known.share == 1 and app.known.study.seq >= app.journal.last_seq():
            break
    app.flush()
    app.tick()
    app.draw_charts()
    await pilot.pause(0.02)


def screen(app: Cockpit) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


def requests(workspace: Path) -> list[e.Event]:
    with journal_of(workspace) as journal:
        return journal.read(kinds=e.REQUESTS)
