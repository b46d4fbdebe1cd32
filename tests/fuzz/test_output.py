"""A run's output: any bytes mean the same in any pieces, and nothing in them breaks, holds up or fills the reader."""

import pickle
import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import strategies as st

from loop.runs.log import CappedLog, read_log, read_log_tail
from loop.runs.output import LINE_BYTES, TAIL_CHARS, OutputReader, Sample, crash_line
from loop.runs.reading.wanted import Wanted
from loop.study import codec
from loop.study import events as e
from tests.fuzz import corpus
from tests.fuzz.budget import Budget

KEYS = ("loss", "val_bpb", "step", "iter", "epoch", "tok/sec", "µs", "lr", "it/s", "_x", "train.loss", "9a", "METRIC")
VALUES = (
    *(
        "2.31",
        "1e-3",
        "1,204,331",
        "nan",
        "-inf",
        "NaN",
        "Infinity",
        "1e999",
        "-.5",
        "+3.",
        "39.8%",
        "1.2k/s",
        "50.3M",
        "12ms",
    ),
    *(
        "9" * 400,
        "9" * 5000,
        "1" + ",000" * 500,
        "1e" + "9" * 400,
        "0x1F",
        "1_000",
        "٣.٣",
        "²",
        "½",
        "1.2.3",
        "--1",
        "tensor(2.3)",
    ),
)
PIECES = st.sampled_from(
    (
        *(
            b"step ",
            b"iter 250: ",
            b"step 00500 (52.4%) | ",
            b"[3/20] ",
            b"Epoch 3: 45%|####      | 45/100 [00:12<00:15, 3.5it/s, ",
        ),
        *(
            b"\n",
            b"\r",
            b"\r\n",
            b" | ",
            b", ",
            b"{'",
            b"'}",
            b"---\n",
            b"METRIC ",
            b"\t",
            b"=",
            b": ",
            b"(150%)",
            b"(99999.9%)",
        ),
        *(
            b"\x1b[31m",
            b"\x1b[",
            b"\x1b]0;t",
            b"\x07",
            b"\x9b1m",
            b"\xff",
            b"\xc3",
            b"\xa9",
            b"\xe2\x80\xae",
            b"\0",
            b"\x1b" * 50,
        ),
        *(
            b"w" * (LINE_BYTES - 3),
            b"a: " * 300,
            b"1," * 2000,
            b"9" * 5000,
            b" " * 5000,
            b"-" * 5000,
            b"a=1 " * 100,
            b"val_loss ",
            b"Val Loss: 0.5",
            b"train loss 1.9, val loss 2.0",
            b"| val_loss | loss |\n",
            b"| 1 | 2,5 |",
            b'{"val_loss": 1, "a": {"loss": "2%"}}',
            b"val\x00_loss=3",
            b"status: correct",
            b"(" * 3000,
        ),
        *(
            b"Traceback (most recent call last):\n",
            b'  File "x", line 1\n',
            b"torch.OutOfMemoryError: CUDA out of memory.\n",
        ),
    )
)
OUTPUTS = st.lists(
    PIECES
    | st.builds(
        lambda key, mark, value: f"{key}{mark}{value} ".encode(),
        st.sampled_from(KEYS),
        st.sampled_from(": ="),
        st.sampled_from(VALUES),
    )
    | st.binary(max_size=30),
    max_size=30,
).map(b"".join)


WANTED = Wanted("val_loss", others=("loss", "µs", "status"))


def heard(data: bytes, pieces: int) -> tuple[OutputReader, list[Sample]]:
    """A reader that was fed in so many pieces, cut anywhere, and the samples that it gave."""
    chance = random.Random(zlib.crc32(data) + pieces)
    edges = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(pieces - 1))})
    reader = OutputReader(WANTED)
    samples = [sample for start, end in pairwise(edges) for sample in reader.feed(data[start:end], 1.0)]
    return reader, samples + reader.finish(1.0)


def read(data: bytes) -> None:
    whole, samples = heard(data, 1)
    for pieces in (2, 3, 50):
        again, found = heard(data, pieces)
        assert repr((found, again.summary(), again.tail())) == repr((samples, whole.summary(), whole.tail()))
        assert repr(again.answers()) == repr(whole.answers())
    assert len(whole.tail()) <= TAIL_CHARS and len(crash_line(whole.tail())) <= TAIL_CHARS
    assert "\x1b" not in whole.tail() and len(pickle.dumps(whole)) < 150_000
    for sample in samples:
        assert sample.progress is None or 0 <= sample.progress <= 1
        step = e.StepSampled(step=sample.step, progress=sample.progress, values=sample.values)
        assert repr(codec.decode(codec.encode(step))) == repr(step)
    told = whole.answers()
    assert (told.printed is None) == bool(told.missing) and all(len(text) <= 80 for text in told.texts.values())
    done = e.RunFinished(
        outcome="finished", metrics=told.metrics, texts=told.texts, printed=told.printed, tail=whole.tail()
    )
    assert repr(codec.decode(codec.encode(done))) == repr(done)


def test_any_output_means_the_same_in_any_pieces(budget: Budget) -> None:
    budget.spend("output", OUTPUTS, read)


@pytest.mark.parametrize("data", corpus.cases("output"))
def test_every_output_of_the_corpus_means_the_same_in_any_pieces(data: bytes) -> None:
    read(data)


FOUND = {
    "nanogpt.log": (250, {"loss": 1.9844}, {}),
    "autoresearch.log": (953, {"loss": 2.994044}, {"val_bpb": 0.9979, "num_steps": 953}),
    "hf-trainer.log": (None, {"loss": 2.31, "grad_norm": 1.25}, {}),
    "jsonl.log": (20, {"loss": 2.25, "lr": 0.0003}, {"val_bpb": 1.01}),
    "windows.log": (2, {"loss": 2.4}, {"val_bpb": 1.2}),
    "colours.log": (7, {"loss": 2.31}, {"val_bpb": 0.99}),
}
"""What must be found in real outputs: the last step, some of the last values, some of the summary."""


@pytest.mark.parametrize("name", FOUND)
def test_real_outputs_give_their_numbers(name: str) -> None:
    step, values, summary = FOUND[name]
    reader = OutputReader()
    data = (corpus.FOLDER / "output" / name).read_bytes()
    samples = [sample for at, line in enumerate(data.splitlines(keepends=True)) for sample in reader.feed(line, at)]
    samples += reader.finish(1e6)
    assert samples[-1].step == step
    assert {key: samples[-1].values[key] for key in values} == values
    assert {key: reader.summary()[key] for key in summary} == summary


def test_a_crash_is_told_by_its_last_line() -> None:
    reader = OutputReader()
    reader.feed((corpus.FOLDER / "output" / "cuda-out-of-memory.log").read_bytes(), 0)
    assert crash_line(reader.tail()).startswith("torch.OutOfMemoryError: CUDA out of memory.")


@pytest.mark.parametrize("data", corpus.cases("output"))
def test_a_log_gives_back_what_was_written_in_any_pieces(data: bytes, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with CappedLog(tmp_path) as log:
        for start in range(0, len(data), 999):
            log.write(data[start : start + 999])
    whole, offset, text = read_log(tmp_path, 0, len(data) + 1).text, 0, ""
    while (piece := read_log(tmp_path, offset, 4096)).text or piece.end > offset:
        offset, text = piece.end, text + piece.text
    assert text.replace("\ufffd", "") == whole.replace("\ufffd", "") and offset == len(data)
    assert read_log_tail(tmp_path).end <= len(data)
