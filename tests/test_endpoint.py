"""The scripted endpoint, seen through the real client over real sockets: each answer and each fault is what it says."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import openai
import pytest

from tests.endpoint import Answer, Endpoint, Fault, Request
from tests.hearing import READ, TOOL, ask, client

DIALECTS = pytest.mark.parametrize("dialect", ["chat", "responses"])
THOUGHT, SAID = "Ich prüfe 🦊 erst\n\nthe schedule.", "Höher <b> warm-down\n"


async def until(true: Callable[[], object]) -> None:
    while not true():  # noqa: ASYNC110 - what is awaited happens in the endpoint's threads
        await asyncio.sleep(0.005)


@DIALECTS
@pytest.mark.parametrize("way", ["reasoning_content", "reasoning", "summary"])
async def test_reasoning_and_text_arrive_apart_and_whole(dialect: str, way: Any) -> None:
    with Endpoint(Answer(THOUGHT, SAID, reasoning_as=way)) as endpoint:
        heard = await ask(endpoint, dialect)
    assert (heard.reasoning, heard.text) == (THOUGHT, SAID)
    assert heard.finish == {"chat": "stop", "responses": "completed"}[dialect]


@DIALECTS
async def test_reasoning_may_come_in_the_text_between_tags(dialect: str) -> None:
    with Endpoint(Answer(THOUGHT, SAID, reasoning_as="think")) as endpoint:
        heard = await ask(endpoint, dialect)
    assert (heard.reasoning, heard.text) == ("", f"<think>\n{THOUGHT}\n</think>\n\n{SAID}")


async def test_responses_summarise_only_when_asked_and_encrypt_only_when_asked() -> None:
    with Endpoint(Answer(THOUGHT, SAID)) as endpoint:
        async with client(endpoint) as asking:
            plain = await asking.responses.create(model="test-model", input="Hm?")
            include: Any = ["reasoning.encrypted_content"]
            both = await asking.responses.create(
                model="test-model", input="Hm?", include=include, reasoning={"summary": "auto"}
            )
    assert (plain.output[0].summary, plain.output[0].encrypted_content) == ([], None)
    assert [part.text for part in both.output[0].summary] == THOUGHT.split("\n\n")
    assert both.output[0].encrypted_content.startswith("gAAAAA")


@DIALECTS
async def test_parallel_calls_come_in_fragments_and_reassemble(dialect: str) -> None:
    answer = Answer("hm", calls=[("edit", {"path": "train.py", "new": "größer = 2\n"}), ("read", '{"path": "tra')])
    tool = {"type": "function", "function": TOOL} if dialect == "chat" else {"type": "function", **TOOL}
    with Endpoint(answer) as endpoint:
        heard = await ask(endpoint, dialect, tools=[tool])
        assert endpoint.requests[0].tools == ["edit"]
    assert [call[1] for call in heard.calls.values()] == ["edit", "read"]
    assert json.loads(heard.calls[0][2]) == {"path": "train.py", "new": "größer = 2\n"}
    assert heard.calls[1][2] == '{"path": "tra'  # malformed, as scripted
    assert heard.finish == {"chat": "tool_calls", "responses": "completed"}[dialect]
    assert heard.calls[0][0] != heard.calls[1][0]


@DIALECTS
@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_an_answer_may_end_for_another_reason(dialect: str, finish: str) -> None:
    with Endpoint(Answer(text="and then", finish=finish)) as endpoint:
        heard = await ask(endpoint, dialect)
    if dialect == "chat":
        assert heard.finish == finish
    else:
        reason = {"length": "max_output_tokens"}.get(finish, finish)
        assert (heard.finish, heard.last.response.incomplete_details.reason) == ("incomplete", reason)


@DIALECTS
async def test_a_refusal_is_no_text(dialect: str) -> None:
    with Endpoint(Answer(refusal="I cannot help with that.")) as endpoint:
        heard = await ask(endpoint, dialect)
    assert (heard.text, heard.refusal) == ("", "I cannot help with that.")


async def test_usage_counts_words_or_says_what_it_is_told_and_comes_only_when_asked_for() -> None:
    answers = (Answer("a b", "c d e"), Answer(text="c", usage={"input": 900, "cached": 512}), Answer(usage=None))
    asked = {"include_usage": True}
    with Endpoint(*answers) as endpoint:
        counted = (await ask(endpoint, "chat", stream_options=asked)).usage
        told = (await ask(endpoint, "chat", stream_options=asked)).usage
        assert (await ask(endpoint, "chat", stream_options=asked)).usage is None
    assert (counted.prompt_tokens, counted.completion_tokens, counted.total_tokens) == (2, 5, 7)
    assert counted.completion_tokens_details.reasoning_tokens == 2
    assert (told.prompt_tokens, told.prompt_tokens_details.cached_tokens, told.completion_tokens) == (900, 512, 1)
    with Endpoint(*answers) as endpoint:
        assert (await ask(endpoint, "chat")).usage is None
        usage = (await ask(endpoint, "responses")).usage
        assert (await ask(endpoint, "responses")).usage is None
    assert (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens) == (900, 512, 1)


async def test_an_answer_that_is_not_streamed_says_the_same() -> None:
    answer = Answer(THOUGHT, SAID, [("edit", {"path": "train.py"})])
    with Endpoint(answer) as endpoint:
        async with client(endpoint) as asking:
            chat = await asking.chat.completions.create(
                model="test-model", messages=[{"role": "user", "content": "Hm?"}]
            )
            response = await asking.responses.create(model="test-model", input="Hm?")
            assert [model.id async for model in asking.models.list()] == ["test-model"]
    message = chat.choices[0].message
    assert (message.content, message.to_dict()["reasoning_content"]) == (SAID, THOUGHT)
    assert (message.tool_calls[0].function.name, chat.choices[0].finish_reason) == ("edit", "tool_calls")
    assert (response.output_text, response.output[2].name) == (SAID, "edit")
    assert chat.usage.completion_tokens == response.usage.output_tokens == 12


async def test_both_dialects_tell_the_same_conversation() -> None:
    call = {"name": "read", "arguments": '{"path": "train.py"}'}
    asked = {"id": "call_1", "type": "function", "function": call}
    chat = [
        {"role": "system", "content": "You are a researcher."},
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": "I read.", "tool_calls": [asked]},
        {"role": "tool", "tool_call_id": "call_1", "content": "LR = 0.1"},
        {"role": "user", "content": "Well?"},
    ]
    response = [
        {"role": "user", "content": "Go."},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I read."}]},
        {"type": "function_call", "call_id": "call_1", **call},
        {"type": "function_call_output", "call_id": "call_1", "output": "LR = 0.1"},
        {"role": "user", "content": "Well?"},
    ]
    with Endpoint(Answer(text="Done.")) as endpoint:
        await ask(endpoint, "chat", messages=chat)
        await ask(endpoint, "responses", input=response, instructions="You are a researcher.")
        one, other = endpoint.requests
    assert one.messages == other.messages == chat
    assert one.text == other.text
    assert (one.dialect, other.dialect) == ("chat", "responses")
    assert one.headers["authorization"] == "Bearer sk-any"


@DIALECTS
async def test_calls_and_results_that_do_not_pair_are_refused(dialect: str) -> None:
    call = {"name": "read", "arguments": "{}"}
    if dialect == "chat":
        dangling: Any = {"messages": [{"role": "assistant", "tool_calls": [{"id": "call_7", "function": call}]}]}
        orphan: Any = {"messages": [{"role": "tool", "tool_call_id": "call_7", "content": ""}]}
    else:
        dangling = {"input": [{"type": "function_call", "call_id": "call_7", **call}]}
        orphan = {"input": [{"type": "function_call_output", "call_id": "call_7", "output": ""}]}
    with Endpoint() as endpoint:
        with pytest.raises(openai.BadRequestError, match="call_7"):
            await ask(endpoint, dialect, **dangling)
        with pytest.raises(openai.BadRequestError, match=r"must be a response|call_7"):
            await ask(endpoint, dialect, **orphan)


@DIALECTS
async def test_a_rate_limit_says_when_to_come_back_and_the_last_step_repeats(dialect: str) -> None:
    limit = Fault(429, "Rate limit reached", "rate_limit_exceeded", {"retry-after": "2", "retry-after-ms": "1500"})
    with Endpoint(limit, Answer(text="Now.")) as endpoint:
        with pytest.raises(openai.RateLimitError) as raised:
            await ask(endpoint, dialect)
        assert [(await ask(endpoint, dialect)).text for _ in range(2)] == ["Now.", "Now."]
    error = raised.value
    assert (error.status_code, error.code, error.request_id) == (429, "rate_limit_exceeded", "req_1")
    assert (error.response.headers["retry-after"], error.response.headers["retry-after-ms"]) == ("2", "1500")


async def test_a_proxys_page_is_an_error_without_a_code() -> None:
    with Endpoint(Fault(html=True), Fault(200, html=True)) as endpoint:
        with pytest.raises(openai.InternalServerError) as raised:
            await ask(endpoint, "chat")
        assert (raised.value.status_code, raised.value.code) == (502, None)
        assert "<h1>502 Bad Gateway</h1>" in str(raised.value.body)
        heard = await ask(endpoint, "chat")  # a page with status 200 is to the client a stream of nothing
    assert (heard.text, heard.finish) == ("", None)


@DIALECTS
@pytest.mark.parametrize(
    ("endpoint", "asked", "kind", "code", "says"),
    [
        ({"key": "sk-right"}, {}, openai.AuthenticationError, "invalid_api_key", "Incorrect API key provided: "),
        ({}, {"model": "gone"}, openai.NotFoundError, "model_not_found", "`gone` does not exist"),
        ({"context": 3}, {"words": "a b c d"}, openai.BadRequestError, "context_length_exceeded", "context"),
        ({"tools": False}, {"tools": [{"type": "function", "function": TOOL, **TOOL}]}, openai.BadRequestError, None,
         "registry.ollama.ai/library/test-model does not support tools"),
        ({"stream_options": False}, {"stream_options": {}}, openai.BadRequestError, None,
         "Unrecognized request argument supplied: stream_options"),
    ],
)  # fmt: skip
async def test_a_request_may_be_refused_for_what_it_is(
    dialect: str, endpoint: Any, asked: Any, kind: type[openai.APIStatusError], code: str | None, says: str
) -> None:
    with Endpoint(**endpoint) as serving:
        with pytest.raises(kind) as raised:
            await ask(serving, dialect, **asked)
        assert len(serving.requests) == 1
    assert raised.value.code == code
    assert says in str(raised.value)


async def test_the_right_key_and_a_short_request_get_in() -> None:
    with Endpoint(Answer(text="In."), key="sk-right", context=3) as endpoint:
        assert (await ask(endpoint, "chat", "a b c", key="sk-right")).text == "In."
        async with client(endpoint, "sk-wrong") as asking:
            with pytest.raises(openai.AuthenticationError):
                await asking.models.list()


@DIALECTS
@pytest.mark.parametrize(
    ("fault", "kind", "cause"),
    [
        (Fault(hang_after=3), openai.APITimeoutError, httpx2.ReadTimeout),
        (Fault(cut_after=3), openai.APIConnectionError, httpx2.RemoteProtocolError),
        (Fault(cut_after=3, refuse=True), openai.APIConnectionError, httpx2.ReadError),
    ],
)
async def test_a_stream_breaks_off_after_so_many_words(
    dialect: str, fault: Fault, kind: type[Exception], cause: type[Exception]
) -> None:
    broken = Fault(**{**vars(fault), "answer": Answer("a b", "c d e")})
    with Endpoint(broken) as endpoint, pytest.raises(kind) as raised:
        await ask(endpoint, dialect, read=READ)
    assert isinstance(raised.value.__cause__, cause)
    heard = raised.value.heard  # type: ignore[attr-defined]
    assert (heard.reasoning.split(), heard.text.split(), heard.finish) == (["a", "b"], ["c"], None)


@DIALECTS
async def test_a_stream_may_end_tidily_in_the_middle_and_only_the_finish_is_missing(dialect: str) -> None:
    with Endpoint(Fault(cut_after=3, tidy=True, answer=Answer("a b", "c d e"))) as endpoint:
        heard = await ask(endpoint, dialect)
    assert (heard.text.strip(), heard.finish) == ("c", None)


async def test_an_error_inside_a_chat_stream_is_raised_with_its_code() -> None:
    fault = Fault(fail_after=1, message="Overloaded.", code="overloaded", answer=Answer("a b"))
    with Endpoint(fault) as endpoint, pytest.raises(openai.APIError, match=r"Overloaded\.") as raised:
        await ask(endpoint, "chat")
    assert (type(raised.value), raised.value.code) == (openai.APIError, "overloaded")


async def test_a_response_fails_with_an_event_and_raises_nothing() -> None:
    fault = Fault(fail_after=1, message="Overloaded.", code="server_error", answer=Answer("a b"))
    with Endpoint(fault, replace(fault, failure="error")) as endpoint:
        failed, error = await ask(endpoint, "responses"), await ask(endpoint, "responses")
    assert (failed.finish, failed.last.response.error.message) == ("failed", "Overloaded.")
    assert (error.last.type, error.last.message, error.last.code) == ("error", "Overloaded.", "server_error")


@DIALECTS
async def test_a_server_that_says_nothing_meets_the_clients_patience(dialect: str) -> None:
    with Endpoint(Fault(hang=True)) as endpoint:
        with pytest.raises(openai.APITimeoutError) as raised:
            await ask(endpoint, dialect, read=READ)
        await until(lambda: endpoint.requests[0].gone_at)
    assert isinstance(raised.value.__cause__, httpx2.ReadTimeout)


async def test_comments_of_a_proxy_keep_a_hanging_stream_from_timing_out() -> None:
    with Endpoint(Fault(hang=True, pulse=READ / 10)) as endpoint:
        asking = asyncio.create_task(ask(endpoint, "chat", read=READ))
        await asyncio.wait([asking], timeout=READ * 3)
        assert not asking.done()
        asking.cancel()
        await until(lambda: endpoint.requests[0].gone_at)


@DIALECTS
async def test_a_connection_may_be_reset_at_once(dialect: str) -> None:
    with Endpoint(Fault(refuse=True)) as endpoint, pytest.raises(openai.APIConnectionError) as raised:
        await ask(endpoint, dialect)
    assert isinstance(raised.value.__cause__, httpx2.ReadError)


async def test_a_stopped_endpoint_refuses_and_comes_back_on_its_port() -> None:
    with Endpoint(Fault(hang_after=1, answer=Answer("a b")), Answer(text="Back.")) as endpoint:
        hanging = asyncio.create_task(ask(endpoint, "chat"))
        await until(lambda: endpoint.requests)
        url = endpoint.url
        await asyncio.to_thread(endpoint.stop)
        with pytest.raises(openai.APIConnectionError):
            await hanging
        with pytest.raises(openai.APIConnectionError) as refused:
            await ask(endpoint, "chat")
        assert isinstance(refused.value.__cause__, httpx2.ConnectError)
        endpoint.start()
        assert endpoint.url == url
        assert (await ask(endpoint, "chat")).text == "Back."
    assert endpoint.requests[0].gone_at is None  # it was the endpoint that went


async def test_a_client_that_goes_in_the_middle_is_noticed() -> None:
    with Endpoint(Answer(text="word " * 5000, rate=200)) as endpoint:
        async with client(endpoint) as asking:
            message: Any = {"role": "user", "content": "Hm?"}
            stream = await asking.chat.completions.create(model="test-model", stream=True, messages=[message])
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
            assert endpoint.requests[0].gone_at is None
            await stream.close()
            await until(lambda: endpoint.requests[0].gone_at)


async def test_clients_are_served_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=20)

    def both(request: Request) -> Answer:
        meeting.wait()  # each waits for the other: served in turn, neither would be
        return Answer(text=request.text)

    with Endpoint(both) as endpoint:
        heard = await asyncio.gather(*(ask(endpoint, "chat", word) for word in ("one", "two")))
    assert [each.text for each in heard] == ["one", "two"]


async def test_a_step_that_fails_is_told_to_the_client_and_to_the_test() -> None:
    def wrong(request: Request) -> Answer:
        raise ValueError(f"{request.text} was not expected")

    with pytest.raises(ValueError, match="Hm was not expected"), Endpoint(wrong) as endpoint:
        try:
            await ask(endpoint, "chat", "Hm")
        except openai.InternalServerError as error:
            assert "Hm was not expected" in str(error)
