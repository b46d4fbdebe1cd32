"""The loop at work in a real repository, through the real command line."""

import hashlib
import os
import signal
import time
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import pytest

from loop.study import events as e
from tests.e2e.conftest import LOOPTOP, TRAIN, Bench


def fingerprint(root: Path) -> dict[str, str]:
    """Everything of the person's: files, index, HEAD and branches."""
    files = {}
    theirs = [part for part in root.iterdir() if part.name != ".looptop"]
    for path in sorted([*theirs, *(found for part in theirs for found in part.rglob("*"))]):
        name = path.relative_to(root).as_posix()
        ours = name.startswith((".git/objects", ".git/worktrees", ".git/refs/looptop", ".git/refs/notes"))
        ours = ours or "looptop" in name or name in (".git/info/exclude", ".git/logs/refs/notes", ".git/packed-refs")
        if path.is_file() and not ours:
            files[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return files


def test_a_study_from_start_to_limit(bench: Bench) -> None:
    bench.write("notes.txt", "not tracked\n")
    before = fingerprint(bench.root)
    done = bench.looptop("run", "--headless", "--experiments", "3")
    assert "limit reached: 3 of 3 experiments have a verdict" in done.stdout
    study = bench.consistent()
    assert fingerprint(bench.root) == before
    assert study.judged() == 3
    baseline = study.experiments[0]
    assert baseline.verdict == "kept" and len(baseline.runs) == 3
    assert len({run.seed for run in baseline.runs.values()}) == 3
    assert all(1.0 < (run.metric or 0) < 1.1 for run in baseline.runs.values())
    assert bench.events("thought"), "the researcher thinks aloud"
    assert bench.events("step_sampled") and bench.events("gauge_read")
    assert bench.git("log", "--format=%s", study.branch).splitlines()[-1] == "start"
    for number in range(1, 4):
        assert "LEARNING_RATE" in bench.git("show", f"refs/looptop/{study.tag}/{number}:train.py")


def test_what_scripts_are_told(bench: Bench) -> None:
    bench.looptop("run", "--headless", "--experiments", "2")
    status = bench.json("status")
    assert status["state"] == "stopped"
    assert status["supervisor"] == status["supervisor"] | {"alive": False, "pid": None}
    assert status["study"]["branch"] == f"looptop/{status['study']['tag']}"
    assert status["champion"]["metric"] <= status["baseline"]["metric"]
    assert sum(status["experiments"].values()) == 2
    assert status["running"] == []
    assert status["limits"]["experiments"] == {"used": 2, "limit": 2, "left": 0}
    listed = bench.json("experiments")
    assert [found["id"] for found in listed] == [0, 1, 2]
    keys = {"id", "parent", "title", "hypothesis", "researcher", "verdict", "reason", "metric", "runs", "commit"}
    assert keys | {"lines_added", "lines_removed"} <= set(listed[1])
    assert {"seed", "metric", "seconds"} <= set(listed[1]["runs"][0])
    assert bench.json("show", "1")["commit"] == listed[1]["commit"]
    assert "+++ b/train.py" in bench.looptop("show", "1", "--diff").stdout
    assert "val_bpb: " in bench.looptop("show", "0", "--log").stdout
    assert "val_bpb: " in bench.looptop("log").stdout
    assert "2 experiments with a verdict" in bench.looptop("status").stdout
    assert "baseline" in bench.looptop("experiments").stdout


def test_started_in_the_background_it_outlives_its_starter_and_stops_when_asked(bench: Bench) -> None:
    bench.program(budget="20s")
    said = bench.looptop().stdout
    pid = bench.pid
    assert pid is not None and str(pid) in said and "looptop status" in said
    assert os.getsid(pid) == pid
    bench.until(lambda: bench.study().running())
    status = bench.json("status")
    assert (status["state"], status["supervisor"]["pid"]) == ("baseline", pid)
    assert status["running"][0] == status["running"][0] | {"id": 0, "run": 1, "budget": 20}
    again = bench.looptop("--budget", "9s")
    assert "already" in again.stderr and bench.pid == pid
    assert "stopped" in bench.looptop("stop", "--now").stdout
    assert bench.pid is None
    study = bench.consistent()
    assert study.experiments[0].runs[1].outcome == "lost"
    assert bench.looptop("stop").stdout == "no loop runs here\n"


@pytest.mark.soak
def test_killed_again_and_again(bench: Bench) -> None:
    bench.program(limits={"experiments": 2}, keep={"baseline_runs": 2, "max_runs": 2}, budget="0.5s")
    for pause in (0.05, 0.4, 0.9, 1.6):
        bench.looptop()
        pid = bench.pid
        time.sleep(pause)
        assert pid is not None
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            break
        bench.until(lambda: bench.pid is None)
    bench.looptop()
    bench.until_stopped()
    assert bench.consistent().judged() == 2


def test_sigterm_ends_it_cleanly_and_the_run_is_run_again(bench: Bench) -> None:
    bench.program(budget="3s", limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.looptop()
    bench.until(lambda: bench.study().running())
    pid = bench.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    bench.until_stopped(timeout=10)
    study = bench.consistent()
    assert study.supervisor is not None and study.supervisor.reason == "ended by SIGTERM"
    assert study.experiments[0].runs[1].outcome == "lost"
    bench.looptop("run", "--headless")
    again = bench.consistent().experiments[0]
    assert [run.outcome for run in again.runs.values()] == ["lost", "finished", "finished"]
    assert again.runs[2].seed == again.runs[1].seed


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_stops_after_the_run_in_flight_and_a_second_one_at_once(bench: Bench, times: int) -> None:
    bench.program(budget="3s", limits={"experiments": 5}, keep={"baseline_runs": 3})
    command = [*LOOPTOP, "run", "--headless"]
    with Popen(command, cwd=bench.root, env=bench.environment, stdout=PIPE, stderr=STDOUT, text=True) as loop:
        bench.until(lambda: bench.study().running())
        loop.send_signal(signal.SIGINT)
        bench.until(lambda: bench.study().stopping == "after run")
        if times == 2:
            loop.send_signal(signal.SIGINT)
        said, _ = loop.communicate(timeout=60)
    assert "ctrl+c asked to stop the loop after run 0.1 (ctrl+c once more ends it at once)" in said
    assert ("stopped: ended by SIGINT" in said, loop.returncode) == (times == 2, 0)
    assert [run.outcome for run in bench.consistent().experiments[0].runs.values()] == [
        "lost" if times == 2 else "finished"
    ]


def test_pause_takes_effect_after_the_run_in_flight(bench: Bench) -> None:
    bench.program(budget="1s")
    bench.looptop()
    bench.until(lambda: bench.study().running())
    bench.looptop("pause")
    bench.until(lambda: not bench.study().running() and not bench.study().open_requests())
    count = len(bench.events("run_started"))
    assert bench.events("run_finished")[-1].body.outcome == "finished"  # type: ignore[union-attr]
    time.sleep(1)
    assert len(bench.events("run_started")) == count
    assert bench.json("status")["state"] == "paused"
    assert bench.looptop("resume").stdout == "resumed\n"
    bench.until(lambda: len(bench.events("run_started")) > count)
    bench.looptop("stop", "--now")
    bench.consistent()


def test_stop_waits_for_the_run_in_flight(bench: Bench) -> None:
    bench.program(budget="3s")
    bench.looptop()
    bench.until(lambda: bench.study().running())
    said = bench.looptop("stop").stdout
    assert said.startswith("stopping after run 0.") and "stopped" in said
    number = int(said.removeprefix("stopping after run 0.")[0])  # on a busy machine the next one may have begun
    assert bench.consistent().experiments[0].runs[number].outcome == "finished"


def test_a_person_kills_a_run_and_the_loop_goes_on(bench: Bench) -> None:
    bench.program(limits={"experiments": 2}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.write(
        "train.py", TRAIN.replace("< budget:", "< (60 if '/1.1/' in os.environ['LOOPTOP_RUN_DIR'] else budget):")
    )
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    bench.git(*who, "commit", "-qam", "Experiment 1 goes on until it is killed")
    bench.looptop()
    bench.until(lambda: any(experiment.id == 1 for experiment, _ in bench.study().running()))
    assert bench.looptop("kill", "1").stdout == "the run of experiment 1 is ended\n"
    bench.until_stopped()
    study = bench.consistent()
    killed = study.experiments[1]
    assert (killed.verdict, killed.metric) == ("killed", None)
    assert killed.reason.startswith("killed by ")
    assert study.experiments[2].verdict in ("kept", "discarded")


def test_steering_words_reach_the_researcher_before_its_next_proposal(bench: Bench) -> None:
    bench.program(budget="1s", limits={"experiments": 2})
    bench.looptop()
    bench.until(lambda: bench.study().running())
    bench.looptop("steer", "focus on DEPTH")
    bench.until_stopped()
    study = bench.consistent()
    (request,) = study.requests.values()
    assert request.outcome.startswith("heard before experiment")
    thoughts = "".join(event.body.text for event in bench.events("thought"))  # type: ignore[union-attr]
    assert "DEPTH" in thoughts


def test_in_review_a_proposal_waits_for_a_person(bench: Bench) -> None:
    bench.program(review="all", limits={"experiments": 2}, keep={"baseline_runs": 2, "max_runs": 2})
    bench.looptop()
    bench.until(lambda: [x.id for x in bench.study().experiments.values() if x.phase == "waiting"] == [1, 2])
    assert bench.json("status")["waiting"] == [1, 2]
    assert bench.study().experiments[1].runs == {}
    assert "rejected" in bench.looptop("reject", "2", "--why", "too timid").stdout
    assert "does not wait" in bench.looptop("approve", "2", code=1).stderr
    assert "queued" in bench.looptop("approve", "1").stdout  # the last: with its verdict the loop is over
    bench.until_stopped()
    study = bench.consistent()
    assert study.experiments[1].runs and study.experiments[1].verdict in ("kept", "discarded")
    rejected = study.experiments[2]
    assert (rejected.verdict, rejected.reason, rejected.runs) == ("rejected", "too timid", {})


def test_a_person_overrules_the_judge_both_ways(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1, "confidence": 0.9999})
    bench.looptop("run", "--headless")
    study = bench.consistent()
    assert study.experiments[1].verdict == "discarded"
    bench.program(limits={"experiments": 9}, keep={"baseline_runs": 2, "max_runs": 1, "confidence": 0.9999})
    bench.request(e.Paused())
    bench.looptop()
    assert "is the champion now" in bench.looptop("keep", "1", "--why", "I know better").stdout
    assert bench.git("rev-parse", study.branch) == study.experiments[1].commit
    assert "is the champion already" in bench.looptop("keep", "1", code=1).stderr
    assert "experiment 0 is the champion again" in bench.looptop("discard", "1").stdout
    assert bench.git("rev-parse", study.branch) == study.experiments[0].commit
    assert "queued again" in bench.looptop("requeue", "1").stdout
    bench.looptop("resume")
    bench.until(lambda: len(bench.study().experiments[1].runs) == 2)
    bench.looptop("stop", "--now")
    study = bench.consistent()
    assert "overruled" in [x.body.reason for x in bench.events("experiment_judged") if x.experiment == 1][1]  # type: ignore[union-attr]


def test_a_person_s_own_edit_is_run_and_their_guidance_pinned(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.looptop("run", "--headless")
    bench.program(limits={"experiments": 9}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.request(e.Paused())
    bench.looptop()
    assert "is as in experiment 0; edit it first" in bench.looptop("submit", code=1).stderr
    bench.write("train.py", TRAIN.replace("DEPTH = 4", "DEPTH = 8"))
    before = fingerprint(bench.root)
    said = bench.looptop("submit", "-m", "twice as deep").stdout
    assert said.startswith("train.py (+1 -1) on experiment 0\nit is experiment ")
    assert fingerprint(bench.root) == before
    number = int(said.split()[-1])
    bench.until(lambda: bench.study().experiments[number].commit)  # it is on record a moment before it is in git
    submitted = bench.study().experiments[number]
    assert (submitted.title, submitted.submitted, submitted.parent) == ("twice as deep", True, 0)
    assert "DEPTH = 8" in bench.git("show", f"{submitted.commit}:train.py")

    assert bench.looptop("pin").stdout == "nothing is pinned\n"
    bench.looptop("pin", "leave the data alone")
    bench.looptop("pin", "think big")
    assert bench.looptop("pin").stdout.splitlines() == ["  pinned 1: leave the data alone", "  pinned 2: think big"]
    assert "no pin 7; pinned are 1, 2" in bench.looptop("unpin", "7", code=2).stderr
    bench.looptop("unpin", "1")
    assert bench.json("status")["pins"] == {"2": "think big"}
    bench.looptop("stop", "--now")
    assert bench.study().pins == {2: "think big"}


def test_a_person_goes_back_to_an_earlier_champion(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.looptop("run", "--headless")
    bench.program(limits={"experiments": 9}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.request(e.Paused())
    bench.looptop()
    if bench.study().champion == 0:
        bench.looptop("keep", "1")
    bench.until(lambda: bench.study().champion == 1)
    assert "experiment 0 is the champion again" in bench.looptop("branch", "0").stdout
    study = bench.study()
    assert bench.git("rev-parse", study.branch) == study.experiments[0].commit
    assert study.experiments[1].verdict == "kept", "no verdict changes"
    assert "does not build on experiment 1" in bench.looptop("discard", "1", code=1).stderr
    assert "experiment 1 is the champion again" in bench.looptop("branch", "1").stdout
    bench.looptop("stop", "--now")
    study = bench.consistent()
    assert (study.champion, study.lineage) == (1, [0, 1, 0, 1])


def test_the_program_can_be_edited_while_it_runs(bench: Bench) -> None:
    bench.program(limits={"experiments": 50})
    bench.looptop()
    bench.until(lambda: bench.study().judged() >= 1)
    bench.write("program.md", "---\nbudgt: 1s\n---\n")
    bench.until(lambda: bench.events("fault"))
    fault = bench.events("fault")[-1].body
    assert isinstance(fault, e.Fault) and "program.md:2: unknown key `budgt`" in fault.message
    bench.program(budget="0.3s", limits={"experiments": 50}, keep={"baseline_runs": 2})
    bench.until(lambda: bench.events("program_changed"))
    changed = bench.events("program_changed")[-1]
    bench.until(lambda: [x for x in bench.events("run_started") if x.body.budget == 0.3])  # type: ignore[union-attr]
    first = next(x for x in bench.events("run_started") if x.body.budget == 0.3)  # type: ignore[union-attr]
    assert first.experiment == bench.study().champion, "another budget is another measure: the champion runs first"
    bench.until(lambda: [x for x in bench.events("experiment_judged") if x.seq > changed.seq])
    bench.looptop("stop", "--now")
    bench.consistent()


def test_the_file_as_the_person_left_it_is_the_baseline(bench: Bench) -> None:
    bench.write("train.py", TRAIN.replace("DEPTH = 4", "DEPTH = 7"))
    before = fingerprint(bench.root)
    bench.looptop("run", "--headless", "--experiments", "1")
    study = bench.consistent()
    assert fingerprint(bench.root) == before
    assert "DEPTH = 7" in bench.git("show", f"{study.experiments[0].commit}:train.py")
    assert "uncommitted changes included" in study.experiments[0].hypothesis


def test_a_journal_of_another_tag_is_not_mixed_up(bench: Bench) -> None:
    bench.looptop("run", "--headless", "--experiments", "1", "--tag", "one")
    refused = bench.looptop("run", "--headless", "--tag", "two", code=1)
    assert "holds the study one" in refused.stderr
    assert bench.git("branch", "--list", "looptop/*").strip() == "looptop/one"
