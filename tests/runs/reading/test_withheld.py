"""The metric's number is left out of what a scratch run tells; everything else stays."""

import pytest

from loop.runs.reading.withheld import is_withheld, without_metric
from loop.study.contract import Contract
from loop.study.measure import MetricSource


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("val_bpb: 1.234", "val_bpb (withheld)"),
        ("step 10 loss 2.5 val_bpb 1.234 lr 0.1", "step 10 loss 2.5 val_bpb (withheld) lr 0.1"),
        ("METRIC val_bpb=1.234", "METRIC val_bpb (withheld)"),
        ("best Val BPB = nan", "best val_bpb (withheld)"),
        ('{"step": 3, "val_bpb": 1.234, "loss": 2.0}', '{"step": 3, "val_bpb (withheld), "loss": 2.0}'),
        ("step 10 loss 2.5", "step 10 loss 2.5"),
        ("train_bpb 1.234, 12 tok/s", "train_bpb 1.234, 12 tok/s"),
        ("RuntimeError: shapes 64 and 32", "RuntimeError: shapes 64 and 32"),
    ],
)
def test_by_its_name(line: str, told: str) -> None:
    assert without_metric(line, Contract(metric="val_bpb")) == told


def test_a_metric_that_is_a_loss_leaves_the_training_loss() -> None:
    contract = Contract(metric="loss", verify=None)
    assert without_metric("train loss 2.5 | loss 1.5", contract) == "train loss 2.5 | loss (withheld)"
    assert (
        is_withheld("loss", contract) and is_withheld("val_loss", contract) and not is_withheld("train_loss", contract)
    )


def test_by_the_programs_own_pattern_and_key() -> None:
    found = Contract(metric="score", verify=None, source=MetricSource(pattern=r"we got (\d+)"))
    assert without_metric("hello\nwe got 12\n", found) == "hello\n(withheld)\n"
    key = Contract(metric="score", verify=None, source=MetricSource(json="eval.f1"))
    assert "0.91" not in without_metric('{"eval": {"f1": 0.91}}', key)


def test_a_pattern_that_takes_for_ever_withholds_the_line() -> None:
    slow = Contract(metric="score", verify=None, source=MetricSource(pattern=r"((a|aa)+)+$"))
    assert without_metric("a" * 60 + "b", slow) == "(withheld)"
