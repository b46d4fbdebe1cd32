"""The supervisor with researchers of every kind, in a real repository with real runs."""

import asyncio
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from loop.journal import Journal
from loop.lineage import Lineage
from loop.researchers.protocol import Briefing, Proposal, Sink
from loop.runs.local import process
from loop.study import events as e
from loop.study.readings import GpuProcess, GpuUse
from loop.workspace import Workspace, supervise
from tests.gauges import FakeGauges
from tests.supervisor.house import SCRIPT, House, Scripted, change


async def test_a_better_change_is_kept_and_the_next_builds_on_it(house: House) -> None:
    study = await house.work(Scripted(change("A=5", "A=4"), change("B=5", "B=9"), change("C=5", "C=4")))
    verdicts = [experiment.verdict for experiment in study.experiments.values()]
    assert verdicts == ["kept", "kept", "discarded", "kept"]
    assert [study.experiments[n].parent for n in (1, 2, 3)] == [0, 1, 1]
    tip = Lineage(house.root, "test").commits.read(study.branch, "run.sh")
    assert tip == SCRIPT.replace("A=5", "A=4").replace("C=5", "C=4").encode()
    assert study.supervisor is not None
    assert study.supervisor.reason == "no researcher has anything left to propose"
    assert study.lineage == [0, 1, 3]


TOO_MUCH = {
    "had more than its 20 processes at once": "for n in $(seq 30); do sleep 60 & done; sleep 60",
    "wrote a file of more than its 0.001 GB": 'head -c 3000000 /dev/zero > "$LOOPTOP_RUN_DIR/x"; sleep 60',
    "wrote more than its 0.005 GB into its folders": "for n in 1 2 3 4 5 6 7 8; do "
    'head -c 900000 /dev/urandom > "$LOOPTOP_RUN_DIR/$n"; done; sleep 60',
    "used more than its 0.2 GB of memory": "(head -c 400000000 /dev/zero; sleep 60) | tail -n 1 > /dev/null",
}
"""What a run does to go over each limit, by what its verdict says then."""


async def test_each_limit_ends_a_run_with_its_own_sentence_and_the_loop_goes_on(tmp_path: Path) -> None:
    limits = "limits: {processes: 20, file: 1MB, run_disk: 5MB, memory: 200MB}\n"
    house = House(tmp_path, front=limits)
    steps = [change("A=5", f"A=5; {what}") for what in TOO_MUCH.values()]
    study = await house.work(Scripted(*steps, change("A=5", "A=4")))
    experiments = [study.experiments[number] for number in range(1, 6)]
    assert [experiment.verdict for experiment in experiments] == ["crashed"] * 3 + ["out_of_memory", "kept"]
    for experiment, said in zip(experiments, TOO_MUCH, strict=False):
        assert said in experiment.reason
    assert study.supervisor is not None and study.supervisor.reason == "no researcher has anything left to propose"


async def test_a_near_win_has_the_champion_measured_anew_before_it_is_judged(tmp_path: Path) -> None:
    house = House(tmp_path, max_runs=4)
    study = await house.work(Scripted(change("echo loss: $((A + B + C)).$((LOOPTOP_SEED % 2))", "echo loss: 14.8")))
    runs = [(event.experiment, event.run) for event in house.events("run_started")]
    assert runs[:4] == [(0, 1), (0, 2), (1, 1), (0, 3)]
    champion = study.experiments[0]
    assert len({run.seed for run in champion.runs.values()}) == len(champion.runs) == 3
    assert study.experiments[1].verdict == "kept", "15.0 and 15.1 by turns against 14.8: as clear as three runs make it"
    assert study.lineage == [0, 1]


async def test_a_run_that_fails_the_inspection_is_rejected_with_the_figures(tmp_path: Path) -> None:
    # In a sandbox it could not write there at all.
    house = House(tmp_path, sandbox="off", script=SCRIPT.replace("# one", ': "$LOOPTOP_BUDGET_S"'))
    longer = change("# the end", "echo training_seconds: 99.5; A=0")
    meddling = change("# the end", "echo mine > other.txt; A=0")
    study = await house.work(Scripted(longer, meddling))
    assert [study.experiments[n].verdict for n in (1, 2)] == ["rejected", "rejected"]
    limit = "at most 2.1 s (budget 1 s, +10% +1 s)"
    assert study.experiments[1].reason == f"it trained for 99.5 s by its own account; {limit}"
    assert study.experiments[2].reason == "it changed other.txt in its worktree, which no proposal may edit"
    assert study.experiments[1].runs[1].check == "budget"


