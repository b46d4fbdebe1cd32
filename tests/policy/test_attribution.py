"""Factors: which kept changes can be switched off by themselves, and the files of what is left."""

import random

import pytest

from loop.policy import attribution, designs
from loop.policy.attribution import Stack, Step, unbound

Files = dict[str, str]


def stack(base: str, *edits: tuple[str, str], path: str = "train.py") -> Stack:
    """A baseline and edits of it, one on top of the other, as old and new text."""
    texts, steps = base, []
    for number, (old, new) in enumerate(edits, 1):
        assert old in texts
        after = texts.replace(old, new)
        steps.append(Step(number, {path: texts}, {path: after}))
        texts = after
    return Stack({path: base}, steps, {path: texts})


CONSTANTS = "".join(f"V{n} = 5\n" for n in range(6))


def test_constants_on_neighbouring_lines_are_factors_of_their_own_and_a_chain_on_one_is_one() -> None:
    found = stack(CONSTANTS, ("V1 = 5", "V1 = 4"), ("V2 = 5", "V2 = 4"), ("V1 = 4", "V1 = 3"), ("V0 = 5", "V0 = 4"))
    assert found.factors() == [(0, 2), (1,), (3,)]
    made = found.made({1, 3})
    assert made == {"train.py": CONSTANTS.replace("V2 = 5", "V2 = 4").replace("V0 = 5", "V0 = 4")}
    assert found.made([]) == {"train.py": CONSTANTS} and found.made(range(4)) == found.champion


def test_every_half_of_the_factors_can_be_made() -> None:
    edits = [(f"V{n} = 5", f"V{n} = 4") for n in range(6)] + [("V3 = 4", "V3 = 2"), ("V5 = 4\n", "V5 = 4\nW = 1\n")]
    found = stack(CONSTANTS, *edits)
    factors = found.factors()
    assert sum(map(len, factors)) == len(edits)
    chance = random.Random(1)
    for _ in range(50):
        row = [chance.random() < 0.5 for _ in factors]
        assert attribution.texts(found, factors, row)
    rows = attribution.settled(found, lambda count: designs.design(count).rows)
    assert rows == factors


def test_what_uses_a_name_goes_with_what_defines_it() -> None:
    base = "a = 1\n\n\nb = 2\n\n\nprint(a)\n"
    found = stack(base, ("a = 1", "a = 3"), ("b = 2\n", "def warm(x):\n    return x\n"), ("print(a)", "print(warm(a))"))
    assert found.factors() == [(0,), (1, 2)]
    assert stack(base, ("a = 1", "a = 3"), ("b = 2", "b = 4")).factors() == [(0,), (1,)]


def test_a_file_that_a_change_made_goes_with_what_edits_it() -> None:
    first = Step(1, {"a": "1\n"}, {"a": "1\n", "b": "x\n"})
    second = Step(2, {"a": "1\n", "b": "x\n"}, {"a": "1\n", "b": "y\n"})
    third = Step(3, {"a": "1\n", "b": "y\n"}, {"a": "2\n", "b": "y\n"})
    found = Stack({"a": "1\n"}, [first, second, third], {"a": "2\n", "b": "y\n"})
    assert found.factors() == [(0, 1), (2,)]
    assert found.made([2]) == {"a": "2\n"}


def test_steps_that_do_not_give_the_champion_are_refused() -> None:
    with pytest.raises(ValueError, match="do not give the champion"):
        Stack({"a": "1\n"}, [Step(1, {"a": "1\n"}, {"a": "2\n"})], {"a": "3\n"})


def test_names_that_nothing_binds() -> None:
    text = (
        "import os.path as p, sys\nfrom x import y as z\ndef f(a, *b, c=1, **d):\n    global g\n    return a, b, c, d\n"
    )
    text += "try:\n    pass\nexcept OSError as error:\n    print(error, p, sys, z, f, g, [q for q in (1,)], __file__)\n"
    assert not unbound(text)
    assert unbound(text + "use(missing)\n") == {"use", "missing"}
    assert not unbound("this is ( no Python")
