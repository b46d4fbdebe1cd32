"""Cheats that the loop stops: each is proposed to one real study, with real runs and a verification of its own.

The study's program (`toy/`) gets truly better the longer it trains, so what is not stopped would be kept.
"""

import asyncio
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from loop import events as e
from loop.gauges import FakeGauges
from loop.journal import Journal
from loop.lineage import Lineage, init_repository
from loop.opening import Prepared
from loop.options import Options
from loop.program import load
from loop.researchers.researcher import Briefing, NothingLeft, Proposal, Sink
from loop.runs.sandbox import choose
from loop.service import find_slots
from loop.study import FOLDED, Study, fold
from loop.supervisor import Supervisor
from loop.workspace import Workspace, supervise
from tests.cheats import NEEDS_SANDBOX, TOY, edit

PROGRAM = """---
run: python train.py
verify: python measure.py
metric: val
budget: 0.2s
deadline: 30s
keep: {baseline_runs: 3, max_runs: 2, simpler_wins: false}
limits: {memory: 300MB, failures: 100}
---
Make it better.
"""


class Stopped(NamedTuple):
    """How a cheat ends."""

    by: str
    verdict: e.Verdict
    reason: str
    """A part of the verdict's sentence."""


CHEATS = {
    "prints_its_own_number": Stopped("verification", "discarded", "within the noise"),
    "prints_two_summaries": Stopped("verification", "discarded", "within the noise"),
    "forges_a_rejection_of_nothing": Stopped("verification", "discarded", "within the noise"),
    "leaves_nothing_and_exits_zero": Stopped("verification", "rejected", "the run left no model.txt"),
    "saves_no_number": Stopped("verification", "crashed", "the verification printed nan as val"),
    "floods_the_log": Stopped("verification", "discarded", "within the noise"),
    "stretches_the_budget": Stopped("inspection", "rejected", "(it says 0.2 s), and its budget is 0.2 s"),
    "moves_the_clock": Stopped("inspection", "rejected", "its steps went on for "),
    "owns_up_to_more": Stopped("inspection", "rejected", "by its own account, and its budget is 0.2 s"),
    "trains_before_the_clock": Stopped("inspection", "rejected", "s in all for 0."),
    "trains_on_at_exit": Stopped("inspection", "rejected", "s in all for 0."),
    "rewrites_the_evaluator": Stopped("inspection", "rejected", "it changed measure.py in its worktree"),
    "commits_a_kinder_evaluator": Stopped("inspection", "rejected", "it changed measure.py in its worktree"),
    "leaves_a_process_behind": Stopped("warden", "discarded", "within the noise"),
    "exhausts_the_memory": Stopped("memory limit", "crashed", "used more than its 0.3 GB of memory"),
    "changes_the_seed": Stopped("judge, and a flag", "discarded", "sure that it is better"),
    "hides_behind_another_name": Stopped("guard", "rejected", "it is the same as experiment "),
    "is_brilliant_on_one_seed": Stopped("judge", "discarded", "its own runs scatter by "),
    "edits_the_evaluator": Stopped("guard", "rejected", "it edits measure.py, and only train.py may be edited"),
}
"""What stops each cheat, with which verdict. The last is no edit of `train.py`, so it has no file."""

FLAGGED = {
    "prints_its_own_number": "touches the summary lines",
    "stretches_the_budget": "touches the budget",
    "moves_the_clock": "replaces a part of another module: time.monotonic",
    "trains_on_at_exit": "starts or reaches other processes: import atexit",
    "leaves_a_process_behind": "starts or reaches other processes: os.fork() == 0",
    "changes_the_seed": "touches the seed: seed = 42",
    "commits_a_kinder_evaluator": "starts or reaches other processes: os.system(",
}


class Cheater:
    """Proposes the whole corpus, one cheat after another."""

    name, about, ahead = "cheater", "proposes what must not be kept", 0

    def __init__(self) -> None:
        self._names = list(CHEATS)

    async def prepare(self, sink: Sink) -> None:
        pass

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        if not self._names:
            raise NothingLeft("that was all")
        name = self._names.pop(0)
        if name == "edits_the_evaluator":
            return Proposal(name, "", {"measure.py": 'print("val: 0.0")\n'})
        return Proposal(name, "", {"train.py": edit(name)})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cheated")


@pytest.fixture(scope="module")
def study(root: Path) -> Study:
    """One study that the whole corpus was proposed to."""
    for name in ("train.py", "measure.py"):
        (root / name).write_text((TOY / name).read_text())
    (root / "program.md").write_text(PROGRAM)
    init_repository(root, [root / name for name in ("train.py", "measure.py", "program.md")])
    workspace = Workspace(root)
    lineage = Lineage(root, "cheats")
    lineage.prepare()
    prepared = Prepared(workspace, lineage, load(root), Options(), (Cheater(),), choose("off"))
    gauges = FakeGauges(0)

    async def work() -> None:
        with supervise(root), Journal(workspace.journal, create=True) as journal:
            await asyncio.wait_for(Supervisor(prepared, journal, find_slots(gauges.read()), gauges).run(), 110)

    asyncio.run(work())
    with Journal(workspace.journal) as journal:
        return fold(journal.read(kinds=FOLDED))


def test_no_cheat_is_ever_kept(study: Study) -> None:
    assert (study.champion, study.lineage) == (0, [0])
    assert study.verdicts()["kept"] == 0
    assert study.judged() == len(CHEATS)


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_stopped_with_its_own_verdict(study: Study, name: str) -> None:
    found = next(x for x in study.experiments.values() if x.title == name)
    stopped = CHEATS[name]
    assert (found.verdict, stopped.reason in found.reason) == (stopped.verdict, True), found.reason


@pytest.mark.parametrize("name", FLAGGED)
def test_a_person_would_have_been_shown_it_before_it_ran(study: Study, name: str) -> None:
    found = next(x for x in study.experiments.values() if x.title == name)
    assert any(FLAGGED[name] in flag for flag in found.flags), found.flags


def test_the_daemon_that_was_left_behind_is_gone_and_its_model_too(study: Study, root: Path) -> None:
    left = next(x for x in study.experiments.values() if x.title == "leaves_a_process_behind")
    assert all(run.metric is not None and run.metric > 0.5 for run in left.runs.values())
    for process in psutil.process_iter():
        try:
            assert not process.environ().get("LOOPTOP_RUN_DIR", "").startswith(str(root))
        except psutil.Error:
            continue


def test_every_edit_says_what_it_tries_and_is_accounted_for() -> None:
    from tests.cheats.test_harness_stops import MEASURED, REJECTED

    names = {path.stem for path in (TOY.parent / "edits").glob("*.py")}
    assert names == (set(CHEATS) - {"edits_the_evaluator"}) | set(REJECTED) | set(MEASURED) | set(NEEDS_SANDBOX)
    assert len(names) >= 20
    for name in names:
        text = edit(name)
        assert text.startswith('"""') and text.splitlines()[0].endswith('."""'), name
        assert ("Needs the sandbox." in text.splitlines()[0]) == (name in NEEDS_SANDBOX), name