async def test_what_the_baseline_does_already_is_no_reason_to_reject(tmp_path: Path) -> None:
    house = House(tmp_path, sandbox="off")
    (house.root / "run.sh").write_text(SCRIPT + "echo training_seconds: 99\ndate > other.txt\n")
    study = await house.work(Scripted(change("A=5", "A=9"), change("A=5", "A=4")))
    assert [study.experiments[n].verdict for n in (0, 1, 2)] == ["kept", "discarded", "kept"]
    assert study.experiments[0].runs[1].touched == ("other.txt",)


async def test_what_a_guard_refuses_never_runs_and_is_kept_all_the_same(house: House) -> None:
    def forbidden(briefing: Briefing) -> Proposal:
        return Proposal("sneaky", "none", {"other.txt": "edited\n"})

    def outside(briefing: Briefing) -> Proposal:
        return Proposal("sneakier", "none", {"../other.txt": "edited\n"})

    def nothing(briefing: Briefing) -> Proposal:
        return Proposal("lazy", "none", dict(briefing.files))

    study = await house.work(Scripted(forbidden, outside, nothing, change("A=5", "A=9")))
    verdicts = {number: (x.verdict, x.reason) for number, x in study.experiments.items() if number}
    assert verdicts[1] == ("rejected", "it edits other.txt, and only run.sh may be edited")
    assert verdicts[2][0] == "rejected" and "../other.txt" in verdicts[2][1]
    assert verdicts[3] == ("rejected", "it changes nothing")
    assert verdicts[4][0] == "discarded"
    assert all(study.experiments[number].runs == {} for number in (1, 2, 3))
    edits = {event.experiment: event.body.edits for event in house.events("edits_recorded")}  # type: ignore[union-attr]
    assert edits[2] == {"../other.txt": "edited\n"}, "git cannot hold it, the journal does"
    assert Lineage(house.root, "test").commits.read(study.experiments[1].commit or "", "other.txt") == b"edited\n"
    assert (house.root / "other.txt").read_text() == "not to be edited\n"


async def test_a_proposal_made_before_becomes_no_experiment_and_its_researcher_is_told(house: House) -> None:
    told: list[str] = []

    def another(briefing: Briefing) -> Proposal:
        told.append(briefing.refused)
        return change("B=5", "B=4")(briefing)

    study = await house.work(Scripted(change("A=5", "A=9"), change("A=5", "A=9"), another))
    assert [(x.id, x.title) for x in study.experiments.values()][1:] == [(1, "A=5 to A=9"), (2, "B=5 to B=4")]
    same = "“A=5 to A=9”, was not taken: it is the same as experiment 1, “A=5 to A=9” (discarded at 19.1)"
    assert told == [same]
    assert [event.body.why for event in house.events("thought_ended")] == [same, "that was all"]  # type: ignore[union-attr]


async def test_a_researcher_that_fails_is_asked_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.pipeline.pool.PATIENCE", (0.01, 0.02))
    failing = Scripted(ValueError("no idea"), TimeoutError("slow"), change("A=5", "A=9"))
    study = await house.work(failing)
    messages = [fault.message for _, fault in study.faults]
    assert messages[0].startswith("ValueError: no idea")
    assert messages[1].startswith("TimeoutError: slow")
    assert study.experiments[1].verdict == "discarded"
    assert list(study.experiments) == [0, 1], "a failed thought uses up no number"


