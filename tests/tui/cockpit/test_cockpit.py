"""What the cockpit shows of a recorded study, in Textual's own test harness."""

import subprocess
import sys
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.readings import GpuGauge, GpuProcess, GpuUse
from tests.pictures import picture
from tests.recorded import record
from tests.tui.cockpit.cockpits import journal_of, opened, screen, settle
from tests.tui.render.test_text import NASTY
from tui.cockpit.launch import farewell, refusal
from tui.render.layout import VIEWS

_ROOT = Path(__file__).parents[3]


# --- what is on screen ---------------------------------------------------------------------------------------------


_HEAVY = """
import asyncio, sys
from pathlib import Path
import tui.cli.main
from tui.cockpit import launch as cockpit
from tests.tui.cockpit.cockpits import opened, screen

async def modules():
    cockpit.settings()
    async with opened(Path(sys.argv[1]), (200, 50)) as (app, _):
        assert "h100-a" in screen(app)[0]
        print(*sorted({name for module in sys.modules for name in (module, module.split(".")[0])}))

asyncio.run(modules())
"""


def test_a_whole_screen_needs_nothing_that_only_the_loop_does(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HEAVY, str(workspace)], capture_output=True, text=True, check=True, cwd=_ROOT
    )
    known = set(done.stdout.split())
    assert {"textual", "pydantic", "tui.cockpit.app", "loop.config.settings"} <= known
    libraries = "filelock genai_prices git httpx numpy openai optuna psutil pynvml scipy tenacity torch watchfiles yaml"
    assert not known & set(libraries.split())
    engine = "supervisor.supervisor machine.gauges runs.local.process"
    engine += " researchers.protocol researchers.registry pipeline.dispatcher recovery.repair lineage.lineage"
    assert not known & {f"loop.{name}" for name in engine.split()}


async def test_the_top_line_says_alive_how_good_and_how_many(workspace: Path) -> None:
    async with opened(workspace) as (app, _):
        top = screen(app)[0]
        assert "h100-a" in top and "● running" in top and "exp 20" in top and "best 0.9" in top and "live" in top
        assert "run 21.1" in screen(app)[1] and "64% of 5m" in screen(app)[1], "of its training, as it reports it"


@pytest.mark.parametrize("size", [(200, 50), (80, 24), (60, 18), (40, 10)])
async def test_that_nothing_confines_the_runs_stays_on_screen(workspace: Path, size: tuple[int, int]) -> None:
    async with opened(workspace, size) as (app, pilot):
        assert "no sandbox" not in screen(app)[0]
        with journal_of(workspace) as journal:
            journal.append(e.SupervisorStarted(pid=1, host="h", version="1", sandbox="off"))
            journal.append(e.ExperimentJudged(verdict="discarded", reason="and much has happened since"), 21)
        await settle(app, pilot)
        for key in ("1", "3", "4", "9"):
            await pilot.press(key)
            await pilot.pause(0.01)
            assert "no sandbox" in screen(app)[0], "\n".join(screen(app))


async def test_the_machine_view_says_what_confines_the_runs(workspace: Path) -> None:
    with journal_of(workspace) as journal:
        journal.append(e.SupervisorStarted(pid=1, host="h", version="1", sandbox="landlock"))
    async with opened(workspace, (120, 36), view="machine") as (app, _):
        assert "landlock" in "\n".join(screen(app)) and "no sandbox" not in screen(app)[0]


async def test_what_a_person_should_look_at_is_marked_in_the_tree_and_told_on_its_screen(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=0, live=False)
    with journal_of(tmp_path) as journal:
        journal.append(e.ExperimentProposed(researcher="llm", title="a lucky seed", parent=0), 1)
        flags = ("train.py:3 touches the seed: seed = 42",)
        journal.append(e.ExperimentQueued(commit="1" * 40, parent=0, parent_commit="0" * 40, flags=flags), 1)
        judged = e.ExperimentJudged(verdict="kept", reason="because", metric=0.5, flags=("too good to be true, twice",))
        journal.append(judged, 1)
        journal.append(e.ExperimentProposed(researcher="llm", title="a plain idea", parent=0), 2)
        journal.append(e.ExperimentJudged(verdict="discarded", reason="because", metric=1.5), 2)
    async with opened(tmp_path, view="experiments") as (app, pilot):
        tree = "\n".join(screen(app))
        assert "⚑ a lucky seed" in tree and tree.count("⚑") == 1
        await pilot.press("j", "enter")
        await pilot.pause(0.05)
        text = "\n".join(screen(app))
        assert "⚑ flagged   train.py:3 touches the seed: seed = 42" in text and "too good to be true, twice" in text
        assert "(self-reported)" in text


