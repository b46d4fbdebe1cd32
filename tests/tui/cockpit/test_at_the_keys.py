"""The cockpit under a person's hands: words, requests, keys and the mouse, in Textual's own test harness."""

from pathlib import Path

import pytest

from loop.study import events as e
from tests.tui.cockpit.cockpits import journal_of, opened, requests, screen, settle
from tui.cockpit.asking_loop import READ_ONLY
from tui.model import keys
from tui.model.commands import COMMANDS
from tui.render.layout import VIEWS


async def test_steering_puts_a_person_s_words_into_the_journal(workspace: Path) -> None:
    before = len(requests(workspace))
    async with opened(workspace) as (app, pilot):
        await pilot.press("s", *"try wider", "left", "left", "X", "enter")
        await pilot.pause(0.05)
        await pilot.press("s", "!", *"stop that", "enter")
        await settle(app, pilot)
        assert any("try widXer" in line for line in screen(app))
    steered = [event.body for event in requests(workspace)[before:]]
    assert [(body.text, body.interrupt) for body in steered if isinstance(body, e.Steered)] == [
        ("try widXer", False),
        ("stop that", True),
    ]
    assert all(body.who for body in steered if isinstance(body, e.Request))


async def test_the_prompt_remembers_and_can_be_left(workspace: Path) -> None:
    before = len(requests(workspace))
    async with opened(workspace) as (app, pilot):
        await pilot.press("s", *"xq1", "escape")
        await pilot.pause(0.05)
        assert app.prompt is None and app.active == "mind", "letters typed into the prompt are no keys"
        await pilot.press("s", "up")
        newest = [event.body.text for event in requests(workspace) if isinstance(event.body, e.Steered)][-1]
        assert app.prompt is not None and app.prompt.text == newest
        await pilot.press("escape")
    assert len(requests(workspace)) == before


