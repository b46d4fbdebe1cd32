"""How other people start their training: each line runs here as it runs in their shell, in every sandbox."""

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.config.overrides import Overrides
from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.lineage.message import ExperimentMessage
from loop.runs.executor import Job
from loop.runs.local.executor import LocalExecutor
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.sandbox.backend import choose
from loop.study.contract import Contract
from loop.supervisor.startup import preflight, tell_surroundings
from loop.workspace import Workspace
from tests.e2e.conftest import Bench
from tests.gauges import FakeGauges
from tests.repositories import git

TRAIN = """\
import os, sys
import only_there  # in the project's environment
print(f"foo: {os.environ.get('FOO', 0)}", f"seed: {sys.argv[1]}" if sys.argv[1:] else "", sep="\\n")
print(f"sub: {int(os.path.basename(os.getcwd()) == 'sub')}")
print("val_loss: 0.5")
"""

FILES = {
    "train.py": TRAIN,
    "sub/train.py": TRAIN,
    "src/pkg/__init__.py": "",
    "src/pkg/train.py": TRAIN,
    "loop/__init__.py": "",
    "loop/train.py": TRAIN,
    "train.sh": "#!/usr/bin/env bash\nset -euo pipefail\nexport FOO=4\npython3 train.py\n",
    "plain": "python train.py\n",
    "fails.sh": "set -e\npython -c 'import sys; sys.exit(3)'\npython train.py\n",
    "Makefile": "train: ; @FOO=5 python train.py\n",
    ".gitignore": ".venv\n",
}


class Project:
    """Somebody's repository, and runs of command lines in it."""

    def __init__(self, root: Path, sandbox: str) -> None:
        self.root = root
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name in ("train.sh", "plain"):
            (root / name).chmod(0o755)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
        (site,) = root.glob(".venv/lib/python*/site-packages")
        (site / "only_there.py").touch()
        script = root / ".venv" / "bin" / "launch"  # as pip writes one whose path has a space in it
        script.write_text(
            f"#!/bin/sh\n'''exec' \"{root}/.venv/bin/python\" \"$0\" \"$@\"\n' '''\n"
            "import runpy, sys\nsys.argv.pop(0)\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        git(root, "init", "--quiet", "--initial-branch=main")
        git(root, "add", ".")
        git(root, "commit", "--quiet", "-m", "start")
        self.lineage = Lineage(root, "test")
        self.lineage.prepare()
        trees, read = self.lineage.trees, self.lineage.commits.read
        self.executor = LocalExecutor(Workspace(root), trees, read, FakeGauges(0), choose(sandbox))  # type: ignore[arg-type]
        self.runs = 0

    async def run(self, line: str, commit: str = "", **front: object) -> RunResult:
        self.runs += 1
        head = commit or self.lineage.checkout.head()
        contract = Contract.model_validate({"run": line, "metric": "val_loss", "budget": 2, **front})
        job = Job(0, self.runs, "run", head, head, contract, seed=7, deadline=60)
        handle = await self.executor.start(job, Slot(0, "CPU"), Ears())
        result = await handle.wait()
        await handle.close()
        return result


class Ears:
    def sampled(self, samples: object) -> None:
        """Nothing here is waited for."""


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Project]]:
    yield {}