async def test_a_number_that_nobody_else_has_measured_is_called_so(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=3)
    async with opened(tmp_path, (110, 30), view="progress") as (app, pilot):
        assert "self-reported" not in "\n".join(screen(app))
        with journal_of(tmp_path) as journal:
            journal.append(e.ProgramChanged(contract=Contract(verify=None), text="", changed=("verify",)))
        await settle(app, pilot)
        await pilot.press("1", "4")
        await pilot.pause(0.02)
        assert "val_bpb (self-reported)" in "\n".join(screen(app)) and "self-reported" in screen(app)[0]


@pytest.mark.parametrize(
    ("view", "what"),
    [
        ("mind", "llm"),
        ("experiments", "champion"),
        ("curves", "21.1 loss"),
        ("progress", "kept"),
        ("machine", "GPU 0"),
        ("log", "step 00"),
        ("runs", "64%"),
        ("researchers", "21 proposed"),
        ("detail", "why "),
    ],
)
async def test_each_view_has_a_number(workspace: Path, view: str, what: str) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press(str(VIEWS.index(view) + 1))
        await settle(app, pilot)
        assert any(what in line for line in screen(app)[3:]), "\n".join(screen(app))


async def test_the_wide_screen_shows_six_views_at_once(workspace: Path) -> None:
    async with opened(workspace, (200, 50)) as (app, _):
        text = "\n".join(screen(app))
        for index, view in enumerate(VIEWS, 1):
            assert (f"{index} {view}" in text) == (view not in ("machine", "log", "detail"))
        assert "★" in text and "64%" in text and "3:10/5:00" in text


async def test_every_line_has_the_width_of_the_terminal(workspace: Path) -> None:
    for size in ((60, 18), (80, 24), (120, 36), (160, 22), (200, 50)):
        async with opened(workspace, size) as (app, pilot):
            for view in VIEWS:
                app.action_view(view)
                await pilot.pause(0.02)
                await pilot.pause()  # a view that has come onto the screen is drawn then
                strips = app.screen._compositor.render_strips()
                assert [strip.cell_length for strip in strips] == [size[0]] * size[1]
                for panel in app.panels.values():
                    if panel.boxed and panel.region:
                        edge = [strips[y].text[panel.region.right - 1] for y in panel.region.line_range]
                        assert "".join(edge) == "╮" + "│" * (len(edge) - 2) + "╯", panel.view


async def test_a_tiny_terminal_gets_a_strip_and_grows_back(workspace: Path) -> None:
    async with opened(workspace, (50, 5)) as (app, pilot):
        lines = screen(app)
        assert "running" in lines[0] and "best" in lines[1] and "run 21.1" in lines[2] and "q detach" in lines[-1]
        assert lines[3].startswith(" 21.1  64%")
        await pilot.resize_terminal(20, 2)
        await settle(app, pilot)
        assert "running" in screen(app)[0] and not screen(app)[1].strip()
        await pilot.resize_terminal(80, 24)
        await settle(app, pilot)
        assert "1 runs" in screen(app)[2]


async def test_ascii_only_shows_ascii_only(workspace: Path) -> None:
    async with opened(workspace, (200, 50), ascii_only=True) as (app, pilot):
        assert all(line.isascii() for line in screen(app))
        await pilot.press("3", "enter")
        await pilot.pause(0.05)
        assert all(line.isascii() for line in screen(app))
        await pilot.press("escape", "question_mark")
        await pilot.pause(0.05)
        assert all(line.isascii() for line in screen(app))


@pytest.mark.parametrize("gpus", [0, 1, 8])
async def test_machines_of_all_sizes_leave_no_hole(tmp_path: Path, gpus: int) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=3, gpus=gpus)
    async with opened(tmp_path, (200, 50), view="machine") as (app, _):
        text = "\n".join(screen(app))
        assert text.count("GPU ") >= gpus and "CPU" in text and "RAM" in text and "disk" in text
        assert ("GPU" in text) == bool(gpus)
        assert ("n/a" in text) == (gpus == 8), "a reading that a device does not give says so"


