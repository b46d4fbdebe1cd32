"""Files that runs would lack: found by reading the program, with what to do about each."""

import sys
from pathlib import Path

import pytest

from loop.lineage import Lineage
from loop.pipeline.needed_files import Missing, missing_files
from loop.policy.mentions import mentions
from loop.study.contract import Contract
from tests.repositories import git, make_repository


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, text: str = "x\n") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self) -> None:
        git(self.root, "add", ".")
        git(self.root, "commit", "-q", "-m", "more")

    def missing(self, **contract: object) -> list[Missing]:
        lineage = Lineage(self.root, "t")
        return missing_files(self.root, Contract(**contract), lineage.commits.entries(lineage.checkout.head()))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(make_repository(tmp_path / "repo"))


def test_a_module_that_was_never_added(project: Project) -> None:
    project.put("train.py", "import os, torch\nimport helper\nfrom src.net import model\n")
    project.put("helper.py", "from . import more\nimport deep.er\n")
    project.commit()
    project.put("src/net/model.py", "x = 1\n")
    project.put("deep/er.py", "x = 1\n")
    assert project.missing() == [
        Missing("deep/er.py", "helper.py:2", True),
        Missing("src/net/model.py", "train.py:3", True),
    ]
    assert project.missing(edit=["train.py", "src/net/model.py"], read=["deep"]) == []
    (one, _) = project.missing()
    assert one.sentence == (
        "helper.py:2 needs deep/er.py, which git does not have, so no run would find it: `git add deep/er.py` and "
        "commit it, or name it in program.md: `read: [deep/er.py]`"
    )


def test_what_is_staged_is_not_in_a_run_yet(project: Project) -> None:
    project.put("train.py", "import helper\n")
    project.commit()
    project.put("helper.py", "x = 1\n")
    git(project.root, "add", "helper.py")
    assert [one.path for one in project.missing()] == ["helper.py"]


def test_an_import_that_may_fail_is_a_hint(project: Project) -> None:
    project.put(
        "train.py",
        "try:\n    import fast\nexcept ImportError:\n    import slow\n"
        "def late():\n    import later\nif __name__ == '__main__':\n    import now\n",
    )
    project.commit()
    for name in ("fast", "slow", "later", "now"):
        project.put(f"{name}.py")
    assert [(one.path, one.certain) for one in project.missing()] == [
        ("now.py", True),
        ("fast.py", False),
        ("later.py", False),
        ("slow.py", False),
    ]


def test_data_that_git_ignores_is_a_hint_and_results_are_none(project: Project) -> None:
    project.put(
        "train.py",
        '"""Reads data/train.bin in its docstring."""\nimport numpy as np\n'
        "tokens = np.memmap('data/train.bin')\nBASELINE = 'baseline.json'\n"
        "out_dir = 'out/'\nopen('run.log', 'w').write('x')\nmodel.save('model.bin')\n"
        "settings = {'conf.d/x': 1}\nsame = settings['conf.d/x']\nlog(f'run.log {same}')\n",
    )
    project.put(".gitignore", "data/\n")
    project.commit()
    for name in ("data/train.bin", "baseline.json", "out/x", "run.log", "model.bin", "conf.d/x"):
        project.put(name)
    assert [(one.path, one.by, one.certain) for one in project.missing()] == [
        ("baseline.json", "train.py:4", False),
        ("data/train.bin", "train.py:3", False),
    ]
    assert project.missing(read=["data", "baseline.json"]) == []


def test_what_the_command_line_and_its_scripts_start(project: Project) -> None:
    project.put("go.sh", "#!/bin/sh\n# not.py\nexec python tools/prepare.py --conf=conf/a.yaml\n")
    project.commit()
    for name in ("not.py", "tools/prepare.py", "conf/a.yaml", "Makefile", "eval.py", "local.json"):
        project.put(name)
    certain = {one.path: one.certain for one in project.missing(run="make train")}
    assert certain == {"Makefile": True}
    certain = {one.path: one.certain for one in project.missing(run="nice ./go.sh", verify="python eval.py local.json")}
    assert certain == {"eval.py": True, "conf/a.yaml": False, "local.json": False, "tools/prepare.py": False}


