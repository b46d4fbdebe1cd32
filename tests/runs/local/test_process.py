"""A run, from its start to its result, with real programs."""

import asyncio
import json
import math
import os
import signal
import stat
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from loop.runs.local import process as local
from loop.runs.local.process import LocalProcess
from loop.runs.log import HEAD_BYTES, PART_BYTES, PARTS, read_log
from loop.runs.output import Sample
from tests.runs.conftest import Place


async def test_a_training_run_finishes_with_its_samples_and_its_summary(place: Place):
    seen: list[Sample] = []
    run = await place.start("trains.py", on_samples=seen.extend)
    result = await run.wait()
    assert (result.outcome, result.reason, result.exit_code, result.signal) == ("finished", "", 0, None)
    assert result.metrics["num_steps"] == 10
    assert result.metrics["val_bpb"] == pytest.approx(4 * 0.9**10 + 0.007)
    assert seen[0].step == 0 and seen[0].progress == pytest.approx(0.1)
    assert seen[0].values == {"loss": 3.6, "tok/sec": 1204331, "mfu": 39.8}
    assert seen[-1].step == 9  # the last step is never held back for ever
    assert result.leftovers == 0
    assert result.seconds >= 0.2
    assert "num_steps:        10" in read_log(place.folder / "log").text


async def test_a_result_may_be_awaited_twice_and_given_up_without_harm(place: Place):
    run = await place.start("trains.py")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(run.wait(), 0.01)
    first, second = await asyncio.gather(run.wait(), run.wait())
    assert first is second and first.outcome == "finished"


async def test_a_crash_says_what_the_traceback_ends_in(place: Place):
    result = await place.run("crashes.py", "raise")
    assert result.outcome == "crashed" and result.exit_code == 1
    assert result.reason == "exit code 1: RuntimeError: mat1 and mat2 shapes cannot be multiplied"
    assert "Traceback (most recent call last)" in result.tail


async def test_a_crash_by_signal_names_it(place: Place):
    result = await place.run("crashes.py", "abort")
    assert result.outcome == "crashed" and result.exit_code is None and result.signal == signal.SIGABRT
    assert result.reason.startswith("ended by SIGABRT: ")
    assert "crashes.py" in result.tail  # the fault handler is on, so a crash in C says where


async def test_nan_is_reported_as_such_and_no_metric_as_none(place: Place):
    assert math.isnan((await place.run("crashes.py", "nan")).metrics["val_bpb"])
    assert (await place.run("crashes.py", "silent")).metrics == {}


@pytest.mark.parametrize(
    ("program", "mode", "sentence"),
    [
        ("no-such-program", None, "no such program; check `run:` in program.md, and PATH"),
        ("./no-such-script", None, "no such program; check `run:` in program.md, and PATH"),
        ("./script", 0o644, "it is not executable; `chmod +x` it"),
        ("./script", 0o755, "it is no program; give it a first line like `#!/bin/sh`"),
        ("./headed", 0o755, "the interpreter that its first line names is not there"),
    ],
)
async def test_what_cannot_be_started_says_why_and_what_to_do(
    place: Place, program: str, mode: int | None, sentence: str
):
    script = place.folder / "tree" / program
    if mode is not None:
        script.write_text("#!/nowhere/python\n" if "headed" in program else "\x01\x02 no program\n")
        script.chmod(stat.S_IFREG | mode)
    run = await LocalProcess.start(replace(place.spec("trains.py"), argv=[program]))
    result = await run.wait()
    assert result.outcome == "crashed" and result.exit_code is None
    assert result.reason.startswith(f"cannot start {program!r}: {sentence}")


async def test_a_missing_worktree_is_said_so(place: Place):
    run = await LocalProcess.start(replace(place.spec("trains.py"), cwd=place.folder / "gone"))
    assert (await run.wait()).reason == f"cannot start the run in {place.folder / 'gone'}: No such file or directory"


