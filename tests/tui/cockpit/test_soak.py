"""Twelve hours of a study in fast-forward before a real cockpit: its memory stays where it was after a minute."""

import time
from pathlib import Path

import pytest

from bench.cockpit import Terminal
from loop.journal import Journal
from loop.study import events as e
from tests.recorded import record

WORDS, EXPERIMENTS = 1_500_000, 700
PIECE = "the last change lowered the loss early and lost it in the warm-down so that is where to look next "
ALLOWED = 5 * 2**20
"""Bytes of growth after the first minute."""


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_night_of_thoughts_and_700_experiments_grow_by_less_than_5_mb(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=10)
    journal = Journal(tmp_path / ".looptop" / "journal.db")
    terminal = Terminal(tmp_path)
    terminal.wait_for("champion")
    pieces = WORDS // EXPERIMENTS // 20 + 1
    began, first = time.monotonic(), 0
    for number in range(12, 12 + EXPERIMENTS):
        facts: list[tuple[e.Body, int | None, int | None]] = [
            (e.Thought(researcher="llm", text=PIECE + ("\n" if i % 9 == 8 else "")), number, None)
            for i in range(pieces)
        ]
        facts += experiment(number)
        for start in range(0, len(facts), 60):
            journal.append_all(facts[start : start + 60])
            time.sleep(0.05)
        if not first and time.monotonic() - began > 60:
            first = terminal.rss()
    time.sleep(3)
    grown = terminal.rss() - first
    print(f"{WORDS:,} words and {EXPERIMENTS} experiments in {time.monotonic() - began:.0f} s: {grown / 2**20:+.1f} MB")
    terminal.close()
    assert first and grown < ALLOWED


def experiment(number: int) -> list[tuple[e.Body, int | None, int | None]]:
    """One experiment from its proposal to its verdict."""
    run = e.RunStarted(seed=1, slot=0, budget=300, deadline=600, protocol_id="m", pid=1, pid_started=1.0)
    done = e.RunFinished(outcome="finished", seconds=300, metrics={"val_bpb": 0.97}, peak_memory=2**30)
    judged = e.ExperimentJudged(verdict="discarded", reason="within the noise", metric=0.97, effect=-0.001, noise=0.001)
    sample = e.StepSampled(step=1, progress=0.5, values={"loss": 2.5, "mfu": 39.8})
    return [
        (e.ExperimentProposed(researcher="llm", title=f"idea {number}", parent=0), number, None),
        (e.ExperimentQueued(commit=f"{number:040x}", parent=0, parent_commit="0" * 40), number, None),
        (run, number, 1),
        *[(sample, number, 1)] * 20,
        (e.GaugeRead(cpu=9, ram_used=1, ram_total=2, disk_free=3), None, None),
        (done, number, 1),
        (e.Verified(metric=0.97), number, 1),
        (judged, number, None),
    ]
