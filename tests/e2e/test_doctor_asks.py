"""`looptop doctor` asks the endpoint: reachable, key accepted, model there, streams, calls tools."""

import json
from typing import Any

from tests.e2e.conftest import Bench
from tests.endpoint import Answer, Endpoint, Request

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
