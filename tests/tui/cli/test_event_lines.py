"""What a researcher says, in the log of a loop without a screen."""

from loop.study import events as e
from tui.cli.event_lines import MOST_WORDS, Spoken


def said(spoken: Spoken, text: str, researcher: str = "claude") -> list[str]:
    event = e.Event(seq=1, at=0.0, experiment=3, run=None, body=e.Thought(researcher=researcher, text=text))
    return [line[10:] for line in spoken.lines(event)]


def test_words_are_printed_a_line_at_a_time_with_their_speaker() -> None:
    spoken = Spoken()
    assert said(spoken, "I lo") == []
    assert said(spoken, "other\n", "llm") == ["llm: other"]
    assert said(spoken, "ok.\n\nThen\x1b[2J I") == ["claude: I look."]
    assert said(spoken, " change it.\n") == ["claude: Then I change it."]
    tool = e.ToolCalled(researcher="claude", intent="Edit: train.py", result="done", seconds=0.1)
    event = e.Event(seq=2, at=0.0, experiment=3, run=None, body=tool)
    assert [line[10:] for line in spoken.lines(event)] == ["claude: [Edit: train.py] done"]


def test_a_flood_is_cut() -> None:
    spoken = Spoken()
    lines = said(spoken, "word\n" * 500)
    assert len(lines) == MOST_WORDS + 1 and lines[-1] == "claude: (the cockpit shows the rest)"
    assert said(spoken, "more\n") == []
