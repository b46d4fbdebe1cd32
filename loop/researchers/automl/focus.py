"""What a person's words mean to an optimiser: which constants to search, and which to leave.

Pure. It understands the names of constants and a handful of words around them, and says so where it does not.
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from loop.words import listed

# fmt: off
_LEAVE = frozenset({"freeze", "frozen", "leave", "fix", "lock", "keep", "ignore", "exclude"})
_NOT = frozenset({"don't", "dont", "not", "never", "no", "except", "stop", "avoid", "without"})
_FREE = frozenset({"unfreeze", "unlock", "release", "free", "allow"})
_TURN = frozenset({
    "focus", "concentrate", "only", "try", "trying", "tune", "tuning", "search", "searching", "explore", "exploring",
    "vary", "varying", "change", "changing", "touch", "touching", "use", "using",
})
# fmt: on
_ALL = frozenset({"everything", "all", "anything"})
_WORD = re.compile(r"[A-Za-z_][\w:./'’\[\]#-]*")


@dataclass(frozen=True)
class Focus:
    """Which constants the person wants searched."""

    only: frozenset[str] = frozenset()
    """Just these; empty: all."""
    frozen: frozenset[str] = frozenset()
    """Not these."""

    def allows(self, name: str) -> bool:
        return name not in self.frozen and (not self.only or name in self.only)


def interpret(text: str, names: Collection[str], focus: Focus) -> tuple[Focus, str]:
    """The focus after a person's words, and a sentence that says what was understood.

    Named constants are the only ones searched from now on ("focus on DEPTH and CLIP"); after words such as "freeze",
    "leave" or "don't" they stay as they are, and are searched again after "unfreeze"; "search everything" resets all.
    Names count as they are written, or in any case where they have an underscore, so "go for more depth" names nothing.
    """
    by_word = _by_word(names)
    only, frozen, freed = set[str](), set[str](), set[str]()
    mode, negated, everything = "only", False, False
    for raw in _WORD.findall(text.replace("’", "'")):
        word = raw.rstrip(".:'-/")
        lower = word.lower()
        name = by_word.get(word) or by_word.get(lower)
        if name is not None:
            {"only": only, "leave": frozen, "free": freed}[mode].add(name)
            negated = False
        elif lower in _NOT:
            mode, negated = "leave", True
        elif lower in _LEAVE:
            # "don't freeze" frees.
            mode, negated = ("free" if negated else "leave"), False
        elif lower in _FREE:
            mode, negated = "free", False
        elif lower in _TURN:
            # "don't change DEPTH": the verb after a negation adds nothing.
            mode, negated = ("leave" if negated else "only"), False
        elif lower in _ALL and mode != "leave":
            everything = True
    if not (only or frozen or freed):
        if everything:
            return Focus(), "I search all constants again."
        return focus, "An optimiser cannot follow words that name no constant, so this changes nothing in what I try."
    base = Focus() if everything else focus
    result = Focus(frozenset(only) or base.only - freed - frozen, (base.frozen - freed - only) | (frozen - only))
    return result, _in_words(result)


def _by_word(names: Collection[str]) -> dict[str, str]:
    """The name that a word means: itself, in small letters, or its last part (`lr` of `optimizer.lr`) where only one
    ends so."""
    last = {name: name.rpartition(".")[2] for name in names}
    times = Counter(last.values())
    ends = {end: name for name, end in last.items() if times[end] == 1}
    every = {name: name for name in names}
    return {word.lower(): name for word, name in (ends | every).items() if "_" in word} | ends | every


def _in_words(focus: Focus) -> str:
    parts = []
    if focus.only:
        parts.append(f"I search only {listed(sorted(focus.only), 100)} until told otherwise")
    if focus.frozen:
        present = "it is" if len(focus.frozen) == 1 else "they are"
        parts.append(f"I leave {listed(sorted(focus.frozen), 100)} as {present}")
    return ", and ".join(parts or ["I search all constants again"]) + "."
