"""Runs and verifications as the loop starts them: what is held out stays out, and measuring is the first commit's."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage, init_repository
from loop.lineage.message import ExperimentMessage
from loop.pipeline.advice import Advice
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.scratch_run import ScratchRuns
from loop.policy import scheduler
from loop.runs.executor import Job, RunHandle, RunListener
from loop.runs.local.executor import LocalExecutor
from loop.runs.slot import Slot
from loop.runs.spec import Lost, RunResult
from loop.sandbox.backend import Sandbox
from loop.sandbox.folders import RunFolders
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.workspace import Workspace
from tests.gauges import FakeGauges
from tests.sandbox.cells import KINDS, found

TRAIN = '''\
"""Reads what it may, and tries to read what is held out: the text, and the files of the library it was made of."""
import importlib, json, os, sysconfig
from pathlib import Path
from loop.harness import cache_folder, corpus

told = {"training": len(corpus.load("train"))}
library = Path(sysconfig.get_path("stdlib"))
names = [path.relative_to(library).as_posix() for path in corpus._files(library)]
held_out = [name for name in names if corpus.split_of(name) == "validation"]
told["held out"] = len(held_out)


def text(path):
    try:
        return path.read_text(errors="replace").strip("\\0")
    except OSError:
        return ""


told["read of them"] = [name for name in held_out if text(library / name)]
told["read of others"] = len([name for name in names if "/" not in name and text(library / name)])
for name in held_out:
    if "/" not in name and name.endswith(".py") and name not in ("antigravity.py", "this.py"):
        importlib.import_module(name.removesuffix(".py"))
told["text"] = [str(path) for path in cache_folder().rglob("validation/text.bin") if text(path)]
others = [path for path in Path("/usr/lib").glob("python3.*/*.py") if path.parent != library]
told["elsewhere"] = [str(path) for path in others if not path.is_symlink() and text(path)]
compiled = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).parent / "left"
told["of earlier runs"] = compiled.read_text() if compiled.exists() else ""
compiled.write_text(f"{told['of earlier runs']} run {os.environ['LOOPTOP_SEED']}")
Path(os.environ["LOOPTOP_RUN_DIR"], "told.json").write_text(json.dumps(told))
print("loss: 1.0")
'''

CHECK = '''\
"""Measures, and says what it could do to the machine besides."""
import os, socket, subprocess, sys
from pathlib import Path
from loop.harness import cache_folder, corpus

MODEL = """
import os
from pathlib import Path
from loop.harness import cache_folder, corpus
guard = Path("/proc", str(os.getppid()))
print("texts found:", len(list(cache_folder().rglob("validation/text.bin"))))
for path in (guard / "fd" / "1", guard / "mem", guard / "fd" / os.environ["LOOPTOP_VALIDATION_FD"]):
    try:
        path.open("r+b" if path.name != "1" else "wb")
        print("model opened", path)
    except OSError:
        pass
try:
    print("model loaded", len(corpus.load("validation")))
except (OSError, ValueError):
    pass
"""

print(f"METRIC loss={len(corpus.load('validation')) > 1000}".replace("True", "2.0"))
out = Path(os.environ["LOOPTOP_RUN_DIR"])
print(subprocess.run([sys.executable, "-c", MODEL], capture_output=True, text=True).stdout)
print("checkpoint:", (out / "told.json").exists() + 0)
for path in (out, Path.cwd(), out.parent, Path.home().parent.parent, Path("/dev/shm")):
    try:
        (path / "written").write_text("by the verification")
        print("wrote to", path)
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except ConnectionRefusedError:
    print("loopback: 1")  # a network of its own has one, with nobody there
except OSError:
    print("network: 0")
'''


class House:
    """A workspace with a study begun, and one experiment after the other run in it by hand."""

    def __init__(self, folder: Path, sandbox: Sandbox, journal: Journal) -> None:
        self.sandbox = sandbox
        self.workspace, self.lineage = Workspace(folder), Lineage(folder, "test")
        self.recorder = Recorder(journal)
        executor = LocalExecutor(self.workspace, self.lineage.trees, self.lineage.commits.read, FakeGauges(0), sandbox)
        advice = Advice(self.lineage, folder, sandbox.kind)
        self.dispatcher = Dispatcher(self.workspace, self.lineage, self.recorder, executor, advice)
        self.executor = executor
        self.contract = Contract(run="python train.py", metric="loss", verify="python check.py")
        base = self.lineage.checkout.head()
        self.recorder.record(
            e.StudyStarted(tag="test", branch="looptop/test", base=base, contract=self.contract, text="")
        )
        self.base = base

    def scratch(self) -> ScratchRuns:
        return ScratchRuns(self.workspace, self.lineage, self.executor, FakeGauges(0), lambda: self.recorder.study)

    def experiment(self, **files: str) -> Experiment:
        """An experiment whose commit changes `files`, whatever the contract says to that."""
        number = len(self.recorder.study.experiments)
        contents = {name.replace("_", "."): text.encode() for name, text in files.items()}
        made = self.lineage.commit(number, self.base, contents, ExperimentMessage(f"experiment {number}"), 0)
        queued = e.ExperimentQueued(commit=made.sha, parent=None, parent_commit=self.base)
        proposed = e.ExperimentProposed(researcher="test", title="x", hypothesis="")
        self.recorder.record_all([(proposed, number, None), (queued, number, None)])
        return self.recorder.study.experiments[number]

    async def run(self, experiment: Experiment) -> None:
        """The experiment's next run, to its end."""
        number = len(experiment.runs) + 1
        await self.dispatcher.run(scheduler.Work(experiment, number), Slot(0, "CPU"))
        await self.dispatcher.closed(experiment, number)

    async def told(self, experiment: Experiment) -> dict[str, object]:
        """What the experiment's next run has told."""
        await self.run(experiment)
        run = list(experiment.runs.values())[-1]
        assert run.outcome == "finished", run.reason
        told = self.workspace.run_folder(experiment.id, run.number) / "out" / "told.json"
        return dict(json.loads(told.read_text()))


