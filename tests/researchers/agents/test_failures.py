"""What a failure that an agent reports means."""

import pytest

from loop.researchers.agents.agent_events import Failure
from loop.researchers.agents.failures import Kind, ended, in_text, kind, last_words, pause, retried, sentence


@pytest.mark.parametrize(
    ("reason", "status", "meaning"),
    [
        ("authentication_failed", 401, Kind.PERSON),
        ("Invalid API key · Please run /login", 0, Kind.PERSON),
        ("The model `gpt-9` does not exist", 404, Kind.PERSON),
        ("Credit balance is too low", 400, Kind.CREDIT),
        ("insufficient_quota", 429, Kind.CREDIT),
        ("You've hit your usage limit. Try again in 3 hours 5 minutes.", 0, Kind.LIMIT),
        ("slow down", 429, Kind.LIMIT),
        ("Overloaded", 529, Kind.OUTAGE),
        ("fetch failed", 0, Kind.OUTAGE),
        ("stream disconnected before completion", 0, Kind.OUTAGE),
        ("it reached its limit of turns", 0, Kind.UNKNOWN),
    ],
)
def test_who_has_to_act(reason: str, status: int, meaning: Kind) -> None:
    assert kind(Failure(reason, status)) is meaning


def test_how_long_to_wait() -> None:
    assert pause(Failure("usage limit; try again in 3 hours 5 minutes."), 0) == 11_100
    assert pause(Failure("rate limit reached, please try again in 1.5s", 429), 0) == 1.5
    assert pause(Failure("limit", 429, until=1000.0), 400.0) == 600
    assert pause(Failure("limit", 429, until=1000.0), 4000.0) == 0
    assert pause(Failure("rate limit", 429), 0) is None and pause(Failure("Overloaded", 529), 0) is None
    assert pause(Failure("Credit balance is too low"), 0) == 300


def test_a_sentence_has_whole_words_and_no_insides() -> None:
    body = '[API Error: {"error":{"code":401,"message":"invalid key","status":"X"}}]'
    assert sentence(Failure(body)) == "401: invalid key"
    stack = "Error: it broke\n    at run (file:///a/b.js:1:2)\n    at main (b.js:3:4) {\n  status: 500\n}"
    assert sentence(Failure(stack)) == "500: Error: it broke"
    long = sentence(Failure("word " * 200))
    assert long.endswith("word …") and len(long) < 250
    assert sentence(Failure("")) == "it does not say why"


def test_last_words_are_whole_and_said_once() -> None:
    assert last_words("one\ntwo\none\ntwo\n    at run (a.js:1:2)\n") == "one two"
    assert last_words("alpha " * 100).startswith("… alpha alpha")
    assert last_words("") == ""


def test_an_error_in_plain_output_is_looked_for_at_its_end_only() -> None:
    found = in_text("I look.\nlitellm.RateLimitError: rate limit exceeded\n\n")
    assert found is not None and kind(found) is Kind.LIMIT
    assert in_text("error: 401\n" + "I go on.\n" * 10) is None
    assert in_text("I failed to see why the loss is invalid.\n") is None
    again = retried("Attempt 2 failed with status 503. Retrying with backoff...")
    assert again is not None and (again.status, again.wait) == (503, 0.0)
    assert retried("Overloaded, retrying in 2.5 seconds... error 529").wait == 2.5  # type: ignore[union-attr]
    assert retried("I am retrying the edit.") is None


def test_a_limit_of_its_own_that_an_agent_met_is_told_in_words() -> None:
    met = ended("Stopped: turn_limit")
    assert met is not None and sentence(met) == "it stopped by itself: turn limit"
    assert ended("I stopped: it was late") is None
