"""The command line itself: one sentence for each misuse, and completion for the shell."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import looptop
from loop import VERSION
from tui.cli.main import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("status -C /tmp", "-C goes in front of the command: `looptop -C FOLDER status`"),
        ("-C", "requires an argument; `looptop -h`"),
        ("--experiments many", "'--experiments': it must be a valid integer; `looptop -h`"),
        ("statsu", "no such command 'statsu'. Did you mean 'status'? `looptop -h`"),
        ("kill", "missing argument 'N'; `looptop kill -h` shows"),
        ("kill abc", "'abc' is no number of an experiment; `looptop experiments` lists them"),
        ("show 1 2", "unexpected extra argument"),
        ("steer --loud x", "no such option: --loud; `looptop steer -h`"),
        ("run --headless --researcher gpt-5", "a language model is named with --model"),
        ("run --headless --tag=", "--tag: a study needs a name; without the option it is today's date"),
        ("experiments --limit 0", "`looptop experiments -h`"),
    ],
)
def test_a_misuse_gets_one_sentence_that_says_what_to_do(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["looptop", *words.split()])
    with pytest.raises(SystemExit) as left:
        main()
    out, err = capsys.readouterr()
    assert left.value.code == 2 and out == ""
    assert err.startswith("looptop: ") and err.count("\n") == 1 and said in err.replace("looptop: ", "", 1), err


def test_a_shell_is_told_how_words_go_on(tmp_path: Path) -> None:
    looptop = Path(sys.executable).with_name("looptop")
    for typed, wanted in (("looptop exp", ["experiments", "export"]), ("looptop experiments --so", ["--sort"])):
        asked = {"_LOOPTOP_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
        done = subprocess.run([looptop], env=os.environ | asked, capture_output=True, text=True, cwd=tmp_path)
        assert done.stdout.split() == wanted, done


def test_what_else_is_called_as_we_are_is_not_started(tmp_path: Path) -> None:
    """A project's own `loop.py`, on PYTHONPATH; what is beside it there stays out of reach with it, and others stay."""
    others, harmless = tmp_path / "project", tmp_path / "harmless"
    for folder in (others, harmless / "tui"):
        folder.mkdir(parents=True)
    for name in ("loop", "tui"):
        (others / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    root = Path(looptop.__file__).parent
    program = f"import sys; sys.path.append({str(root)!r}); import looptop; looptop.leave_out_namesakes(); import os"
    program += "; from tui.cli.main import main; print(os.environ['PYTHONPATH']); main()"
    asked = os.environ | {"PYTHONPATH": f"{others}{os.pathsep}{harmless}"}
    command = [sys.executable, "-P", "-c", program, "--version"]
    done = subprocess.run(command, env=asked, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stderr, done.stdout) == ("", f"{harmless}\nlooptop {VERSION}\n")


def test_who_stops_reading_has_had_enough_and_that_is_no_failure() -> None:
    line = f"({shlex.quote(sys.executable)} -m tui.cli --help; echo $? >&2) | true"
    root = Path(looptop.__file__).parent
    assert subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=root).stderr == "0\n"


def test_an_input_that_is_closed_is_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by `looptop mcp <&-`."""
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "argv", ["looptop", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert sys.stdin.read() == ""