def test_a_module_that_is_started_and_a_folder_that_is_gone_to(project: Project) -> None:
    project.put("src/net/go.py", "from . import model\n")
    project.put("sub/train.py", "import helper\n")
    project.commit()
    for name in ("src/net/model.py", "sub/helper.py", "tool/__main__.py"):
        project.put(name)
    run = "cd sub && python train.py --data x"
    assert project.missing(run=run) == [Missing("sub/helper.py", "sub/train.py:1", True)]
    run = "PYTHONPATH=src python -m net.go && python3 -m tool"
    assert project.missing(run=run) == [
        Missing("src/net/model.py", "src/net/go.py:1", True),
        Missing("tool/__main__.py", "`run`", True),
    ]


def test_a_repository_inside_that_is_no_submodule(project: Project) -> None:
    project.put("train.py", "from third.lib import data\n")
    project.commit()
    make_repository(project.root / "third")
    (one,) = project.missing()
    assert one.sentence == (
        "train.py:1 needs third, a git repository of its own, so no run would find it: name it in program.md: "
        "`read: [third]`"
    )
    assert project.missing(read=["third"]) == []


def test_links_submodules_and_environments_are_there(project: Project, tmp_path: Path) -> None:
    library = make_repository(tmp_path / "library")
    git(project.root, "submodule", "--quiet", "add", str(library), "vendor/library")
    project.put("real/data.txt")
    (project.root / "linked").symlink_to("real")
    project.put(
        "train.py", "import sys\nsys.path.insert(0, 'vendor/library')\nfrom lib import data\nopen('linked/data.txt')\n"
    )
    project.commit()
    project.put(".venv/pyvenv.cfg")
    project.put(".venv/bin/python")
    assert project.missing(run=".venv/bin/python train.py") == []


def test_a_project_in_a_folder_looks_no_further_than_its_folder(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "mono")
    project = Project(top / "model")
    project.put("train.py", "import helper\nopen('../shared.json')\n")
    project.put("helper.py")
    git(top, "add", "model/train.py")
    git(top, "commit", "-q", "-m", "model")
    (top / "shared.json").write_text("{}")
    assert [one.path for one in project.missing()] == ["helper.py"]


@pytest.mark.parametrize(
    "text",
    [
        "def (",
        "\0",
        "(" * 10_000,
        "sys.path." + "x(" * 90 + ")" * 90,
        "x = " + "1 +" * 5000 + "f(2)",
        "x = 1\n" * 3,
        "import\n",
        "from .. import *\n",
    ],
)
def test_any_text_mentions_something_or_nothing(text: str) -> None:
    mentions(text)


def test_data_outside_of_the_project_by_its_path_or_behind_a_link(project: Project) -> None:
    sets = project.root.parent / "sets"
    for name in ("a/x.bin", "b/y.bin", "c/z.bin", "id_rsa"):
        (sets / name).parent.mkdir(parents=True, exist_ok=True)
        (sets / name).write_text("x")
    project.put(
        "sub/train.py",
        f"open('../../sets/a/x.bin')\nopen('data/y.bin')\nopen('{sets}/c/z.bin')\nopen('../train.py')\n"
        f"open('{sets}/none')\nopen('/etc/hosts')\nopen('../../sets/id_rsa')\n",
    )
    (project.root / "data").symlink_to("../sets/b")
    project.commit()
    lacking = project.missing(edit=["sub/train.py"], run="python sub/train.py")
    assert {(one.path, one.by, one.certain) for one in lacking} == {
        (str(sets / name), f"sub/train.py:{line}", False) for name, line in (("a", 1), ("b", 2), ("c", 3))
    }
    assert lacking[0].sentence.endswith(
        f"outside of the project: if runs need it, name it in program.md: `read: [{sets}/a]`"
    )
    assert project.missing(edit=["sub/train.py"], run=f"{sys.executable} sub/train.py", read=["../sets"]) == []
