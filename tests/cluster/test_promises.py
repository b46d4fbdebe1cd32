"""What a node promises its supervisor and the person who owns it, on real Ray: two nodes, started once for all tests.

Limits, ends, secrets, the sandbox, and what comes home. Where Ray is not installed they are left out.
"""

import asyncio
import hashlib
import json
import random
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

pytest.importorskip("ray")

from loop.runs.cluster.executor import NoNode
from loop.runs.cluster.wire import NodeInfo
from loop.runs.log import read_log
from loop.study.outcomes import Outcome
from loop.workspace import Workspace
from tests.cluster.promised import HEAD, SECRETS, Study, marked
from tests.cluster.raylets import Raylets
from tests.cluster.test_adoption import Adopting, by, dies
from tests.cluster.test_cluster import Listener
from tests.cluster.test_ray import LOOPTOP, Project

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def raylets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raylets]:
    with pytest.MonkeyPatch.context() as patch, Raylets(tmp_path_factory.mktemp("cluster") / "nodes") as raylets:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        raylets.start("alpha", cpus=2)
        raylets.start("beta", cpus=2)
        for name in SECRETS:
            patch.delenv(name)
        patch.setenv("RAY_AUTH_TOKEN", raylets.token)
        patch.setenv("RAY_AUTH_MODE", "token")
        yield raylets


@pytest.fixture
async def study(tmp_path: Path, raylets: Raylets) -> AsyncIterator[Study]:
    made = Study(tmp_path / "project", raylets)
    await made.executor.connect()
    yield made
    await made.executor.close()


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.runs.cluster.executor.LOOK_S", 0.5)
    monkeypatch.setattr("loop.runs.cluster.executor.AGAIN_S", 2.0)


