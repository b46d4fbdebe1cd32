"""Curves in one chart: told apart without colour, and named in the legend."""

from tui.render.curves import CHAMPION, FIRST, OTHERS, SECOND, Curve, overlaid
from tui.render.glyphs import ASCII, UNICODE


def test_no_two_lines_that_are_drawn_together_look_alike_without_colour() -> None:
    for together in ((FIRST, CHAMPION, *OTHERS), (FIRST, SECOND, *OTHERS)):
        for field in ("kind", "sign", "ascii", "role"):
            assert len({getattr(style, field) for style in together}) == len(together), field


def test_each_curve_is_in_the_chart_and_in_the_legend() -> None:
    styles = (FIRST, CHAMPION, *OTHERS)
    curves = [
        Curve(f"run {place}", [(float(x), 3 + place - 0.01 * x) for x in range(100)], style)
        for place, style in enumerate(styles)
    ]
    for glyphs in (UNICODE, ASCII):
        lines = overlaid(curves, "loss", 100, 100, 30, glyphs)
        legend = "".join(text for text, _ in lines[0])
        assert all(curve.name in legend for curve in curves) and "1.0 below at 99s" in legend
        drawn = {role for line in lines[2:] for _, role in line}
        assert {style.role for style in styles} <= drawn
        assert all(sum(len(text) for text, _ in line) <= 100 for line in lines)
    dots = {style.kind: _dots(style.role, curves) for style in styles}
    assert dots["line"] > dots["dashdot"] > dots["dashed"] > dots["sparse"], dots


def _dots(role: str, curves: list[Curve]) -> int:
    lines = overlaid(curves, "loss", 100, 100, 30, UNICODE)
    return sum(
        bin(ord(char) - 0x2800).count("1")
        for line in lines[2:]
        for text, how in line
        if how == role
        for char in text
        if char > "⠀"
    )


def test_a_run_that_reports_nothing_draws_nothing() -> None:
    assert overlaid([Curve("1", [], FIRST)], "loss", 100, 80, 20, UNICODE) == []


def test_a_run_that_has_just_begun_does_not_set_the_scale_of_another_one() -> None:
    first = Curve("1", [(float(x), 3 - 0.01 * x) for x in range(90)], FIRST)
    young = Curve("2", [(float(x), 50.0 - x) for x in range(10)], OTHERS[0])
    assert (
        overlaid([first, young], "loss", 100, 80, 20, UNICODE)[2:]
        == overlaid([first], "loss", 100, 80, 20, UNICODE)[2:]
    )
