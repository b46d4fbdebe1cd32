"""Output that a command line sends to a file."""

import asyncio
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from loop.runs.local.process import LocalProcess
from loop.runs.local.redirected import MOST_BEHIND, PIECE, RedirectedFiles, redirected
from loop.runs.log import read_log
from loop.runs.output import Sample
from loop.runs.spec import Redirected, RunSpec
from tests.runs.conftest import PROGRAMS, Place


def shell_line(place: Place, line: str) -> RunSpec:
    """The run of a line, in which TRAIN is a program that trains."""
    train = shlex.join([sys.executable, str(PROGRAMS / "trains.py")])
    argv = ["bash", "-o", "pipefail", "-c", line.replace("TRAIN", train)]
    spec = place.spec("trains.py")
    places = {spec.cwd: spec.cwd, place.out: place.out, Path("/tmp"): place.folder / "tmp"}
    return replace(spec, argv=argv, redirected=redirected(argv, spec.env, spec.cwd, places))


@pytest.mark.parametrize(
    "line",
    [
        "TRAIN > run.log 2>&1",
        "mkdir logs && cd logs && TRAIN &> run.log",
        'TRAIN >> "$LOOPTOP_RUN_DIR/run.log"',
        "TRAIN > run.log; grep -c step run.log",
        "printf 'no end' && TRAIN > run.log",
        "TRAIN | tee run.log",
    ],
)
async def test_it_is_read_like_the_runs_own(place: Place, line: str):
    seen: list[Sample] = []
    run = await LocalProcess.start(shell_line(place, line), seen.extend)
    result = await run.wait()
    assert (result.outcome, result.reason) == ("finished", "")
    assert result.metrics["num_steps"] == 10
    assert [seen[0].step, seen[-1].step] == [0, 9]
    assert "num_steps:        10" in read_log(place.folder / "log").text


async def test_it_is_read_while_the_run_goes_on(place: Place):
    spec = shell_line(place, "echo step 1 > run.log; while [ ! -e seen ]; do sleep 0.01; done")
    run = await LocalProcess.start(spec, lambda samples: (spec.cwd / "seen").touch())
    assert (await asyncio.wait_for(run.wait(), 30)).outcome == "finished"


async def test_a_program_that_fails_before_a_pipe_has_failed(place: Place):
    run = await LocalProcess.start(shell_line(place, "(echo val_bpb: 1; exit 3) | tee run.log"))
    result = await run.wait()
    assert (result.outcome, result.exit_code) == ("crashed", 3)


async def test_a_signal_that_ended_a_part_of_a_line_is_told_as_such(place: Place):
    run = await LocalProcess.start(shell_line(place, "sh -c 'kill -SEGV $$' | cat"))
    assert (await run.wait()).reason.startswith("ended by SIGSEGV")


class Taken:
    def __init__(self, folder: Path, path: str = "run.log", appends: bool = False) -> None:
        self.data = b""
        self.files = RedirectedFiles([Redirected(folder, path, appends)], self.take)
        self.files.look()

    def take(self, piece: bytes) -> None:
        self.data += piece


async def test_what_was_there_before_the_run_is_none_of_its_output(tmp_path: Path):
    (tmp_path / "run.log").write_text("val_bpb: 0.1\n")
    untouched, written, added_to = Taken(tmp_path), Taken(tmp_path), Taken(tmp_path, appends=True)
    await untouched.files.finish()
    assert untouched.data == b""
    with (tmp_path / "run.log").open("a") as file:
        file.write("val_bpb: 0.2\n")
    await added_to.files.finish()
    assert added_to.data == b"val_bpb: 0.2\n"
    (tmp_path / "run.log").write_text("val_bpb: 0.3\n")
    await written.files.finish()
    assert written.data == b"val_bpb: 0.3\n"


async def test_a_file_that_is_begun_anew_is_read_from_its_beginning(tmp_path: Path):
    taken = Taken(tmp_path)
    for text in ("a long first line\n", "second\n"):
        (tmp_path / "run.log").write_text(text)
        taken.files.follow()
    await taken.files.finish()
    assert taken.data == b"a long first line\nsecond\n"


async def test_only_whole_lines_are_taken_while_it_grows(tmp_path: Path):
    taken = Taken(tmp_path)
    (tmp_path / "run.log").write_text("step 1\nst")
    taken.files.follow()
    assert taken.data == b"step 1\n"
    await taken.files.finish()
    assert taken.data == b"step 1\nst"


async def test_of_a_flood_the_end_is_taken(tmp_path: Path):
    taken = Taken(tmp_path)
    (tmp_path / "run.log").write_bytes(b"x" * (MOST_BEHIND + 10 * PIECE) + b"\nval_bpb: 1\n")
    await taken.files.finish()
    assert taken.data.startswith(b"\n[looptop: ") and taken.data.endswith(b"\nval_bpb: 1\n")
    assert len(taken.data) < MOST_BEHIND + 100


@pytest.mark.parametrize("way", ["file", "folder", "pipe"])
async def test_no_link_and_nothing_but_a_file_is_followed(tmp_path: Path, way: str):
    secret = tmp_path / "home" / "run.log"
    secret.parent.mkdir()
    secret.write_text("secret: 1\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    if way == "file":
        (tree / "run.log").symlink_to(secret)
    elif way == "folder":
        (tree / "logs").symlink_to(secret.parent)
    else:
        os.mkfifo(tree / "run.log")
    taken = Taken(tree, "logs/run.log" if way == "folder" else "run.log")
    taken.files.follow()
    await taken.files.finish()
    assert taken.data == b""


def test_a_file_outside_of_what_a_run_writes_to_is_not_looked_for(tmp_path: Path):
    out = tmp_path / "out"
    line = ["bash", "-c", f"x > ../../run.log; x > {out}/y; x > /etc/z; x > ../out/../out/w"]
    found = redirected(line, {}, tmp_path / "tree", {tmp_path / "tree": tmp_path / "tree", out: out})
    assert found == (Redirected(out, "y"), Redirected(out, "w"))
