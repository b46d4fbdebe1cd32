"""`results.tsv` is an agent's handwriting: every row that makes sense is read, and of every other one it is said."""

from hypothesis import given
from hypothesis import strategies as st

from loop.guests import results
from loop.study.outcomes import Outcome

HEAD = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"


def test_the_file_of_the_original() -> None:
    text = HEAD + "a1b2c3d\t0.997900\t44.0\tkeep\tbaseline\nb2c3d4e\t0.993200\t44.2\tkeep\tincrease LR to 0.04\n"
    text += "c3d4e5f\t1.005000\t44.0\tdiscard\tswitch to GeLU activation\n"
    text += "d4e5f6a\t0.000000\t0.0\tcrash\tdouble model width (OOM)\n"
    found = results.read(text)
    assert (found.metric, found.said) == ("val_bpb", [])
    assert [row.commit for row in found.rows] == ["a1b2c3d", "b2c3d4e", "c3d4e5f", "d4e5f6a"]
    assert [row.outcome for row in found.rows] == [Outcome.KEPT, Outcome.KEPT, Outcome.DISCARDED, Outcome.CRASHED]
    assert [row.metric for row in found.rows] == [0.9979, 0.9932, 1.005, None], "a crash has no number, not the best"
    assert [row.memory_gb for row in found.rows] == [44.0, 44.2, 44.0, None]
    assert found.rows[1].description == "increase LR to 0.04"


def test_what_is_torn_or_odd_is_said_and_takes_nothing_with_it() -> None:
    rows = [
        "a1b2c3d\t0.99\t44.0\tkeep\tfine",
        "",
        "a1b2c3d\t0.98\t44.0",
        "none\t0.97\t44.0\tdiscard\tno commit",
        "a1b2c3d\t0.96\t44.0\tmaybe\tan odd status",
        "a1b2c3d\t\t44.0\tmaybe\tan odd status without a number",
        "a1b2c3d\tnan\t44.0\tkeep\tkept without a number",
        "a1b2c3d\t0.95\t44.0\tKEEP\ttabs\tin\tit\r",
        "a1b2c3d\t0.9",
    ]
    found = results.read("\ufeff" + HEAD + "\n".join(rows))
    assert [(row.line, row.outcome, row.metric) for row in found.rows] == [
        (2, Outcome.KEPT, 0.99),
        (5, Outcome.DISCARDED, 0.97),
        (6, Outcome.DISCARDED, 0.96),
        (7, Outcome.CRASHED, None),
        (8, Outcome.CRASHED, None),
        (9, Outcome.KEPT, 0.95),
    ]
    assert found.rows[-1].description == "tabs in it"
    assert [sentence.split()[1] for sentence in found.said] == ["4", "5", "6", "7", "8", "10"]
    assert "torn (3 of 5 columns)" in found.said[0] and "'maybe'" in found.said[2]


def test_a_file_without_a_head_and_one_of_another_metric() -> None:
    assert len(results.read("a1b2c3d\t0.99\t44.0\tkeep\tfine\n").rows) == 1
    assert results.read(HEAD.replace("val_bpb", "val_loss")).metric == "val_loss"


CELLS = st.sampled_from(("a1b2c3d", "0.9", "nan", "1e999", "keep", "crash", "", "x", "commit", "-0", "\x00", "é", "ﬀ"))


@given(st.lists(st.lists(CELLS, max_size=7).map("\t".join) | st.text(max_size=30), max_size=8).map("\n".join))
def test_any_text_is_read(text: str) -> None:
    found = results.read(text)
    for row in found.rows:
        assert row.outcome.is_verdict and (row.metric is None) == row.outcome.is_failure
        assert row.description and "\n" not in row.description
    assert len(found.rows) <= len(text.split("\n"))
    assert all("\n" not in sentence for sentence in found.said)
