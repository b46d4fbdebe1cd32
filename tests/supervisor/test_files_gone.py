"""Files and folders that are deleted or moved while the loop works: a sentence for each, and no traceback."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loop.machine.disk import DiskReserve
from loop.study import events as e
from tests.supervisor.house import House, Scripted, change

SLOW = "# one\nA=5\nB=5\nsleep 0.3\n# the end\necho loss: $((A + B)).$((LOOPTOP_SEED % 2))\n"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_BUSY", 0.1)
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_IDLE", 0.1)
    monkeypatch.setattr("loop.pipeline.quarantine.LONGEST_TROUBLE", 0.05)
    (tmp_path / "study").mkdir()
    return House(tmp_path / "study", script=SLOW)


def started(event: e.Event, experiment: int, run: int) -> bool:
    return (event.kind, event.experiment, event.run) == ("run_started", experiment, run)


async def test_a_deleted_program_stays_in_force_is_said_once_and_said_to_be_back(house: House) -> None:
    program = house.root / "program.md"
    text = program.read_text()

    def act(event: e.Event) -> None:
        if started(event, 0, 1):
            program.unlink()
        elif isinstance(event.body, e.Fault):
            program.write_text(text)

    study = await house.work_while(act, Scripted(change("A=5", "A=4"), change("B=5", "B=4")))
    said = [fault.message for _, fault in study.faults if fault.where == "program.md"]
    assert said == [
        "program.md is gone; put it back, or write a new one with `looptop init`; the version before it stays in force"
    ]
    assert [event.body.where for event in house.events("recovered")] == ["program.md"]  # type: ignore[union-attr]
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept", "kept"]
    assert not house.events("program_changed")


async def test_nothing_depends_on_the_file_in_the_persons_checkout(house: House) -> None:
    def act(event: e.Event) -> None:
        if started(event, 0, 1):
            (house.root / "run.sh").unlink()

    study = await house.work_while(act, Scripted(change("A=5", "A=4")))
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept"]
    assert not [fault for _, fault in study.faults if fault.where != "scripted"] and study.checkout is None
    assert not (house.root / "run.sh").exists()


@pytest.mark.parametrize("folder", ["trees", "runs"])
async def test_a_folder_that_is_deleted_under_a_run_costs_the_run_and_no_verdict(house: House, folder: str) -> None:
    def act(event: e.Event) -> None:
        if started(event, 1, 1):
            # The supervisor may be clearing up after the baseline in there: what goes meanwhile is no error.
            shutil.rmtree(house.root / ".looptop" / folder, ignore_errors=True)

    copy = 'cat other.txt > "$LOOPTOP_RUN_DIR/copy"'
    waits = f'case "$LOOPTOP_RUN_DIR" in */1.1/*) while {copy}; do sleep 0.05; done;; esac'
    script = SLOW.replace("sleep 0.3", f"{waits}; {copy} || exit 1")
    (house.root / "run.sh").write_text(script)
    study = await house.work_while(act, Scripted(change("A=5", "A=4")))
    experiment = study.experiments[1]
    first, second = list(experiment.runs.values())[:2]
    assert first.outcome == "lost"
    where = {"trees": "its worktree in .looptop/trees", "runs": "its folder in .looptop/runs"}[folder]
    assert first.reason == f"{where} was deleted while it ran; it is run again"
    assert (second.outcome, experiment.verdict) == ("finished", "kept")


@pytest.mark.parametrize("moved", [True, False])
async def test_without_its_folder_the_loop_ends_with_a_sentence_and_leaves_nothing_running(
    house: House, moved: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (house.root / "run.sh").write_text("echo waiting\nsleep 60\n")

    def act(event: e.Event) -> None:
        if not started(event, 0, 1):
            return
        if moved:
            (house.root / ".looptop").rename(house.root / "elsewhere")
        else:
            shutil.rmtree(house.root / ".looptop")

    await house.work_while(act, Scripted())
    assert house.end is not None and house.end.failed
    assert house.end.reason.startswith(
        f"{house.root / '.looptop'} was deleted or moved while the loop was at work; put"
    )
    left = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    assert left == []
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_folder_that_goes_while_the_disk_is_looked_at_ends_the_loop_with_the_same_sentence(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (house.root / "run.sh").write_text("echo waiting\nsleep 60\n")
    running = []

    def look(self: DiskReserve) -> str | None:
        if running:
            shutil.rmtree(house.root / ".looptop", ignore_errors=True)
        return short(self)

    short = DiskReserve.shortage
    monkeypatch.setattr(DiskReserve, "shortage", look)
    await house.work_while(lambda event: running.append(event) if started(event, 0, 1) else None, Scripted())
    assert house.end is not None and house.end.failed
    assert house.end.reason.startswith(
        f"{house.root / '.looptop'} was deleted or moved while the loop was at work; put"
    )
    assert not [record for record in caplog.records if record.exc_info]


@pytest.fixture
def small_disk(house: House) -> Iterator[Path]:
    """A disk of 300 MB for the run folders."""
    runs = house.root / ".looptop" / "runs"
    runs.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(runs)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield runs
    subprocess.run(["umount", "-l", str(runs)], check=True)


async def test_a_disk_that_others_fill_costs_the_run_and_one_that_the_run_fills_its_verdict(
    house: House, small_disk: Path
) -> None:
    filler = small_disk / "somebody else's"

    def act(event: e.Event) -> None:
        if event.kind == "run_started" and event.experiment == 1:
            go = small_disk / f"1.{event.run}" / "out" / "go"
            if event.run != 1:
                go.touch()
                return
            with pytest.raises(OSError, match="No space left"), filler.open("wb") as file:
                while True:
                    file.write(bytes(1 << 20))
            go.touch()
        elif event.kind == "run_finished":
            filler.unlink(missing_ok=True)

    writes = "until [ -e $LOOPTOP_RUN_DIR/go ]; do sleep 0.05; done; "
    writes += "head -c 1000000 /dev/zero > $LOOPTOP_RUN_DIR/x || exit 1; A=4"
    fills = "head -c 280000000 /dev/zero > $LOOPTOP_RUN_DIR/x; sleep 30"
    study = await house.work_while(act, Scripted(change("# the end", writes), change("sleep 0.3", fills)))
    first, second = list(study.experiments[1].runs.values())[:2]
    assert first.outcome == "lost"
    assert first.reason == "the disk was full, and not by its doing: 0 B are left; it is run again"
    assert (second.outcome, study.experiments[1].verdict) == ("finished", "kept")
    assert study.experiments[2].verdict == "crashed"
    assert study.experiments[2].reason.startswith("wrote more than its 0.2")
