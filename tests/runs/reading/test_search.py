"""What a program asks for, found in the output of its runs; formats by the dozen are in `bench/metrics_corpus`."""

import time

import pytest

from loop.runs.output import OutputReader
from loop.runs.reading import in_file
from loop.runs.reading.search import Answers
from loop.runs.reading.source import SLOW
from loop.runs.reading.wanted import Wanted, wanted_by
from loop.study.contract import Contract
from loop.study.measure import MetricSource


def answers(metric: str, text: str, *, others: tuple[str, ...] = (), **source: str) -> Answers:
    reader = OutputReader(Wanted(metric, MetricSource.model_validate(source), others))
    reader.feed(text.encode(), 0)
    reader.finish(0)
    return reader.answers()


def value(metric: str, text: str, **source: str) -> float | None:
    return answers(metric, text, **source).metrics.get(metric)


@pytest.mark.parametrize(
    "line",
    [
        "score: 0.93", "score=0.93", "score 0.93", "score\t0.93", "score : 0.93", "score -> 0.93", "score is 0.93.",
        "'score': 0.93,", "(score=0.93)", "Result(score=0.93, time=3.2)", "score: tensor([0.93])", "score: (0.93,)",
        "score: 0.93 [0.91, 0.95]", "score: 0.93 (95% CI 0.91-0.95)", "a=1&score=0.93&b=2", "✅ score: **0.93**",
        "[score] 0.93", "[score: 0.93]", "+ score=0.93", "::set-output name=score::0.93", "score: $0.93",
        "a: 1 - score: 0.93 - b: 2", '<case name="x" score="0.93"/>', "score: 0.93!", "Final score: 0.93", "SCORE 0.93",
        "score: 93/100", "score (mean): 0.93", "score on the 10000 test images: 0.93", "2.0 | score  0.93 | other 1",
    ],
)  # fmt: skip
def test_a_name_and_its_number_in_any_dress(line: str) -> None:
    assert value("score", f"begin\n{line}\nend\n") == 0.93


@pytest.mark.parametrize(
    "line",
    ["scores: 0.9", "my_score: 0.9", "score_1: 0.9", "score.mean: 0.9", "score 3 goals", "score: none", "score: 1-0",
     "score did not improve from 0.9", "score: [0.9, 0.8]", "score@1: 0.9", "highscore=0.9", "--score 1.2.3"],
)  # fmt: skip
def test_what_is_another_name_or_no_number(line: str) -> None:
    assert value("score", f"begin\n{line}\nend\n") is None


def test_the_closest_spelling_counts_and_of_it_the_firmest_line() -> None:
    assert value("val_loss", "val_loss: 1\nVal Loss: 2\nbest val_loss: 3\n") == 1
    assert value("val_loss", "best val_loss: 3\nVal Loss: 2\n") == 2
    assert value("val_loss", "METRIC val_loss=1\nval_loss: 2\nstep 3 | val_loss: 3 | lr: 1\n") == 1
    assert value("val_loss", "val_loss: 2\nstep 3 | val_loss: 3 | lr: 1\n") == 2
    assert value("val_loss", "step 2 | val_loss: 4 | lr: 1\nstep 3 | val_loss: 3 | lr: 1\n") == 3


def test_of_two_spellings_that_are_equally_close_none_is_taken() -> None:
    torn = answers("val_loss", "Val Loss: 2\nval-loss: 3\n")
    assert torn.metrics.get("val_loss") is None
    assert torn.missing == (
        'its output has "Val Loss" and "val-loss" and no val_loss of its own: name in `metric:` the one that counts'
    )


def test_a_rule_begins_the_summary_and_takes_nothing_that_is_not_said_again() -> None:
    assert value("val_bpb", "val_bpb: 7\n---\nval_bpb: 0.9\n") == 0.9
    assert value("val_bpb", "val_bpb: 7\n---\ndone: 1\n") == 7
    assert value("val_bpb", "---\nval_bpb: 0.9\n---\nend of report\n") == 0.9


@pytest.mark.parametrize(("take", "taken"), [("last", 3), ("first", 4), ("min", 1), ("max", 4), ("mean", 2.75)])
def test_which_of_several_counts(take: str, taken: float) -> None:
    text = "".join(f"epoch {n} val_loss {loss}.0\n" for n, loss in enumerate((4, 1, 3, 3)))
    assert value("val_loss", text, take=take) == taken
    assert value("x", text, pattern="val_loss ([0-9.]+)", take=take) == taken


def test_a_pattern_finds_what_no_name_does_and_nothing_stands_in_for_it() -> None:
    assert value("ns", "BenchmarkSolve-8 100 12.5 ns/op\n", pattern=r"(\d\S* ns)/op") == 12.5e-9
    missing = answers("loss", "loss: 3\n", pattern=r"Loss=(\S+)")
    assert "loss" not in missing.metrics
    assert missing.missing == "its output has no `Loss=(\\S+)`; `metric:` in program.md says where to look"
    assert (
        'has no number where `loss: (\\w+)` looks, but "high"'
        in answers("x", "loss: high\n", pattern=r"loss: (\w+)").missing
    )


