"""A loop whose researcher is a language model behind a real endpoint, through the real command line."""

import os
import re
import signal
from pathlib import Path

import pytest

from loop.researchers.llm.talk import IDLE
from loop.study import events as e
from tests.e2e.conftest import TRAIN, Bench
from tests.endpoint import Answer, Endpoint, Fault, Request

KEY = "sk-marker-0815-4711"
RATE = re.compile(r"^LEARNING_RATE = ([\d.]+)", re.MULTILINE)


CHECK = """\
import re

depth = int(re.search(r"DEPTH = (\\d+)", open("train.py").read())[1])
if depth > 50:
    raise ValueError("the logits are NaN")
print("val_bpb:", 1 + abs(depth - 8) / 10)
"""


def better(request: Request) -> Answer:
    """Proposes a rate nearer to the best, whatever the champion's is, and another one each time."""
    now = RATE.findall(request.text)[-1]
    new = f"{float(now) * (0.6 - 0.01 * (request.number - 1)):.5f}"
    edit = {"path": "train.py", "search": f"LEARNING_RATE = {now}", "replace": f"LEARNING_RATE = {new}"}
    title = {"title": f"LEARNING_RATE {now} → {new}", "hypothesis": "Smaller is calmer.", "expected_gain": 0.01}
    return Answer(reasoning=f"The rate {now} looks high.", calls=(("edit_file", edit), ("propose", title)))


def with_model(bench: Bench, endpoint: Endpoint, *arguments: str) -> list[str]:
    bench.environment["OPENAI_API_KEY"] = KEY
    return [*arguments, "--model", "test-model", "--base-url", endpoint.url]


def test_a_model_improves_the_program_and_its_key_is_nowhere(bench: Bench) -> None:
    bench.write("train.py", TRAIN + "print({name: os.environ[name] for name in os.environ})\n")
    bench.git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qam", "tell all")
    with Endpoint(better, key=KEY) as endpoint:
        done = bench.looptop(*with_model(bench, endpoint, "run", "--headless", "--experiments", "3"))
    study = bench.consistent()
    assert study.judged() == 3
    assert [x.researcher for x in study.experiments.values()] == ["you", "llm", "llm", "llm"]
    assert study.experiments[1].hypothesis == "Smaller is calmer." and study.experiments[1].expected == "better by 0.01"
    assert study.experiments[1].notes["model"] == "test-model"
    thoughts = "".join(event.body.text for event in bench.events("thought"))  # type: ignore[union-attr]
    assert "The rate 0.02 looks high." in thoughts and "+LEARNING_RATE = 0.01200" in thoughts
    assert study.tokens > 0 and study.usd_unknown
    results = endpoint.requests[-1].text
    assert "expected" in results and "LEARNING_RATE 0.02 → 0.01200" in results, (
        "each result is told in the next briefing"
    )
    said = [done.stdout, done.stderr, bench.looptop("show", "1").stdout, bench.looptop("log").stdout]
    said += [bench.looptop("status", "--json").stdout, bench.looptop("doctor", code=None).stdout]
    assert all(KEY not in text for text in said)
    assert "LOOPTOP_BUDGET_S" in said[3], "the run told its whole environment"
    for path in bench.root.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def test_a_conversation_without_a_proposal_is_told_in_a_sentence_and_without_a_traceback(bench: Bench) -> None:
    def answers(request: Request) -> Answer | Fault:
        if request.number <= IDLE + 1:
            return Answer(text="Let me think about it.")
        return Fault(status=400, message="roles must alternate") if request.number == IDLE + 2 else better(request)

    with Endpoint(answers) as endpoint:
        done = bench.looptop(*with_model(bench, endpoint, "run", "--headless", "--experiments", "1"))
    said = [fault.message for _, fault in bench.consistent().faults if fault.where == "llm"]
    assert said[0] == f"{IDLE} answers in a row brought nothing new"
    assert "refuses the request (400): roles must alternate" in said[1] and len(said) == 2
    assert said[0] in done.stdout and "ProposalFailed" not in done.stdout + done.stderr