async def test_an_interrupt_cuts_the_thought_and_the_words_come_with_the_next(house: House) -> None:
    class Slow(Scripted):
        async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
            if not briefing.words:
                self.heard.append(briefing.words)
                sink.think("thinking for an hour ")
                await asyncio.sleep(3600)
            return await super().propose(briefing, sink)

    slow = Slow(change("A=5", "A=9"))
    (house.root / ".looptop").mkdir()

    async def interrupt(path: Path) -> None:
        with Journal(path) as journal:
            async for events in journal.follow():
                kinds = {(event.kind, event.experiment) for event in events}
                if ("thought", 1) in kinds and not journal.read(kinds={"steered"}):
                    journal.append(e.Steered(who="ada", text="quicker, please", interrupt=True))
                if ("experiment_judged", 1) in kinds:
                    journal.append(e.Stopped(now=True))
                    return

    workspace = Workspace(house.root)
    with supervise(house.root), Journal(workspace.journal, create=True) as journal:
        asking = asyncio.create_task(interrupt(workspace.journal))
        await asyncio.wait_for(house.supervisor(journal, slow).run(), 60)
        await asking
    assert slow.heard[:2] == [(), ("quicker, please",)]
    study = house.study()
    request = next(request for request in study.requests.values() if request.kind == "steered")
    assert request.outcome == "heard before experiment 1"
    thoughts = "".join(event.body.text for event in house.events("thought"))  # type: ignore[union-attr]
    assert "(interrupted)" in thoughts
    assert study.experiments[1].verdict == "discarded"


