"""Scratch runs: a draft is started as a run is, for a moment, and leaves nothing but what is told of it."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage, init_repository
from loop.pipeline import scratch_run
from loop.pipeline.scratch_run import ScratchRuns
from loop.researchers.briefing.scratch import told
from loop.researchers.protocol import NoScratch
from loop.runs.executor import Job
from loop.runs.local.executor import NICE, LocalExecutor
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.sandbox.backend import Sandbox, choose
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from loop.workspace import Workspace
from tests.endpoint import Answer, Endpoint
from tests.fake_executor import FakeExecutor, ended
from tests.gauges import FakeGauges
from tests.researchers.llm.talks import altered, briefing, model
from tests.researchers.spoken import Shelf, Spoken
from tests.sandbox.cells import KINDS, found

HEAD = "import os, socket, time\nfrom pathlib import Path\nfrom shapes import WIDTH\n\n"
STEPS = "for step in range(1, 100000):\n    print(f'step {step} loss {5 - step / 100:.3f} val_loss 1.23', flush=True)\n"
TRAIN = f"{HEAD}print('val_loss:', WIDTH)\n"
NOSY = (
    HEAD
    + """
print("nice", os.nice(0), "budget", os.environ["LOOPTOP_BUDGET_S"])
try:
    print("the journal was read:", len(Path(os.environ["ROOT"], ".looptop", "journal.db").read_bytes()))
except OSError as error:
    print("journal", type(error).__name__)
try:
    socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=5)
    print("connected")
except OSError as error:
    print("network", type(error).__name__)
Path(os.environ["LOOPTOP_RUN_DIR"], "model.pt").write_text("weights")
"""
)


class Study:
    """A study with a champion, and nobody at work in it."""

    def __init__(self, root: Path, sandbox: Sandbox, journal: Journal, **contract: object) -> None:
        self.workspace, lineage = Workspace(root), Lineage(root, "t")
        self.recorder = recorder = Recorder(journal)
        program = {
            "run": f"python train.py {root.name}",
            "metric": "val_loss",
            "edit": ("train.py",),
            "budget": 10.0,
            **contract,
        }
        base = lineage.checkout.head()
        judged = e.ExperimentJudged(verdict=Outcome.KEPT, reason="", metric=1.0)
        recorder.record(
            e.StudyStarted(tag="t", branch="looptop/t", base=base, contract=Contract(verify=None, **program), text="")
        )
        for body in (
            e.ExperimentProposed(researcher="you", title="baseline"),
            e.ExperimentQueued(commit=base, parent=None, parent_commit=base),
            judged,
            e.ChampionChanged(commit=base, metric=1.0),
        ):
            recorder.record(body, 0)
        gauges = FakeGauges(0)
        executor = LocalExecutor(self.workspace, lineage.trees, lineage.commits.read, gauges, sandbox)
        self.scratch = ScratchRuns(self.workspace, lineage, executor, gauges, lambda: recorder.study)
        self.events = len(list(journal.read()))
        self.journal = journal

    def untouched(self) -> bool:
        """Whether nothing of a scratch run is left: no event, no worktree, no folder, no process."""
        folder = self.workspace.folder
        left = [path for path in folder.glob("scratch/*") if path.suffix != ".lock"]
        left += (folder / "trees").glob("*") if (folder / "trees").exists() else []
        return len(list(self.journal.read())) == self.events and not left and not self.runs()

    def runs(self) -> list[int]:
        """The Python processes of this study's command."""
        found = []
        for process in psutil.process_iter():
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if command[1:] == ["train.py", self.workspace.root.name]:
                found.append(process.pid)
        return found


