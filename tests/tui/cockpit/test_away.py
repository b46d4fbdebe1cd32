"""A person who was away is told what happened meanwhile; who never left is not."""

from pathlib import Path

from loop.machine import looks
from loop.machine.looks import Look
from loop.workspace import who
from tests.recorded import START, record
from tests.tui.cockpit.cockpits import opened, screen
from tui.screens.digest import DigestSheet


async def test_the_digest_lies_over_the_views_after_an_absence_and_only_then(tmp_path: Path) -> None:
    folder = tmp_path / ".looptop"
    record(folder / "journal.db", experiments=12)
    async with opened(tmp_path) as (app, _):
        assert app.sheet is None, "the first time there is nothing to come back to"
    looked = looks.last(folder, who())
    assert looked is not None and looked.seq == app.known.study.seq
    looks.remember(folder, who(), Look(300, START + 1000))
    async with opened(tmp_path) as (app, pilot):
        await pilot.pause(0.2)
        assert isinstance(app.sheet, DigestSheet)
        shown = "\n".join(screen(app))
        assert "since you last looked" in shown and "experiments, " in shown
        await pilot.press("escape", "d")
        await pilot.pause(0.1)
        assert isinstance(app.sheet, DigestSheet), "d tells of the same time"
        assert app.sheet.since == Look(300, START + 1000)
    async with opened(tmp_path) as (app, pilot):
        await pilot.pause(0.1)
        assert app.sheet is None, "just now they looked"
        await pilot.press("d")
        await pilot.pause(0.1)
        assert isinstance(app.sheet, DigestSheet) and app.sheet.since == Look(300, START + 1000), "it is one visit"


async def test_an_open_cockpit_tells_whoever_comes_back_to_it(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=6)
    async with opened(tmp_path, guest=True) as (app, pilot):
        presence = app.present()
        presence.there(200, app.now() - 7200)
        await pilot.press("j")
        await pilot.pause(0.05)
        assert app.message is not None and app.message[0].startswith("since ") and "experiments" in app.message[0]
        app.hush()
        await pilot.press("j")
        await pilot.pause(0.05)
        assert app.message is None
    assert not (tmp_path / ".looptop" / "looked").exists(), "in a study of somebody else nothing is left behind"


async def test_a_digest_from_a_moment_that_is_typed(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=6)
    async with opened(tmp_path) as (app, pilot):
        app.obey("digest soon")
        assert app.message is not None and "is no moment" in app.message[0] and app.sheet is None
        app.obey("digest 30m")
        await pilot.pause(0.2)
        assert isinstance(app.sheet, DigestSheet) and app.sheet.since.at == app.now() - 1800
