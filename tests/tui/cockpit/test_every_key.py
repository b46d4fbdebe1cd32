"""A walk through the table of keys: each key is pressed, and what it is for happens. Then with another key for it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from loop.study import events as e
from loop.study.state import Study
from tests.recorded import record
from tests.repositories import git
from tests.tui.cockpit.cockpits import journal_of, opened, screen
from tui.cockpit.app import Cockpit
from tui.model import keys
from tui.render.layout import VIEWS
from tui.screens.columns import ColumnChoice
from tui.screens.compare import CompareSheet
from tui.screens.confirm import Confirm
from tui.screens.digest import DigestSheet
from tui.screens.experiment import ExperimentSheet
from tui.screens.help import Help
from tui.screens.program import ProgramSheet
from tui.screens.studies import StudiesSheet


@dataclass(frozen=True)
class Walk:
    """What is pressed before a key, and what is so after it and was not before."""

    shows: Callable[[Cockpit], bool]
    before: tuple[str, ...] = ()
    opens: Callable[[Study], int] | None = None
    """The experiment whose screen is opened first."""


def asked(title: str) -> Callable[[Cockpit], bool]:
    return lambda app: isinstance(app.screen, Confirm) and app.screen.question.title.startswith(title)


def said(words: str) -> Callable[[Cockpit], bool]:
    return lambda app: app.message is not None and words in app.message[0]


def nearly(study: Study) -> int:
    """An experiment that the judge discarded, on today's champion."""
    return next(x.id for x in study.experiments.values() if x.verdict == "discarded" and x.parent == study.champion)


def view(name: str) -> Walk:
    return Walk(lambda app: app.active == name, ("6" if name != "mind" else "3",))


def sheet(kind: type) -> Callable[[Cockpit], bool]:
    return lambda app: isinstance(app.sheet, kind)


