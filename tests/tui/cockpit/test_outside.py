"""What the cockpit does outside of its screen: the window's title, news, notifications in tmux."""

from pathlib import Path

import pytest

from loop.study import events as e
from tests.tui.cockpit.cockpits import journal_of, opened, settle
from tui.cockpit import notifications
from tui.render.glyphs import UNICODE


async def test_the_title_says_state_and_best_and_news_comes_as_it_was_asked_for(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for by, sequence in (
        ("off", ""),
        ("bell", "\x07"),
        ("desktop", "\x1b]9;looptop: experiment 22 waits for you: review: all\x07"),
    ):
        sent: list[str] = []
        async with opened(workspace, notify=by) as (app, pilot):
            if by == "off":
                assert notifications.title(app.known, app.life, UNICODE).startswith("● running 0.9")
            monkeypatch.setattr(app._driver, "write", sent.append)
            with journal_of(workspace) as journal:
                journal.append(e.ExperimentProposed(researcher="llm", title="bold", parent=0), 22)
                journal.append(e.ApprovalAsked(reason="review: all"), 22)
            await settle(app, pilot)
        assert [text for text in sent if text and not text.startswith("\x1b]2;")] == [sequence] * bool(sequence)
        assert any(text.startswith("\x1b]2;? 22 waits") for text in sent) or by != "off"


def test_a_notification_in_tmux_is_wrapped_and_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    text = notifications.news_sequence("a\x1b]0;evil\x07b\nc", "desktop")
    assert text == "\x1bPtmux;\x1b\x1b]9;looptop: ab c\x07\x1b\\"