@pytest.fixture(scope="module")
def texts() -> Iterator[Path]:
    """A cache for the texts; they take some seconds to build."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, pytest.MonkeyPatch.context() as patched:
        patched.setenv("LOOPTOP_CACHE", folder)
        yield Path(folder)


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, texts: Path) -> Iterator[House]:
    if isinstance(sandbox := found(request.param), str):
        pytest.skip(sandbox)
    folder = Path(tempfile.mkdtemp(prefix="a house-", dir="/var/tmp"))
    try:
        for name, text in (("train.py", TRAIN), ("check.py", CHECK)):
            (folder / name).write_text(text)
        init_repository(folder, [folder / "train.py", folder / "check.py"])
        (folder / ".looptop").mkdir()
        with Journal(Workspace(folder).journal, create=True) as journal:
            yield House(folder, sandbox, journal)
    finally:
        shutil.rmtree(folder)


async def test_what_is_held_out_is_out_of_a_runs_reach_and_python_works_all_the_same(house: House) -> None:
    told = await house.told(house.experiment(train_py=TRAIN))
    assert told["training"] > 1_000_000 and told["held out"] > 10 and told["read of others"] > 50
    assert told["text"] == [] and told["elsewhere"] == []
    # A Python without compiled files cannot do without these.
    library = Path(os.__file__).parent
    compiled = [name for name in told["read of them"] if (library / name).parent.joinpath("__pycache__").exists()]
    assert [name for name in compiled if list((library / name).parent.glob(f"__pycache__/{Path(name).stem}.*"))] == []


async def test_a_scratch_run_reads_no_more_of_it(house: House) -> None:
    kept = house.experiment(train_py=TRAIN)
    judged = e.ExperimentJudged(verdict=Outcome.KEPT, reason="", metric=1.0)
    crowned = e.ChampionChanged(commit=kept.commit or "", metric=1.0)
    house.recorder.record_all([(judged, kept.id, None), (crowned, kept.id, None)])
    scratch = house.scratch()
    tried = await scratch.try_draft({"train.py": f"{TRAIN}del told['read of them']\nprint(json.dumps(told))\n"})
    told = json.loads(tried.output.splitlines()[-1])
    assert told["training"] > 1_000_000 and told["held out"] > 10 and told["text"] == [] and told["elsewhere"] == []
    code = "from loop.harness import corpus\nprint(len(corpus.load('validation')))"
    assert (await scratch.time_code({}, code)).failed
    assert not list(house.workspace.folder.glob("scratch/*/*"))


async def test_nothing_but_what_the_baseline_has_compiled_passes_from_run_to_run(house: House) -> None:
    baseline, other, third = (house.experiment(train_py=f"{TRAIN}# {number}\n") for number in range(3))
    assert (await house.told(baseline))["of earlier runs"] == ""
    seed = baseline.runs[1].seed
    assert (await house.told(other))["of earlier runs"] == f" run {seed}"
    assert (await house.told(other))["of earlier runs"] == f" run {seed}"
    assert (await house.told(third))["of earlier runs"] == f" run {seed}"
    assert not list(house.workspace.runs.glob("*/cache"))


async def test_a_verification_reads_the_text_and_writes_nothing(house: House) -> None:
    experiment = house.experiment(train_py=TRAIN)
    await house.told(experiment)
    await house.dispatcher.verify(experiment, 1, Slot(0, "CPU"))
    log = (house.workspace.run_folder(experiment.id, 1) / "verify" / "log.txt").read_text()
    assert experiment.runs[1].metric == 2.0, log
    assert "checkpoint: 1" in log and "texts found: 0" in log
    # The model that it starts is a stranger in the same sandbox.
    assert "model opened" not in log and "model loaded" not in log
    if house.sandbox.kind == "bubblewrap":  # a network and memory of its own, gone with it
        assert "loopback: 1" in log and log.count("wrote to") == log.count("wrote to /dev/shm")
    else:
        assert "network: 0" in log and "wrote to" not in log
    assert not list(house.workspace.root.rglob("verify.tmp")) and not list(house.workspace.root.rglob("written"))


@pytest.mark.parametrize(("believed", "most"), [(True, 3), (False, 1)])
async def test_a_verification_that_is_lost_with_its_machine_is_done_again(
    house: House, monkeypatch: pytest.MonkeyPatch, believed: bool, most: int
) -> None:
    experiment = house.experiment(train_py=TRAIN)
    await house.told(experiment)
    start, lost = house.executor.start, [Lost("beta has gone", believed)] * 3

    async def starting(job: Job, slot: Slot, listener: RunListener) -> RunHandle:
        handle = await start(job, slot, listener)
        wait = handle.wait

        async def until_lost() -> RunResult:
            result = await wait()
            return replace(result, outcome=Outcome.CRASHED, reason="gone", lost=lost.pop()) if lost else result

        monkeypatch.setattr(handle, "wait", until_lost)
        return handle

    monkeypatch.setattr(house.executor, "start", starting)
    for _ in range(most):
        await house.dispatcher.verify(experiment, 1, Slot(0, "CPU"))
        assert [x.id for x, _ in house.recorder.study.verifying()] == [experiment.id]
    await house.dispatcher.verify(experiment, 1, Slot(0, "CPU"))
    assert not house.recorder.study.verifying() and experiment.runs[1].metric == (2.0 if believed else None)
    (fault,) = {fault.message for _, fault in house.recorder.study.faults}
    assert "was lost: beta has gone; the run's number is not lost, it is verified once more" in fault


async def test_what_measures_is_the_first_commits_and_not_the_experiments(house: House) -> None:
    forged = "print('METRIC loss=0.000001')"
    experiment = house.experiment(train_py=TRAIN + "# another\n", check_py=forged)
    await house.told(experiment)
    await house.dispatcher.verify(experiment, 1, Slot(0, "CPU"))
    assert experiment.runs[1].metric == 2.0


async def test_a_file_of_the_checkout_is_read_where_the_program_says_so(house: House) -> None:
    (house.workspace.root / "data").mkdir()
    (house.workspace.root / "data" / "set.txt").write_text("3.5")
    reads = "from pathlib import Path\nimport os\n"
    reads += f"print('loss:', Path({str(house.workspace.root)!r}, 'data/set.txt').read_text())\n"
    reads += "Path(os.environ['LOOPTOP_RUN_DIR'], 'told.json').write_text('{}')\n"
    refused = house.experiment(train_py=reads)
    await house.run(refused)
    assert refused.runs[1].outcome == "crashed" and "Error" in refused.runs[1].reason
    declared = house.contract.model_copy(update={"read": ("data",)})
    house.recorder.record(e.ProgramChanged(contract=declared, text="", changed=("read",)))
    await house.told(refused)
    assert refused.runs[2].metrics == {"loss": 3.5}


async def test_who_declares_the_whole_checkout_does_not_declare_what_looptop_keeps_in_it(house: House) -> None:
    reads = "from pathlib import Path\nimport os\n"
    reads += f"root = Path({str(house.workspace.root)!r})\nprint('loss:', len((root / 'check.py').read_text()))\n"
    reads += "(root / '.looptop' / 'journal.db').read_bytes()\n"
    declared = house.contract.model_copy(update={"read": (".",)})
    house.recorder.record(e.ProgramChanged(contract=declared, text="", changed=("read",)))
    experiment = house.experiment(train_py=reads)
    await house.run(experiment)
    assert experiment.runs[1].metrics == {"loss": len(CHECK)}
    assert experiment.runs[1].outcome == "crashed" and "journal.db" in experiment.runs[1].reason


def test_the_folders_of_a_run_are_made_anew(tmp_path: Path) -> None:
    places = RunFolders(tmp_path / "1.1", tmp_path / "cache", tmp_path / "1.1" / "cache")
    (tmp_path / "1.1" / "out").mkdir(parents=True)
    (tmp_path / "1.1" / "out" / "stale").write_text("of a supervisor that died")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "kernel").write_text("compiled")
    places.prepare()
    assert not (places.out / "stale").exists() and (places.cache / "kernel").read_text() == "compiled"
    verifying = places.of_verification()
    verifying.prepare()
    (verifying.tmp / "x").write_text("x")
    verifying.clear()
    assert places.out.exists() and not verifying.tmp.exists()
