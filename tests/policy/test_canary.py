"""What a start with broken files proves."""

import ast
import configparser
import json
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from loop.policy.canary import BROKEN, Seen, judge, judge_all, never_opened


def seen(*broken: str, metric: float | None = None, opened: set[str] | None = None, ended: bool = True) -> Seen:
    reached, reason = ("", "exit code 1") if metric is None else (f"loss {metric:g}", "")
    return Seen(broken or ("train.py",), reached, ended, 2.0, reason, opened, metric)


@pytest.mark.parametrize(
    ("what", "proof", "says"),
    [
        (seen(opened={"train.py"}), "proven", "own train.py"),
        (seen(), "proven", "own train.py"),  # nobody can tell what was opened, and it gave no metric
        (seen(metric=1.5, opened=set()), "unused", "still came to loss 1.5"),
        (seen(metric=1.5), "unused", "from `edit:`"),
        (seen(metric=0.0, opened={"train.py"}), "unproven", "still comes to loss 0"),
        (seen(opened=set()), "unproven", "before it opened it (exit code 1)"),
        (seen(ended=False, opened=set()), "unproven", "had not ended after 2 s, nor opened it"),
        (seen(ended=False, opened={"train.py"}), "unproven", "had not ended after 2 s"),
    ],
)
def test_one_file(what: Seen, proof: str, says: str) -> None:
    verdict = judge(what, "make train", "loss")
    assert verdict.proof == proof
    assert says in verdict.said
    assert verdict.files == (() if proof == "proven" else ("train.py",))


def test_a_file_that_is_opened_and_makes_no_difference_is_not_used() -> None:
    opened = seen(metric=1.02, opened={"train.py"})
    assert opened.doubtful, "the untouched program says more"
    assert judge(replace(opened, whole=1.0), "run", "loss").proof == "unused"
    assert judge(replace(opened, whole=3.0), "run", "loss").proof == "unproven"
    assert judge(replace(opened, metric=0.0, whole=1.0), "run", "loss").proof == "unproven"


def test_of_a_file_in_which_any_text_is_valid_nothing_is_proven() -> None:
    prompt = seen("prompt.txt", metric=1.0, opened={"prompt.txt"})
    assert not prompt.doubtful
    assert judge(replace(prompt, whole=1.0), "run", "loss").said.endswith("any text is valid in it")
    assert judge(seen("prompt.txt", metric=1.0, opened=set()), "run", "loss").proof == "unused"


def test_of_several_files_each_must_be_used() -> None:
    both = seen("a.py", "b.py", opened={"a.py"})
    assert judge_all(both, [seen("a.py"), seen("b.py")], "run", "loss").proof == "proven"
    unused = judge_all(both, [seen("a.py"), seen("b.py", metric=2.0, opened={"a.py"})], "run", "loss")
    assert (unused.proof, unused.files) == ("unused", ("b.py",))
    assert unused.said.startswith("b.py is not what a run uses")


def test_files_that_there_was_no_time_for_are_named() -> None:
    both = seen("a.py", "b.py", opened={"a.py"})
    some = judge_all(both, [seen("a.py")], "run", "loss")
    assert (some.proof, some.files) == ("proven", ("b.py",))
    assert "whether b.py is used was not tried" in some.said


def test_one_unused_file_says_so_before_any_is_tried_alone() -> None:
    assert judge_all(seen("a.py", "b.py", metric=1.0, opened=set()), [], "run", "loss").files == ("a.py", "b.py")


def test_a_file_that_the_untouched_program_never_opens() -> None:
    one = never_opened(["b.py"], ["a.py", "b.py"], "make", "loss")
    assert (one.proof, one.files) == ("unused", ("b.py",)) and "without opening b.py" in one.said
    many = [f"{number}.py" for number in range(20)]
    assert never_opened(many[:2], many, "make", "loss").proof == "unproven", "a pattern may name more than is used"


def test_what_a_broken_file_holds_is_valid_in_no_language(tmp_path: Path) -> None:
    text = BROKEN.decode("latin-1")
    with pytest.raises(SyntaxError):
        ast.parse(text)
    with pytest.raises(ValueError):
        json.loads(text)
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(text)
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    with pytest.raises(configparser.Error):
        configparser.ConfigParser().read_string(text)
    with pytest.raises(UnicodeDecodeError):
        BROKEN.decode()
    broken = tmp_path / "broken"
    broken.write_bytes(BROKEN)
    for command in (["sh", "broken"], ["bash", "broken"], ["make", "-f", "broken"], ["cc", "-xc", "broken"]):
        assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0, command
