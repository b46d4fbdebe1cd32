"""The cases, with every agent that is installed in the folder LOOPTOP_AGENTS; without it they are skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.cases import CASES, play
from tests.agents.roster import ROSTER

PREFIX = Path(os.environ.get("LOOPTOP_AGENTS", "/nowhere"))


def _pairs() -> Iterator[tuple[str, str]]:
    """Every case of every agent that is installed; one without a case for each of the others."""
    for name, agent in ROSTER.items():
        if not agent.installed(PREFIX):
            yield name, ""
            continue
        for case in CASES.values():
            if case.name not in agent.unable and (agent.bounded or not case.bounded):
                yield name, case.name


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("agent", "case"), list(_pairs()))
def test_a_real_agent_works_for_the_loop(agent: str, case: str, tmp_path: Path) -> None:
    if not case:
        pytest.skip(f"not installed: python -m tests.agents install {agent} --prefix DIR, then LOOPTOP_AGENTS=DIR")
    assert play(ROSTER[agent], CASES[case], PREFIX, tmp_path).problems == []
