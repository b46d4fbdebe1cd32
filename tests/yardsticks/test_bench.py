"""A bench of one small study, through the real loop."""

import json
from pathlib import Path

import pytest

from loop.errors import UserError
from loop.yardsticks import catalog
from loop.yardsticks.bench import Bench, plan
from loop.yardsticks.methods import method


def test_a_study_is_run_measured_and_not_run_again(tmp_path: Path) -> None:
    told: list[str] = []
    cells = plan([catalog.KNOWN["surface"]], [method("random")], [1], 1, 5)
    (found,) = Bench(tmp_path, told.append, True, 1).run(cells)
    assert found.lengths == 5 and found.runs == 5 and found.at[0] <= 3 and found.experiments >= 1
    assert found.levels[0] == pytest.approx(3.731971)
    assert told == [f"1 of 1: surface, random, 1 slot, seed 1: {found.kept} kept in 5 run lengths, true gain "
                    f"{found.gain:.3g}"]  # fmt: skip
    path = tmp_path / "surface" / "random" / "slots-1" / "seed-1.json"
    assert json.loads(path.read_text())["levels"] == list(found.levels)
    assert Bench(tmp_path, told.append, True, 1).run(cells) == [found]
    assert told[1:] == ["1 of 1 studies are there already"]
    path.unlink()  # killed before it was measured: what has run is not run again
    assert Bench(tmp_path, told.append, True, 1).run(cells)[0].levels == found.levels
    with pytest.raises(UserError, match="has studies of 5 run lengths, and 9 are asked for"):
        Bench(tmp_path, told.append, True, 1).run(plan([catalog.KNOWN["surface"]], [method("random")], [1], 1, 9))