def sha(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


async def test_a_run_that_takes_more_memory_than_it_may_is_ended_and_says_so(study: Study) -> None:
    result = await study.see(study.job("greedy.py", memory=200_000_000))
    assert result.outcome == Outcome.OUT_OF_MEMORY, result
    assert result.reason.startswith("used more than its 0.2 GB of memory") and result.lost is None, result.reason


async def test_of_a_run_that_is_killed_no_process_is_left_on_its_node(study: Study) -> None:
    listener = Listener()
    run = await study.start(study.job("daemon.py"), listener=listener)
    while not marked("promised to end", study.raylets) or not listener.samples:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    run.stop("ada")
    result = await run.wait()
    assert (result.outcome, result.reason) == (Outcome.KILLED, "killed by ada")
    assert marked("promised to end", study.raylets) == [] and marked("daemon.py", study.raylets) == []
    await run.close()


def test_a_person_ends_an_experiment_on_a_node_whose_runs_they_have_left_unconfined(
    tmp_path: Path, raylets: Raylets
) -> None:
    project = Project(tmp_path / "project", raylets, budget="20s")
    loop = project.start("--sandbox", "off", "--experiments", "1")

    def said_to(*words: str) -> str:
        done = subprocess.run([LOOPTOP, *words], cwd=project.root, env=project.environ, capture_output=True, text=True)
        assert done.returncode == 0, done
        return done.stdout

    def goes_on(number: int) -> bool:
        return any(x.id == number for x, _ in project.study().running()) and bool(marked("# a daemon", raylets))

    project.until(lambda: goes_on(0), loop)
    assert "runs are not confined" in said_to("status")
    project.until(lambda: goes_on(1), loop)
    said_to("kill", "1")
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    assert [run.outcome for run in project.study().experiments[1].runs.values()] == [Outcome.KILLED], said
    assert marked("# a daemon", raylets) == []


async def test_a_deadline_is_kept_by_the_node(study: Study) -> None:
    result = await study.see(study.job("daemon.py", deadline=1.0))
    assert result.outcome == Outcome.TIMED_OUT and "deadline of 1 s" in result.reason, result
    assert marked("promised to end", study.raylets) == []


async def test_secrets_of_both_shells_reach_no_run_and_no_disk(study: Study, raylets: Raylets) -> None:
    slow = await study.start(study.job("slow.py", run=2), slot=1)  # so that there is something on the disk to look at
    run = await study.start(study.job("look.py"))
    assert (await run.wait()).outcome == Outcome.FINISHED
    found: Mapping[str, str] = json.loads((study.out() / "found.json").read_text())["environ"]
    assert found["HF_TOKEN"] == sha(HEAD["HF_TOKEN"])  # which `env:` names
    hidden = [*SECRETS.values(), HEAD["OPENAI_API_KEY"], HEAD["HEAD_ONLY"], raylets.token]
    assert not {sha(value) for value in hidden} & set(found.values())
    files = [path for node in raylets.nodes.values() for path in node.folder.rglob("*") if path.is_file()]
    assert any("slow.py" in str(path) for path in files), files
    never = [value.encode() for value in (*hidden, HEAD["HF_TOKEN"])]
    assert [path for path in files if any(value in path.read_bytes() for value in never)] == []
    await run.close()
    slow.stop("ada")
    await slow.wait()
    await slow.close()


async def test_the_sandbox_is_in_force_on_the_node(study: Study, raylets: Raylets) -> None:
    if study.sandbox == "off":
        pytest.skip("this machine has no bubblewrap")
    result = await study.see(study.job("look.py"), slot=2)
    assert result.outcome == Outcome.FINISHED, result
    found = json.loads((study.out() / "found.json").read_text())
    written = [place for place in study.asked["places"] if found[place] == "written" and Path(place).exists()]
    assert written == []
    assert study.asked["sockets"] and not [one for one in study.asked["sockets"] if found[one] == "connected"]
    assert found["port"] != "connected"
    others = {
        hashlib.sha256(Path(f"/proc/{one.pid}/environ").read_bytes()).hexdigest() for one in marked("raylet", raylets)
    }
    assert others and not others & set(found["environs"])


async def test_a_log_comes_home_byte_for_byte(study: Study) -> None:
    result = await study.see(study.job("babble.py"), slot=3)
    assert result.metrics == {"loss": 1.0}, result
    draw = random.Random(7)
    whole = b"".join(draw.randbytes(9_000) + b"\r\n" + "\u00e4".encode()[: number % 2 + 1] for number in range(40))
    assert (Workspace(study.root).run_folder(1, 1) / "log.txt").read_bytes() == whole + b"\nloss: 1\n"
    assert read_log(Workspace(study.root).run_folder(1, 1)).text


async def test_a_checkpoint_comes_home_in_pieces_though_the_way_is_cut_in_the_middle(study: Study) -> None:
    run = await study.start(study.job("heavy.py"))
    asked, call = list[int](), study.link.call

    async def cut(node: NodeInfo, method: str, *arguments: object) -> object:
        if method == "piece":
            asked.append(int(str(arguments[1])))
            if len(asked) == 3 and study.link._process is not None:
                study.link._process.kill()  # the process that Ray is in, and with it whatever is on its way
        return await call(node, method, *arguments)

    study.link.call = cut  # type: ignore[method-assign]
    assert (await run.wait()).outcome == Outcome.FINISHED
    await run.close()
    assert (study.out() / "deep" / "model.bin").read_bytes() == random.Random(3).randbytes(22_000_000)
    assert asked[2] == asked[3] and len(set(asked)) == 6, asked  # the piece that was cut, and none of the others, twice
    assert not list(study.out().parent.glob("*.tar"))
    left = [path for node in study.raylets.nodes.values() for path in node.folder.rglob("model.bin")]
    assert left == [] and not [one for node in study.raylets.nodes.values() for one in node.folder.rglob("*.tar")]


async def test_a_checkpoint_comes_home_to_the_supervisor_that_takes_over(study: Study) -> None:
    run = await study.start(study.job("heavy.py"))
    pieces, call = list[int](), study.link.call

    async def die(node: NodeInfo, method: str, *arguments: object) -> object:
        if method == "piece":
            pieces.append(int(str(arguments[1])))
            if len(pieces) == 3:
                await asyncio.Event().wait()
        return await call(node, method, *arguments)

    study.link.call = die  # type: ignore[method-assign]
    waiting = asyncio.create_task(run.wait())
    while len(pieces) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    waiting.cancel()
    await dies(study.executor)
    await study.link.close()
    study.executor = study.another()
    await study.executor.connect()
    (taken,) = await study.executor.adopt({run.ref}, by(Adopting()))
    assert (await taken.wait()).metrics == {"loss": 1.0}
    await taken.close()
    assert (study.out() / "deep" / "model.bin").read_bytes() == random.Random(3).randbytes(22_000_000)


async def test_two_studies_at_once_have_each_its_places(tmp_path: Path, raylets: Raylets, quick_looks: None) -> None:
    one, other = (Study(tmp_path / tag, raylets, tag) for tag in ("mar8", "mar9"))
    one.executor._only = ("alpha",)
    await one.executor.connect()
    await other.executor.connect()
    assert {slot.name for slot in one.executor.slots()} == {"alpha/CPU 0", "alpha/CPU 1"}
    assert {slot.name for slot in other.executor.slots()} == {"beta/CPU 0", "beta/CPU 1"}
    assert "alpha: the study mar8 has its runs there; it is free when that has stopped" in other.executor.notes[0]
    runs = [await of.start(of.job("slow.py", run=slot + 1), slot) for of in (one, other) for slot in range(2)]
    while len(marked("slow.py", raylets)) < 4:  # noqa: ASYNC110 - all at once
        await asyncio.sleep(0.1)
    assert len({run.ref for run in runs}) == 4
    for run in runs:
        run.stop("ada")
        assert (await run.wait()).outcome == Outcome.KILLED
        await run.close()
    await one.executor.close()
    while len(other.executor.slots()) < 4:  # noqa: ASYNC110 - the place is free, and goes to who waits for one
        await asyncio.sleep(0.1)
    assert other.remarks == ["alpha can be used now: alpha/CPU 0 and alpha/CPU 1"]
    assert (await other.see(other.job("look.py", run=3), slot=2)).outcome == Outcome.FINISHED
    await other.executor.close()
    async with asyncio.timeout(60):
        while marked("ray::Node", raylets):  # noqa: ASYNC110 - who was refused has left no process there either
            await asyncio.sleep(0.2)


async def test_two_studies_that_come_at_the_same_time_never_share_a_node(tmp_path: Path, raylets: Raylets) -> None:
    both = [Study(tmp_path / tag, raylets, tag) for tag in ("apr1", "apr2")]
    found = await asyncio.gather(*(study.executor.connect() for study in both), return_exceptions=True)
    had = [slot.name for study in both for slot in study.executor.slots()]
    assert sorted(had) == ["alpha/CPU 0", "alpha/CPU 1", "beta/CPU 0", "beta/CPU 1"]
    for study, error in zip(both, found, strict=True):
        assert error is None or (isinstance(error, NoNode) and "has its runs there" in str(error))
        await study.executor.close()