async def test_a_process_on_a_gpu_is_known_as_the_run_s_or_somebody_else_s(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crowded(FakeGauges):
        """A GPU on which every process of ours works, this one and those of the runs; as a driver would list them."""

        def read(self) -> e.GaugeRead:
            here = psutil.Process()
            pids = [here.pid, *(child.pid for child in here.children(recursive=True))]
            use = GpuUse(index=0, processes=tuple(GpuProcess(pid=pid, memory=1 << 30) for pid in pids))
            return super().read().model_copy(update={"gpu_use": (use,)})

    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_BUSY", 0.05)
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_IDLE", 0.05)
    (house.root / "run.sh").write_text(SCRIPT + "sleep 0.3\n")
    house.gauges = Crowded(1)
    await house.work(Scripted())
    told = [event.body for event in house.events("gauge_read")]
    busy = [body for body in told if isinstance(body, e.GaugeRead) and body.runs and body.runs[0].gpu_memory]
    assert busy, "a run was seen on the GPU while it was under way"
    for body in busy:
        processes = [one for use in body.gpu_use or () for one in use.processes or ()]
        mine = [one for one in processes if one.run]
        assert {one.run for one in mine} == {f"0.{body.runs[0].run}"}
        assert body.runs[0].gpu_memory == len(mine) << 30
        assert [one.run for one in processes if one.pid == os.getpid()] == [""], "the supervisor itself is no run"


async def test_failures_in_a_row_stop_the_loop_with_a_reason(tmp_path: Path) -> None:
    house = House(tmp_path, "limits: {failures: 2}\n")
    crash = [change("# the end", f"exit {code}") for code in (3, 4, 5)]
    study = await house.work(Scripted(*crash))
    assert [study.experiments[n].verdict for n in (1, 2)] == ["crashed", "crashed"]
    assert study.experiments[1].reason.startswith("exit code 3")
    assert study.supervisor is not None
    assert study.supervisor.reason == "limit reached: 2 experiments in a row ended without a number"
    assert 3 not in study.experiments


async def test_a_verification_decides_and_not_the_run(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh other.txt\n")
    (house.root / "other.txt").write_text(
        'grep -q A=1 run.sh && { echo "rejected: honest: it lies"; exit 3; }\n'
        "grep -q A=2 run.sh && exit 9\n"
        "echo loss: 7.$((LOOPTOP_SEED % 2))\n"
    )
    init = ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qam", "verify"]
    subprocess.run(["git", *init], cwd=house.root, check=True)  # noqa: ASYNC221 - before the loop begins
    study = await house.work(Scripted(change("A=5", "A=1"), change("A=5", "A=2"), change("A=5", "A=3")))
    assert study.experiments[0].metric == pytest.approx(7.05)
    assert (study.experiments[1].verdict, study.experiments[1].reason) == ("rejected", "it lies")
    assert study.experiments[2].verdict == "crashed"
    assert "the verification failed: exit code 9" in study.experiments[2].reason
    assert study.experiments[3].verdict == "discarded", "8 less in its own words, and nothing in the verification's"
    assert all(run.verified for run in study.experiments[3].runs.values())


async def test_a_verification_that_takes_too_long_is_no_measurement(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh other.txt\n")
    (house.root / "other.txt").write_text("grep -q A=1 run.sh && sleep 6\necho loss: 7.$((LOOPTOP_SEED % 2))\n")
    init = ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qam", "verify"]
    subprocess.run(["git", *init], cwd=house.root, check=True)  # noqa: ASYNC221 - before the loop begins
    study = await house.work(Scripted(change("A=5", "A=1")))
    assert study.experiments[1].verdict == "rejected"
    assert study.experiments[1].reason.startswith("its verification took 6.")


async def test_a_verification_that_runs_out_of_memory_is_done_again_and_the_number_is_not_lost(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh other.txt\n", sandbox="off")
    once = tmp_path / "once"
    (house.root / "other.txt").write_text(
        f"grep -q A=1 run.sh && mkdir {once} 2>/dev/null && {{ echo MemoryError; exit 1; }}\n"
        "grep -q A=2 run.sh && { echo MemoryError; exit 1; }\n"
        "echo loss: 7.$((LOOPTOP_SEED % 2))\n"
    )
    init = ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qam", "verify"]
    subprocess.run(["git", *init], cwd=house.root, check=True)  # noqa: ASYNC221 - before the loop begins
    study = await house.work(Scripted(change("A=5", "A=1"), change("A=5", "A=2")))
    first, second = study.experiments[1], study.experiments[2]
    assert (first.verdict, first.metric) == ("discarded", pytest.approx(7.05, abs=0.06))
    assert [run.outcome for run in first.runs.values()] == ["finished"] * len(first.runs), "it did not run again"
    said = [fault.message for _, fault in study.faults if fault.where == "verification"]
    assert said[0].startswith("the verification of run 1.1 ran out of memory: it used ")
    assert said[0].endswith("; the run's number is not lost, it is verified once more")
    assert (second.verdict, len(said)) == ("out_of_memory", 2)
    assert second.reason.startswith("the run came to its end, and its verification ran out of memory: it used ")
    assert second.runs[1].outcome == "finished"


def broken_guard(monkeypatch: pytest.MonkeyPatch, folder: Path, times: int) -> None:
    """Have the process that guards a run fail so many times, as a damaged installation has it."""
    code = (
        f"import os, sys; sys.path += sys.argv[1:]; open({str(folder / 'starts')!r}, 'a').write('x')\n"
        f"from loop.runs.local import warden\n"
        f"if os.path.getsize({str(folder / 'starts')!r}) <= {times}: warden.Warden.start = lambda self: 1 / 0\n"
        "warden.main()"
    )
    monkeypatch.setattr("loop.runs.local.process._WARDEN", ["python3", "-I", "-S", "-c", code, *process._ROOTS])
    monkeypatch.setattr("loop.pipeline.quarantine.LONGEST_TROUBLE", 0.01)


async def test_a_run_that_our_own_machinery_lost_is_no_fault_of_the_experiment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_guard(monkeypatch, house.root, 6)  # before each of the runs a rehearsal is tried
    study = await house.work(Scripted(change("A=5", "A=4")))
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept"]
    lost = [run for run in study.experiments[0].runs.values() if run.outcome == "lost"]
    assert len(lost) == 3 and "the process that guards the run failed (ZeroDivisionError)" in lost[0].reason
    assert {run.seed for run in lost} == {study.experiments[0].counted()[0].seed}, "it is run again with its own seed"
    assert house.events("recovered") and study.troubles == {}


async def test_a_machine_on_which_no_run_starts_ends_the_loop_with_its_sentence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_guard(monkeypatch, house.root, 1000)
    study = await house.work(Scripted(change("A=5", "A=4")))
    assert study.supervisor is not None and study.supervisor.failed
    assert study.supervisor.reason.startswith("no run can be started here, 10 times in a row: the process that guards")
    assert study.experiments[0].verdict is None, "and nothing is held against anybody"
