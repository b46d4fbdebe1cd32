"""The budget of the fuzzers: some hundred examples in `make test`, a minute each in `make soak`."""

import time
from collections.abc import Iterator

import pytest

from tests.fuzz.budget import Budget

MINUTE = 60.0
"""Seconds for which `make soak` tries each fuzzer."""


@pytest.fixture(params=["some", pytest.param("a minute", marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
def budget(request: pytest.FixtureRequest) -> Iterator[Budget]:
    """What this fuzzer may spend."""
    made, began = Budget(None if request.param == "some" else MINUTE), time.monotonic()
    yield made
    if made.seconds is not None:
        told = f"{made.tried:>9,} examples in {time.monotonic() - began:3.0f} s  {request.node.nodeid}"
        request.node.user_properties.append(("fuzzed", told))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    told = {line for report in reports for key, line in getattr(report, "user_properties", ()) if key == "fuzzed"}
    if told:
        terminalreporter.section("fuzzers")
        for line in sorted(told, key=lambda line: line.rpartition("  ")[2]):
            terminalreporter.write_line(line)
