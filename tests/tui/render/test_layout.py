"""Where things stand, at every size."""

import pytest

from tui.render.layout import ASIDE, VIEWS, Layout, Needs, layout


def overlaps(plan: Layout) -> bool:
    taken: set[tuple[int, int]] = set()
    for place in plan.places:
        cells = {(x, y) for x in range(place.x, place.x + place.width) for y in range(place.y, place.y + place.height)}
        if taken & cells:
            return True
        taken |= cells
    return False


@pytest.mark.parametrize("width", [60, 80, 109, 110, 120, 159, 160, 200, 317])
@pytest.mark.parametrize("height", [18, 24, 36, 50, 91])
def test_views_fill_the_room_between_the_bars_and_never_overlap(width: int, height: int) -> None:
    for view in VIEWS:
        for runs in (2, 3, 9, 65):
            plan = layout(width, height, view, needs=Needs(runs, runs // 2))
            assert view in {place.view for place in plan.places}
            assert len({place.view for place in plan.places}) == len(plan.places)
            assert not overlaps(plan)
            assert sum(place.width * place.height for place in plan.places) == width * (height - plan.status - 1)
            assert all(place.height >= 5 and place.width >= 45 for place in plan.places if place.boxed)
            assert all(place.height >= 2 for place in plan.places)


def test_80x24_shows_one_view_under_two_lines_and_the_tabs() -> None:
    plan = layout(80, 24, "experiments")
    assert [place.view for place in plan.places] == ["experiments"]
    assert plan.status == 3 and not plan.places[0].boxed


def test_the_runs_of_one_gpu_leave_the_narrow_screen_to_the_mind() -> None:
    places = {place.view: place.height for place in layout(80, 24, "runs", needs=Needs(2, 2)).places}
    assert places == {"runs": 2, "researchers": 3, "mind": 15}
    eight = {place.view: place.height for place in layout(80, 24, "runs", needs=Needs(9, 6)).places}
    assert eight["runs"] == 9 and eight["mind"] >= 6


@pytest.mark.parametrize("width", [110, 160])
def test_a_wide_screen_keeps_the_view_aside_that_was_looked_at_last(width: int) -> None:
    always = {"runs", "researchers", "experiments", "curves"}
    for aside in ASIDE:
        places = {place.view for place in layout(width, 50, "experiments", aside=aside).places}
        assert always | {aside} <= places
    assert "log" in {place.view for place in layout(width, 50, "log", aside="machine").places}


def test_zoom_shows_one_view_at_any_size() -> None:
    assert [place.view for place in layout(200, 50, "curves", zoomed=True).places] == ["curves"]


@pytest.mark.parametrize("size", [(40, 8), (59, 24), (200, 17)])
def test_a_small_terminal_has_one_view(size: tuple[int, int]) -> None:
    plan = layout(*size)
    assert not plan.tiny and plan.places[0].view == "runs"
    assert [place.view for place in layout(*size, "experiments").places] == ["experiments"]


@pytest.mark.parametrize(
    ("size", "rows"), [((39, 24), 23), ((80, 7), 6), ((24, 4), 3), ((24, 3), 3), ((10, 3), 1), ((1, 1), 1)]
)
def test_a_tiny_one_has_a_strip_and_a_line_to_type_into_where_there_is_room(size: tuple[int, int], rows: int) -> None:
    plan = layout(*size)
    assert plan.tiny and not plan.places and plan.status == rows and plan.keys == (rows > 1 and size != (24, 3))
