"""What a failure that an agent reports means: who has to act, and when it is worth another try. Pure."""

import re
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum, auto

from loop.researchers.agents.agent_events import Failure
from loop.sanitize import one_line, plain

LONGEST = 240
"""Characters of a reason."""
LAST_LINES = 6
"""Lines of plain output that may tell of an error at its end."""
LONGEST_LINE = 2000
"""Characters of a line of plain output that is searched for an error."""
NO_CREDIT_S = 300.0
"""Seconds between two tries while the account has no credit: a person has to act, and may do so at any time."""


class Kind(Enum):
    """What has to happen before the agent can go on."""

    PERSON = auto()
    """A key, a login, a permission or a model's name has to be mended."""
    CREDIT = auto()
    """The account has to be paid for."""
    LIMIT = auto()
    """A limit of the account passes by itself."""
    OUTAGE = auto()
    """The service is down or overloaded, or cannot be reached."""
    UNKNOWN = auto()


_WORDS = (
    (
        Kind.CREDIT,
        r"credit balance|insufficient[_ ](quota|funds|credit|balance)|payment required|billing|quota exceeded for",
    ),
    (
        Kind.PERSON,
        r"(invalid|incorrect|missing|expired|no)[\w -]{0,12}(api[ _-]?key|x-api-key|token|credential)|unauthori[sz]ed"
        r"|authentication|not logged in|log ?in again|run /login|permission_error|forbidden"
        r"|model[^.]{0,60}(not found|does not exist|no access)|unknown model",
    ),
    (Kind.LIMIT, r"rate.?limit|usage limit|too many requests|limit reached|resource.?exhausted|quota"),
    (
        Kind.OUTAGE,
        r"overloaded|internal server error|server.?error|service unavailable|bad gateway|gateway time|timed? ?out"
        r"|econn\w+|connection (error|reset|refused|closed)|fetch failed|network error"
        r"|stream (disconnected|closed|ended)|socket hang up|terminated|premature|high demand|temporar(y|ily)",
    ),
)
_STATUS = re.compile(r"(?:^\W*|(?:status(?: code)?|error(?: code)?|http|api error|\"code\")\W{0,3})([45]\d\d)\b", re.I)
_STACK = re.compile(
    r"\s*(at\s.+[:(]|File \".+\", line \d+|node:internal|Traceback \(most recent|[~^]+\s*$|status: \d+,?\s*$|\}\s*$)"
)
_AGAIN = re.compile(
    r"(?:try again|retry|retrying|resets?|available)\s+in\s+(?P<spans>(?:[\d.]+\s*[a-z]+[\s,]*(?:and)?\s*)+)", re.I
)
_SPAN = re.compile(r"([\d.]+)\s*(ms|milliseconds?|s|sec\w*|m|min\w*|h|hours?|d|days?)\b", re.I)
_SECONDS = {"ms": 0.001, "mi": 60.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RETRYING = re.compile(r"\b(retrying|retry \d|will retry|attempt \d+ failed)", re.IGNORECASE)
_ENDS = re.compile(r"\W*(?:fatal )?error(?: code)?\b:?\s", re.IGNORECASE)
_STOPPED = re.compile(r"\W*stopped: (?P<why>[\w -]{3,60})$", re.IGNORECASE)
_ERROR = re.compile(r"error|fail|exceeded|overloaded|unauthori|invalid|denied|refused|expired|exhausted", re.IGNORECASE)


def kind(failure: Failure) -> Kind:
    """Who has to act. The words come first: a service may say "no credit" with any status."""
    for meaning, pattern in _WORDS:
        if meaning in (Kind.CREDIT, Kind.PERSON) and re.search(pattern, failure.reason, re.IGNORECASE):
            return meaning
    match failure.status or _status(failure.reason):
        case 401 | 403 | 404:
            return Kind.PERSON
        case 402:
            return Kind.CREDIT
        case 429:
            return Kind.LIMIT
        case status if status >= 500 or status == 408:
            return Kind.OUTAGE
    if failure.until is not None:
        return Kind.LIMIT
    found = (meaning for meaning, pattern in _WORDS if re.search(pattern, failure.reason, re.IGNORECASE))
    return next(found, Kind.UNKNOWN)


def pause(failure: Failure, now: float) -> float | None:
    """Seconds until it is worth another try, where that is known.

    Args:
        now: Unix seconds.
    """
    what = kind(failure)
    if what is Kind.CREDIT:
        return NO_CREDIT_S
    if what is not Kind.LIMIT:
        return None
    if failure.until is not None:
        return max(0.0, failure.until - now)
    return _span(failure.reason)


def sentence(failure: Failure) -> str:
    """The failure in one line: its status, and its reason in whole words."""
    status = failure.status or _status(failure.reason)
    reason = shortened(reason_of(failure.reason)) or "it does not say why"
    return reason if not status or str(status) in reason else f"{status}: {reason}"


def in_text(text: str) -> Failure | None:
    """The error of a service in the last lines of plain output; None where there is none."""
    said = [line for line in text.splitlines() if line.strip() and not is_stack(line)]
    for line in reversed(said[-LAST_LINES:]):
        if _ERROR.search(line) and (_status(line) or any(re.search(p, line, re.IGNORECASE) for _, p in _WORDS)):
            return Failure(line, _status(line))
    return None


def retried(line: str) -> Failure | None:
    """The failure that a line of plain output says the agent tries to get over; None where it says no such thing."""
    if len(line) > LONGEST_LINE or not _RETRYING.search(line) or (found := in_text(line)) is None:
        return None
    return replace(found, wait=_span(line) or 0.0)


def ended(line: str) -> Failure | None:
    """The failure of a service that a line of plain output begins with as an error; None where it is none.

    An agent that prints events as JSON may end with such a line beside them, or with the limit of its own that it met.
    """
    if (stopped := _STOPPED.match(line)) is not None:
        return Failure(f"it stopped by itself: {stopped['why'].replace('_', ' ')}")
    return in_text(line) if len(line) <= LONGEST_LINE and _ENDS.match(line) else None


def is_stack(line: str) -> bool:
    """Whether a line is part of a stack that a program prints with an error."""
    return _STACK.match(line) is not None


def shortened(text: str, most: int = LONGEST) -> str:
    """One line of whole words; the end of the text is cut off where it is too long."""
    line = " ".join(one_line(plain(text), 20 * most).split())
    if len(line) <= most:
        return line
    return line[:most].rpartition(" ")[0].rstrip(",;:(") + " …"


def last_words(text: str, most: int = LONGEST) -> str:
    """The end of a text in one line of whole words, without stacks and without lines that say the same again."""
    line = " ".join(" ".join(_lines(text)).split())
    if len(line) <= most:
        return line
    return "… " + line[-most:].partition(" ")[2]


def reason_of(text: str) -> str:
    """A reason without what is wrapped around it: the message of a JSON error, the first line of a stack."""
    found = re.findall(r'"message"\s*:\s*"((?:[^"\\]|\\.)+)"', text.replace('\\"', '"'))
    found = found or re.findall(r"'message': '([^']+)'", text)  # as Python prints it
    said = found[-1] if found else " ".join(list(_lines(text))[:2])
    bare = re.sub(r"^\[API Error:\s*(.*)\]$", r"\1", said.replace("\\n", " "))
    return re.sub(r"^API Error:\s*|,? url: \S+", "", bare)


def _lines(text: str) -> Iterator[str]:
    """Lines that say something, each once."""
    seen: set[str] = set()
    for line in text.splitlines():
        said = line.strip()
        if said and said not in seen and not _STACK.match(line):
            seen.add(said)
            yield said


def _status(text: str) -> int:
    found = _STATUS.search(text)
    return int(found[1]) if found else 0


def _span(text: str) -> float | None:
    """Seconds of "try again in 3 hours 5 minutes"."""
    if (found := _AGAIN.search(text)) is None:
        return None
    spans = _SPAN.findall(found["spans"])
    total = sum(float(number) * _seconds(unit.lower()) for number, unit in spans if number.strip("."))
    return total if spans and total < 30 * 86400 else None


def _seconds(unit: str) -> float:
    return next(_SECONDS[key] for key in ("ms", "mi", "s", "m", "h", "d") if unit.startswith(key))