async def test_what_comes_into_the_journal_comes_onto_the_screen(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        with journal_of(workspace) as journal:
            journal.append(e.Thought(researcher="llm", text="a brand new idea"), 22)
            journal.append(e.ExperimentJudged(verdict="discarded", reason="no gain at all"), 21)
        await settle(app, pilot)
        text = "\n".join(screen(app))
        assert "a brand new idea" in text and "21 discarded: no gain at all" in text
        assert "exp 21" in screen(app)[0]


def _told_by_others(nasty: str) -> list[e.Body]:
    """Every other place where text of a stranger comes onto the screen."""
    guest = GpuProcess(pid=9, memory=1, user=nasty[:30], command=nasty[:60])
    gpu = GpuGauge(index=0, name=nasty[:40])
    return [
        e.ResearcherJoined(name=nasty[:20], about=nasty),
        e.Fault(where=nasty[:20], message=nasty, next_at=1e12),
        e.Recovered(where=nasty[:19]),
        e.NoteWritten(researcher="llm", text=nasty),
        e.NotebookRewritten(researcher=nasty[:20], text=nasty),
        e.Pinned(who=nasty[:20], text=nasty),
        e.Submitted(who=nasty[:20], title=nasty, parent=0, edits={}),
        e.CheckoutChanged(files=(nasty[:40],), lines_added=1),
        e.GaugeRead(
            cpu=1, ram_used=1, ram_total=2, disk_free=3, gpus=(gpu,), gpu_use=(GpuUse(index=0, processes=(guest,)),)
        ),
    ]


async def test_nasty_text_shows_harmlessly_everywhere(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=2)
    with journal_of(tmp_path) as journal:
        for number, nasty in enumerate(NASTY, 4):
            journal.append(e.Thought(researcher="llm", text=nasty), number)
            journal.append(e.ToolCalled(researcher=nasty[:40], intent=nasty, result=nasty, seconds=1), number)
            journal.append(e.Steered(who=nasty[:20], text=nasty))
            proposed = e.ExperimentProposed(researcher="llm", title=nasty, hypothesis=nasty, expected=nasty, parent=0)
            journal.append(proposed, number)
            journal.append(e.ExperimentJudged(verdict="crashed", reason=nasty), number)
            for body in _told_by_others(nasty):
                journal.append(body, number)
    log = tmp_path / ".looptop" / "runs" / "3.1" / "log.txt"
    log.write_text("\n".join(NASTY) + "\nlast line\n", encoding="utf-8")
    pages = ["6", *["b"] * 6, "g", "8", "P", *["space"] * 9, "escape", "3", "9", *["b"] * 4, "3", "enter"]
    pages += ["n"] * len(NASTY)
    async with opened(tmp_path) as (app, pilot):
        for key in pages:
            await pilot.press(key)
            await pilot.pause(0.01)
            for strip in app.screen._compositor.render_strips():
                assert strip.cell_length == 80
                assert not any(
                    ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u202e\u200d" for char in strip.text
                )


async def test_the_last_word_on_a_loop_that_is_not_alive(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=3)
    async with opened(tmp_path, alive=None) as (app, _):
        assert "! died" in screen(app)[0] and "cut off" in screen(app)[1]
    other = tmp_path / "other"
    record(other / ".looptop" / "journal.db", experiments=3, live=False, stopped="limit reached: 3 experiments")
    async with opened(other, (120, 30), alive=None) as (app, _):
        assert "stopped" in screen(app)[0] and "limit reached" in screen(app)[1]
        assert "`looptop` goes on" in screen(app)[1] and "pause" not in screen(app)[-1]


async def test_a_living_supervisor_without_a_heartbeat_is_stale(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        later = app.now() + 60
        app.now = lambda: later  # type: ignore[method-assign]
        app.tick()
        await pilot.pause(0.02)
        assert screen(app)[0].rstrip().endswith("stale")


async def test_an_empty_study_says_what_will_be_where(tmp_path: Path) -> None:
    (tmp_path / ".looptop").mkdir()
    Journal(tmp_path / ".looptop" / "journal.db", create=True).close()
    async with opened(tmp_path, (200, 50), alive=None) as (app, pilot):
        text = "\n".join(screen(app))
        assert "no thoughts yet" in text and "the baseline comes first" in text and "not started" in text
        for key in ("enter", "x", "X", "f", "j", "G", "p"):
            await pilot.press(key)
        await pilot.pause(0.02)


# --- ways in and out -----------------------------------------------------------------------------------------------


def test_a_dumb_terminal_is_refused_with_what_to_use_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "looptop status" in (refusal() or "")


def test_leaving_says_whether_the_loop_goes_on_and_how_to_come_back() -> None:
    home = Path("/home/ada/my project")
    inside = farewell("h100-a", 4242, "", home, home / "src")
    assert "goes on" in inside and "`looptop attach`" in inside
    assert "`looptop -C '/home/ada/my project' attach`" in farewell("h100-a", 4242, "", home, Path("/home/ada"))
    assert "not running (limit reached)" in farewell("h100-a", None, "limit reached", home, home)


async def test_a_picture_is_the_screen_as_svg(workspace: Path) -> None:
    text = await picture(workspace, (80, 24), view="experiments")
    assert text.startswith("<svg") and text.endswith("</svg>") and "★" in text
    assert await picture(workspace, (80, 24), view="experiments") == text, "the same study gives the same picture"
