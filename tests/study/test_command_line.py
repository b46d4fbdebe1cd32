"""What can be read in a command line that a person has typed."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.study.command_line import Redirection, fill, for_shell, redirections, takes_a_shell


def test_seed_and_budget_have_their_places():
    assert fill("t --seed {seed} --seconds={budget}", seed=7, budget_s=300.0) == "t --seed 7 --seconds=300"
    assert [fill("{budget}", seed=0, budget_s=budget) for budget in (0.25, 1e6)] == ["0.25", "1000000"]


def test_other_braces_stay_as_they_are():
    line = """t ${seed} '{"lr": {lr}}' {Seed} {}"""
    assert fill(line, seed=7, budget_s=1.0) == line


@pytest.mark.parametrize(
    "line",
    [
        "FOO=1 python train.py",
        "cd sub && python train.py",
        "python train.py | tee run.log",
        "python train.py > run.log 2>&1",
        "python a.py; python b.py",
        "python train.py data/*.bin",
        "python train.py --out $HOME",
        "python train.py ~/data",
        "python - <<'PY'\nprint(1)\nPY",
        "source env.sh",
        "time python train.py",
        "env PYTHONPATH=src python -m pkg",
    ],
)
def test_a_line_that_a_shell_has_to_read(line: str):
    assert takes_a_shell(line)


@pytest.mark.parametrize(
    "line", ["python train.py --lr=0.1", "uv run 'my train.py'", "make train", "nice -n 5 python train.py", ""]
)
def test_a_line_that_is_started_as_it_is(line: str):
    assert not takes_a_shell(line)


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("python train.py > run.log 2>&1", ["run.log"]),
        ("python train.py >run.log", ["run.log"]),
        ("python train.py &> run.log && grep loss run.log", ["run.log"]),
        ("python train.py >| run.log 2> errors.txt", ["run.log", "errors.txt"]),
        ("cd sub && python train.py > ../logs/run.log", ["logs/run.log"]),
        ("cd sub\npython train.py \\\n  > run.log", ["sub/run.log"]),
        ("(cd sub; python train.py > run.log)", ["sub/run.log"]),
        ("python train.py > 'my run.log'", ["my run.log"]),
        ('python train.py > "$LOOPTOP_RUN_DIR/run.log"', ["/out/run.log"]),
        ("python - <<'PY' > run.log  # don't\nprint('> no')\nPY", ["run.log"]),
        ("python train.py 2>&1 | tee run.log", []),
        ("python train.py > /dev/null 2>&1", []),
        ("python train.py > $(date +%s).log", []),
        ("python -c 'print(1 > 2)' < in.txt", []),
        ("python train.py >&2", []),
        ("python 'train.py", []),
    ],
)
def test_the_files_that_its_output_goes_to(line: str, files: list[str]):
    assert [one.path for one in redirections(line, {"LOOPTOP_RUN_DIR": "/out"})] == files


def test_a_file_that_is_added_to_is_told_apart():
    assert redirections("a > log; b >> log", {}) == [Redirection("log", appends=True)]


@given(st.text(alphabet="ab >&|;<'\"$()\\\n#cd/.-1", max_size=60))
def test_whatever_is_typed_is_looked_at_without_an_error(line: str):
    takes_a_shell(line)
    redirections(line, {})


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("PYTHONPATH=src printenv PYTHONPATH", "src:theirs"),
        ("export PYTHONPATH='a b':lib; printenv PYTHONPATH", "a b:lib:theirs"),
        ("env PYTHONPATH=src printenv PYTHONPATH", "src:theirs"),
        ("PYTHONPATH= printenv PYTHONPATH", ":theirs"),
    ],
)
def test_a_pythonpath_of_the_line_keeps_what_the_run_has_there(line: str, path: str):
    said = subprocess.run(["sh", "-c", for_shell(line)], env={"PYTHONPATH": "theirs"}, capture_output=True, text=True)
    assert said.stdout == f"{path}\n"
