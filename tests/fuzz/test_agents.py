"""What coding agents print: any bytes are told in words that are safe and bounded, whatever JSON is where."""

import json
from itertools import pairwise

import pytest
from hypothesis import strategies as st

from loop.researchers.agents.agent_events import ToolUse, Usage
from loop.researchers.agents.json_fields import LONGEST_SHOWN
from loop.researchers.agents.listener import LONGEST_FINAL, Listener, Words
from loop.researchers.closing import LONGEST_TEXT, LONGEST_TITLE, closing
from loop.sanitize import plain
from loop.study.codec import decode, encode
from loop.study.events import Spent, Thought, ToolCalled
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import NESTED, VALUES, as_bytes, as_json

TYPES = (
    *(
        "thread.started",
        "turn.completed",
        "turn.failed",
        "item.started",
        "item.completed",
        "step_start",
        "text",
        "tool_use",
    ),
    *(
        "step_finish",
        "reasoning",
        "init",
        "message",
        "tool_result",
        "result",
        "system",
        "assistant",
        "user",
        "stream_event",
    ),
    *(
        "tool_call",
        "thinking",
        "rate_limit_event",
        "error",
        "agent_message",
        "command_execution",
        "file_change",
        "delta",
    ),
)
NAMES = (
    *(
        "type",
        "item",
        "part",
        "message",
        "content",
        "text",
        "usage",
        "input_tokens",
        "output_tokens",
        "total_cost_usd",
        "id",
    ),
    *(
        "modelUsage",
        "result",
        "subtype",
        "is_error",
        "tool_call",
        "call_id",
        "event",
        "delta",
        "state",
        "time",
        "start",
        "end",
    ),
    *(
        "tokens",
        "cost",
        "cache",
        "stats",
        "error",
        "data",
        "name",
        "input",
        "changes",
        "role",
        "status",
        "model",
        "response",
    ),
)
LINES = st.dictionaries(st.sampled_from(NAMES), VALUES | st.sampled_from(TYPES), max_size=6)
DEEP = st.recursive(
    LINES,
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner | st.lists(inner, max_size=3), max_size=5),
    max_leaves=6,
)
TYPED = st.builds(lambda line, kind: {**line, "type": kind}, DEEP, st.sampled_from(TYPES))
PRINTED = st.lists(
    st.one_of(TYPED.map(lambda line: as_json(line).encode()), NESTED.map(str.encode), st.binary(max_size=40)),
    max_size=6,
).map(b"\n".join)
INDENTED = DEEP.map(lambda line: json.dumps(line, indent=2).encode())


def heard(data: bytes, size: int) -> tuple[list[object], str]:
    listener = Listener()
    edges = [*range(0, len(data), size), len(data)]
    said = [one for start, end in pairwise(edges) for one in listener.feed(data[start:end], 1.0)]
    return said + listener.finish(2.0), listener.final


def read(data: bytes) -> None:
    said, final = heard(data, max(1, len(data)))
    assert heard(data, max(1, len(data) // 7)) == (said, final)
    assert len(final) <= LONGEST_FINAL
    for one in said:
        match one:
            case Words(text):
                assert plain(text) == text
                assert decode(encode(Thought(researcher="r", text=text)))
            case ToolUse(intent, result, seconds):
                assert max(len(intent), len(result)) <= LONGEST_SHOWN and "\n" not in intent + result and seconds >= 0
                assert decode(encode(ToolCalled(researcher="r", intent=intent, result=result, seconds=seconds)))
            case Usage(read=read, cached=cached, written=written, reasoning=reasoning, usd=usd, model=model):
                assert min(read, cached, written, reasoning) >= 0 and (usd is None or 0 <= usd < 1e6)
                assert decode(encode(Spent(researcher="r", tokens=read + written, usd=usd, model=model)))
    told = closing(final)
    assert (
        len(told.title) <= LONGEST_TITLE
        and max(map(len, (told.hypothesis, told.expected, *told.notes))) <= LONGEST_TEXT
    )


def test_anything_an_agent_prints_is_told_safely(budget: Budget) -> None:
    budget.spend("agents", PRINTED | INDENTED, read)


@pytest.mark.parametrize("data", corpus.cases("agents"))
def test_everything_in_the_corpus_is_told_safely(data: bytes) -> None:
    read(data)


def test_a_line_of_a_megabyte_is_told_in_no_more_words(budget: Budget) -> None:
    """Long prefixes of every pattern that reads an agent's words; what is not linear in them ends by the time-out."""
    size = 1_000_000 if budget.seconds else 20_000
    for piece in ("title: ", "* ", "[", "<", "note: <", "**", "\x1b[0", "\x1b]0;", "\r", "{", '{"a":', "` ", "\u0301"):
        text = (piece * (size // len(piece))) + "x"
        budget.tried += 1
        read(as_bytes(text))
        read(as_json({"type": "assistant", "message": {"content": text}}).encode())
