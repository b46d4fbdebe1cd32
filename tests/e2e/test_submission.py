"""A person's own edit: noticed when it is saved, offered, and run like any other experiment."""

from loop.study import events as e
from tests.e2e.conftest import Bench
from tests.e2e.test_loop import fingerprint
from tests.e2e.test_model import better, with_model
from tests.endpoint import Answer, Endpoint

THINKING = Answer(reasoning="on and on " * 30_000, rate=50)


def offered(bench: Bench) -> e.CheckoutChanged | None:
    found = bench.events("checkout_changed")
    body = found[-1].body if found else None
    return body if isinstance(body, e.CheckoutChanged) and body.files else None


def test_an_edit_is_offered_when_it_is_saved_and_runs_when_it_is_submitted(bench: Bench) -> None:
    bench.program(limits={}, keep={"baseline_runs": 2, "max_runs": 2})
    with Endpoint(THINKING) as endpoint:
        bench.looptop(*with_model(bench, endpoint))
        bench.until(lambda: endpoint.requests)
        assert offered(bench) is None
        text = (bench.root / "train.py").read_text()
        bench.write("train.py", text.replace("DEPTH = 4", "DEPTH = 8  # deeper"))
        bench.until(lambda: offered(bench))
        assert (found := offered(bench)) is not None
        assert (found.files, found.parent, found.lines_added, found.lines_removed) == (("train.py",), 0, 1, 1)
        before = fingerprint(bench.root)
        assert "it is experiment 2" in bench.looptop("submit", "-m", "twice as deep").stdout
        bench.until(lambda: 2 in bench.study().experiments and bench.study().experiments[2].verdict)
        assert fingerprint(bench.root) == before, "the checkout is not touched"
        bench.until(lambda: offered(bench) is None)
        again = bench.looptop("submit", code=1).stderr
        assert "that edit is experiment 2 already" in again
        bench.write("train.py", text)
        assert "as in experiment 0; edit it first" in bench.looptop("submit", code=1).stderr
        bench.looptop("stop", "--now")
    study = bench.study()
    mine = study.experiments[2]
    assert mine.submitted and mine.title == "twice as deep" and mine.verdict in ("kept", "discarded") and mine.runs
    assert 1 not in study.experiments, "the model is still thinking about its own"


def test_what_is_submitted_waits_for_nobody_and_passes_the_guards(bench: Bench) -> None:
    bench.program(limits={}, review="all", keep={"baseline_runs": 2, "max_runs": 2})
    with Endpoint(THINKING) as endpoint:
        bench.looptop(*with_model(bench, endpoint))
        bench.until(lambda: endpoint.requests)
        bench.write("train.py", "import (\n")
        bench.looptop("submit")
        bench.until(lambda: 2 in bench.study().experiments and bench.study().experiments[2].verdict)
        bench.looptop("stop", "--now")
    assert bench.study().experiments[2].verdict == "rejected"
    assert "does not parse" in bench.study().experiments[2].reason


def test_submitted_while_no_loop_runs_it_is_taken_up_by_the_next(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 2})
    with Endpoint(better) as endpoint:
        run = with_model(bench, endpoint, "run", "--headless")
        bench.looptop(*run, "--experiments", "1")
        text = (bench.root / "train.py").read_text()
        bench.write("train.py", text.replace("WARMUP = 0.1", "WARMUP = 0.2"))
        assert "takes effect when `looptop` starts one" in bench.looptop("submit").stdout
        bench.program(limits={"experiments": 3}, keep={"baseline_runs": 2, "max_runs": 2})
        bench.looptop("run", "--headless", "--experiments", "2")
    study = bench.consistent()
    mine = next(x for x in study.experiments.values() if x.submitted)
    assert mine.verdict in ("kept", "discarded") and "WARMUP" in mine.title
    assert len([x for x in study.experiments.values() if x.submitted]) == 1
