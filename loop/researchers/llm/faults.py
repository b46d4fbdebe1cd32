"""What a failed call of a model means: try again later, drop a parameter, shorten the conversation, or ask a person.

Pure: an exception of the client in, one of ours out, with a sentence that a person can act on and no key in it.
"""

import email.utils
import re
import time
from collections.abc import Mapping
from typing import Any

import openai
from pydantic import ValidationError

from loop.researchers.llm.conversation import IncompleteStream
from loop.researchers.protocol import ProposalFailed, Unusable
from loop.sanitize import one_line

MALFORMED = (ValidationError, ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the client and our dialects raise where an answer is not the JSON it should be."""

NO_QUOTA_S = 300.0
"""Seconds between two tries while the account has no quota: a person has to act, and may do so at any time."""

_PAGE = 10_000
"""Characters of a page that are searched for its title."""

_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size|limit)|maximum context|too long|too many tokens|token limit"
    r"|exceed\w*.{0,40}(context|tokens)|n_ctx|num_ctx|max_model_len",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"max_(completion_|output_)?tokens", re.IGNORECASE)
"""The limit of an answer, which every dialect and age of the interface names otherwise."""

_UNSUPPORTED = re.compile(
    r"support|requires|unrecognized|unknown|unexpected|not permitted|extra inputs|not allowed|verified"
    r"|valid string",
    re.IGNORECASE,
)
_OPTIONAL = {
    "cache_control": re.compile(r"cache_control|content.{0,60}valid string", re.IGNORECASE),
    "tools": re.compile(r"\btools?\b|function.call|tool.call|tool_choice", re.IGNORECASE),
    "stream_options": re.compile(r"stream_options", re.IGNORECASE),
    "reasoning_effort": re.compile(r"reasoning_effort", re.IGNORECASE),
    "include": re.compile(r"\binclude\b|encrypted", re.IGNORECASE),
    "reasoning": re.compile(r"reasoning", re.IGNORECASE),
}
"""Parameters that a request can do without, and how servers that lack one word it; the first match counts."""


class TransientError(ProposalFailed):
    """The call may succeed later.

    Args:
        sentence: what happened.
        after: seconds to wait at least, where the endpoint says so.
    """

    def __init__(self, sentence: str, after: float | None = None) -> None:
        super().__init__(sentence)
        self.after = after


class ContextTooLong(ProposalFailed):
    """The conversation does not fit the model's context."""


class UnsupportedParameter(ProposalFailed):
    """The endpoint does not support `parameter`, which a request can do without."""

    def __init__(self, parameter: str, sentence: str) -> None:
        super().__init__(sentence)
        self.parameter = parameter


class RequestRefused(ProposalFailed):
    """The endpoint refuses this very conversation; another one may work."""


def explain(error: Exception, where: str, model: str, now: float | None = None) -> Exception:
    """What `error` means: `TransientError`, `ContextTooLong`, `UnsupportedParameter`, `RequestRefused` or `Unusable`.

    Args:
        where: the endpoint, as a person knows it.
        now: Unix seconds, for a Retry-After that is a date.
    """
    if isinstance(error, IncompleteStream):
        if error.anything:
            return TransientError(f"{where} broke off in the middle of an answer")
        return TransientError(
            f"{where} sent a page or nothing instead of an answer; if it stays so, check the base URL (--base-url)"
        )
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return TransientError(f"{where} has sent nothing for too long")
    if isinstance(error, openai.APIConnectionError):
        cause = str(error.__cause__ or "") or type(error.__cause__ or error).__name__
        return TransientError(f"{where} cannot be reached ({one_line(cause, 120)})")
    said = _said(error)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, said, where, model, time.time() if now is None else now)
    if isinstance(error, openai.APIError):
        if _is_too_long(error, said):
            return ContextTooLong(said)
        return TransientError(f"{where} failed in the middle of an answer: {said}")
    if isinstance(error, (openai.OpenAIError, *MALFORMED)):
        return TransientError(f"{where} sent something that is no answer ({type(error).__name__})")
    return error


def _of_status(error: openai.APIStatusError, said: str, where: str, model: str, now: float) -> Exception:
    status = error.status_code
    machine = isinstance(error.body, Mapping)  # an HTML page comes from a proxy on the way, and is transient
    if status == 429:
        if error.code == "insufficient_quota":
            return TransientError(f"the account behind the key has no quota left at {where}: {said}", NO_QUOTA_S)
        return TransientError(f"{where} says to slow down (429): {said}", retry_after(error.response.headers, now))
    if status == 401 or (status == 403 and machine):
        return Unusable(
            f"{where} rejects the key ({status}: {said}); set OPENAI_API_KEY, or api_key in looptop's config.toml, "
            "to a valid one and start `looptop` again"
        )
    if status == 404:
        if machine and (error.code == "model_not_found" or model in said or "model" in said.lower()):
            return Unusable(f"{where} has no model {model!r} ({said}); name another with --model and start again")
        return Unusable(
            f"{where} knows no such request (404); check the base URL (--base-url), which usually ends in /v1"
        )
    if status in (400, 413, 422):
        parameter = _unsupported(error, said)
        if parameter != "max_tokens" and (status == 413 or _is_too_long(error, said)):
            return ContextTooLong(said)
        if parameter is not None:
            return UnsupportedParameter(parameter, said)
        return RequestRefused(f"{where} refuses the request ({status}): {said}")
    if re.search(r"tools? .{0,20}requires", said):  # llama.cpp without --jinja says so with a 500
        return UnsupportedParameter("tools", said)
    return TransientError(f"{where} answers with an error ({status}): {said}", retry_after(error.response.headers, now))


def _is_too_long(error: openai.APIError, said: str) -> bool:
    return error.code in ("context_length_exceeded", "string_above_max_length") or bool(_TOO_LONG.search(said))


def _unsupported(error: openai.APIError, said: str) -> str | None:
    named = error.param.partition(".")[0] if isinstance(error.param, str) else ""
    if _LIMIT.search(named) or _LIMIT.search(said):  # not known, or more than this model may write
        return "max_tokens"
    if named in _OPTIONAL:
        return named
    if not _UNSUPPORTED.search(said):
        return None
    return next((name for name, words in _OPTIONAL.items() if words.search(said)), None)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the endpoint asks to wait, by `Retry-After` (seconds or a date) or `retry-after-ms`; 1 h at most.

    See RFC 9110, section 10.2.3.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if (value := headers.get(name)) is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
            except (TypeError, ValueError, OverflowError):
                continue
        return min(3600.0, max(0.0, seconds))
    return None


def _said(error: Exception) -> str:
    """What the endpoint says about it, in one line."""
    body: Any = getattr(error, "body", None)
    if isinstance(body, Mapping):
        inner = body.get("error")
        text = (
            body.get("message") or (inner.get("message") if isinstance(inner, Mapping) else inner) or body.get("detail")
        )
        return one_line(str(text or getattr(error, "message", "") or "no reason given"))
    if isinstance(body, str) and "<" in body:
        title = re.search(r"<title>(.*?)</title>", body[:_PAGE], re.IGNORECASE | re.DOTALL)
        return one_line(title[1]) if title else "a page instead of an answer"
    return one_line(str(body or error)) or type(error).__name__
