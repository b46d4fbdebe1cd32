"""Bad input gets one clear sentence and a non-zero exit, and loses nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import LOOPTOP, Bench


def sentence(bench: Bench, *arguments: str, code: int = 1) -> str:
    """The one line that a command which fails says."""
    return only_line(bench.looptop(*arguments, code=code).stderr)


def refusal(bench: Bench, *arguments: str, code: int = 1) -> str:
    """The same of one that starts nothing, without a process of its own."""
    return only_line(bench.refused(*arguments, code=code))


def only_line(said: str) -> str:
    assert len(said.strip().splitlines()) == 1, said
    assert said.startswith("looptop: ")
    return said.strip()


def test_no_program(bench: Bench) -> None:
    (bench.root / "program.md").unlink()
    assert "there is no program.md" in sentence(bench, "run", "--headless")
    assert "looptop init" in sentence(bench)


def test_a_flag_wider_than_the_program_s_limit(bench: Bench) -> None:
    bench.program(limits={"experiments": 3})
    said = refusal(bench, "--experiments", "4", "run", "--headless")
    assert "--experiments 4 would change nothing, since program.md ends the loop at 3" in said
    assert not (bench.root / ".looptop" / "journal.db").exists()


def test_a_front_matter_that_does_not_parse(bench: Bench) -> None:
    bench.write("program.md", "---\nkeep: {\n---\n")
    assert "program.md:" in refusal(bench, "run", "--headless")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-C", "train.py", "status"), "is a file; -C takes the folder of a checkout"),
        (("--budget", "20s", "status"), "--budget in front of `status` has no effect"),
        (("help", "stear"), "there is no command 'stear'"),
    ],
)
def test_a_command_that_is_used_wrongly(bench: Bench, arguments: tuple[str, ...], words: str) -> None:
    assert words in refusal(bench, *arguments, code=2)


def test_numbers_and_words_on_the_command_line(bench: Bench) -> None:
    bench.program(limits={"experiments": 1})
    bench.looptop("run", "--headless", "--researcher", "automl")
    assert "'abc' is no number of an experiment" in bench.looptop("kill", "abc", code=2).stderr
    assert "is not running" in sentence(bench, "kill", "1") and "is not paused" in sentence(bench, "resume")
    bench.looptop("steer", "mind", "the", "depth")
    assert [one.body.text for one in bench.events("steered")] == ["mind the depth"]  # type: ignore[union-attr]
    both = bench.looptop("show", "1", "--diff", "--log").stdout
    assert both.startswith("diff --git") and "val_bpb" in both.partition("@@")[2]
    assert "Usage: looptop steer" in bench.looptop("help", "steer").stdout


@pytest.mark.parametrize("edit", ["../other.py", "/etc/passwd", "missing.py", "picture.bin", ".git/config"])
def test_editable_files_that_cannot_be_edited(bench: Bench, edit: str) -> None:
    (bench.root / "picture.bin").write_bytes(b"\0\1\2")
    bench.program(edit=edit)
    said = refusal(bench, "run", "--headless")
    assert "program.md:" in said and f"edit: {edit}" in said.replace("'", "")
    assert not (bench.root / ".looptop" / "journal.db").exists()


@pytest.mark.parametrize(
    ("script", "run", "words"),
    [
        ("raise RuntimeError('the data is not there')\n", "python train.py", "RuntimeError: the data is not there"),
        ("print('hello: 1')\n", "python train.py", "its output has no val_bpb"),
        ("print('val_bpb: nan')\n", "python train.py", "val_bpb is nan"),
        ("print('val_bpb: 1')\n", "no-such-program train.py", "cannot start 'no-such-program'"),
    ],
)
def test_a_baseline_that_does_not_work_says_why_and_changes_nothing(
    bench: Bench, script: str, run: str, words: str
) -> None:
    bench.write("train.py", script)
    bench.program(run=run)
    branches = bench.git("branch", "--list")
    done = bench.looptop("run", "--headless", code=1)
    assert "FAILED: the baseline " in done.stdout and words in done.stdout.partition("FAILED: ")[2]
    assert bench.git("branch", "--list") == branches
    assert bench.json("status")["state"] == "failed"
    assert words in bench.looptop("status").stdout


def test_a_baseline_that_is_mended_begins_anew(bench: Bench) -> None:
    bench.write("train.py", "print('hello: 1')\n")
    bench.program(run="python train.py")
    bench.looptop("run", "--headless", code=1)
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.write("train.py", "import random\nRATE = 0.1\nprint('val_bpb:', 1 + random.random() / 1000)\n")
    bench.looptop("run", "--headless")
    assert bench.study().baseline.verdict == "kept"  # type: ignore[union-attr]


def test_a_baseline_that_runs_out_of_time(bench: Bench) -> None:
    bench.write("train.py", "import time\ntime.sleep(100)\n")
    bench.program(budget="0.5s", deadline="1s")
    done = bench.looptop("run", "--headless", code=1)
    assert "the baseline ran out of time" in done.stdout
    assert bench.processes() == []


def test_no_repository(bench: Bench, tmp_path: Path) -> None:
    bench.root = tmp_path / "plain"
    bench.root.mkdir()
    assert "is not inside a git repository" in refusal(bench, "run", "--headless")
    assert "is not inside a git repository" in refusal(bench, "status")
    bench.looptop("init", code=1)  # asks, and nobody is there to answer
    assert list(bench.root.iterdir()) == []
    bench.write("train.py", "print('val_bpb: 1')\n")
    said = bench.looptop("init", "--yes").stdout
    assert "wrote" in said and "made a git repository" in said
    assert bench.git("ls-files").split() == ["program.md", "train.py"]
    assert "stays as it is" in bench.looptop("init").stdout
    bench.plain_python()
    bench.looptop("doctor")


def test_a_repository_without_a_commit(bench: Bench, tmp_path: Path) -> None:
    bench.root = tmp_path / "fresh"
    bench.root.mkdir()
    bench.git("init", "-q")
    assert "commit" in refusal(bench, "run", "--headless")


def test_no_study_yet(bench: Bench) -> None:
    for command in (["status"], ["experiments"], ["show", "1"], ["log"], ["pause"], ["steer", "x"], ["attach"]):
        assert "there is no study here yet" in refusal(bench, *command)


def test_wrong_use_is_exit_code_2(bench: Bench) -> None:
    bench.looptop("fly", code=2)
    bench.refused("show", "one", code=2)
    bench.refused("run", "--headless", "--experiments", "0", code=2)
    assert "--budget" in refusal(bench, "run", "--headless", "--budget", "soon", code=2)
    assert "no researcher or command called 'oracle'" in refusal(
        bench, "run", "--headless", "--researcher", "oracle", code=2
    )
    assert "--headless" in refusal(bench, "run", code=2)
    assert "--goal" in refusal(bench, "init", "--goal", "sideways", code=2)


def test_an_experiment_that_is_not_there(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.looptop("run", "--headless")
    count = len(bench.events())
    for command in (["show", "99"], ["kill", "99"], ["approve", "99"]):
        assert "there is no experiment 99; they go from 0 to 1" in refusal(bench, *command, code=2)
    assert "there are no words" in refusal(bench, "steer", "  ", code=2)
    assert len(bench.events()) == count, "a refused request leaves no trace"


def test_a_request_while_no_loop_runs_is_kept_for_the_next(bench: Bench) -> None:
    bench.program(limits={"experiments": 2}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.looptop("run", "--headless", "--experiments", "1")
    assert "takes effect when `looptop` starts one" in bench.looptop("steer", "focus on DEPTH").stdout
    bench.looptop("run", "--headless", "--experiments", "2")
    assert [request.outcome for request in bench.study().requests.values()] == ["heard before experiment 2"]


def test_a_terminal_that_shows_nothing_starts_the_loop_and_names_what_to_use(bench: Bench) -> None:
    bench.environment["TERM"] = "dumb"
    said = bench.looptop().stdout
    assert "looptop status" in said
    bench.looptop("attach", code=2)
    bench.looptop("stop", "--now")


def test_output_into_a_closed_pipe_is_no_error(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.looptop("run", "--headless")
    command = f"'{LOOPTOP[0]}' experiments --json | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=bench.root, env=bench.environment, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[", "")


def test_an_unconfined_loop_says_so_for_as_long_as_it_is(bench: Bench) -> None:
    bench.plain_python()
    said = bench.looptop("run", "--headless", "--sandbox", "off", "--experiments", "1").stdout
    assert "runs are not confined (switched off)" in said
    supervisor = bench.study().supervisor
    assert supervisor is not None and supervisor.sandbox == "off"
    assert "– sandbox     runs are not confined" in bench.looptop("doctor").stdout  # the flag stays in force


def test_a_sandbox_that_is_not_known_or_not_there(bench: Bench) -> None:
    assert "--sandbox: " in sentence(bench, "run", "--headless", "--sandbox", "chroot", code=2)
    (bench.root.parent / "bin").mkdir()
    git = shutil.which("git")
    assert git is not None
    (bench.root.parent / "bin" / "git").symlink_to(git)
    bench.environment["PATH"] = str(bench.root.parent / "bin")
    assert "bubblewrap is not installed" in sentence(bench, "run", "--headless", "--sandbox", "bubblewrap")
    assert not (bench.root / ".looptop" / "journal.db").exists()


def test_data_that_is_not_there(bench: Bench) -> None:
    bench.program(read=["data/tokens.bin"])
    assert "read: data/tokens.bin does not exist" in refusal(bench, "run", "--headless")
