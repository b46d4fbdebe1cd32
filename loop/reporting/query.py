"""Which experiments, and in what order: the language of filters that every list of experiments takes. Pure.

A filter is words and terms, and an experiment has to satisfy all of them:

    dropout             the word is in its title, hypothesis, expectation or reason, in upper or lower case
    is:kept             its verdict or its phase; also is:open, is:failed, is:flagged and is:champion
    by:claude           part of its researcher's name
    effect>1  age<6h    a number: id, parent, metric, effect (in units of the noise), runs, lines, age, confidence,
                        or any value that its runs printed, such as mfu>=0.4; compared by < <= > >= = or !=

What has no such number satisfies no comparison with it.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loop.errors import UserError
from loop.reporting.table import flagged, values_of
from loop.study.experiment import Experiment
from loop.study.outcomes import VERDICTS
from loop.study.state import Study

_COMPARED = re.compile(r"(?P<name>[A-Za-z_][\w./-]*)(?P<sign><=|>=|!=|<|>|=)(?P<value>.*)")
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_PHASES = ("proposed", "queued", "running", "waiting")
_KINDS = ("open", "failed", "flagged", "champion")

_NUMBERS: dict[str, Callable[[Study, Experiment], float | None]] = {
    "id": lambda study, x: x.id,
    "parent": lambda study, x: x.parent,
    "metric": lambda study, x: x.metric,
    "effect": lambda study, x: x.effect / x.noise if x.effect is not None and x.noise else None,
    "runs": lambda study, x: len(x.counted()),
    "lines": lambda study, x: x.lines_added + x.lines_removed if x.id else 0,
    "age": lambda study, x: study.at - x.proposed_at,
    "confidence": lambda study, x: x.confidence,
}
"""Numbers of an experiment by their name in a filter. An age is against the newest event, in seconds."""


class QueryError(UserError):
    """A filter or an order that means nothing; the message is a sentence."""

    code = 2


Term = Callable[[Study, Experiment], bool]


@dataclass(frozen=True)
class Query:
    """A filter, understood."""

    terms: Sequence[Term]
    compared: Sequence[str]
    """Names of the numbers that it asks for."""

    def __call__(self, study: Study, experiment: Experiment) -> bool:
        return all(term(study, experiment) for term in self.terms)


def parse(text: str) -> Query:
    """A filter as a person or a model wrote it; empty, it takes everything.

    Raises:
        QueryError: a term is not understood.
    """
    words = text.split()
    compared = [found["name"] for word in words if (found := _COMPARED.fullmatch(word)) is not None]
    return Query([_term(word) for word in words], compared)


def chosen(study: Study, text: str, sort: str = "", reverse: bool = False) -> list[Experiment]:
    """The experiments of a study that a filter takes.

    Args:
        sort: a number's name; the best or the largest first, and last what has none. Empty: by id, the oldest first.
        reverse: the other way round.

    Raises:
        QueryError: the filter or the order is not understood.
    """
    query = parse(text)
    for name in query.compared:
        _known(study, name)
    found = [x for x in study.experiments.values() if query(study, x)]
    return _sorted(study, found, sort, reverse)


def _sorted(study: Study, found: list[Experiment], sort: str, reverse: bool) -> list[Experiment]:
    if sort in ("title", "by"):
        return sorted(found, key=lambda x: (x.title if sort == "title" else x.researcher).casefold(), reverse=reverse)
    if not sort:
        return found[::-1] if reverse else found
    _known(study, sort)
    largest_first = not (sort == "age" or (sort in ("metric", study.contract.metric) and study.contract.goal == "min"))
    numbered = [(number, x) for x in found if (number := _number(study, x, sort)) is not None]
    numbered.sort(key=lambda pair: pair[0], reverse=largest_first != reverse)
    have = {x.id for _, x in numbered}
    return [x for _, x in numbered] + [x for x in found if x.id not in have]


def _known(study: Study, name: str) -> None:
    """Refuse a number that no experiment has.

    Raises:
        QueryError: with those there are.
    """
    printed = {name for x in study.experiments.values() for name in values_of(x)}
    if name not in _NUMBERS and name not in printed:
        raise QueryError(
            f"no experiment has a number {name!r:.80}; there is {', '.join((*_NUMBERS, *sorted(printed)))}"
        )


def _number(study: Study, experiment: Experiment, name: str) -> float | None:
    if name in _NUMBERS:
        return _NUMBERS[name](study, experiment)
    value = values_of(experiment).get(name)
    return value if isinstance(value, int | float) else None


def _term(word: str) -> Term:
    key, colon, value = word.partition(":")
    if colon and key == "is":
        return _is(value)
    if colon and key == "by":
        wanted = value.casefold()
        return lambda study, x: wanted in x.researcher.casefold()
    if (compared := _COMPARED.fullmatch(word)) is not None:
        return _comparison(compared["name"], compared["sign"], compared["value"])
    needle = word.casefold()
    return lambda study, x: needle in f"{x.title}\n{x.hypothesis}\n{x.expected}\n{x.reason}".casefold()


def _is(kind: str) -> Term:
    special: dict[str, Term] = {
        "open": lambda study, x: x.verdict is None,
        "failed": lambda study, x: x.verdict is not None and x.verdict.is_failure,
        "flagged": lambda study, x: bool(flagged(x)),
        "champion": lambda study, x: x.id == study.champion,
    }
    if kind in special:
        return special[kind]
    name = kind.replace("-", "_")
    if name in _PHASES:
        return lambda study, x: x.verdict is None and x.phase == name
    if name in VERDICTS:
        return lambda study, x: x.verdict == name
    raise QueryError(f"is:{kind:.40} means nothing; there is is:{', is:'.join((*VERDICTS, *_PHASES, *_KINDS))}")


def _comparison(name: str, sign: str, value: str) -> Term:
    compare, wanted = _SIGNS[sign], _value(name, value)

    def term(study: Study, experiment: Experiment) -> bool:
        number = _number(study, experiment, name)
        return number is not None and compare(number, wanted)

    return term


def _value(name: str, text: str) -> float:
    if name == "age":
        if (found := _AGE.fullmatch(text)) is None:
            raise QueryError(f"{text!r:.40} is no age; write 90s, 30m, 6h or 2d")
        return float(found[1]) * _UNITS[found[2]]
    try:
        return float(text)
    except ValueError:
        raise QueryError(f"{name:.40} is compared with a number, and {text!r:.40} is none") from None