async def test_at_its_deadline_a_run_that_resists_in_every_way_is_gone_whole_within_six_seconds(place: Place):
    run = await place.start("stubborn.py", deadline_s=2)
    await place.until(lambda: len(place.marked()) == 4)
    assert len(place.alive()) == 4
    async with asyncio.timeout(2 + 6):
        result = await run.wait()
    assert place.alive() == set()
    assert result.outcome == "timed_out"
    assert result.reason == "not done after its deadline of 2 s, and ended"
    assert result.signal == signal.SIGKILL


async def test_a_killed_run_says_who(place: Place):
    seen: list[Sample] = []
    run = await place.start("trains.py", on_samples=seen.extend, deadline_s=60)
    await place.until(lambda: seen)
    run.kill(by="ada")
    result = await run.wait()
    assert (result.outcome, result.reason) == ("killed", "killed by ada")
    assert result.signal == signal.SIGTERM


async def test_daemons_that_outlive_the_command_are_counted_and_ended(place: Place):
    result = await place.run("leaves_daemons.py")
    assert (result.outcome, result.leftovers, result.metrics) == ("finished", 2, {"val_bpb": 0.5})
    assert len(place.marked()) == 2 and place.alive() == set()


async def test_a_fork_bomb_is_ended_to_the_last_process(place: Place):
    result = await place.run("forks.py")
    assert result.outcome == "finished" and result.leftovers > 0
    assert len(place.marked()) > 9 and place.alive() == set()


@pytest.mark.parametrize("whom", ["nearer", "both"])
async def test_a_run_that_kills_its_guards_leaves_nothing_behind(place: Place, whom: str):
    result = await place.run("kills_its_warden.py", "kill", whom)
    assert result.outcome == "crashed"
    assert result.reason.startswith("the process that guards the run was killed")
    assert len(place.marked()) == 2 and place.alive() == set()
    assert place.marked().isdisjoint(child.pid for child in psutil.Process().children())  # nor a zombie of ours


async def test_one_run_killing_its_warden_does_not_touch_another(place: Place, tmp_path: Path):
    other = await Place(tmp_path / "other").start("trains.py")
    await place.run("kills_its_warden.py", "kill", "nearer")
    assert (await other.wait()).outcome == "finished"


async def test_a_run_that_stops_its_warden_is_ended_at_its_deadline_all_the_same(place: Place):
    result = await place.run("kills_its_warden.py", "stop", "nearer", deadline_s=0.8)
    assert result.outcome == "timed_out" and result.signal == signal.SIGTERM
    assert len(place.marked()) == 2 and place.alive() == set()


