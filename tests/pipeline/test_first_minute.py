"""What a study's first run hangs on is told while it hangs."""

from pathlib import Path

import pytest

from loop.study import events as e
from tests.supervisor.house import House, Scripted

HANGS = 'echo "curl: (6) Could not resolve host: example.org"\nsleep 1\necho "loss: 1.$LOOPTOP_SEED"\n'


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.pipeline.first_minute.LOOKS", (0.2, 0.2, 0.2))


def told(house: House) -> list[str]:
    return [
        f.body.message for f in house.events("fault") if isinstance(f.body, e.Fault) and f.body.where == "rehearsal"
    ]


async def test_a_server_that_it_waits_for(tmp_path: Path) -> None:
    house = House(tmp_path, script=HANGS)
    study = await house.work(Scripted())
    assert len(study.experiments[0].runs) == 2
    (said,) = told(house)
    assert said.startswith("run 0.1 has said nothing for") and "`network: on`" in said


async def test_silence_alone_says_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, script='echo started\nsleep 1\necho "loss: 1.$LOOPTOP_SEED"\n')
    await house.work(Scripted())
    assert told(house) == []