@pytest.fixture(params=KINDS)
def study(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    if isinstance(sandbox := found(request.param), str):
        pytest.skip(sandbox)
    root = Path(tempfile.mkdtemp(prefix="scratch-", dir="/var/tmp"))
    monkeypatch.setenv("ROOT", str(root))
    try:
        (root / "train.py").write_text(TRAIN)
        (root / "shapes.py").write_text("WIDTH = 64\n")
        init_repository(root, [root / "train.py", root / "shapes.py"])
        (root / ".looptop").mkdir()
        with Journal(Workspace(root).journal, create=True) as journal:
            yield Study(root, sandbox, journal, env=["ROOT", "PORT"])
    finally:
        shutil.rmtree(root)


async def test_a_draft_is_confined_as_a_run_and_steps_back_behind_it(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    monkeypatch.setenv("PORT", str(server.sockets[0].getsockname()[1]))
    async with server:
        scratch = await study.scratch.try_draft({"train.py": NOSY})
    assert not scratch.failed, told(scratch)
    assert f"nice {os.nice(0) + NICE}" in scratch.output and "budget 1" in scratch.output
    assert "was read" not in scratch.output and "connected" not in scratch.output, scratch.output
    assert study.untouched()


async def test_it_ends_after_its_steps_and_its_metric_is_withheld(study: Study) -> None:
    slowly = f"{HEAD}print('val_loss: 1.23')\n{STEPS}    time.sleep(0.05)\n"
    scratch = await study.scratch.try_draft({"train.py": slowly}, steps=5)
    said = told(scratch)
    assert "it had made its 5 steps" in said and "A step took 0." in said and not scratch.failed
    assert "1.23" not in said and "val_loss (withheld)" in said and "\tval_loss" not in said
    assert study.untouched()


async def test_a_draft_that_fails_is_told_with_its_traceback(study: Study) -> None:
    scratch = await study.scratch.try_draft({"train.py": f"{HEAD}print([] / WIDTH)\n"})
    assert scratch.failed and "TypeError" in scratch.ended and "Traceback" in scratch.output
    assert study.untouched()


async def test_a_draft_that_never_ends_has_a_tenth_of_the_budget(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch_run, "ENDING", 0.0)
    scratch = await study.scratch.try_draft({"train.py": f"{HEAD}{STEPS}    time.sleep(0.02)\n"})
    assert "a tenth of the budget" in scratch.ended and not scratch.failed
    assert 0 < scratch.seconds < 10 and len(scratch.points) > 1
    assert study.untouched()


async def test_a_snippet_runs_against_the_drafts_modules(study: Study) -> None:
    guarded = "LAYERS = 7\nif __name__ == '__main__':\n    raise SystemExit('it ran')\n"
    scratch = await study.scratch.time_code(
        {"train.py": guarded}, "import shapes, train\nprint(train.LAYERS * shapes.WIDTH)"
    )
    assert scratch.output.strip() == "448" and not scratch.failed
    assert study.untouched()


async def test_what_the_guards_refuse_is_not_started(study: Study) -> None:
    for edits, why in (({"shapes.py": "WIDTH = 1\n"}, "shapes.py"), ({"train.py": "def (:\n"}, "does not parse")):
        with pytest.raises(NoScratch, match=why):
            await study.scratch.try_draft(edits)
    with pytest.raises(NoScratch, match="the snippet does not parse"):
        await study.scratch.time_code({}, "print(")


async def test_there_is_one_at_a_time_and_a_cancelled_one_leaves_nothing(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch_run, "PATIENCE", 0.2)
    going = asyncio.create_task(study.scratch.try_draft({"train.py": f"{HEAD}time.sleep(600)\n"}))
    while not study.runs():  # noqa: ASYNC110 - the system does not say when a process starts
        await asyncio.sleep(0.02)
    with pytest.raises(NoScratch, match="other scratch runs go on"):
        await study.scratch.time_code({}, "print(1)")
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert study.untouched()
    assert (await study.scratch.time_code({}, "print(1)")).output.strip() == "1"


async def test_what_a_killed_process_left_is_cleared(study: Study) -> None:
    going = asyncio.create_task(study.scratch.try_draft({"train.py": f"{HEAD}time.sleep(600)\n"}))
    while not (running := study.runs()):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    os.kill(running[0], signal.SIGKILL)
    scratch = await going
    assert scratch.failed and "SIGKILL" in scratch.ended
    left = study.workspace.folder / "trees" / "0.0.scratch"
    left.mkdir(parents=True)
    assert (await study.scratch.time_code({}, "print(1)")).output.strip() == "1"
    assert study.untouched()


async def test_it_keeps_off_a_gpu_without_room_and_off_a_busy_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(job: Job, slot: Slot) -> RunResult:
        return ended()

    monkeypatch.setattr(scratch_run, "PATIENCE", 0.0)
    (tmp_path / "train.py").write_text(TRAIN)
    init_repository(tmp_path, [tmp_path / "train.py"])
    (tmp_path / ".looptop").mkdir()
    with Journal(Workspace(tmp_path).journal, create=True) as journal:
        study = Study(tmp_path, choose("off"), journal)
        executor = FakeExecutor(answer, slots=2)
        scratch = ScratchRuns(
            study.workspace, Lineage(tmp_path, "t"), executor, FakeGauges(2), lambda: study.recorder.study
        )
        started = e.RunStarted(seed=1, slot=0, budget=10, deadline=60, protocol_id="", pid=1, pid_started=0.0)
        study.recorder.record(started, 0, 1)
        await scratch.time_code({}, "1")
        assert executor.jobs[-1][1].index == 1, "a run goes on in the first slot"
        executor._slots = [Slot(number, f"GPU {number}", gpus=(number,)) for number in range(2)]
        with pytest.raises(NoScratch, match="no GPU has room"):  # nobody knows what a run takes, and they are in use
            await scratch.time_code({}, "1")
        monkeypatch.setattr(scratch_run, "gpu_memory_needed", lambda _: 20 << 30)
        await scratch.time_code({}, "1")
        monkeypatch.setattr(scratch_run, "gpu_memory_needed", lambda _: 40 << 30)
        with pytest.raises(NoScratch, match="no GPU has room"):
            await scratch.time_code({}, "1")


async def test_a_model_tries_its_draft_mends_it_and_proposes(study: Study) -> None:
    def write(text: str) -> tuple[str, dict[str, object]]:
        return "write_file", {"path": "train.py", "text": text}

    code = "import shapes\nprint('wide:', shapes.WIDTH)"
    sound = f"{HEAD}print('sound', flush=True)\nprint('val_loss:', 0.56789)\n"
    files = {"train.py": TRAIN, "shapes.py": "WIDTH = 64\n"}
    brief = briefing(shelf=Shelf(files))
    brief = altered(brief, contract=study.recorder.study.contract, files={"train.py": TRAIN}, scratch=study.scratch)
    shelf = brief.archive
    assert isinstance(shelf, Shelf)
    shelf.reigns = brief.champion, {"train.py": TRAIN}
    propose = ("propose", {"title": "Sound", "hypothesis": "It works.", "expected_gain": 0.1})
    with Endpoint(
        Answer(calls=(write(f"{HEAD}print(WIDTH.shape)\n"), ("try_draft", {}))),
        Answer(calls=(write(sound), ("try_draft", {}), ("time_code", {"code": code}))),
        Answer(calls=(("try_draft", {"steps": 0}), ("try_draft", {}), ("try_draft", {}))),
        Answer(calls=(propose,)),
    ) as endpoint:
        sink = Spoken()
        proposal = await model(endpoint.url).propose(brief, sink)
    told = [request.text for request in endpoint.requests]
    assert {"try_draft", "time_code"} <= set(endpoint.requests[0].tools)
    assert "AttributeError" in told[1] and "(2 more for this proposal)" in told[1]
    assert "came to its end by itself" in told[2] and "sound" in told[2] and "wide: 64" in told[2]
    assert "0.56789" not in told[2].split("sound", 2)[-1].split("expected_gain")[0] and "val_loss (withheld)" in told[2]
    assert "steps is a number of 1 or more" in told[3] and "you have had your 3 scratch runs" in told[3]
    assert proposal.edits == {"train.py": sound}
    assert [intent for intent, _ in sink.tools if "try" in intent or "snippet" in intent][:2] == ["try the draft"] * 2
    assert study.untouched()