async def test_a_run_that_stops_both_its_guards_is_ended_by_the_supervisor(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(local, "BACKSTOP_S", 0.2)  # sixteen seconds are long for a test
    result = await place.run("kills_its_warden.py", "stop", "both", deadline_s=0.8)
    assert (result.outcome, result.reason) == ("timed_out", "not done after its deadline of 0.8 s, and ended by force")
    assert len(place.marked()) == 2 and place.alive() == set()


async def test_cpu_time_and_memory_are_those_of_the_whole_tree(place: Place):
    spun = await place.run("spins.py")
    assert spun.cpu_seconds >= 0.8
    held = await place.run("remembers.py", "60", "1.2")
    assert held.peak_memory >= 120 << 20  # both children together; the command itself holds next to nothing


async def test_a_run_over_its_memory_is_ended_and_says_so(place: Place):
    run = await place.start("remembers.py", "100", "60", memory_cap=150_000_000)
    result = await run.wait()
    assert (result.outcome, result.reason) == (
        "out_of_memory",
        f"used more than its 0.15 GB of memory ({result.peak_memory / 1e9:.3g} GB), and was ended",
    )
    assert run.memory > 150_000_000 and place.alive() == set()


async def test_the_most_gpu_memory_noted_is_the_peak(place: Place):
    run = await place.start("trains.py")
    for used in (None, 5 << 30, 3 << 30):
        run.note_gpu_memory(used)
    assert (await run.wait()).peak_gpu_memory == 5 << 30
    assert (await place.run("crashes.py", "silent")).peak_gpu_memory is None


async def test_a_flood_neither_grows_memory_nor_the_disk_nor_holds_up_the_loop(place: Place):
    lines = 300_000  # 30 MB
    me = psutil.Process()
    before = me.memory_info().rss
    most = turns = 0
    run = await place.start("floods.py", str(lines))
    result = asyncio.ensure_future(run.wait())
    while not result.done():
        await asyncio.sleep(0.01)
        turns += 1
        most = max(most, me.memory_info().rss)
        on_disk = sum(path.stat().st_size for path in (place.folder / "log").iterdir() if path.exists())
        assert result.done() or on_disk <= HEAD_BYTES + PARTS * PART_BYTES + 100
    assert turns > 20
    assert most - before < 40 << 20
    assert result.result().metrics == {"val_bpb": 0.5}
    log = (place.folder / "log" / "log.txt").read_bytes()
    assert log.startswith(b"%098d.\n" % 0) and log.endswith(b"%098d.\nval_bpb: 0.5\n" % (lines - 1))
    assert len(log) <= HEAD_BYTES + PARTS * PART_BYTES + 100


async def test_a_folder_that_takes_no_log_costs_the_log_and_not_the_run(place: Place):
    (place.folder / "log").write_text("in the way")
    result = await place.run("trains.py")
    assert result.outcome == "finished" and result.metrics["num_steps"] == 10
    assert (place.folder / "log").read_text() == "in the way"


async def test_a_run_is_given_its_own_surroundings_and_no_secret(place: Place, monkeypatch: pytest.MonkeyPatch):
    for name in ("OPENAI_API_KEY", "NVIDIA_API_KEY", "HF_TOKEN", "AWS_SESSION_TOKEN", "SSH_AUTH_SOCK", "MY_DATABASE"):
        monkeypatch.setenv(name, "marker-of-a-secret")
    run = await place.start("tells_environment.py")
    await run.wait()
    told = json.loads((place.out / "told.json").read_text())
    assert "marker-of-a-secret" not in json.dumps(told)
    assert told["environ"]["LOOPTOP_SEED"] == "7" and told["environ"]["LOOPTOP_BUDGET_S"] == "0.2"
    assert told["environ"]["LOOPTOP_RUN_DIR"] == str(place.out)
    assert told["cwd"] == str(place.folder / "tree")
    assert told["keeper"] == run.pid and told["session"] not in (os.getsid(0), run.pid)
    assert told["stdin"] == "/dev/null"
    assert told["open"] == [0, 1, 2, 3]  # the fourth is the look at this very list


async def test_the_warden_starts_with_next_to_nothing_imported():
    heavy = {"asyncio", "subprocess", "json", "re", "typing", "enum", "pathlib", "psutil", "dataclasses", "signal"}
    code = "import sys; sys.path.append(sys.argv[1]); import loop.runs.local.warden; print(*sys.modules)"
    root = str(Path(__file__).parents[3])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", code, root, stdout=asyncio.subprocess.PIPE
    )
    modules = (await process.communicate())[0].decode().split()
    assert "loop.runs.local.warden" in modules and heavy.isdisjoint(modules)


async def test_output_is_handed_on_as_it_is_read_to_the_last_byte_also_of_a_flood(place: Place):
    heard: list[bytes] = []
    run = await LocalProcess.start(place.spec("floods.py", "20000"), on_output=heard.append)
    await run.wait()
    whole = b"".join(heard)
    assert whole == b"".join(b"%098d.\n" % number for number in range(20_000)) + b"val_bpb: 0.5\n"
    assert max(map(len, heard)) <= local.READ_BYTES


async def test_output_comes_while_the_run_goes_on(place: Place):
    heard: list[bytes] = []
    run = await LocalProcess.start(place.spec("stubborn.py"), on_output=heard.append)
    await place.until(lambda: b"ready" in b"".join(heard[:1]))
    assert place.alive()
    run.kill()
    assert (await run.wait()).outcome == "killed"
