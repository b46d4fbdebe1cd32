"""What real agents printed, recorded with `python -m tests.agents record`, and what becomes of it."""

from pathlib import Path

import pytest

from loop.researchers.agents import failures
from loop.researchers.agents.agent_events import Failure, ToolUse, Usage
from loop.researchers.agents.failures import Kind
from loop.researchers.agents.listener import Listener, Shown, Words
from loop.researchers.closing import closing

STREAMS = Path(__file__).parent / "streams"
CALLS = {"claude": 3, "codex": 3, "opencode": 3, "qwen": 3, "pi": 3, "cline": 3, "gptme": 3} | {
    "gemini": 4,  # it also asks which model to take
    "copilot": 0,  # it tells no tokens
    "vibe": 0,
}
"""Calls of the model that the recording of each agent at work tells the tokens of."""


def heard(name: str, piece: int = 1000) -> tuple[Listener, list[Shown]]:
    """A recording, heard in pieces of so many bytes."""
    data = (STREAMS / f"{name}.txt").read_bytes()
    listener = Listener()
    shown: list[Shown] = []
    for start in range(0, len(data), piece):
        shown += listener.feed(data[start : start + piece], 0.0)
    return listener, shown + listener.finish(0.0)


def words(shown: list[Shown]) -> str:
    return "".join(one.text for one in shown if isinstance(one, Words))


@pytest.mark.parametrize("agent", list(CALLS))
def test_an_agent_at_work_is_words_tools_and_costs(agent: str) -> None:
    listener, shown = heard(f"{agent}-works")
    said = closing(listener.final)
    assert (said.title, said.hypothesis) == ("LR 0.5 -> 0.2", "smaller steps end nearer to the minimum")
    assert (said.expected, said.notes) == ("0.3 lower", ("the loss falls with LR",))
    text = words(shown)
    assert text.count("title: LR 0.5 -> 0.2") == 1 and "I read train.py." in text
    assert '{"' not in text and "    at " not in text
    tools = [one.intent for one in shown if isinstance(one, ToolUse)]
    assert len(tools) == 2 and all("train.py" in tool and "/home/ada" not in tool for tool in tools)
    spent = [one for one in shown if isinstance(one, Usage)]
    assert (
        sum(one.read for one in spent) == 3300 * CALLS[agent]
        and sum(one.cached for one in spent) == 2000 * CALLS[agent]
    )
    assert sum(one.written for one in spent) == 150 * CALLS[agent]
    assert listener.failure is None
    assert bool(listener.session) == (agent != "gptme"), "gptme does not say how its conversation is called"


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("claude-401", Kind.PERSON, "401: authentication failed"),
        ("codex-401", Kind.PERSON, "unexpected status 401 Unauthorized: invalid x-api-key"),
        ("gemini-401", Kind.PERSON, "401: invalid x-api-key"),
        ("gemini-429", Kind.LIMIT, "429: You have exceeded your rate limit of tokens per minute"),
        ("opencode-401", Kind.PERSON, "401: invalid x-api-key"),
        ("qwen-401", Kind.PERSON, "401 invalid x-api-key"),
        ("pi-401", Kind.PERSON, "401: invalid x-api-key"),
        ("vibe-401", Kind.PERSON, "Error: Invalid API key"),
        ("gptme-401", Kind.PERSON, "401: invalid x-api-key"),
        ("continue-401", Kind.PERSON, "401 invalid x-api-key"),
        ("pi-after-529", Kind.OUTAGE, "529: Overloaded"),
        ("codex-after-529", Kind.OUTAGE, "unexpected status 529 <unknown status code>: Overloaded"),
        ("claude-after-529", Kind.OUTAGE, "Repeated 529 Overloaded errors."),
    ],
)
def test_what_an_agent_could_not_get_over_is_one_sentence(name: str, kind: Kind, sentence: str) -> None:
    listener, shown = heard(name)
    assert listener.failure is not None
    assert failures.kind(listener.failure) is kind
    assert failures.sentence(listener.failure).startswith(sentence)
    assert words(shown).count("failed") <= 2, "the same failure is shown once, however often it is tried again"


@pytest.mark.parametrize(
    ("name", "tries"), [("claude-401", 7), ("codex-401", 5), ("gemini-429", 4), ("pi-after-529", 3)]
)
def test_what_an_agent_tries_again_is_told_each_time(name: str, tries: int) -> None:
    _, shown = heard(name)
    assert sum(isinstance(one, Failure) and one.wait is not None for one in shown) == tries


@pytest.mark.parametrize("name", ["aider-401", "mini-swe-agent-401"])
def test_the_error_at_the_end_of_plain_output_is_found(name: str) -> None:
    listener, _ = heard(name)
    failure = failures.in_text(listener.final)
    assert failure is not None and failures.kind(failure) is Kind.PERSON
    assert "AuthenticationError" in failure.reason or "invalid x-api-key" in failure.reason


def test_a_question_is_the_last_message() -> None:
    listener, _ = heard("claude-question")
    assert listener.final.endswith("Which learning rate do you want, 0.1 or 0.2? I wait for your answer.\n")


@pytest.mark.parametrize("path", sorted(STREAMS.glob("*.txt")), ids=lambda path: path.stem)
def test_the_pieces_it_comes_in_make_no_difference(path: Path) -> None:
    assert words(heard(path.stem, 7)[1]) == words(heard(path.stem, 100_000)[1])
