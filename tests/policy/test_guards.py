"""What is looked at before anything runs."""

import pytest

from loop.policy import guards
from loop.study.contract import Contract

BEFORE = {"train.py": "LR = 0.1\n"}


def test_a_sound_edit_passes() -> None:
    assert guards.refusal(Contract(), BEFORE, {"train.py": "LR = 0.2\n"}) is None


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        ({"loop/policy/judge.py": "x = 1\n"}, "it edits loop/policy/judge.py, and only train.py may be edited"),
        ({"train.py": "LR = (\n"}, "train.py does not parse: line 1: '(' was never closed"),
        ({"train.py": "x" * (guards.LARGEST + 1)}, "train.py would be larger than 1000 kB"),
        ({"train.py": "LR = '\0'\n"}, "train.py would no longer be a text file"),
        ({"train.py": BEFORE["train.py"]}, "it changes nothing"),
        ({}, "it changes nothing"),
    ],
)
def test_what_must_not_run_is_refused_in_a_sentence(edits: dict[str, str], sentence: str) -> None:
    assert guards.refusal(Contract(), BEFORE, edits) == sentence


@pytest.mark.parametrize(
    "line",
    [
        "# ... rest of the code remains unchanged ...",
        "# rest of the file is unchanged",
        "    # ... existing methods ...",
        "# (existing code here)",
        "# The rest of the script stays the same.",
        "# Rest of the training loop unchanged",
        "// ... existing code ...",
        "... other code ...",
        "# …",
    ],
)
def test_a_file_that_leaves_out_code_is_refused(line: str) -> None:
    reason = guards.refusal(Contract(), BEFORE, {"train.py": f"LR = 0.2\n{line}\n"})
    assert reason == f"train.py leaves out code: a line says “{line.strip()}”; a file must be whole"
    assert guards.left_out(f"{line}\n", f"LR = 0.2\n{line}\n") is None, "it stood there before"


@pytest.mark.parametrize(
    "line",
    [
        "x = y[..., 0]",
        "def f(): ...",
        "...",
        "# the rest of the tokens are padded",
        "# existing code is fine but slow",
        "x = 1  # ... and the rest of the code",
        "print('...')",
        "# keep the original weights",
    ],
)
def test_dots_and_words_that_leave_out_nothing_pass(line: str) -> None:
    assert guards.left_out("", f"{line}\n") is None


def test_a_body_that_is_only_dots_now_was_left_out() -> None:
    before = "class A:\n    def run(self):\n        return 1\n\n    def shape(self): ...\n"
    after = before.replace("return 1", "...").replace("class A", "class B")
    assert guards.refusal(Contract(), {"train.py": before}, {"train.py": after}) == (
        "train.py leaves out code: a line says “def run: ...”; a file must be whole"
    )
    assert guards.left_out(before, before.replace("return 1", "return x[..., 0]")) is None
    assert guards.left_out(before, before.replace("return 1", "pass")) is None, "which may be meant"


def test_hostile_nesting_is_refused_and_breaks_nothing() -> None:
    reason = guards.refusal(Contract(), BEFORE, {"train.py": "(" * 100_000 + ")" * 100_000})
    assert reason is not None and reason.startswith("train.py does not parse")
    guards.fingerprint({"train.py": "-" * 200_000 + "1"})


def test_comments_and_layout_do_not_make_a_new_idea() -> None:
    same = guards.fingerprint({"train.py": "LR=0.1 # was 0.2\n\n\nx = [1,\n 2]\n"})
    assert same == guards.fingerprint({"train.py": "LR = 0.1\nx = [1, 2]\n"})
    assert same == guards.fingerprint({"train.py": '"""Carefully chosen."""\nLR = 0.1\nx = [1, 2]\n'})
    assert same != guards.fingerprint({"train.py": "LR = 0.2\nx = [1, 2]\n"})


def test_other_files_and_broken_python_are_compared_as_text() -> None:
    assert guards.fingerprint({"a.txt": "x # y"}) != guards.fingerprint({"a.txt": "x"})
    assert guards.fingerprint({"a.py": "x ="}) != guards.fingerprint({"a.py": "y ="})
    assert guards.fingerprint({"a.py": "x = 1", "b.py": "y"}) != guards.fingerprint({"b.py": "x = 1", "a.py": "y"})
