"""What some servers send that speak the protocol in their own way: the answer is taken, and an error told as it is."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.endpoint import Answer, Endpoint
from tests.researchers.llm.talks import EDIT, PROPOSE, PROPOSED, briefing, model
from tests.researchers.spoken import Spoken

pytestmark = pytest.mark.usefixtures("quick")

CALLED: list[dict[str, Any]] = [{"name": name, "arguments": json.dumps(given)} for name, given in (EDIT, PROPOSE)]
CALLS = [{"index": n, "id": f"a{n}", "type": "function", "function": call} for n, call in enumerate(CALLED)]


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def stream(*chunks: dict[str, Any]) -> tuple[str, str]:
    return "text/event-stream", "".join(f"data: {json.dumps(one)}\n\n" for one in chunks) + "data: [DONE]\n\n"


def whole(body: dict[str, Any]) -> tuple[str, str]:
    return "application/json; charset=utf-8", json.dumps(body)


WHOLE = {"index": 0, "finish_reason": "tool_calls", "message": {"content": "I go deeper.", "tool_calls": CALLS}}
GOOD = stream(chunk(tool_calls=CALLS), chunk("tool_calls"))


@contextmanager
def server(*answers: tuple[str, str], to: list[str] | None = None) -> Iterator[str]:
    """An address that gives one answer after the other, each as its content type and its body, with status 200.

    Args:
        to: gets the requests.
    """
    left, asked = list(answers), [] if to is None else to

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            kind, body = left.pop(0)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}/v1"
        serving.shutdown()


@pytest.mark.parametrize(
    "answer",
    [
        whole({"id": "1", "choices": [WHOLE]}),
        stream(
            chunk(content=[{"type": "text", "text": "I go "}, {"type": "text", "text": "deeper."}]),
            chunk(tool_calls=CALLS),
            chunk("tool_calls"),
        ),
        stream(
            chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "I go deeper."}]}]),
            chunk(tool_calls=CALLS),
            chunk("tool_calls"),
        ),
        stream(
            chunk(content="I go deeper."),
            *(chunk(tool_calls=[{**call, "index": 0}]) for call in CALLS),  # two calls under one number
            chunk("tool_calls"),
        ),
        stream(
            chunk(content="I go deeper."),
            chunk(tool_calls=[{**CALLS[0], "function": {"name": EDIT[0], "arguments": EDIT[1]}}, CALLS[1]]),
            chunk("tool_calls"),
        ),
    ],
    ids=["all at once", "parts", "thoughts as parts", "two calls of one number", "arguments that are an object"],
)  # fmt: skip
async def test_an_answer_in_another_wording_is_taken(answer: tuple[str, str]) -> None:
    sink = Spoken()
    with server(answer) as url:
        proposal = await model(url).propose(briefing(), sink)
    assert "DEPTH = 6" in proposal.edits["train.py"] and "I go deeper." in sink.said and not sink.troubles


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (whole({"error": {"message": "the model is loading", "code": 503}}), "the model is loading"),
        (whole({"error": "llama runner process has terminated"}), "llama runner process has terminated"),
        (stream(chunk(content="I go"), chunk("error")), "broke off"),
    ],
)
async def test_an_error_that_says_all_is_well_is_told_and_waited_for(answer: tuple[str, str], told: str) -> None:
    sink = Spoken()
    with server(answer, GOOD) as url:
        assert (await model(url).propose(briefing(), sink)).edits
    assert told in sink.troubles[0][0] and "base URL" not in sink.troubles[0][0]


async def test_a_model_that_is_stuck_is_not_listened_to_for_ever() -> None:
    asked: list[str] = []
    with server(
        stream(*(chunk(content="I think that, and " * 10) for _ in range(80)), chunk("length")), GOOD, to=asked
    ) as url:
        sink = Spoken()
        assert (await model(url).propose(briefing(), sink)).edits
    assert "said the same over and over" in asked[1] and asked[1].count("I think that") < 9, "nor is it sent back"
    assert sink.said.count("I think that") < 500 and "it said the same over and over, and was cut off" in sink.said
    assert sink.spent[0].written and sink.spent[0].usd is None


async def test_long_lists_and_long_lines_are_no_repetition() -> None:
    text = "\n".join(f"{n}: step {n} of the schedule is 0.1" for n in range(300)) + "-" * 3000
    with server(stream(chunk(content=text), chunk(tool_calls=CALLS), chunk("tool_calls"))) as url:
        assert (await model(url).propose(briefing(), Spoken())).edits


async def test_an_answer_cut_at_its_limit_goes_back_in_short() -> None:
    asked: list[str] = []
    with server(stream(chunk(content=" ".join(map(str, range(5000)))), chunk("length")), GOOD, to=asked) as url:
        await model(url).propose(briefing(), Spoken())
    assert "[left out here]" in asked[1] and " 2500 " not in asked[1]


async def test_a_model_that_only_thinks_is_told_where_it_was() -> None:
    asked: list[str] = []
    with server(stream(chunk(reasoning_content="A wider model, I think."), chunk("stop")), GOOD, to=asked) as url:
        await model(url).propose(briefing(), Spoken())
    assert "from the end of your thoughts:\\n\\nA wider model, I think." in asked[1]


async def test_no_message_that_says_nothing_goes_back() -> None:
    with Endpoint(Answer(), PROPOSED) as endpoint:
        await model(endpoint.url).propose(briefing(), Spoken())
    assert all(message["content"] for message in endpoint.requests[1].messages)


async def test_a_block_that_is_cut_off_does_not_say_that_a_model_writes_its_calls_as_text() -> None:
    with Endpoint(Answer(text="<<<<<<< SEARCH\nDEPTH = 4\n=======\nDEP"), PROPOSED) as endpoint:
        await model(endpoint.url).propose(briefing(), Spoken())
    assert "an edit in your answer has no end" in endpoint.requests[1].text and "propose" in endpoint.requests[1].tools
