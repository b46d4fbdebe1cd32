"""Where a project's number stands: printed in the ways of the field, in a file, in another unit, or nowhere."""

import textwrap
from typing import Any

import pytest

from loop.study import events as e
from loop.study.state import Study
from tests.e2e.conftest import Bench

BEGINS = "SCALE = 1.0\n"


def studied(bench: Bench, script: str, *arguments: str, code: int = 0, **front: Any) -> Study:
    """The study of a project with that script, after two baseline runs and `--experiments 1`."""
    bench.plain_python()
    bench.write("train.py", BEGINS + textwrap.dedent(script))
    bench.program(keep={"baseline_runs": 2, "max_runs": 1}, goal="max", **front)
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qam", "ours")
    bench.looptop("run", "--headless", "--researcher", "automl", "--experiments", "1", *arguments, code=code)
    return bench.consistent()


def test_a_logger_a_table_and_a_dictionary_need_no_change(bench: Bench) -> None:
    script = """
        import logging
        logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s")
        for epoch in (1, 2):
            logging.getLogger("trainer").info("epoch %d | loss %.3f, Test Accuracy: %.2f%%", epoch, 1 / epoch, 93.1)
        print("{'status': 'correct', 'epoch': 2.0}")
        print("| epoch | recall@10 |\\n|---|---|\\n| 1 | 0.4 |\\n| 2 | 0.41 |")
    """
    study = studied(bench, script, metric="test_accuracy", require={"status": "correct"}, report=["recall@10"])
    run = study.experiments[0].runs[1]
    assert run.metric == 93.1 and run.printed is not None and run.printed.unit == "%"
    assert run.metrics["recall@10"] == 0.41 and run.texts == {"status": "correct"}


def test_the_number_stands_in_a_file(bench: Bench, sandbox: str) -> None:
    script = """
        import json, os
        with open(os.path.join(os.environ["LOOPTOP_RUN_DIR"], "metrics.json"), "w") as file:
            json.dump({"train": {"f1": 0.99}, "eval": {"f1": 0.8}}, file)
    """
    metric = {"name": "f1", "file": "metrics.json", "json": "eval.f1"}
    assert studied(bench, script, "--sandbox", sandbox, metric=metric).experiments[0].metric == 0.8


def test_another_unit_is_no_improvement(bench: Bench) -> None:
    script = """
        print("speed: 10.5 ms" if SCALE == 1.0 else "speed: 999.0")
    """
    study = studied(bench, script, metric="speed")
    assert study.experiments[0].metric == 0.0105
    rejected = study.experiments[1]
    assert rejected.verdict == "rejected"
    assert rejected.reason == ("it printed speed without a unit, and the baseline in s: these numbers do not compare")


def test_a_missing_number_is_no_crash_and_names_what_would_read_it(bench: Bench) -> None:
    study = studied(bench, 'print("test loss 2.0031")\n', code=1, metric="val_loss")
    (end,) = (event.body for event in bench.events("run_finished"))
    assert isinstance(end, e.RunFinished) and (end.outcome, end.exit_code) == ("no_metric", 0)
    assert end.reason == 'its output has no val_loss; the closest line is "test loss 2.0031" -> metric: test loss'
    assert study.experiments[0].verdict == "no_metric"
    assert "no number" in bench.looptop("experiments").stdout
    assert bench.json("experiments")[0]["verdict"] == "no_metric"


@pytest.mark.parametrize("name", ["val_loss", "Val-Loss"])
def test_two_numbers_that_could_be_meant_are_none(bench: Bench, name: str) -> None:
    study = studied(bench, 'print("val loss: 1.0")\nprint("VAL_LOSS: 2.0")\n', code=1, metric=name)
    assert '"val loss" and "VAL_LOSS"' in study.experiments[0].reason