def test_while_a_model_proposes_nothing_constants_are_tuned(bench: Bench) -> None:
    bench.program(limits={"experiments": 2}, keep={"baseline_runs": 2, "max_runs": 2})
    refuses = Fault(status=400, message="roles must alternate")
    with Endpoint(refuses) as endpoint:
        done = bench.looptop(*with_model(bench, endpoint, "run", "--headless"))
    study = bench.consistent()
    assert [x.researcher for x in study.experiments.values()] == ["you", "automl", "automl"]
    assert "made no proposal in 2 conversations in a row" in done.stdout


def test_a_model_that_proposes_nothing_ends_the_study_where_nobody_stands_in(bench: Bench) -> None:
    bench.write("train.py", "import os\nprint('val_bpb:', sum(map(int, os.environ['LOOPTOP_SEED'])) / sum((1, 2)))\n")
    bench.git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qam", "no constants")
    with Endpoint(Fault(status=400, message="roles must alternate")) as endpoint:
        done = bench.looptop(*with_model(bench, endpoint, "run", "--headless"), code=1)
    assert "made no proposal in 4 conversations in a row" in done.stdout and "roles must alternate" in done.stdout
    assert len(endpoint.requests) == 4 and bench.consistent().judged() == 0


def test_an_edit_in_text_becomes_an_experiment(bench: Bench) -> None:
    text = "--- a/train.py\n+++ b/train.py\n@@ -9 +9 @@\n-DEPTH = 4  # the best is 8\n+DEPTH = 8  # the best is 8\n"
    with Endpoint(Answer(text=f"Deeper learns more.\n\n{text}")) as endpoint:
        bench.looptop(*with_model(bench, endpoint, "run", "--headless", "--experiments", "1"))
    first = bench.consistent().experiments[1]
    assert first.title == "DEPTH = 8 # the best is 8" and first.hypothesis.startswith("Deeper learns more.")
    assert "DEPTH = 8" in bench.git("show", f"{first.commit}:train.py")


def test_words_and_interrupts_reach_the_model(bench: Bench) -> None:
    slow = Answer(reasoning="on and on " * 3000, rate=100)
    looks = Answer(calls=(("list_experiments", {}),))

    def waits(request: Request) -> Answer:
        if not any(request.kind == "steered" for request in bench.study().requests.values()):
            return Answer(reasoning="hm " * 3, rate=20, calls=looks.calls)
        return slow if "mind the depth" in request.text else looks

    def answers(request: Request) -> Answer:
        return better(request) if "enough thought" in request.text else waits(request)

    with Endpoint(answers) as endpoint:
        bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 2})
        bench.looptop(*with_model(bench, endpoint))
        bench.until(lambda: endpoint.requests)
        said = bench.looptop("steer", "mind the depth").stdout
        assert "heard" in said or "takes effect" in said
        bench.until(lambda: any("mind the depth" in request.text for request in endpoint.requests))
        bench.until(lambda: "on and on" in "".join(t.body.text for t in bench.events("thought")))  # type: ignore[union-attr]
        cut = next(request for request in endpoint.requests if "mind the depth" in request.text)
        bench.looptop("steer", "-i", "enough thought")
        bench.until(lambda: any("enough thought" in request.text for request in endpoint.requests))
        bench.until_stopped()
        again = next(request for request in endpoint.requests if "enough thought" in request.text)
        bench.until(lambda: cut.gone_at is not None)  # the endpoint may notice a moment after the next request
    assert "mind the depth" in again.text, "and it is the same conversation"
    outcomes = [request.outcome for request in bench.study().requests.values()]
    assert all("experiment 1" in outcome for outcome in outcomes), "the record says when each took effect"
    assert bench.consistent().judged() == 1


def test_pinned_words_stand_in_every_briefing_until_they_are_taken_back(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 2})
    with Endpoint(better) as endpoint:
        run = with_model(bench, endpoint, "run", "--headless")
        bench.looptop(*run, "--experiments", "1")
        bench.looptop("pin", "no new dependencies, ever")
        bench.program(limits={"experiments": 3}, keep={"baseline_runs": 2, "max_runs": 2})
        bench.looptop("run", "--headless", "--experiments", "2")
        bench.looptop("run", "--headless", "--experiments", "3")
        told = ["no new dependencies, ever" in request.text for request in endpoint.requests]
    assert told == [False, False, False] or told == [False, True, True]
    assert told[1:] == [True, True]