@pytest.fixture
def project(sandbox: str, projects: dict[str, Project], tmp_path_factory: pytest.TempPathFactory) -> Project:
    if sandbox not in projects:
        root = tmp_path_factory.mktemp(sandbox) / "a project"
        root.mkdir()
        projects[sandbox] = Project(root, sandbox)
    return projects[sandbox]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("FOO=1 python train.py {seed}", {"foo": 1, "seed": 7}),
        ("cd sub && FOO={budget} python3 train.py", {"foo": 2, "sub": 1}),
        ("export FOO=3; python train.py && true", {"foo": 3}),
        (".venv/bin/python train.py", {}),
        ("source .venv/bin/activate && FOO=3 python train.py", {"foo": 3}),
        ("uv run python train.py", {}),
        ("python train.py > run.log 2>&1", {}),
        ("cd sub && python train.py &> ../run.log; grep -i loss ../run.log", {"sub": 1}),
        ("./train.sh | tee run.log | cat", {"foo": 4}),
        ("./plain", {"foo": 0}),
        ("make train", {"foo": 5}),
        ("bash -c 'FOO=6 exec python train.py'", {"foo": 6}),
        ("env FOO=7 nice -n 5 stdbuf -oL python train.py", {"foo": 7}),
        ("time PYTHONPATH=src python -m pkg.train", {}),
        ("python -m loop.train", {}),
        ("launch train.py {seed}", {"seed": 7}),
        ("for foo in 8 9; do FOO=$foo python *n.py; done", {"foo": 9}),
        ("python - <<'PY'\nimport runpy  # don't\nrunpy.run_path('train.py')\nPY", {}),
    ],
)
async def test_a_line_runs_as_it_does_in_a_shell(
    project: Project, line: str, said: dict[str, float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{Path(sys.executable).parent}")  # where uv is
    result = await project.run(line)
    assert (result.outcome, result.reason) == ("finished", ""), result.tail
    assert result.metrics.items() >= ({"val_loss": 0.5} | said).items(), result.tail


@pytest.mark.parametrize(
    ("line", "code"),
    [("bash fails.sh", 3), ("python missing.py | tee /dev/null", 2), ("no-such-program train.py | cat", 127)],
)
async def test_a_line_that_fails_in_a_shell_fails_here(project: Project, line: str, code: int):
    result = await project.run(line)
    assert (result.outcome, result.exit_code) == ("crashed", code), result.tail


async def test_the_environment_that_the_program_names_is_there(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FOO", "11")
    assert (await project.run("python train.py")).metrics["foo"] == 0
    assert (await project.run("python train.py", env=["FOO"])).metrics["foo"] == 11
    assert (await project.run("python train.py", env={"FOO": 12})).metrics["foo"] == 12


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A Python in a folder of the person's own, as conda, pyenv and uv put them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "other"], check=True)
    (tmp_path / "other" / "bin" / "python3.99").symlink_to("python")
    return tmp_path / "other"


async def test_a_python_of_another_version_is_found_where_the_person_has_it(
    project: Project, other: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", f"{other}/bin:/usr/bin:/bin")
    result = await project.run('python3.99 -c \'import sys; print("val_loss:", "other" in sys.prefix and 1)\'')
    assert (result.outcome, result.metrics) == ("finished", {"val_loss": 1}), result.tail


CONDA = """\
conda() {
    test "$1" = activate || return 2
    export CONDA_PREFIX="$(dirname "$(dirname "$CONDA_EXE")")/envs/$2"
    PATH="$CONDA_PREFIX/bin:$PATH"
}
"""


async def test_an_environment_is_activated_as_in_a_shell_that_has_read_condas_hook(
    project: Project, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home = tmp_path / "home" / "miniconda3"
    for folder in ("bin", "envs", "etc/profile.d"):
        (home / folder).mkdir(parents=True)
    (home / "etc" / "profile.d" / "conda.sh").write_text(CONDA)
    (home / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (home / "bin" / "conda").write_text(f"#!{home}/bin/python\n")
    (home / "bin" / "conda").chmod(0o755)
    other.rename(home / "envs" / "mine")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONDA_EXE", str(home / "bin" / "conda"))
    code = "import sys; print('val_loss:', 1 if sys.prefix.endswith('mine') else 0)"
    for line in (f'conda activate mine && python -c "{code}"', f'FOO=1; conda activate mine; python3 -c "{code}"'):
        result = await project.run(line)
        assert (result.outcome, result.metrics) == ("finished", {"val_loss": 1}), result.tail


async def test_an_experiments_own_script_opens_no_program_to_its_run(
    project: Project, sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What scripts name is looked up in the checkout, where only the person writes."""
    (tmp_path / "tools").mkdir()
    for name in ("asked-for", "not-asked-for"):
        (tmp_path / "tools" / name).write_text("#!/bin/sh\necho val_loss: 1\n")
        (tmp_path / "tools" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:{os.environ['PATH']}")
    assert (await project.run("asked-for | cat")).metrics == {"val_loss": 1}
    files = {"train.sh": b"#!/bin/sh\nasked-for\nnot-asked-for && echo reached: 1\n"}
    head = project.lineage.checkout.head()
    edited = project.lineage.commit(1, head, files, ExperimentMessage("edited"), 0).sha
    result = await project.run("sh train.sh; true; asked-for", edited)
    assert result.metrics == ({"val_loss": 1, "reached": 1} if sandbox == "off" else {"val_loss": 1}), result.tail


async def test_a_variable_that_the_program_reads_and_does_not_get_is_told_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    bench.plain_python()
    bench.environment["MY_DATA_KEY"] = "a secret"
    bench.write("train.py", "import os\nLR = 1.0\nos.environ['MY_DATA_KEY']\nprint('val_bpb:', 1)\n")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qam", "mine")
    done = await asyncio.to_thread(
        bench.looptop, "run", "--headless", "--researcher", "automl", "--sandbox", "off", code=1
    )
    assert "KeyError: 'MY_DATA_KEY'" in done.stdout
    monkeypatch.setenv("MY_DATA_KEY", "a secret")
    prepared = preflight(bench.root, Overrides(researcher="automl"))
    with Journal(prepared.workspace.journal) as journal:  # the next start tells it again, if anything does
        await tell_surroundings(prepared, Recorder(journal), prepared.program.contract)
    told = [event.body for event in bench.events("fault") if event.body.where == "environment"]  # type: ignore[union-attr]
    (sentence,) = [fault.message for fault in told]  # type: ignore[union-attr]
    assert sentence.startswith("train.py reads MY_DATA_KEY") and "`env: [MY_DATA_KEY]`" in sentence
    assert "a secret" not in str(bench.events())
