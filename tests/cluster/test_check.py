"""What `looptop cluster check` says of nodes, over a link without Ray."""

import sys
from pathlib import Path

from loop.config.program import load
from loop.lineage import matching
from loop.runs.cluster.wire import Needs
from loop.supervisor.cluster_check import check_nodes, needs
from tests.cluster.test_cluster import Cluster


async def test_of_a_node_it_is_said_which_study_has_it(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    await cluster.executor.connect()
    taken = await check_nodes(cluster.link.another(), "off", Needs())
    await cluster.executor.close()
    free = await check_nodes(cluster.link.another(), "off", Needs())
    said = "the study test has its runs there; another one can when that has stopped"
    assert [(one.name, one.ready, one.remarks) for one in taken] == [("alpha", True, (said,)), ("beta", True, (said,))]
    assert [one.remarks for one in free] == [(), ()]


async def test_of_a_node_it_is_said_what_the_program_would_lack_there(tmp_path: Path) -> None:
    cluster, root = Cluster(tmp_path), tmp_path / "program"
    (root / ".venv" / "bin").mkdir(parents=True)
    own = root / ".venv" / "bin" / "python"
    own.symlink_to(sys.executable)
    (root / "train.py").write_text("import os\nimport model, no_such_package.part\nfrom . import x\nimport pathlib\n")
    (root / "model.py").touch()
    (root / "data").mkdir()
    program = "---\nedit: train.py\nrun: python train.py\nmetric: loss\nread: [data]\n---\n"
    (root / "program.md").write_text(program)
    needed = needs(root, load(root, matching))
    assert needed == Needs((str(root / "data"),), str(own), ("no_such_package",))
    (root / "data").rmdir()
    (alpha, _) = await check_nodes(cluster.link, "off", needed)
    assert [said.replace(f"{root}/", "") for said in alpha.remarks] == [
        "data is not there, and program.md reads it; runs find it where it lies as at home",
        ".venv/bin/python has no no_such_package, which the program imports; install it there",
    ]
    own.unlink()
    (_, beta) = await check_nodes(cluster.link, "off", needed)
    assert (
        f"{own} is not there, so `python` is {sys.executable}: have the environment at the same place" in beta.remarks
    )