def test_a_rejected_proposal_comes_back_with_the_reason(bench: Bench) -> None:
    bench.program(limits={"experiments": 9}, review="all", keep={"baseline_runs": 2, "max_runs": 2})
    with Endpoint(better) as endpoint:
        bench.looptop(*with_model(bench, endpoint))
        bench.until(lambda: bench.study().experiments.get(1) and bench.study().experiments[1].phase == "waiting")
        bench.until(lambda: len(endpoint.requests) > 1), "the loop thinks on while a person decides"
        bench.looptop("reject", "1", "--why", "rates are out of bounds this week")
        bench.until(lambda: any("rates are out of bounds" in request.text for request in endpoint.requests))
        bench.looptop("stop", "--now")
    assert bench.consistent().experiments[1].verdict == "rejected"


def test_a_crash_is_repaired_as_an_experiment_of_its_own(bench: Bench) -> None:
    broken = Answer(calls=(
        ("edit_file", {"path": "train.py", "search": "DEPTH = 4", "replace": "DEPTH = 4 / 0"}),
        ("propose", {"title": "DEPTH by zero", "hypothesis": "none", "expected_gain": 0}),
    ))  # fmt: skip
    mended = Answer(calls=(
        ("edit_file", {"path": "train.py", "search": "DEPTH = 4 / 0", "replace": "DEPTH = 8"}),
        ("propose", {"title": "DEPTH 4 → 8", "hypothesis": "deeper", "expected_gain": 0.01}),
    ))  # fmt: skip
    with Endpoint(broken, mended) as endpoint:
        bench.looptop(*with_model(bench, endpoint, "run", "--headless", "--experiments", "2"))
    study = bench.consistent()
    assert study.experiments[1].verdict == "crashed" and study.experiments[2].verdict in ("kept", "discarded")
    assert study.experiments[2].title == "DEPTH 4 → 8 (repair of 1)" and study.experiments[2].notes["repairs"] == 1
    assert study.experiments[1].commit != study.experiments[2].commit
    assert "ZeroDivisionError" in endpoint.requests[1].text


def test_a_failed_verification_goes_back_to_its_conversation_with_the_verification_s_own_words(bench: Bench) -> None:
    bench.write("check.py", CHECK)
    bench.git("add", "check.py")
    bench.git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "check")
    bench.program(verify="python3 check.py", keep={"baseline_runs": 2, "max_runs": 2})
    wrong = Answer(calls=(
        ("edit_file", {"path": "train.py", "search": "DEPTH = 4", "replace": "DEPTH = 99"}),
        ("propose", {"title": "DEPTH 99", "hypothesis": "none", "expected_gain": 0}),
    ))  # fmt: skip
    mended = Answer(calls=(
        ("edit_file", {"path": "train.py", "search": "DEPTH = 99", "replace": "DEPTH = 8"}),
        ("propose", {"title": "DEPTH 4 → 8", "hypothesis": "deeper", "expected_gain": 0.01}),
    ))  # fmt: skip
    with Endpoint(wrong, mended) as endpoint:
        bench.looptop(*with_model(bench, endpoint, "run", "--headless", "--experiments", "2"))
    study = bench.consistent()
    assert study.experiments[2].notes.get("repairs") == 1, study.experiments[1].reason
    assert "ValueError: the logits are NaN" in endpoint.requests[1].text and "in <module>" in endpoint.requests[1].text


def test_a_champion_that_changes_during_a_thought_is_told_and_the_draft_is_put_on_top_of_it(bench: Bench) -> None:
    bench.program(limits={"experiments": 9}, review="all", keep={"baseline_runs": 2, "max_runs": 2})

    def while_it_thinks(request: Request) -> Answer:
        bench.looptop("approve", "1")
        bench.until(lambda: bench.study().champion == 1)
        edit = {"path": "train.py", "search": "DEPTH = 4", "replace": "DEPTH = 6"}
        return Answer(calls=(("edit_file", edit),))

    propose = Answer(calls=(("propose", {"title": "DEPTH 4 → 6", "hypothesis": "deeper", "expected_gain": 0.01}),))
    with Endpoint(better, while_it_thinks, propose) as endpoint:
        bench.looptop(*with_model(bench, endpoint))
        bench.until(lambda: bench.study().experiments.get(2) and bench.study().experiments[2].commit)
        bench.looptop("stop", "--now")
    told, second = endpoint.requests[2].text, bench.consistent().experiments[2]
    assert "experiment 1 (LEARNING_RATE 0.02 → 0.01200) has become the champion" in told
    text = bench.git("show", f"{second.commit}:train.py")
    assert second.parent == 1 and "LEARNING_RATE = 0.01200" in text and "DEPTH = 6" in text


