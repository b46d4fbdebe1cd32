"""Variables that a program reads and its runs do not get."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.policy.variables import read_in, sentences, wanted


@pytest.mark.parametrize(
    "line",
    [
        'root = os.environ["DATA_ROOT"]',
        "root = os.environ.get('DATA_ROOT', '.')",
        'os.environ.setdefault("DATA_ROOT", "x")',
        'root = os.getenv("DATA_ROOT")',
        'if "DATA_ROOT" in os.environ:',
        'if os.environ["DATA_ROOT"] == "x":',
        'let root = std::env::var("DATA_ROOT");',
        'root := os.Getenv("DATA_ROOT")',
        'char *root = getenv("DATA_ROOT");',
        "root <- Sys.getenv('DATA_ROOT')",
        "const root = process.env.DATA_ROOT",
        'root = ENV["DATA_ROOT"]',
        "path: ${oc.env:DATA_ROOT}",
        "python train.py --data $DATA_ROOT/x",
        'python train.py --data "${DATA_ROOT:-.}"',
        "DATA_ROOT=${DATA_ROOT:-/data}",
        "\tpython train.py $(DATA_ROOT)",
    ],
)
def test_a_file_reads_a_variable(line: str):
    assert "DATA_ROOT" in read_in(line)


@pytest.mark.parametrize(
    "line",
    [
        "DATA_ROOT = 'x'",
        'os.environ["DATA_ROOT"] = "x"',
        "# set DATA_ROOT first",
        "DATA_ROOT=/data\npython train.py $DATA_ROOT",
        'print("DATA_ROOT")',
    ],
)
def test_a_file_that_only_says_the_word_reads_nothing(line: str):
    assert "DATA_ROOT" not in read_in(line)


@given(st.text())
def test_any_text_is_taken(text: str):
    read_in(text)


def test_only_what_is_withheld_is_wanted():
    texts = {"train.py": "os.environ['A'], os.environ['B']", "run.sh": "echo $A $C $PWD"}
    assert wanted(texts, {"A", "C", "PWD", "D"}) == {"A": "train.py", "C": "run.sh"}


def test_what_tells_of_a_terminal_is_nothing_that_a_run_lacks():
    texts = {
        "view.py": "".join(
            f'os.environ["{name}"]\n' for name in ("TMUX", "TERM_PROGRAM", "SSH_TTY", "PYTHONUNBUFFERED", "DATA")
        )
    }
    assert wanted(texts, {"TMUX", "TERM_PROGRAM", "SSH_TTY", "PYTHONUNBUFFERED", "DATA"}) == {"DATA": "view.py"}


def test_what_to_do_is_in_the_sentence():
    said = sentences({"A": "train.py", "C": "run.sh"}, [])[0]
    assert said.startswith("train.py and run.sh read A and C, which are set") and "`env: [A, C]`" in said
    assert sentences({}, ["TOKEN"]) == ["`env:` in program.md names TOKEN, which is not set where the loop was started"]
    assert sentences({}, []) == []
