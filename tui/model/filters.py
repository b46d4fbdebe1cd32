"""What helps with typing a filter: completion, and what stands behind the text. Pure.

The language itself is `loop.reporting.query`'s.
"""

from loop.reporting import query
from loop.reporting.query import QueryError
from loop.reporting.seen import MEASURES, Seen

HINT = "words, is:kept, by:NAME, effect>1, age<6h, !is:crashed; tab completes, esc leaves"
"""What is shown while nothing is typed."""

_SIGNS = "<>=!"


def candidates(text: str, seen: Seen) -> list[str]:
    """Texts that a filter could become: its last word completed."""
    before, word = _last(text)
    turned = "!" if word.startswith("!") else ""
    word = word.removeprefix("!")
    key, colon, begun = word.partition(":")
    if colon and key == "is":
        found = [f"is:{name}" for name in query.IS if name.startswith(begun)]
    elif colon and key == "by":
        found = [f"by:{name}" for name in _researchers(seen) if name.casefold().startswith(begun.casefold())]
    elif any(sign in word for sign in _SIGNS):
        found = []
    else:
        own = [name for name in seen.printed() if name not in MEASURES]
        numbers = [f"{name}{'<' if seen.least_first(name) else '>'}" for name in (*MEASURES, *own)]
        found = [name for name in ("is:", "by:", *numbers) if name.startswith(word)]
    return [f"{before}{turned}{name}" for name in found]


def hint(text: str, seen: Seen) -> str:
    """What is wrong with a filter as it stands, or what its last word means; else how many experiments it takes."""
    word = _last(text)[1].removeprefix("!")
    if word in ("is:", "by:"):
        return "  ".join(query.IS if word == "is:" else _researchers(seen))
    name = word.rstrip(_SIGNS)
    if name in MEASURES and (name != word or len(name) > 2):
        unit = {"s": "; such as 90s, 30m, 6h, 2d", "B": "; such as 512M, 40G"}.get(MEASURES[name].unit, "")
        return f"{name}: {MEASURES[name].help}{unit}"
    try:
        return f"{len(query.taken(seen, query.parse(text)))} of {len(seen.study.experiments)}"
    except QueryError as error:
        return str(error)


def _last(text: str) -> tuple[str, str]:
    """What stands before the word that is being typed, and that word."""
    before, space, word = text.rpartition(" ")
    return before + space, word


def _researchers(seen: Seen) -> list[str]:
    return sorted({x.researcher for x in seen.study.experiments.values() if x.id})