@pytest.mark.parametrize("limit", [{"tokens": 600}, {"usd": 0.000001}])
def test_at_a_limit_of_money_what_was_paid_for_is_run_and_judged(bench: Bench, limit: dict[str, float]) -> None:
    bench.program(limits=limit, keep={"baseline_runs": 2, "max_runs": 2})
    config = Path(bench.environment["XDG_CONFIG_HOME"]) / "looptop" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[prices]\nread = 1\nwritten = 1\n")
    with Endpoint(better) as endpoint:
        done = bench.looptop(*with_model(bench, endpoint, "run", "--headless"))
    study = bench.consistent()
    assert len(endpoint.requests) == 1 and study.experiments[1].verdict in ("kept", "discarded")
    assert "limit reached" in done.stdout and ("tokens are used" in done.stdout or "are spent" in done.stdout)


def test_a_key_revoked_mid_way_stops_the_loop_with_the_setting_to_mend(bench: Bench) -> None:
    revoked = Fault(401, f"Incorrect API key provided: {KEY}.", code="invalid_api_key")
    with Endpoint(better, revoked) as endpoint:
        done = bench.looptop(*with_model(bench, endpoint, "run", "--headless"), code=1)
    assert "rejects the key" in done.stdout and "OPENAI_API_KEY" in done.stdout and KEY not in done.stdout
    study = bench.consistent()
    assert study.judged() == 1 and study.state == "failed"


def test_a_key_that_never_worked_stops_it_before_the_baseline_has_cost_anything(bench: Bench) -> None:
    bench.program(budget="30s", deadline="60s")
    with Endpoint(better, key="sk-another") as endpoint:
        done = bench.looptop(*with_model(bench, endpoint, "run", "--headless"), code=1, timeout=25)
    assert "rejects the key" in done.stdout
    bench.consistent()


def test_a_thought_that_was_killed_is_thought_again_and_nothing_is_lost(bench: Bench) -> None:
    bench.program(limits={"experiments": 2}, keep={"baseline_runs": 2, "max_runs": 2})
    slow = Answer(reasoning="on and on " * 3000, rate=100)
    with Endpoint(better, slow, better) as endpoint:
        bench.looptop(*with_model(bench, endpoint))
        bench.until(lambda: len(endpoint.requests) == 2)
        pid = bench.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        bench.until(lambda: bench.pid is None)
        before = bench.events()
        bench.looptop()
        bench.until_stopped()
    assert bench.events()[: len(before)] == before
    assert bench.consistent().judged() == 2


def test_an_endpoint_that_fails_for_a_while_costs_no_experiment(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 2})
    with Endpoint(Fault(503, "overloaded", headers={"retry-after-ms": "200"}), better) as endpoint:
        bench.looptop(*with_model(bench, endpoint, "run", "--headless"))
    faults = [event.body for event in bench.events("fault")]
    assert isinstance(faults[0], e.Fault) and "503" in faults[0].message and faults[0].next_at is not None
    assert bench.events("recovered")
    assert bench.consistent().judged() == 1


def test_without_key_and_endpoint_the_automl_researcher_works_and_says_how_to_switch(bench: Bench) -> None:
    bench.looptop("run", "--headless", "--experiments", "1")
    joined = bench.events("researcher_joined")[0].body
    assert isinstance(joined, e.ResearcherJoined) and joined.name == "automl"
    assert "--model" in joined.about and "OPENAI_API_KEY" in joined.about


def test_what_cannot_be_an_address_is_refused(bench: Bench) -> None:
    assert "http://" in bench.looptop("--base-url", "localhost:8000", code=2).stderr
    said = bench.looptop("--base-url", f"https://me:{KEY}@example.org/v1", code=2).stderr
    assert "OPENAI_API_KEY" in said and KEY not in said
