"""Cheats that the real harness stops: each file is examined by `loop.harness verify` as an experiment's would be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cheats import MODEL, edit
from tests.cheats.conftest import cheated
from tests.harness.conftest import TORCH, Started, cache, python  # noqa: F401 - fixtures
from tests.sandbox.cells import KINDS

pytestmark = TORCH

PROGRAM = """---
run: python saves.py
verify: python -m loop.harness verify
metric: val_bpb
placebos: off
budget: 1s
deadline: 60s
keep: {baseline_runs: 2, max_runs: 2, simpler_wins: false}
---
Make it better.
"""

REJECTED: dict[str, tuple[str, ...]] = {
    "looks_at_the_next_byte": ("causal",),
    "looks_at_what_the_text_is_made_of": ("causal",),
    "looks_at_the_texts_beside": ("rows",),
    "learns_while_it_is_scored": ("rows", "causal"),  # by what it has learned when it sees a text again
    "remembers_the_texts_it_was_scored_on": ("finite",),
    "prints_a_number_and_leaves": ("loads",),
    "exits_politely_with_a_number": ("loads",),
}
"""The check that rejects each, or those of which one does: which texts are compared is chance."""

MEASURED = {
    "patches_the_arithmetic": "val_bpb: 8.000000",
    "patches_the_harness_in_memory": "val_bpb: 8.000000",
    "brings_its_own_harness": "val_bpb: 8.000000",
}
"""Models that know nothing and want to be measured as perfect; they are measured as what they are."""


@pytest.fixture
def verify(tmp_path: Path, python: Callable[..., Started]) -> Callable[[str], Started]:  # noqa: F811
    """Examine a cheat, with a checkpoint in place."""

    def start(name: str) -> Started:
        (tmp_path / "train.py").write_text(edit(name))
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "checkpoint.pt").touch()
        return python("-m", "loop.harness", "verify")

    return start


@pytest.mark.parametrize("name", REJECTED)
def test_a_cheat_is_rejected_by_name(verify: Callable[[str], Started], name: str) -> None:
    said = verify(name)
    assert said.returncode == 3, said.stdout + said.stderr
    rejection = said.stdout.splitlines()
    assert len(rejection) == 1
    assert rejection[0].startswith(tuple(f"rejected: {check}: " for check in REJECTED[name]))
    assert rejection[0].isprintable()
    assert "val_bpb" not in rejection[0]
    assert all(line.startswith("| ") and line.isprintable() for line in said.stderr.splitlines())
    assert len(said.stderr) < 6000


@pytest.mark.parametrize("name", MEASURED)
def test_a_cheat_that_bends_its_own_process_is_measured_as_it_is(verify: Callable[[str], Started], name: str) -> None:
    said = verify(name)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.splitlines()[:2] == ["---", MEASURED[name]]


@pytest.mark.soak  # a verification takes two seconds of two processors, and here are twenty-four
@pytest.mark.parametrize("sandbox", KINDS)
def test_in_a_study_none_of_them_is_kept_in_either_sandbox(cache: Path, sandbox: str) -> None:  # noqa: F811
    those = cheated(cache, sandbox, MODEL, PROGRAM, [*REJECTED, *MEASURED], texts=True)
    assert those.study.lineage == [0] and those.study.best is not None and those.study.best.metric == 8.0
    for name, checks in REJECTED.items():
        found = those.of(name)
        assert found.verdict == "rejected" and found.runs[1].check in checks, found.reason
    for name in MEASURED:
        assert (those.of(name).verdict, those.of(name).metric) == ("discarded", 8.0)
