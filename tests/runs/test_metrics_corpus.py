"""The output reader on the corpus of formats: all of them found, and nothing taken for something else."""

import pytest

from bench.metrics import Format, corpus

FORMATS = corpus()


def test_the_corpus_is_there() -> None:
    assert sum(one.value is not None for one in FORMATS) >= 40 and sum(one.value is None for one in FORMATS) >= 10


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_every_format_is_read_as_it_is_meant(one: Format) -> None:
    assert one.outcome() == ("" if one.value is None else "found"), one.read()
