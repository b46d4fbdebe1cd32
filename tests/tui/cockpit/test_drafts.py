"""What a person has typed is never lost, and no key acts unseen."""

from pathlib import Path

import pytest
from textual.events import Key

from loop.study import events as e
from tests.recorded import record
from tests.terminals import Tmux, needs_tmux
from tests.tui.cockpit.cockpits import journal_of, opened, requests, screen, settle
from tests.tui.cockpit.test_terminal import start, tmux, workspace  # noqa: F401 - fixtures
from tui.cockpit.split_keys import SplitKeys
from tui.screens.confirm import Confirm
from tui.screens.experiment import ExperimentSheet
from tui.screens.program import ProgramSheet


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A run under way, and 22, 23 and 24 waiting."""
    record(tmp_path / ".looptop" / "journal.db", experiments=20)
    with journal_of(tmp_path) as journal:
        for number in (22, 23, 24):
            journal.append(e.ExperimentProposed(researcher="llm", title=f"bold {number}", parent=0), number)
            journal.append(e.ApprovalAsked(reason="review: all"), number)
    return tmp_path


# --- drafts --------------------------------------------------------------------------------------------------------


async def test_up_keeps_what_was_typed_and_down_brings_it_back(study: Path) -> None:
    async with opened(study) as (app, pilot):
        await pilot.press("s", *"half a thought", "up")
        assert app.prompt is not None and app.prompt.text != "half a thought"
        await pilot.press("down")
        assert app.prompt.text == "half a thought"


async def test_what_comes_in_one_piece_with_the_key_of_a_prompt_is_typed_there(study: Path) -> None:
    """As over a slow link, or from a quick hand."""
    async with opened(study) as (app, pilot):
        for character in "sXylo":
            app.post_message(Key(character, character))
        await pilot.pause(0.05)
        assert app.prompt is not None and app.prompt.text == "Xylo"


async def test_no_question_is_answered_by_what_came_in_one_piece_with_its_key(study: Path) -> None:
    async with opened(study) as (app, pilot):
        for character in "xy":
            app.post_message(Key(character, character))
        await pilot.pause(0.05)
        assert isinstance(app.screen, Confirm) and "killed" not in {event.body.kind for event in requests(study)}
        await pilot.press("y")
        await pilot.pause(0.05)
        assert "killed" in {event.body.kind for event in requests(study)}


async def test_up_and_down_move_between_typed_lines(study: Path) -> None:
    async with opened(study) as (app, pilot):
        await pilot.press("s", *"one\\", "enter", *"two", "up", *"X", "down", *"Y")
        assert app.prompt is not None and app.prompt.text == "oneX\ntwoY"
        await pilot.press("ctrl+left", *"Z")
        assert app.prompt.text == "oneX\nZtwoY"


async def test_escape_a_new_champion_and_a_smaller_pane_keep_the_draft(study: Path) -> None:
    async with opened(study) as (app, pilot):
        await pilot.press("s", *"leave the tokenizer")
        with journal_of(study) as journal:
            journal.append(e.ChampionChanged(commit="9" * 40, metric=0.9), 20)
        await settle(app, pilot)
        assert app.prompt is not None and app.prompt.text == "leave the tokenizer"
        await pilot.press("escape")
        assert app.prompt is None and "kept" in screen(app)[-1]
        await pilot.press("s")
        assert app.prompt is not None and app.prompt.text == "leave the tokenizer"
        await pilot.resize_terminal(60, 3)
        await settle(app, pilot)
        assert app.prompt is None, "nobody types what they cannot see"
        await pilot.resize_terminal(80, 24)
        await settle(app, pilot)
        await pilot.press("s", *" alone", "enter")
        await pilot.pause(0.05)
        steered = requests(study)[-1].body
        assert isinstance(steered, e.Steered) and steered.text == "leave the tokenizer alone"
        await pilot.press("s")
        assert app.prompt is not None and app.prompt.text == "", "what was sent is no draft"


def test_the_pieces_of_an_arrow_key_are_one_key() -> None:
    keys = SplitKeys()
    assert keys.take("escape", "\x1b", 1.0) == "escape"
    assert keys.take("left_square_bracket", "[", 1.3) is None
    assert keys.take("A", "A", 1.3) == "up"
    assert keys.take("left_square_bracket", "[", 1.4) == "left_square_bracket", "no escape before it"
    assert [keys.take("escape", "\x1b", 2), keys.take("s", "s", 2.1), keys.take("O", "O", 2.2)] == ["escape", "s", "O"]
    assert keys.take("escape", "\x1b", 3) == "escape"
    assert keys.take("left_square_bracket", "[", 9.0) == "left_square_bracket", "long after it"
    pieces = [("escape", "\x1b"), ("left_square_bracket", "["), ("1", "1"), ("semicolon", ";"), ("5", "5"), ("D", "D")]
    assert [keys.take(*piece, 20.0) for piece in pieces] == ["escape", None, None, None, None, "left"]


@needs_tmux
def test_an_arrow_key_that_a_slow_line_splits_loses_no_word(tmux: Tmux, workspace: Path) -> None:  # noqa: F811
    start(tmux, workspace)
    tmux.type("s")
    tmux.wait("steer ▸")
    tmux("send-keys", "-l", "words of mine")
    tmux.wait("words of mine")
    tmux.type("Escape")
    tmux.wait("what you typed is kept")
    tmux("send-keys", "-l", "[D")
    tmux.wait(lambda text: "steer ▸ words of mine" in text)
    tmux("send-keys", "-l", "X")
    tmux.wait("words of minXe")


# --- keys that act unseen ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(80, 3), (50, 2), (20, 24)])
@pytest.mark.parametrize("key", ["x", "s", "a", "X", "colon", "slash"])
async def test_what_cannot_be_shown_is_refused_aloud(study: Path, size: tuple[int, int], key: str) -> None:
    async with opened(study, size) as (app, pilot):
        await pilot.press(key)
        await pilot.pause(0.05)
        assert app.prompt is None and not isinstance(app.screen, Confirm)
        assert any("no room" in line for line in screen(app)), "\n".join(screen(app))
        await pilot.press("y")
        assert not requests(study)[1:], "and nothing was asked for"


@pytest.mark.parametrize("size", [(50, 10), (40, 8), (200, 17)])
async def test_a_small_pane_asks_with_every_answer_on_screen(study: Path, size: tuple[int, int]) -> None:
    async with opened(study, size) as (app, pilot):
        await pilot.press("x")
        await pilot.pause(0.05)
        shown = "\n".join(screen(app))
        assert "Kill run 21.1?" in shown and "leave things" in shown
        await pilot.resize_terminal(size[0], 4)
        await pilot.pause(0.05)
        assert not isinstance(app.screen, Confirm), "too small for its answers: it has closed"


async def test_on_a_sheet_every_key_means_something_or_says_why_not(study: Path) -> None:
    async with opened(study) as (app, pilot):
        await pilot.press("3", "j", "j", "enter")
        await pilot.pause(0.05)
        assert isinstance(app.sheet, ExperimentSheet) and "⚑ 3 (a)" in screen(app)[0]
        for key in ("z", "f", "c", "O", "l", "v"):
            await pilot.press(key)
            await pilot.pause(0.02)
            assert "is for the views" in screen(app)[-1], key
        await pilot.press("p")
        await pilot.pause(0.02)
        assert requests(study)[-1].kind == "paused"
        await pilot.press("s", *"hello", "enter")
        await pilot.pause(0.05)
        assert requests(study)[-1].kind == "steered"
        await pilot.press("P")
        await pilot.pause(0.05)
        assert isinstance(app.sheet, ProgramSheet)
        await pilot.press("4")
        await pilot.pause(0.05)
        assert app.sheet is None and app.active == "progress"


# --- the cursor ----------------------------------------------------------------------------------------------------


async def test_keys_are_about_the_experiment_under_the_cursor(study: Path) -> None:
    async with opened(study) as (app, pilot):
        await pilot.press("3", "j")
        assert app.experiments_view.selected() == 23
        await pilot.press("a")
        await pilot.pause(0.05)
        assert isinstance(app.screen, Confirm) and app.screen.question.title == "Approve 23?"
        await pilot.press("escape", "j", "j", "j", "a")
        await pilot.pause(0.05)
        assert "experiment 20 does not wait" in screen(app)[-1]
        await pilot.press("1", "a")
        await pilot.pause(0.05)
        assert isinstance(app.screen, Confirm) and app.screen.question.title == "Approve 22?", "the oldest, elsewhere"


@pytest.mark.parametrize("keys", [("a", "A"), ("colon", *"approve all", "enter", "y")])
async def test_all_that_waits_is_approved_at_once(study: Path, keys: tuple[str, ...]) -> None:
    async with opened(study) as (app, pilot):
        await pilot.press(*keys)
        await pilot.pause(0.1)
        approved = [event.experiment for event in requests(study) if event.kind == "approved"]
        assert approved == [22, 23, 24] and "22, 23 and 24" in screen(app)[-1]
