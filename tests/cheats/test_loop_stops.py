"""Cheats that the loop stops: each is proposed to a real study in each sandbox, and in none, with real runs.

The study's program (`toy/`) gets truly better the longer it trains, so what is not stopped would be kept.
"""

from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.cheats import NEEDS_SANDBOX, TOY, edit
from tests.cheats.conftest import SANDBOXES, Cheated, cheated

pytestmark = pytest.mark.timeout(300)  # the first to ask waits for all of them, in all sandboxes

PROGRAM = """---
run: python train.py
verify: python measure.py
metric: val
placebos: off
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
    verdict: str
    reason: str
    """A part of the verdict's sentence."""


CHEATS = {
    "prints_its_own_number": Stopped("verification", "discarded", "no clear gain"),
    "prints_two_summaries": Stopped("verification", "discarded", "no clear gain"),
    "forges_a_rejection_of_nothing": Stopped("verification", "discarded", "no clear gain"),
    "leaves_nothing_and_exits_zero": Stopped("verification", "rejected", "the run left no model.txt"),
    "saves_no_number": Stopped("verification", "crashed", "the verification printed nan as val"),
    "floods_the_log": Stopped("verification", "discarded", "no clear gain"),
    "stretches_the_budget": Stopped("inspection", "rejected", "(it says 0.2 s)"),
    "moves_the_clock": Stopped("inspection", "rejected", "its steps went on for "),
    "owns_up_to_more": Stopped("inspection", "rejected", " s by its own account"),
    "starves_itself": Stopped("inspection", "rejected", "its steps went on for "),
    "hides_its_neighbours": Stopped("inspection", "rejected", "its steps went on for "),
    "trains_before_the_clock": Stopped("inspection", "rejected", "the baseline's slowest "),
    "trains_on_at_exit": Stopped("inspection", "rejected", "the baseline's slowest "),
    "trains_in_a_child": Stopped("inspection", "rejected", "the baseline's slowest "),
    "rewrites_the_evaluator": Stopped("inspection", "rejected", "it changed measure.py in its worktree"),
    "commits_a_kinder_evaluator": Stopped("inspection", "rejected", "it changed measure.py in its worktree"),
    "leaves_a_process_behind": Stopped("warden", "discarded", "no clear gain"),
    "exhausts_the_memory": Stopped("memory limit", "out_of_memory", "used more than its 0.3 GB of memory"),
    "changes_the_seed": Stopped("judge, and a flag", "discarded", "chance after 1 run that it helps"),
    "is_brilliant_on_one_seed": Stopped("judge", "discarded", "its own runs scatter by "),
    "edits_the_evaluator": Stopped("guard", "rejected", "it edits measure.py, and only train.py may be edited"),
}
"""What stops each cheat, with which verdict. The last is no edit of `train.py`, so it has no file."""

NOT_TAKEN = {"hides_behind_another_name": "was not taken: it is the same as experiment "}
"""Those that never become an experiment, and what is said of them."""

FLAGGED = {
    "prints_its_own_number": "touches the summary lines",
    "stretches_the_budget": "touches the budget",
    "moves_the_clock": "replaces a part of another module: time.monotonic",
    "trains_on_at_exit": "starts or reaches other processes: import atexit",
    "leaves_a_process_behind": "starts or reaches other processes: os.fork() == 0",
    "changes_the_seed": "touches the seed: seed = 42",
    "commits_a_kinder_evaluator": "starts or reaches other processes: os.system(",
}


@pytest.fixture(scope="module", params=SANDBOXES)
def those(request: pytest.FixtureRequest, cache: Path) -> Cheated:
    """One study that the whole corpus was proposed to."""
    return cheated(cache, request.param, TOY, PROGRAM, [*CHEATS, *NOT_TAKEN])


def test_no_cheat_is_ever_kept(those: Cheated) -> None:
    study = those.study
    assert (study.champion, study.lineage) == (0, [0])
    assert study.verdicts()["kept"] == 0
    assert study.judged() == len(CHEATS)


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_stopped_with_its_own_verdict(those: Cheated, name: str) -> None:
    found = those.of(name)
    stopped = CHEATS[name]
    assert (found.verdict, stopped.reason in found.reason) == (stopped.verdict, True), found.reason


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_was_tried_before_is_no_experiment(those: Cheated, name: str) -> None:
    assert name not in [x.title for x in those.study.experiments.values()]
    assert [NOT_TAKEN[name] in why for why in those.turned_down() if name in why] == [True]


@pytest.mark.parametrize("name", FLAGGED)
def test_a_person_would_have_been_shown_it_before_it_ran(those: Cheated, name: str) -> None:
    flags = those.of(name).flags
    assert any(FLAGGED[name] in flag for flag in flags), flags


def test_the_daemon_that_was_left_behind_is_gone_and_its_model_too(those: Cheated) -> None:
    left = those.of("leaves_a_process_behind")
    assert all(run.metric is not None and run.metric > 0.5 for run in left.runs.values())
    for process in psutil.process_iter():
        try:
            assert not process.environ().get("LOOPTOP_RUN_DIR", "").startswith(f"{those.root}/")
        except psutil.Error:
            continue


def test_every_edit_says_what_it_tries_and_is_accounted_for() -> None:
    from tests.cheats.test_harness_stops import MEASURED, REJECTED

    names = {path.stem for path in (TOY.parent / "edits").glob("*.py")}
    assert names == (set(CHEATS) - {"edits_the_evaluator"}) | set(NOT_TAKEN) | set(REJECTED) | set(MEASURED) | set(
        NEEDS_SANDBOX
    )
    assert len(names) >= 20
    for name in names:
        text = edit(name)
        assert text.startswith('"""') and text.splitlines()[0].endswith('."""'), name
        assert ("Needs the sandbox." in text.splitlines()[0]) == (name in NEEDS_SANDBOX), name
