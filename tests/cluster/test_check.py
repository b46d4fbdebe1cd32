"""What `looptop cluster check` says of nodes that a study has, over a link without Ray."""

from pathlib import Path

from loop.supervisor.cluster_check import check_nodes
from tests.cluster.test_cluster import Cluster


async def test_of_a_node_it_is_said_which_study_has_it(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    await cluster.executor.connect()
    taken = await check_nodes(cluster.link.another(), "off", ())
    await cluster.executor.close()
    free = await check_nodes(cluster.link.another(), "off", ())
    said = "the study test has its runs there; another one can when that has stopped"
    assert [(one.name, one.ready, one.remarks) for one in taken] == [("alpha", True, (said,)), ("beta", True, (said,))]
    assert [one.remarks for one in free] == [(), ()]
