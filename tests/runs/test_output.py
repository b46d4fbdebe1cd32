"""The output reader: what it takes for a sample, for the summary and for the tail, whatever bytes it is fed."""

import math
import pickle
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.runs.output import LINE_BYTES, SUMMARY_KEYS, TAIL_CHARS, TAIL_LINES, OutputReader, Sample, crash_line
from loop.runs.reading.wanted import Wanted


def samples(text: str, now: float = 0.0) -> list[Sample]:
    reader = OutputReader()
    return reader.feed(text.encode(), now) + reader.finish(now)


def summary(text: str) -> dict[str, float]:
    reader = OutputReader()
    reader.feed(text.encode(), 0)
    reader.finish(0)
    return reader.summary()


def test_the_step_line_of_the_contract():
    (sample,) = samples("step 00500 (52.4%) | loss: 2.31 | lrm: 1.00 | tok/sec: 1,204,331 | mfu: 39.8%\n")
    assert sample.step == 500 and sample.progress == pytest.approx(0.524)
    assert sample.values == {"loss": 2.31, "lrm": 1.0, "tok/sec": 1204331, "mfu": 39.8}


@pytest.mark.parametrize(
    ("line", "step", "progress", "values"),
    [
        ("step:5/20 val_loss:3.28 train_time:315ms step_avg:nanms", 5, 0.25, {"val_loss": 3.28, "train_time": 0.315}),
        ("iter 250: loss=1.98, time=12.3ms", 250, None, {"loss": 1.98, "time": 0.0123}),
        ("[step 3] loss: 2", 3, None, {"loss": 2}),
        ("{'loss': 2.31, 'grad_norm': 1e-3, 'step': 7}", 7, None, {"loss": 2.31, "grad_norm": 0.001}),
        ("epoch: 1 | loss: -.5 | rate: 1.2k/s", None, None, {"epoch": 1, "loss": -0.5}),
        ("params: 50.3M tokens: 1.5B lr = +3e-4", None, None, {"params": 50.3e6, "tokens": 1.5e9, "lr": 3e-4}),
        ("\x1b[1mloss\x1b[0m: \x1b[31m2.31\x1b[0m, lr: 0.1\r", None, None, {"loss": 2.31, "lr": 0.1}),
        ("step 12", 12, None, {}),
        ("step 5 (150%) | a: 1", 5, 1.0, {"a": 1}),
    ],
)
def test_other_lines_that_are_samples(line: str, step: int | None, progress: float | None, values: dict[str, float]):
    (sample,) = samples(line + "\n")
    assert (sample.step, sample.progress) == (step, progress)
    assert {key: sample.values[key] for key in values} == pytest.approx(values)


@pytest.mark.parametrize(
    "line",
    [
        "loss: 2.31",
        "2026-01-02 12:30:45 INFO started",
        "train.py:123: UserWarning: something=wrong",
        "torch: 2.13.0 cuda: 12.8.1",
        "see http://host:8080/a and localhost:9090/b",
        "model: nanogpt info: information",
        "from: 2026-01-02 to: 2026-01-03",
        "the next step is to read on",
        "commit: 12ab34cd56ef7 date: 1/2/26",
    ],
)
def test_lines_that_are_no_samples(line: str):
    assert samples(line + "\n") == []


def test_nan_and_infinity_are_told_as_they_are():
    (sample,) = samples("step 1 | loss: nan | norm: -inf | scale: Infinity\n")
    assert math.isnan(sample.values["loss"])
    assert (sample.values["norm"], sample.values["scale"]) == (-math.inf, math.inf)
    assert math.isnan(summary("val_bpb: NaN\n")["val_bpb"]) and summary("val_bpb: 1e999")["val_bpb"] == math.inf


def test_two_samples_a_second_at_most_and_the_last_of_a_key_wins():
    reader = OutputReader()
    given_out = []
    for tick in range(40):  # ten lines a second for four seconds
        given_out += reader.feed(b"step %d | loss: %d | extra%d: 1\n" % (tick, tick, tick % 2), tick / 10)
    assert [sample.step for sample in given_out] == [0, 5, 10, 15, 20, 25, 30, 35]
    assert given_out[1].values == {"loss": 5, "extra0": 1, "extra1": 1}  # what was said in between is merged
    assert reader.waiting
    assert [sample.step for sample in reader.feed(b"", 4.1)] == [39]
    assert not reader.waiting and reader.finish(9) == []


def test_a_sample_held_back_at_the_end_is_not_lost():
    reader = OutputReader()
    reader.feed(b"step 1 | loss: 1\nstep 2 | loss: 2", 0)
    assert [(sample.step, sample.values) for sample in reader.finish(0)] == [(2, {"loss": 2})]


def test_the_summary_of_the_contract():
    text = "loss: 9\nval_bpb: 7\n---\nval_bpb:          0.997900\npeak_vram_mb:     45060.2\nnum_steps:        953\n"
    assert summary(text) == {"val_bpb": 0.9979, "peak_vram_mb": 45060.2, "num_steps": 953}


