"""The command line itself: one sentence for each misuse, and completion for the shell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
