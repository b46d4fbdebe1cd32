"""A project in a home of its own, and real runs of it in each sandbox."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest

from loop.lineage.lineage import Lineage
from loop.runs.executor import Job
from loop.runs.local.executor import LocalExecutor
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.sandbox import scratch
from loop.sandbox.backend import Sandbox
from loop.study.contract import Contract
from loop.workspace import Workspace
from tests.gauges import FakeGauges
from tests.repositories import git
from tests.sandbox.cells import KINDS, found


class Nobody:
    def sampled(self, samples: Sequence[Sample]) -> None:
        """Nothing here trains for long."""


@dataclass
class Project:
    """A person's home and a project in it, whose runs are one sandbox's."""

    home: Path
    sandbox: Sandbox
    contract: Contract = field(default_factory=lambda: Contract(run="python train.py", metric="loss", budget=5))
    environment: dict[str, str] = field(default_factory=dict)
    number: int = 0

    prefix: str = ""

    def __post_init__(self) -> None:
        self.top = self.home / "a project"
        self.root = self.top / self.prefix
        self.root.mkdir(parents=True)
        git(self.top, "init", "--quiet", "--initial-branch=main")
        self.put(".gitignore", "*.bin\n*.so\n_version.py\n.venv\nout/\n")
        self.put("train.py", "")
        self.put("score.py", "RIGHT = True\n")
        git(self.root, "add", ".")
        git(self.root, "commit", "-qm", "start")
        self.lineage = Lineage(self.root, "study")
        self.lineage.prepare()

    @cached_property
    def executor(self) -> LocalExecutor:
        environ = {**os.environ, **self.environment, "HOME": str(self.home)}
        trees, read = self.lineage.trees, self.lineage.commits.read
        return LocalExecutor(Workspace(self.root, self.prefix), trees, read, FakeGauges(0), self.sandbox, environ)

    @property
    def kind(self) -> str:
        return self.sandbox.kind

    def put(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def says(self, **more: object) -> None:
        self.contract = Contract.model_validate(self.contract.model_dump(exclude_defaults=True) | more)

    async def run(self, train: str, finished: bool = True) -> RunResult:
        """One run of an experiment with this `train.py`; its worktree is removed behind it."""
        self.put("train.py", train)
        git(self.root, "add", "train.py")
        git(self.root, "commit", "-qm", "edit", "--allow-empty")
        commit = git(self.root, "rev-parse", "HEAD")
        self.number += 1
        job = Job(self.number, 1, "run", commit, commit, self.contract, seed=7, deadline=60)
        handle = await self.executor.start(job, Slot(0, "CPU"), Nobody())
        result = await handle.wait()
        await handle.close()
        assert not finished or result.outcome == "finished", (result.reason, result.tail)
        return result

    async def told(self, train: str) -> dict[str, str]:
        """What a program says in JSON in the last line that it prints."""
        told: dict[str, str] = json.loads((await self.run(train)).tail.splitlines()[-1])
        return told


@pytest.fixture(params=[*KINDS, "off"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    sandbox = found(request.param) if request.param != "off" else Sandbox("off")
    if isinstance(sandbox, str):
        pytest.skip(sandbox)
    yield Project(tmp_path / "home", sandbox)
    assert not [link for link in scratch._links() if link.readlink().is_relative_to(tmp_path)]


def only(project: Project, *kinds: str) -> None:
    if project.kind not in kinds:
        pytest.skip("a matter of " + " and ".join(kinds))


TELL = """
import json, os
def tried(do):
    try:
        return str(do())
    except OSError as error:
        return f"{type(error).__name__}: {error}"
def tell(**doings):
    print(json.dumps({name: tried(do) for name, do in doings.items()}))
def read(path):
    return open(os.path.expanduser(path)).read()
def write(path, how="w"):
    with open(os.path.expanduser(path), how) as file:
        file.write("I was here")
    return "written"
"""