def test_a_pattern_that_takes_for_ever_is_given_up() -> None:
    reader = OutputReader(Wanted("x", MetricSource(pattern=r"((a|aa)+)+$")))
    began = time.process_time()
    for _ in range(SLOW * 4):
        reader.feed(b"a" * 5000 + b"!\n", 0)
    assert "takes too long on its lines: simplify the pattern" in reader.answers().missing
    assert time.process_time() - began < 30  # without a limit, longer than the universe is old


def test_a_path_leads_through_json_lines_dictionaries_and_documents() -> None:
    assert value("f1", '{"eval": {"f1": 0.8}}\n{"eval": {"f1": 0.9}}\n', json="eval.f1") == 0.9
    assert value("f1", "metrics: {'eval': {'f1': np.float64(0.8)}}\n", json="eval.f1") == 0.8
    assert value("f1", '{\n "runs": [{"f1": 0.7}, {"f1": "81%"}]\n}\n', json="runs.1.f1") == 81
    assert "has no eval.f1 in JSON" in answers("f1", '{"f1": 0.8}\n', json="eval.f1").missing


def test_a_missing_metric_is_told_with_the_closest_lines() -> None:
    text = "step 3 | lr: 0.1\ntest loss 2.0031\nval perplexity: 7.41\n"
    assert answers("val_loss", text).missing == (
        'its output has no val_loss; the closest lines are "test loss 2.0031" -> metric: test loss and '
        '"val perplexity: 7.41" -> metric: val perplexity'
    )
    assert value("test loss", text) == 2.0031
    assert answers("val_loss", "lr: 1\nwd: 2\n").missing == "its output has no val_loss (it has lr, wd)"
    assert answers("val_loss", "hello\n").missing == "its output has no val_loss and no other numbers"


def test_a_close_line_is_remembered_through_a_flood() -> None:
    assert '"test loss 2.0" -> metric: test loss' in answers("val_loss", "test loss 2.0\n" + "words\n" * 20_000).missing


def test_words_under_the_names_that_are_required() -> None:
    text = (
        'status: correct\nMETRIC checks=all passed\n{"verdict": "fine", "ok": true}\nquality: 0.9\nnote: ' + "x" * 200
    )
    found = answers("quality", text, others=("status", "checks", "verdict", "ok", "quality", "note", "absent"))
    assert found.texts == {
        "status": "correct", "checks": "all passed", "verdict": "fine", "ok": "true", "note": "x" * 80,
    }  # fmt: skip
    assert found.metrics["quality"] == 0.9


def test_how_the_metric_was_printed_is_kept() -> None:
    printed = answers("time", "best Time: 12.5 ms\n").printed
    assert printed is not None and (printed.name, printed.unit, printed.comma) == ("best Time", "s", "")
    comma = answers("x", "x: 0,5\n").printed
    assert comma is not None and comma.comma == "decimal"


def test_a_source_speaks_of_the_number_that_counts() -> None:
    contract = Contract.model_validate({"metric": {"name": "f1", "json": "eval.f1"}, "require": {"ok": "yes"}})
    assert wanted_by(contract, "run").source.key == "eval.f1" and wanted_by(contract, "run").others == ("ok",)
    verified = contract.model_copy(update={"verify": "python check.py"})
    assert wanted_by(verified, "run").by_name and wanted_by(verified, "verify").source.key == "eval.f1"


@pytest.mark.parametrize(
    ("content", "source", "found"),
    [
        ('{\n  "eval": {"f1": 0.8}\n}', {}, 0.8),
        ('{"train": {"f1": 0.9}, "eval": {"f1": 0.8}}', {"json": "eval.f1"}, 0.8),
        ('[{"epoch": 1, "f1": 0.7}, {"epoch": 2, "f1": 0.8}]', {}, 0.8),
        ('{"epoch": 1, "f1": 0.7}\n{"epoch": 2, "f1": 0.8}\n', {}, 0.8),
        ('{"log_history": [{"f1": 0.7}, {"f1": 0.8}], "best": 1}', {}, 0.8),
        ('{"f1": [0.7, 0.8]}', {"json": "f1.-1"}, 0.8),
        ("epoch,loss,f1\n1,0.5,0.7\n2,0.4,0.8\n", {}, 0.8),
        ("f1: 0.8\nloss: 0.4\n", {}, 0.8),
        ("f1: 0.9\nf1: 0.8\n", {"take": "min"}, 0.8),
        ("0.8\n", {"pattern": "^([0-9.]+)$"}, 0.8),
        ("0.8\n", {}, 0.8),
        ("80 %\n", {}, 80),
        ("0.8\n0.9\n", {}, None),
        ('{"train": {"f1": 0.9}, "eval": {"f1": 0.8}}', {}, None),
        ('{"f1": [0.7, 0.8]}', {}, None),
    ],
)
def test_a_file_is_read_by_the_same_rules(content: str, source: dict[str, str], found: float | None) -> None:
    wanted = Wanted("f1", MetricSource.model_validate({"file": "out.txt", **source}))
    told = in_file.read(content.encode(), wanted)
    assert told.metrics.get("f1") == found
    assert bool(told.missing) == (found is None) and (not told.missing or told.missing.startswith("out.txt has "))