async def test_p_pauses_and_goes_on(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press("p")
        await settle(app, pilot)
        assert "paused" in screen(app)[0] and "asked to pause; it takes effect after the current run" in screen(app)[-1]
        app.hush()
        await pilot.pause(0.02)
        assert "p resume" in screen(app)[-1]
        await pilot.press("p")
        await settle(app, pilot)
        assert "running" in screen(app)[0]
    assert [event.kind for event in requests(workspace)[-2:]] == ["paused", "resumed"]


async def test_x_names_the_run_and_kills_only_when_told(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        for way_out in ("escape", "n", "q"):
            await pilot.press("x")
            await pilot.pause(0.03)
            assert "Kill run 21.1?" in "\n".join(screen(app))
            await pilot.press(way_out)
            await pilot.pause(0.03)
        assert requests(workspace)[-1].kind != "killed"
        await pilot.press("x", "p", "y")
        await settle(app, pilot)
    last = requests(workspace)[-1]
    assert (last.kind, last.experiment, last.run) == ("killed", 21, 1)


@pytest.mark.parametrize(("key", "now"), [("y", False), ("exclamation_mark", True)])
async def test_stopping_asks_whether_now_or_after_the_run(workspace: Path, key: str, now: bool) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press("X")
        await pilot.pause(0.03)
        text = "\n".join(screen(app))
        assert "Stop the loop?" in text and "stop after run 21.1" in text and "stop now" in text
        await pilot.press(key)
        await settle(app, pilot)
        assert "stopping" in screen(app)[0]
    last = requests(workspace)[-1].body
    assert isinstance(last, e.Stopped) and last.now is now


async def test_a_waiting_proposal_is_approved_or_rejected_with_a_reason(workspace: Path) -> None:
    with journal_of(workspace) as journal:
        for number in (22, 23):
            journal.append(e.ExperimentProposed(researcher="llm", title="bold", parent=0), number)
            journal.append(e.ApprovalAsked(reason="review: all"), number)
    async with opened(workspace, (120, 36)) as (app, pilot):
        assert "approve" in screen(app)[-1]
        await pilot.press("a")
        await pilot.pause(0.03)
        assert "Approve 22?" in "\n".join(screen(app))
        await pilot.press("y")
        await pilot.pause(0.03)
        await pilot.press("r", *"too bold", "enter")
        await settle(app, pilot)
    approved, rejected = requests(workspace)[-2:]
    assert (approved.kind, approved.experiment) == ("approved", 22)
    assert isinstance(rejected.body, e.Rejected) and rejected.body.why == "too bold"


async def test_read_only_refuses_every_request_in_a_sentence(workspace: Path) -> None:
    before = len(requests(workspace))
    async with opened(workspace, (120, 30), read_only=True) as (app, pilot):
        assert "read-only" in screen(app)[0] and "steer" not in screen(app)[-1]
        for key in keys.KEYS:
            if key.request:
                if key.views:
                    app.action_view(key.views[0])
                app.hush()
                await pilot.press(key.keys.split(",")[0])
                await pilot.pause(0.02)
                assert READ_ONLY[:40] in screen(app)[-1], key.id
                assert app.prompt is None and len(app.screen_stack) == 1
    assert len(requests(workspace)) == before


async def test_enter_opens_the_experiment_and_esc_comes_back(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press("3", "j", "enter")
        await pilot.pause(0.05)
        text = "\n".join(screen(app))
        assert screen(app)[0].startswith(" 20 ") and "hypothesis" in text and "1337" in text and "diff" in text
        await pilot.press("left")
        await pilot.pause(0.05)
        assert screen(app)[0].startswith(" 19 ")
        await pilot.press("escape")
        await settle(app, pilot)
        assert "3 experiments" in screen(app)[2] and app.sheet is None


async def test_help_is_the_table_and_the_signs(workspace: Path) -> None:
    async with opened(workspace, (230, 120)) as (app, pilot):
        await pilot.press("question_mark")
        await pilot.pause(0.05)
        text = "\n".join(screen(app))
        assert all(key.help in text and key.id in text for key in keys.KEYS)
        assert all(spec.help in text for spec in COMMANDS), "and every command"
        assert "timed out" in text and "champion" in text


async def test_scrolling_up_stops_following_and_counts_what_is_new(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press("k", "k", "k")
        here = screen(app)[3:6]
        with journal_of(workspace) as journal:
            journal.append(e.Thought(researcher="llm", text="more\nand more\n"), 22)
        await settle(app, pilot)
        assert screen(app)[3:6] == here
        assert "2 new below" in screen(app)[2]
        await pilot.press("f")
        await settle(app, pilot)
        assert any("and more" in line for line in screen(app))
        await pilot.press("g")
        await pilot.pause(0.03)
        assert app.panels["mind"].top == app.known.mind.first  # type: ignore[attr-defined]


async def test_searching_finds_filters_and_lets_go(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press("3", "c", "slash", *"crashed", "enter")
        await settle(app, pilot)
        rows = [line for line in screen(app)[3:-1] if line.strip()]
        assert "verdict" in rows.pop(0) and rows and all("crashed" in row for row in rows)
        await pilot.press("escape")
        await settle(app, pilot)
        assert len([line for line in screen(app)[3:-1] if line.strip()]) == 20
        await pilot.press("slash", *"budget batches", "enter")
        await settle(app, pilot)
        assert app.experiments_view.keys == [17, 1], "both words, wherever they are: these are of the hypothesis"
        await pilot.press("n")
        assert app.experiments_view.selected() == 1
        await pilot.press("escape", "6", "slash", *"warm-down", "enter")
        await settle(app, pilot)
        assert not app.panels["mind"].following  # type: ignore[attr-defined]
        assert any("warm-down" in line.lower() for line in screen(app)[3:-1])
        await pilot.press("slash", *"never said", "enter")
        await pilot.pause(0.03)
        assert "nothing has" in screen(app)[-1]


async def test_zoom_tab_theme_and_mouse(workspace: Path) -> None:
    async with opened(workspace, (200, 50)) as (app, pilot):
        await pilot.press("tab")
        assert app.active != "mind"
        await pilot.press("6", "z")
        await settle(app, pilot)
        assert "3 experiments" in screen(app)[2] and "▸  21" not in "\n".join(screen(app))
        await pilot.press("escape")
        await settle(app, pilot)
        assert "3 experiments" in "\n".join(screen(app)) and not app.zoomed
        for name in ("light", "contrast", "ansi", "mono", "dark"):
            await pilot.press("t")
            await pilot.pause(0.05)
            assert app.palette.name == name
            assert "● running" in screen(app)[0]
        await pilot.press("m")
        await pilot.pause(0.02)
        assert "mouse on" in screen(app)[-1]


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_detaching_ends_the_screen_and_asks_the_loop_for_nothing(workspace: Path, key: str) -> None:
    before = len(requests(workspace))
    async with opened(workspace) as (app, pilot):
        await pilot.press(key)
        await pilot.pause(0.05)
        assert not app.is_running or app._exit
    assert len(requests(workspace)) == before


@pytest.mark.parametrize("view", VIEWS)
async def test_no_key_of_the_table_breaks_a_view(workspace: Path, view: str) -> None:
    async with opened(workspace) as (app, pilot):
        for key in keys.KEYS:
            if key.id == "detach":
                continue
            app.action_view(view)
            for name in key.keys.split(","):
                app.simulate_key(name)
            await pilot.pause(0)
            while app.prompt is not None or len(app.screen_stack) > 1:
                app.simulate_key("escape")
                await pilot.pause(0)


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12)])
async def test_a_long_message_is_seen_to_its_end(workspace: Path, size: tuple[int, int]) -> None:
    said = "no champion may be promoted here: write `scales: {small: {}, large: {budget: 1h}}`, then `looptop ladder`"
    async with opened(workspace, size) as (app, pilot):
        for keys in ((), ("question_mark",)):
            await pilot.press(*keys)
            before = screen(app)
            app.say(said)
            await pilot.pause(0.05)
            lines = screen(app)
            assert " ".join(" ".join(line.strip() for line in lines[-4:]).split()).endswith(said), keys
            assert all(len(line) == size[0] for line in lines)
            app.hush()
            await pilot.pause(0.05)
            assert screen(app)[1:] == before[1:]


async def test_no_key_is_offered_for_a_loop_that_has_ended_meanwhile(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        assert "x kill" in screen(app)[-1]
        app._alive = lambda root: None
        app.tick()
        await pilot.pause(0.02)
        assert "x kill" not in screen(app)[-1] and "q detach" in screen(app)[-1]


async def test_the_hint_of_a_prompt_is_whole_in_80_columns(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press("s")
        assert app.prompt is not None and screen(app)[-1].strip().endswith(app.prompt.hint)
