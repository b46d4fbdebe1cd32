"""What a failed call of a model means: wait and try again, do without something, make it shorter, or fetch a person.

Pure: an exception in, one of ours out, with a sentence that a person can act on and no key in it.
"""

import email.utils
import re
import time
from collections.abc import Mapping
from typing import Any

import openai
from pydantic import ValidationError

from loop.researchers.llm.conversation import Cut
from loop.researchers.protocol import ProposalFailed, Unusable
from loop.sanitize import one_line

NO_QUOTA_S = 300.0
"""Seconds between two tries while the account has no money: a person has to act, and may do so at any time."""

_PAGE = 10_000
"""Signs of a page in which its title is looked for."""

_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size|limit)|maximum context|too long|too many tokens|token limit"
    r"|exceed\w*.{0,40}(context|tokens)|n_ctx|num_ctx|max_model_len",
    re.IGNORECASE,
)
_NOT_TAKEN = re.compile(
    r"support|requires|unrecognized|unknown|unexpected|not permitted|extra inputs|not allowed|verified", re.IGNORECASE
)
_CAN_DO_WITHOUT = {
    "tools": re.compile(r"\btools?\b|function.call|tool.call|tool_choice", re.IGNORECASE),
    "stream_options": re.compile(r"stream_options", re.IGNORECASE),
    "reasoning_effort": re.compile(r"reasoning_effort", re.IGNORECASE),
    "include": re.compile(r"\binclude\b|encrypted", re.IGNORECASE),
    "reasoning": re.compile(r"reasoning", re.IGNORECASE),
}
"""Parameters of a request, and how a server that does not take one speaks of it; the first that fits."""


class Passing(Exception):
    """It may work in a while.

    Args:
        sentence: what happened.
        after: seconds to wait at least, where the endpoint said so.
    """

    def __init__(self, sentence: str, after: float | None = None) -> None:
        super().__init__(sentence)
        self.after = after


class TooLong(Exception):
    """The conversation does not fit the model's context."""


class NotTaken(Exception):
    """The endpoint does not take a parameter that we can do without; `parameter` names it."""

    def __init__(self, parameter: str, sentence: str) -> None:
        super().__init__(sentence)
        self.parameter = parameter


class Declined(ProposalFailed):
    """The endpoint would not answer this very conversation; another one may go."""


def explain(error: Exception, where: str, model: str, now: float | None = None) -> Exception:
    """What `error` means: `Passing`, `TooLong`, `NotTaken`, `Declined` or `Unusable`.

    Args:
        where: the endpoint, as a person knows it.
        now: Unix seconds, for a Retry-After that is a date.
    """
    if isinstance(error, Cut):
        if error.anything:
            return Passing(f"{where} broke off in the middle of an answer")
        return Passing(f"{where} sent a page or nothing for an answer; if it stays so, check the base URL (--base-url)")
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return Passing(f"{where} has sent nothing for too long")
    if isinstance(error, openai.APIConnectionError):
        cause = str(error.__cause__ or "") or type(error.__cause__ or error).__name__
        return Passing(f"{where} cannot be reached ({one_line(cause, 120)})")
    said = _said(error)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, said, where, model, time.time() if now is None else now)
    if isinstance(error, openai.APIError):
        return TooLong(said) if _is_too_long(error, said) else Passing(f"{where} failed within an answer: {said}")
    if isinstance(
        error,
        ValidationError | ValueError | TypeError | AttributeError | LookupError | RecursionError | openai.OpenAIError,
    ):
        return Passing(f"{where} sent something that is no answer ({type(error).__name__})")
    return error


def _of_status(error: openai.APIStatusError, said: str, where: str, model: str, now: float) -> Exception:
    status = error.status_code
    machine = isinstance(error.body, Mapping)  # an HTML page comes from a proxy on the way, and passes
    if status == 429:
        if error.code == "insufficient_quota":
            return Passing(f"the account behind the key has no quota left at {where}: {said}", NO_QUOTA_S)
        return Passing(f"{where} says to slow down (429): {said}", retry_after(error.response.headers, now))
    if status == 401 or (status == 403 and machine):
        return Unusable(
            f"{where} rejects the key ({status}: {said}); set OPENAI_API_KEY, or api_key in looptop's config.toml, "
            "to a valid one and start `looptop` again"
        )
    if status == 404:
        if machine and (error.code == "model_not_found" or model in said or "model" in said.lower()):
            return Unusable(f"{where} has no model {model!r} ({said}); name another with --model and start again")
        return Unusable(
            f"{where} does not know such a request (404); check the base URL (--base-url), which usually ends in /v1"
        )
    if status in (400, 413, 422):
        if status == 413 or _is_too_long(error, said):
            return TooLong(said)
        if (parameter := _not_taken(error, said)) is not None:
            return NotTaken(parameter, said)
        return Declined(f"{where} turns the request down ({status}): {said}")
    if re.search(r"tools? .{0,20}requires", said):  # llama.cpp without --jinja says so with a 500
        return NotTaken("tools", said)
    return Passing(f"{where} answers with an error ({status}): {said}", retry_after(error.response.headers, now))


def _is_too_long(error: openai.APIError, said: str) -> bool:
    return error.code in ("context_length_exceeded", "string_above_max_length") or bool(_TOO_LONG.search(said))


def _not_taken(error: openai.APIError, said: str) -> str | None:
    named = error.param.partition(".")[0] if isinstance(error.param, str) else ""
    if named in _CAN_DO_WITHOUT:
        return named
    if not _NOT_TAKEN.search(said):
        return None
    return next((name for name, words in _CAN_DO_WITHOUT.items() if words.search(said)), None)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the endpoint asks to wait, by `Retry-After` (seconds or a date) or `retry-after-ms`; an hour at most.

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
    """What the endpoint says of it, in one line."""
    body: Any = getattr(error, "body", None)
    if isinstance(body, Mapping):
        inner = body.get("error")
        text = (
            body.get("message") or (inner.get("message") if isinstance(inner, Mapping) else inner) or body.get("detail")
        )
        return one_line(str(text or getattr(error, "message", "") or "no reason given"))
    if isinstance(body, str) and "<" in body:
        title = re.search(r"<title>(.*?)</title>", body[:_PAGE], re.IGNORECASE | re.DOTALL)
        return one_line(title[1]) if title else "a page and no answer"
    return one_line(str(body or error)) or type(error).__name__