def test_without_a_rule_every_lone_pair_counts_and_the_last_wins():
    assert summary("val_bpb: 2\nwords in between\nval_bpb=1.5 \n  time: 300 s\n") == {"val_bpb": 1.5, "time": 300}
    assert summary("a: 1 b: 2\n") == {}  # a sample, and no summary


def test_metric_lines_count_wherever_they_stand():
    assert summary("METRIC val_bpb=0.9\n---\nother: 1\n") == {"val_bpb": 0.9, "other": 1}
    assert summary("METRIC a=1 b=2\nMETRIC a=3\n") == {"a": 3, "b": 2}
    assert summary("val_bpb: 5\nMETRIC val_bpb=4") == {"val_bpb": 4}
    assert summary("METRICS val_bpb=4\n") == {}


def test_a_closing_rule_does_not_wipe_out_the_summary():
    assert summary("---\nval_bpb: 1\n---\n") == {"val_bpb": 1}


def test_lines_end_at_either_sign_and_long_ones_are_cut():
    assert summary("a: 1\rb: 2\r\nc: 3\n\rd: 4") == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert summary("x" * LINE_BYTES + "\na: 1\n" + "y" * 3 * LINE_BYTES + "b: 2\n") == {"a": 1}


def test_a_verbose_run_still_has_its_last_numbers():
    text = "".join(f"layer_{number}: {number}\n" for number in range(SUMMARY_KEYS * 3)) + "val_bpb: 1\n"
    found = summary(text)
    assert found["val_bpb"] == 1 and len(found) == SUMMARY_KEYS


def test_the_tail_is_bounded_and_clean():
    reader = OutputReader()
    for number in range(1000):
        reader.feed(b"\x1b[2J%d %s\n" % (number, b"w" * 30), 0)
    reader.feed(b"10%\r20%\r30%\r\nlast\n\n", 0)
    lines = reader.tail().splitlines()
    assert lines[-2:] == ["30%", "last"] and lines[0] == "942 " + "w" * 30 and len(lines) == TAIL_LINES
    reader.feed(b"z" * 100_000, 0)
    assert len(reader.tail()) == TAIL_CHARS


def test_the_crash_line_is_the_last_tracebacks_end():
    first = (
        "Traceback (most recent call last):\n  File x\nKeyError: 1\n\nDuring handling, another exception occurred:\n\n"
    )
    second = (
        'Traceback (most recent call last):\n  File "y"\n    f()\ntorch.OutOfMemoryError: CUDA out of memory\nbye\n'
    )
    assert crash_line(first + second) == "torch.OutOfMemoryError: CUDA out of memory"
    assert crash_line('  File "x"\n    a b\nSyntaxError: invalid syntax\n\n') == "SyntaxError: invalid syntax"
    assert crash_line(" \n") == ""


PIECE = st.sampled_from(
    [
        *(b"step 1 | loss: 2.5\n", b"step ", b"a: 1", b" b=2", b"(5%)", b"1,204,331", b"%", b":"),
        *(b"\r", b"\n", b"\r\n", b"---\n", b"METRIC x=1\n", b"val: nan\n", b"k: 1e9999\n"),
        *(b"\x1b[3", b"1m", b"\xc3", b"\xa9", b"\xff" * 9, b"w" * 5000),
    ]
)


@given(st.lists(PIECE | st.binary(max_size=40), max_size=40), st.lists(st.integers(0, 20_000), max_size=20))
def test_any_bytes_mean_the_same_in_any_pieces(pieces: list[bytes], cuts: list[int]):
    data = b"".join(pieces)
    wanted = Wanted("val", others=("loss", "b"))
    at_once, bit_by_bit = OutputReader(wanted), OutputReader(wanted)
    expected = at_once.feed(data, 1.0) + at_once.finish(1.0)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found = [s for start, end in pairwise(edges) for s in bit_by_bit.feed(data[start:end], 1.0)]
    found += bit_by_bit.finish(1.0)
    assert repr(found) == repr(expected)  # repr, since nan is not equal to itself
    assert repr(bit_by_bit.summary()) == repr(at_once.summary())
    assert repr(bit_by_bit.answers()) == repr(at_once.answers())
    assert bit_by_bit.tail() == at_once.tail()


@pytest.mark.parametrize(
    "hostile",
    [
        b"w" * 1000,
        b"\n" * 1000,
        b"\x1b]" * 500,
        b"a: 1 b: 2 " * 100 + b"\n",
        b"%d: 1\n",
        b"a: " * 300 + b"\n",
        random.Random(0).randbytes(1000),
    ],
)
def test_hostile_bytes_do_not_make_it_grow(hostile: bytes):
    reader = OutputReader(Wanted("key1", others=("k2", "status")))
    for turn in range(500):  # half a megabyte
        reader.feed(hostile + b"key%d: 1\nstep %d | k%d: 1\n" % (turn, turn, turn), turn / 100)
    assert len(pickle.dumps(reader)) < 100_000
