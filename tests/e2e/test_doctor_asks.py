"""`looptop doctor` asks the endpoint: reachable, key accepted, model there, streams, calls tools."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from loop.config.settings import Settings
from loop.researchers.agents.checkup import examine as agent
from loop.researchers.llm import checkup
from tests.e2e.conftest import Bench
from tests.endpoint import Answer, Endpoint, Fault, Request

KEY = "sk-marker-0815-4711"


def reports(request: Request) -> Answer:
    """Calls the tool it is asked to call, where there is one."""
    called = (("report", {"number": 7}),) if request.tools else ()
    return Answer(reasoning="They want a seven.", text="" if called else "7", calls=called)


def findings(bench: Bench, endpoint: Endpoint, code: int | None = 0, **environ: str) -> dict[str, dict[str, Any]]:
    bench.environment |= {"LOOPTOP_BASE_URL": endpoint.url, "OPENAI_API_KEY": KEY, **environ}
    bench.plain_python()
    found = json.loads(bench.looptop("doctor", "--json", code=code).stdout)
    assert KEY not in str(found)
    return {finding["what"]: finding for finding in found}


def test_an_endpoint_that_has_it_all(bench: Bench) -> None:
    with Endpoint(reports, key=KEY) as endpoint:
        found = findings(bench, endpoint)
    assert found["endpoint"]["good"] and endpoint.url in found["endpoint"]["said"]
    assert "test-model answers and streams; its reasoning streams too" in found["model"]["said"]
    assert found["tools"] == found["tools"] | {"good": True, "said": "it calls tools"}


def test_a_model_without_tools_is_no_hindrance(bench: Bench) -> None:
    with Endpoint(reports, tools=False, stream_options=False) as endpoint:
        found = findings(bench, endpoint)
    assert found["model"]["good"] and not found["tools"]["good"] and "blocks of text" in found["tools"]["said"]


def test_a_key_that_is_rejected_and_a_model_that_is_missing_are_told(bench: Bench) -> None:
    with Endpoint(reports, key="sk-another") as endpoint:
        assert "OPENAI_API_KEY" in findings(bench, endpoint, code=1)["endpoint"]["said"]
    with Endpoint(reports, models=("a", "b")) as endpoint:
        assert "a, b" in findings(bench, endpoint, code=1)["model"]["said"]
        assert "--model" in findings(bench, endpoint, code=1, LOOPTOP_MODEL="c")["model"]["said"]


def test_an_endpoint_that_is_not_there_is_told(bench: Bench) -> None:
    with Endpoint(reports) as endpoint:
        endpoint.stop()
        found = findings(bench, endpoint, code=1)
    assert "cannot be reached" in found["endpoint"]["said"] and "--base-url" in found["endpoint"]["remedy"]


def test_flags_are_obeyed_before_and_behind_the_command(bench: Bench) -> None:
    bench.plain_python()
    with Endpoint(reports, models=("one", "two")) as endpoint:
        flags = ("--model", "two", "--base-url", endpoint.url)
        for words in ((*flags, "doctor", "--json"), ("doctor", "--json", *flags)):
            found = {one["what"]: one for one in json.loads(bench.looptop(*words).stdout)}
            assert "two answers and streams" in found["model"]["said"], words
    found = {one["what"]: one for one in json.loads(bench.looptop("--budget", "7s", "doctor", "--json").stdout)}
    assert "7 s a run" in found["program.md"]["said"]
    assert "--budget: it must be greater than 0" in bench.looptop("--budget", "0s", "doctor", code=2).stderr


CLAUDE = """#!/bin/sh
echo "$*" >> asked
case "$1" in
    --version) echo "2.1.0 (Claude Code)" ;;
    auth) [ -n "$ANTHROPIC_API_KEY" ] ;;
    *) touch proposed ;;
esac
"""


def test_an_agent_is_asked_for_its_version_and_its_login_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "claude").write_text(CLAUDE)
    (tmp_path / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    version, login = agent("claude -p --verbose")
    assert version.good and version.said == "2.1.0 (Claude Code)"
    assert not login.good and "ANTHROPIC_API_KEY" in login.remedy
    assert agent("ANTHROPIC_API_KEY=sk-1 timeout 60 claude -p")[1].good
    (unknown,) = agent("sh my-agent.sh --claude")
    assert unknown.good and "first proposal" in unknown.said
    assert (tmp_path / "asked").read_text().splitlines() == ["--version", "auth status"] * 2
    (tmp_path / "claude").write_text("#!/bin/sh\necho 'node: not found' >&2; exit 127\n")
    (broken,) = agent("claude -p")
    assert not broken.good and broken.said == "claude does not start: node: not found"


async def test_an_answer_that_goes_on_for_ever_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "PATIENCE_S", 3.0)
    with Endpoint(Fault(hang_after=3, answer=Answer(reasoning="a b c d e"))) as endpoint:
        answers = await checkup.examine(Settings(base_url=endpoint.url, model="test-model"))
    said = {answer.question: answer for answer in answers}
    assert said["model"].good and said["model"].said == "test-model answers and streams, and is not done after 3 s"
    assert not said["tools"].good
