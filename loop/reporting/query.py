"""Which experiments, and in what order: the language of filters that every list of experiments takes. Pure.

A filter is words and terms, and an experiment has to satisfy all of them:

    dropout             the word is in its title, hypothesis, expectation, reason, lesson, or in a note on it, in upper
                        or lower case; "two words" in quotes are looked for as they stand
    is:kept             its verdict or its phase; also is:open, is:failed, is:flagged, is:noted, is:mine and is:champion
    by:claude           part of its researcher's name
    effect>1  age<6h    a number of `MEASURES`, or any value that its runs printed, such as mfu>=0.4; compared by
                        < <= > >= = or !=, with units where it has one: 90s 30m 6h 2d, 40G 512M
    !is:crashed         whatever follows the ! must not hold

What has no such number satisfies no comparison with it.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loop.errors import UserError
from loop.reporting.seen import MEASURES, Seen
from loop.reporting.table import flagged
from loop.study.experiment import Experiment
from loop.study.outcomes import VERDICTS
from loop.study.state import Study

_WORDS = re.compile(r'!?"[^"]*"?|\S+')
_COMPARED = re.compile(r"(?P<name>[A-Za-z_$][\w./-]*)(?P<sign><=|>=|!=|<|>|=)(?P<value>.*)")
_KEYED = re.compile(r"(?P<key>[a-z]+):(?P<value>.*)")
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_UNITS = {
    "s": ({"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}, "time", "90s, 30m, 6h or 2d"),
    "B": ({"": 1.0, "k": 1024.0, "m": 1024.0**2, "g": 1024.0**3, "t": 1024.0**4}, "size", "512M, 40G or 1T"),
}
"""Factors by letter, what such a value is called, and how it is written."""
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]?)B?")
_PHASES = ("proposed", "queued", "running", "waiting")

_OTHER_NAMES = {"$": "usd", "memory": "mem", "sigma": "effect"}
"""What people write, and the name that it stands for."""

SORTS = ("title", "by", "verdict", "note")
"""Orders beside the numbers."""


class QueryError(UserError):
    """A filter or an order that means nothing; the message is a sentence."""

    code = 2


Term = Callable[[Seen, Experiment], bool]

_KINDS: dict[str, Term] = {
    "open": lambda seen, x: x.verdict is None,
    "failed": lambda seen, x: x.verdict is not None and x.verdict.is_failure,
    "flagged": lambda seen, x: bool(flagged(x)),
    "noted": lambda seen, x: bool(x.note),
    "mine": lambda seen, x: x.submitted,
    "champion": lambda seen, x: x.id == seen.study.champion,
}

IS = (*(verdict.value for verdict in VERDICTS), *_PHASES, *_KINDS)
"""What may follow `is:`."""


@dataclass(frozen=True)
class Query:
    """A filter, understood."""

    terms: Sequence[Term]
    compared: Sequence[str]
    """Names of the numbers that it asks for."""

    def __call__(self, seen: Seen, experiment: Experiment) -> bool:
        return all(term(seen, experiment) for term in self.terms)


def parse(text: str) -> Query:
    """A filter as a person or a model wrote it; empty, it takes everything.

    Raises:
        QueryError: a term is not understood.
    """
    words = _WORDS.findall(text)
    found = (_COMPARED.fullmatch(word.removeprefix("!")) for word in words)
    return Query([_term(word) for word in words], [_OTHER_NAMES.get(one["name"], one["name"]) for one in found if one])


def chosen(
    study: Study, text: str, sort: str = "", reverse: bool = False, *, now: float | None = None
) -> list[Experiment]:
    """The experiments of a study that a filter takes.

    Args:
        sort: a number's name or one of `SORTS`; the best or the largest first, and last what has none. Empty: by id,
            the oldest first.
        reverse: the other way round.
        now: the moment from which ages are counted; None: the newest event.

    Raises:
        QueryError: the filter or the order is not understood.
    """
    seen = Seen(study, now=now)
    return in_order(seen, taken(seen, parse(text)), sort, reverse)


def taken(seen: Seen, query: Query) -> list[Experiment]:
    """The experiments that a filter takes, the oldest first.

    Raises:
        QueryError: it asks for a number that no experiment has.
    """
    check(seen, query)
    return [x for x in seen.study.experiments.values() if query(seen, x)]


def check(seen: Seen, query: Query) -> None:
    """Refuse a filter that asks for a number which no experiment has.

    Raises:
        QueryError: with the numbers that there are.
    """
    for name in query.compared:
        _must_be_known(seen, name)


def in_order(seen: Seen, found: Sequence[Experiment], sort: str, reverse: bool = False) -> list[Experiment]:
    """Experiments in the order of `chosen`; equal ones keep theirs.

    Raises:
        QueryError: there is no such order.
    """
    sort = _OTHER_NAMES.get(sort, sort)
    if not sort:
        return list(found[::-1] if reverse else found)
    if sort in ("title", "by"):
        return sorted(found, key=lambda x: (x.title if sort == "title" else x.researcher).casefold(), reverse=reverse)
    if sort == "verdict":
        places = {verdict: place for place, verdict in enumerate(VERDICTS)}
        return sorted(found, key=lambda x: -1 if x.verdict is None else places[x.verdict], reverse=reverse)
    if sort == "note":
        return sorted(found, key=lambda x: (not x.note, x.note.casefold()), reverse=reverse)
    _must_be_known(seen, sort)
    numbered = [(number, x) for x in found if (number := seen.number(x, sort)) is not None]
    numbered.sort(key=lambda pair: pair[0], reverse=seen.least_first(sort) == reverse)
    have = {x.id for _, x in numbered}
    return [x for _, x in numbered] + [x for x in found if x.id not in have]


def _must_be_known(seen: Seen, name: str) -> None:
    if not seen.known(name):
        own = sorted(set(seen.printed()) - MEASURES.keys())
        raise QueryError(f"no experiment has a number {name!r:.80}; there is {', '.join((*MEASURES, *own))}")


def _term(word: str) -> Term:
    if word.startswith("!") and len(word) > 1:
        holds = _term(word[1:])
        return lambda seen, x: not holds(seen, x)
    if word.startswith('"'):
        return _has(word.strip('"'))
    if (compared := _COMPARED.fullmatch(word)) is not None:
        name = _OTHER_NAMES.get(compared["name"], compared["name"])
        return _comparison(name, compared["sign"], compared["value"])
    if (keyed := _KEYED.fullmatch(word)) is None:
        return _has(word)
    if keyed["key"] == "is":
        return _is(keyed["value"])
    if keyed["key"] == "by":
        wanted = keyed["value"].casefold()
        return lambda seen, x: wanted in x.researcher.casefold()
    raise QueryError(
        f"there is no term {keyed['key']:.40}:; there is is:, by: and comparisons such as effect>1 or age<6h "
        f'(in quotes it is looked for as it stands: "{word:.40}")'
    )


def _has(word: str) -> Term:
    needle = word.casefold()
    return lambda seen, x: needle in seen.text(x)


def _is(kind: str) -> Term:
    if kind in _KINDS:
        return _KINDS[kind]
    name = kind.replace("-", "_")
    if name in _PHASES:
        return lambda seen, x: x.verdict is None and x.phase == name
    if name in VERDICTS:
        return lambda seen, x: x.verdict == name
    raise QueryError(f"is:{kind:.40} means nothing; there is is:{', is:'.join(IS)}")


def _comparison(name: str, sign: str, value: str) -> Term:
    compare, wanted = _SIGNS[sign], _value(name, value)

    def term(seen: Seen, experiment: Experiment) -> bool:
        number = seen.number(experiment, name)
        return number is not None and compare(number, wanted)

    return term


def _value(name: str, text: str) -> float:
    if name in MEASURES and (unit := MEASURES[name].unit):
        factors, called, written = _UNITS[unit]
        found = _QUANTITY.fullmatch(text)
        if found is None or found[2].lower() not in factors:
            raise QueryError(f"{text!r:.40} is no {called}; write {written}")
        return float(found[1]) * factors[found[2].lower()]
    try:
        return float(text)
    except ValueError:
        raise QueryError(f"{name:.40} is compared with a number, and {text!r:.40} is none") from None
