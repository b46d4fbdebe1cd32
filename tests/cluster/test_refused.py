"""Nodes that get no runs, and one whose disk is full when a run ends: what is said, and what counts."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from loop.study.outcomes import Outcome
from tests.cluster.test_cluster import Cluster, Listener


async def test_a_node_of_another_python_is_refused(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.link.machines["alpha"].facts = {"python": "3.11.99"}
    await cluster.executor.connect()
    assert cluster.executor.notes[0].startswith("alpha: its Python is 3.11.99 (")
    assert {slot.name.partition("/")[0] for slot in cluster.executor.slots()} == {"beta"}
    await cluster.executor.close()


async def test_a_node_that_comes_back_unfit_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.runs.cluster.executor.LOOK_S", 0.02)
    cluster = Cluster(tmp_path)
    await cluster.executor.connect()
    alpha = cluster.link.machines["alpha"]
    alpha.facts, alpha.dead = {"looptop": "0.0.9 (aaaaaaaa)"}, True
    while len(cluster.executor.slots()) > 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    alpha.dead = False
    while not any("is back and" in what for _, what in cluster.told):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    alpha.facts = {}
    while len(cluster.executor.slots()) < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    (said,) = [what for _, what in cluster.told if "is back and" in what]
    assert said.startswith("alpha is back and gets no runs: its looptop is 0.0.9 (aaaaaaaa), and ")
    assert cluster.told[-1] == ("alpha", "")
    await cluster.executor.close()


async def test_what_was_written_on_a_disk_that_is_full_is_run_again(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    await cluster.executor.connect()
    slot, agent = cluster.executor.slots()[0], cluster.link.machines["alpha"].agent
    assert agent is not None
    full = "the disk under /x has 12 MB left, and a study needs 1.0 GB to start"
    agent._short = lambda: full if any(run.handle for run in agent._runs.values()) else None
    job = cluster.job()
    for verify, lost in (("bash run.sh", True), (None, False)):  # a number that nobody verifies needs no file
        checked = replace(job, run=job.run + lost, contract=job.contract.model_copy(update={"verify": verify}))
        run = await cluster.executor.start(checked, slot, Listener())
        result = await run.wait()
        await run.close()
        assert result.outcome == Outcome.FINISHED and (result.lost is not None) == lost
        assert result.lost is None or result.lost.reason == full
    await cluster.executor.close()
