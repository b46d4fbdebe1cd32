"""Numbers and units, as programs print them."""

import math

import pytest

from loop.runs.reading.numbers import Number, of_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("2.31", 2.31), ("1e-3", 1e-3), ("1.0E+01", 10), (".5", 0.5), ("-.5", -0.5), ("−0.5", -0.5), ("3.", 3)],
        *[("1,204,331", 1204331), ("1,234", 1234), ("1,234.5", 1234.5), ("1_204_331", 1204331)],
        *[("0,123", 0.123), ("12,50", 12.5), ("0,5", 0.5), ("1.234,5", 1234.5), ("-0,25", -0.25)],
        *[("1.5B", 1.5e9), ("50.3M", 50.3e6), ("1.2k", 1200), ("9899/10000", 0.9899)],
        *[("tensor(0.12)", 0.12), ("tensor(0.12, device='cuda:0')", 0.12), ("np.float64(0.1)", 0.1)],
    ],
)
def test_a_number_without_a_unit(text: str, value: float) -> None:
    found = of_text(text)
    assert found is not None and found[:2] == (pytest.approx(value, rel=1e-15), "")


@pytest.mark.parametrize(
    ("texts", "value", "unit"),
    [
        (("12.5 ms", "0.0125 s", "12500us", "12500 µs", "12500μs", "12.5msec"), 0.0125, "s"),
        (("90 s", "1.5 min", "1m30s", "0:01:30", "90 seconds", "90sec"), 90.0, "s"),
        (("1.5 GiB", "1610612736 bytes", "1536MiB"), 1.5 * 1024**3, "B"),
        (("64kB", "64 KB", "0.064MB"), 64_000.0, "B"),
        (("93.1%", "93.1 %"), 93.1, "%"),
        (("12 ms/step", "0.012 s/step"), 0.012, "s/step"),
        (("10 GB/s", "10000 MB/s", "10 MB/ms"), 1e10, "B/s"),
        (("1.2M tok/s", "1,200,000 tok/sec", "1200k tok/s"), 1.2e6, "tok/s"),
        (("10 TFLOPS", "10000 GFLOPS"), 1e13, "FLOPS"),
        (("3.5it/s",), 3.5, "it/s"),
        (("12x",), 12.0, "x"),
    ],
)
def test_a_unit_is_brought_to_its_base(texts: tuple[str, ...], value: float, unit: str) -> None:
    for text in texts:
        found = of_text(text)
        assert found is not None and (found.value, found.unit) == (pytest.approx(value, rel=1e-15), unit), text


def test_the_same_time_in_two_units_is_the_same_number_to_the_last_digit() -> None:
    for thousandths in range(1, 3000, 7):
        in_ms, in_us, in_s = of_text(f"{thousandths / 1000}ms"), of_text(f"{thousandths}us"), f"{thousandths}e-6"
        assert in_ms is not None and in_us is not None and in_ms.value == in_us.value == float(in_s)


@pytest.mark.parametrize(("text", "comma"), [("0,123", "decimal"), ("1,234", "thousands"), ("1.5", "")])
def test_what_a_comma_was_taken_for_is_kept(text: str, comma: str) -> None:
    found = of_text(text)
    assert found is not None and found.comma == comma


@pytest.mark.parametrize("text", ["", "x", "2.13.0", "2026-01-02", "12:30", "0x1F", "--1", "1,2,3", "nanogpt", "½"])
def test_what_is_no_number(text: str) -> None:
    assert of_text(text) is None


def test_what_is_not_finite_is_told_as_it_is() -> None:
    nan, infinite, huge = of_text("nanms"), of_text("-inf"), of_text("1e999 ms")
    assert nan is not None and math.isnan(nan.value)
    assert infinite == Number(-math.inf) and huge == Number(math.inf, "s")
