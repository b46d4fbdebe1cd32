"""Cheats that only the sandbox stops: each is proposed to a real study in each sandbox, and in none, where it succeeds.

The study's program (`text/`) learns from the default corpus's training text and is measured on its validation text.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from loop.workspace import Workspace
from tests.cheats import NEEDS_SANDBOX, TEXT
from tests.cheats.conftest import SANDBOXES, Cheated, cheated
from tests.sandbox.cells import MARKER

PROGRAM = """---
run: python train.py
verify: python measure.py
metric: val
placebos: off
budget: 1s
deadline: 60s
keep: {baseline_runs: 3, max_runs: 2, simpler_wins: false}
---
Make it better.
"""


class Ended(NamedTuple):
    """How a cheat ends."""

    verdict: str
    reason: str
    """A part of the verdict's sentence."""


NOTHING = Ended("discarded", "no clear gain")
"""It found nothing there, trained like anybody else, and was measured as that."""

ENDS = {
    ("bubblewrap", "reads_the_validation_text"): Ended("crashed", "Read-only file system"),  # it tries to make it anew
    ("landlock", "reads_the_validation_text"): Ended("crashed", "PermissionError"),
    ("landlock", "reads_the_journal"): Ended("crashed", "unable to open database file"),
    ("bubblewrap", "sends_the_answer_home"): Ended("crashed", "ConnectionRefusedError"),
    ("landlock", "sends_the_answer_home"): Ended("crashed", "PermissionError"),
}
"""What is not told here ends with `NOTHING`."""


@pytest.fixture(scope="module", params=SANDBOXES)
def those(request: pytest.FixtureRequest, cache: Path) -> Cheated:
    """One study that all of them were proposed to."""
    return cheated(cache, request.param, TEXT, PROGRAM, list(NEEDS_SANDBOX), texts=True)


@pytest.fixture
def confined(those: Cheated) -> Cheated:
    if not those.confined:
        pytest.skip("without a sandbox they succeed")
    return those


def test_no_cheat_is_ever_kept(confined: Cheated) -> None:
    assert confined.study.lineage == [0]
    assert confined.study.judged() == len(NEEDS_SANDBOX)


@pytest.mark.parametrize("name", NEEDS_SANDBOX)
def test_a_cheat_reaches_nothing_and_has_its_own_verdict(confined: Cheated, name: str) -> None:
    found = confined.of(name)
    ends = ENDS.get((confined.sandbox, name), NOTHING)
    assert (found.verdict, ends.reason in found.reason) == (ends.verdict, True), found.reason
    printed = confined.printed(name)
    assert printed and "reached:" not in printed and MARKER not in printed


def left(those: Cheated) -> list[Path]:
    """The modules that were meant for later runs."""
    found = [path for folder in (those.texts, those.root) for path in folder.rglob("sitecustomize.py")]
    return [path for path in found if "METRIC" in path.read_text()]


def test_nothing_is_left_where_others_would_find_it(confined: Cheated) -> None:
    assert left(confined) == []
    assert "wrote: " in confined.printed("writes_into_the_next_runs_cache"), "into what is its own, and forgotten"


def test_what_others_have_saved_is_as_it_was(those: Cheated) -> None:
    """With its sizes: without a sandbox the forger empties them."""
    saved = [path.stat().st_size for path in Workspace(those.root).runs.glob("0.*/out/table.npy")]
    assert len(saved) == 3 and all((size > 0) == those.confined for size in saved)


def test_nobody_calls_home(those: Cheated) -> None:
    assert those.called != those.confined


def test_without_a_sandbox_they_succeed(those: Cheated) -> None:
    """Else they would prove nothing."""
    if those.confined:
        pytest.skip("in a sandbox they do not")
    for name in set(NEEDS_SANDBOX) - {"writes_into_the_next_runs_cache"}:
        assert "reached:" in those.printed(name), name
    assert MARKER in those.printed("reads_the_supervisors_keys")
    assert len(left(those)) == 3
    assert those.of("reads_the_validation_text").verdict == "kept"
