"""The places that an edit touches."""

import pytest

from loop.policy.places import TOP, of, touched

BEFORE = """\
import math

RATE = 0.1  # of the matrices
DEPTH: int = 4


class Block:
    width = 8

    def forward(self, x):
        return x


def train(model):
    return model


if __name__ == "__main__":
    train(Block())
"""


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("RATE = 0.1", "RATE = 0.2", ("RATE",)),
        ("DEPTH: int = 4", "DEPTH: int = 6", ("DEPTH",)),
        ("        return x\n", "        return x + x\n", ("Block.forward()",)),
        ("width = 8", "width = 16", ("Block",)),
        ("    return model\n", "    return model.eval()\n", ("train()",)),
        ("train(Block())", "train(Block().half())", (TOP,)),
        ("DEPTH: int = 4\n", "", ("DEPTH",)),
        ("import math\n", "import math, sys\n# new\n", ()),
        ("RATE = 0.1", "WARM = 3\nRATE = 0.3", ("WARM", "RATE")),
    ],
)
def test_an_edit_touches_the_places_that_it_changes(old: str, new: str, found: tuple[str, ...]) -> None:
    assert old in BEFORE
    assert touched({"train.py": BEFORE}, {"train.py": BEFORE.replace(old, new, 1)}) == found


def test_a_file_that_is_not_python_or_does_not_parse_is_one_place() -> None:
    assert touched({"a.yaml": "x: 1\n"}, {"a.yaml": "x: 2\n", "b.py": "def ("}) == ("a.yaml", "b.py")
    assert of("deep.py", "x = " + "(" * 5000 + ")" * 5000).keys() == {"deep.py"}
    assert of("huge.py", "x = 0x" + "f" * 9000).keys()
