"""Near wins that come back together, in the whole loop: real git and journal, runs that end at once."""

from pathlib import Path

import pytest

from loop.lineage import Lineage
from tests.fake_executor import scored
from tests.supervisor.house import House, Scripted, change
from tui.cli.status_text import details

LINES = "\n".join(f"V{n}=5" for n in range(8)) + "\necho no\n"


pytestmark = pytest.mark.usefixtures("quick")


def loss(script: str, seed: int) -> float:
    """Each 4 gains 0.07 and each 9 loses 2, where one run scatters by 0.07."""
    return 10.0 - 0.07 * script.count("=4") + 2 * script.count("=9") + (seed + 1) % 2 / 10


async def test_near_wins_come_back_together_and_their_parts_are_named(tmp_path: Path) -> None:
    house = House(tmp_path, front="ahead: false\n", script=LINES)
    house.executor = scored(tmp_path, loss)
    ideas = [change(f"V{n}=5", f"V{n}=4") for n in range(6)]
    study = await house.work(Scripted(change("V6=5", "V6=9"), *ideas))
    (bundle,) = [x for x in study.experiments.values() if x.parts]
    assert set(bundle.parts) <= set(range(2, 8)) and len(bundle.parts) >= 4 and bundle.verdict == "kept"
    assert study.champion == bundle.id and bundle.researcher == "bundles"
    text = (Lineage(tmp_path, "test").commits.read(study.branch, "run.sh") or b"").decode()
    assert text.count("=4") == len(bundle.parts) and "=9" not in text
    (commit,) = [found for found in Lineage(tmp_path, "test").history.read() if found.id == bundle.id]
    assert commit.trailers["Parts"] == ", ".join(map(str, bundle.parts))
    part = study.experiments[bundle.parts[0]]
    assert any(f"experiment {bundle.id}" in line for line in details(study, part))
    assert any("brings together" in line for line in details(study, bundle))


async def test_a_program_may_say_no(tmp_path: Path) -> None:
    house = House(tmp_path, front="ahead: false\nbundles: false\n", script=LINES)
    house.executor = scored(tmp_path, loss)
    study = await house.work(Scripted(*(change(f"V{n}=5", f"V{n}=4") for n in range(6))))
    assert not any(x.parts for x in study.experiments.values())