WALKS = {
    "help": Walk(sheet(Help)),
    "command": Walk(lambda app: app.prompt is not None and app.prompt.complete is not None),
    "steer": Walk(lambda app: app.prompt is not None and app.prompt.label == "steer"),
    "pause": Walk(lambda app: app.journal.read(kinds={"paused"}) != []),
    "kill": Walk(asked("Kill run 21.1?")),
    "approve": Walk(asked("Approve 22?")),
    "reject": Walk(lambda app: app.prompt is not None and app.prompt.label == "reject 22"),
    "keep": Walk(asked("Keep "), opens=lambda study: nearly(study)),
    "discard": Walk(asked("Discard "), opens=lambda study: study.champion or 0),
    "requeue": Walk(asked("Run "), opens=lambda study: nearly(study)),
    "branch": Walk(asked("Branch from 0?"), opens=lambda study: 0),
    "note": Walk(lambda app: app.prompt is not None and app.prompt.label == "note on 20", ("3", "j", "j")),
    "submit": Walk(lambda app: app.prompt is not None and app.prompt.label == "submit"),
    "stop": Walk(asked("Stop the loop?")),
    **{f"view-{name}": view(name) for name in VIEWS},
    "who": Walk(said("there is only one researcher")),
    "say-to": Walk(lambda app: app.prompt is not None and app.prompt.label == "say to llm"),
    "program": Walk(sheet(ProgramSheet)),
    "replay": Walk(lambda app: app.replay is not None),
    **{
        name: Walk(said("T goes back in time first"))
        for name in ("verdict-before", "verdict-after", "wind-back", "wind-on", "slower", "faster")
    },
    "studies": Walk(sheet(StudiesSheet)),
    "digest": Walk(sheet(DigestSheet)),
    "next": Walk(lambda app: app.active == "detail"),
    "previous": Walk(lambda app: app.active == "curves"),
    "zoom": Walk(lambda app: app.zoomed),
    "fold": Walk(lambda app: app.known.mind.folded),
    "sort": Walk(lambda app: app.experiments_view.sorted == "effect", ("3",)),
    "columns": Walk(lambda app: isinstance(app.screen, ColumnChoice), ("3",)),
    "mark": Walk(lambda app: list(app.known.marked) == [21], ("3", "j")),
    "compare": Walk(lambda app: isinstance(app.sheet, CompareSheet), ("3", "j", "M", "j", "M")),
    "metric": Walk(lambda app: app.curves_view.metric != "", ("5",)),
    "stretch": Walk(lambda app: app.progress_view.zoom == "recent", ("4",)),
    "scale": Walk(lambda app: app.curves_view.logarithmic, ("5",)),
    "down": Walk(lambda app: app.experiments_view.at == 21, ("3",)),
    "up": Walk(lambda app: not app.mind_view.following),
    "page-down": Walk(lambda app: app.experiments_view.at is not None, ("3",)),
    "page-up": Walk(lambda app: not app.mind_view.following),
    "top": Walk(lambda app: app.mind_view.top == app.known.mind.first),
    "bottom": Walk(lambda app: app.experiments_view.at == 0, ("3",)),
    "follow": Walk(lambda app: app.mind_view.following, ("k", "k")),
    "search": Walk(lambda app: app.prompt is not None and app.prompt.label == "find"),
    "again": Walk(said("search for something first")),
    "before": Walk(said("search for something first")),
    "newer": Walk(lambda app: app.sheet is not None and app.sheet.experiment == 13, opens=lambda study: 12),
    "older": Walk(lambda app: app.sheet is not None and app.sheet.experiment == 11, opens=lambda study: 12),
    "open": Walk(sheet(ExperimentSheet), ("3", "j", "j")),
    "back": Walk(lambda app: app.sheet is None, ("question_mark",)),
    "select": Walk(lambda app: app.mind_view.began is not None),
    "copy": Walk(said("OSC 52")),
    "pager": Walk(asked("Open in "), ("3", "j", "j")),
    "export": Walk(asked("Export what?")),
    "mouse": Walk(said("mouse on")),
    "theme": Walk(lambda app: app.palette.name == "light"),
    "redraw": Walk(said("drawn anew")),
    "suspend": Walk(said("cannot be lent to the shell")),
    "detach": Walk(lambda app: app._exit),
}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with a run under way, a proposal that waits, and a discarded experiment 20 on today's champion."""
    monkeypatch.delenv("TMUX", raising=False)
    record(tmp_path / ".looptop" / "journal.db", experiments=20)
    with journal_of(tmp_path) as journal:
        journal.append(e.ExperimentProposed(researcher="llm", title="bold", parent=0), 22)
        journal.append(e.ApprovalAsked(reason="review: all"), 22)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "start")
    (tmp_path / "train.py").write_text("WIDTH = 9\n")
    return tmp_path


def test_the_walk_has_every_key() -> None:
    assert set(WALKS) == {key.id for key in keys.KEYS}


async def walked(app: Cockpit, pilot: Pilot[None], key: str, walk: Walk) -> None:
    if walk.opens is not None:
        app.open_experiment(walk.opens(app.known.study))
    await pilot.press(*walk.before)
    await pilot.pause(0.03)
    assert not walk.shows(app), "it is so already"
    await pilot.press(key)
    await pilot.pause(0.05)
    assert walk.shows(app), "\n".join(screen(app))


@pytest.mark.parametrize("key", keys.KEYS, ids=lambda key: key.id)
async def test_each_key_does_what_the_help_says(workspace: Path, key: keys.Key) -> None:
    async with opened(workspace, (100, 30)) as (app, pilot):
        await walked(app, pilot, key.keys.split(",")[0], WALKS[key.id])


@pytest.mark.parametrize("name", ["kill", "view-experiments", "copy", "detach", "search", "page-up", "help"])
async def test_a_keymap_moves_a_key_and_every_place_that_names_it(workspace: Path, name: str) -> None:
    key = next(key for key in keys.KEYS if key.id == name)
    async with opened(workspace, (100, 30), keys={name: "f9"}) as (app, pilot):
        await pilot.press(key.keys.split(",")[0])
        await pilot.pause(0.03)
        assert not WALKS[name].shows(app), "the old key means nothing any more"
        await walked(app, pilot, "f9", WALKS[name])
    if key.label:
        async with opened(workspace, (160, 30), keys={name: "f9"}) as (app, _):
            assert f"f9 {key.label}" in screen(app)[-1]
