"""The chart of all experiments: counts in place of points at the rim, and what the points come to."""

import pytest

from loop.study import events as e
from loop.study.contract import Contract
from loop.study.figures import Figures
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.stories import Story
from tui.render.glyphs import ASCII, UNICODE
from tui.widgets.progress import ZOOMS, footer, kept_per_hundred, progress_lines, scene_of


def study_of(*values: float | None, contract: Contract | None = None) -> Study:
    """A baseline at 1.0 with a noise of 0.01, and an experiment for each value; None is a crash."""
    story = Story(contract).baseline()
    judged = e.ExperimentJudged(verdict=Outcome.KEPT, reason="first", metric=1.0, noise=0.01)
    story.tell(judged, 0).tell(e.ChampionChanged(commit="0" * 40, metric=1.0), 0)
    for number, value in enumerate(values, 1):
        story.propose(number).queue(number)
        story.runs(number, [value] if value is not None else [])
        story.judge(number, "crashed" if value is None else "discarded", value)
    return story.study()


@pytest.mark.parametrize("goal", ["min", "max"])
@pytest.mark.parametrize("zoom", ZOOMS)
def test_what_is_beyond_the_scale_is_counted_and_never_drawn_at_the_rim(zoom: str, goal: str) -> None:
    values = [1.0 + 0.002 * (number % 5) for number in range(30)]
    study = study_of(*values, 9.0, 8.0, -7.0, None, None, contract=Contract(verify=None, goal=goal))  # type: ignore[arg-type]
    scene = scene_of(study, Figures(study), zoom)
    assert scene is not None
    assert scene.above + scene.below + len(scene.tried) + len(scene.kept) == 34
    assert scene.failed == 2
    low, high = scene.y
    assert all(low <= y <= high for _, y in (*scene.tried, *scene.kept))
    assert scene.above == 2 and scene.below == 1, "a wild number does not set the scale"


def test_the_baseline_alone_is_a_point_and_no_wall_of_dots() -> None:
    study = study_of()
    scene = scene_of(study, Figures(study))
    assert scene is not None
    lines = progress_lines(study, Figures(study), scene, 80, 20, UNICODE)
    drawn = sum(char not in " │┤└─┬⠀" and not char.isascii() for line in lines for text, _ in line for char in text)
    assert 0 < drawn < 90, "the step line and the champion"
    assert not any(role == "band" for line in lines for _, role in line)
    said = "".join(text for text, _ in footer(study, Figures(study), 80, UNICODE))
    assert said == "its runs scatter by σ 0.010: a change must beat that"


def test_what_the_points_come_to_is_said_below_them() -> None:
    story = Story().baseline()
    for number in range(1, 205):
        kept = number in (3, 40, 100, 101, 204)
        story.propose(number).queue(number).runs(number, [0.9]).judge(number, "kept" if kept else "discarded", 0.9)
    study = story.study()
    assert kept_per_hundred(study) == [3, 1, 1]
    said = "".join(text for text, _ in footer(study, Figures(study), 80, ASCII))
    assert said.startswith("kept per 100: 3 1 1")
    narrow = "".join(text for text, _ in footer(study, Figures(study), 18, ASCII))
    assert narrow == "kept 5 of 204"
