"""What a failed call means, by what real servers say of it."""

import email.utils

import httpx2
import openai
import pytest

from loop.researchers.llm.conversation import IncompleteStream
from loop.researchers.llm.faults import (
    NO_QUOTA_S,
    ContextTooLong,
    RequestRefused,
    TransientError,
    UnsupportedParameter,
    explain,
    retry_after,
)
from loop.researchers.protocol import Unusable

WHERE = "http://localhost:8000/v1"
REQUEST = httpx2.Request("POST", f"{WHERE}/chat/completions")
KINDS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}


def status(code: int, body: object, **headers: str) -> Exception:
    response = httpx2.Response(code, request=REQUEST, headers=headers)
    kind = KINDS.get(code, openai.InternalServerError if code >= 500 else openai.APIStatusError)
    return explain(kind("said", response=response, body=body), WHERE, "qwen3", now=1000.0)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("This model's maximum context length is 8192 tokens. However, you requested 9000", "context_length_exceeded"),
        ("the request exceeds the available context size. try increasing the context size", None),
        ("prompt is too long: 210000 tokens > 200000 maximum", None),
        ("Input length (9000) exceeds model's maximum context length (8192).", None),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", None),
    ],
)
def test_a_context_that_is_too_small_is_known_by_many_words(message: str, code: str | None) -> None:
    assert isinstance(status(400, {"message": message, "code": code}), ContextTooLong)


@pytest.mark.parametrize(
    ("message", "param", "parameter"),
    [
        ("registry.ollama.ai/library/gemma:2b does not support tools", None, "tools"),
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', None, "tools"),
        ("Unrecognized request argument supplied: stream_options", None, "stream_options"),
        ("Unsupported parameter: 'reasoning_effort' is not supported with this model.", "reasoning_effort",
         "reasoning_effort"),
        ("max_tokens is too large: 32000. This model supports at most 16384 completion tokens", "max_tokens",
         "max_tokens"),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", None, "max_tokens"),
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens", "max_tokens"),
        ("'max_tokens' is too large: 32000. This model's maximum context length is 32768 tokens", None, "max_tokens"),
        ("Your organization must be verified to generate reasoning summaries.", "reasoning.summary", "reasoning"),
    ],
)  # fmt: skip
def test_what_an_endpoint_does_not_take_is_named(message: str, param: str | None, parameter: str) -> None:
    found = status(400, {"message": message, "param": param})
    assert isinstance(found, UnsupportedParameter) and found.parameter == parameter


def test_a_server_that_blames_itself_for_having_no_tools_is_understood() -> None:
    found = status(500, {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"})
    assert isinstance(found, UnsupportedParameter) and found.parameter == "tools"


def test_another_bad_request_is_declined_with_its_words() -> None:
    found = status(400, {"message": "messages: roles must\nalternate \x1b[31mred"})
    assert isinstance(found, RequestRefused) and "roles must alternate red" in str(found)


def test_a_key_that_is_rejected_names_what_to_mend() -> None:
    for code in (401, 403):
        found = status(code, {"message": "Incorrect API key provided"})
        assert isinstance(found, Unusable) and "OPENAI_API_KEY" in str(found) and WHERE in str(found)


def test_a_proxy_that_forbids_passes() -> None:
    assert isinstance(status(403, "<html><title>Attention Required!</title></html>"), TransientError)


def test_a_model_that_is_not_there_and_a_wrong_address_are_told_apart() -> None:
    missing = status(404, {"message": "The model `qwen3` does not exist", "code": "model_not_found"})
    assert isinstance(missing, Unusable) and "--model" in str(missing)
    wrong = status(404, "<html><title>404 Not Found</title></html>")
    assert isinstance(wrong, Unusable) and "--base-url" in str(wrong)


def test_a_busy_endpoint_says_how_long_to_wait() -> None:
    found = status(429, {"message": "slow down"}, **{"retry-after": "30"})
    assert isinstance(found, TransientError) and found.after == 30
    assert isinstance(other := status(429, {"message": "slow down"}), TransientError) and other.after is None
    broke = status(429, {"message": "You exceeded your current quota", "code": "insufficient_quota"})
    assert isinstance(broke, TransientError) and broke.after == NO_QUOTA_S and "no quota left" in str(broke)


@pytest.mark.parametrize("code", [408, 409, 500, 502, 503, 529])
def test_what_the_server_cannot_help_passes(code: int) -> None:
    assert isinstance(status(code, {"message": "oops"}), TransientError)


def test_a_page_instead_of_an_answer_is_told_by_its_title() -> None:
    assert "502 Bad Gateway" in str(status(502, "<html><head><title>502 Bad Gateway</title></head></html>"))


def test_silence_and_breaks_pass() -> None:
    for error in (
        IncompleteStream(True),
        IncompleteStream(False),
        openai.APITimeoutError(REQUEST),
        TimeoutError(),
        openai.APIConnectionError(request=REQUEST),
    ):
        assert isinstance(explain(error, WHERE, "m"), TransientError)


def test_waiting_times_come_as_seconds_milliseconds_or_a_date() -> None:
    date = email.utils.formatdate(1090.0, usegmt=True)
    assert retry_after({"retry-after": "2.5"}, 1000.0) == 2.5
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}, 1000.0) == 1.5
    assert retry_after({"retry-after": date}, 1000.0) == 90.0
    assert retry_after({"retry-after": date}, 2000.0) == 0.0
    assert retry_after({"retry-after": "999999"}, 0.0) == 3600.0
    assert retry_after({"retry-after": "soon"}, 0.0) is None and retry_after({}, 0.0) is None
