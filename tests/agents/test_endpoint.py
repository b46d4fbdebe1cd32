"""The played model answers in four protocols, streamed or whole, and fails as services do."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.agents.endpoint import PlayedModel

TASK = "Improve train.py.\n# How to end"
SCHEMA = {"type": "object", "properties": {"file_path": {"type": "string"}}, "required": ["file_path"]}
READ = {"name": "read_file", "description": "reads"}

REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "anthropic": (
        "/v1/messages",
        {"messages": [{"role": "user", "content": TASK}], "tools": [READ | {"input_schema": SCHEMA}]},
    ),
    "chat": (
        "/v1/chat/completions",
        {
            "messages": [{"role": "user", "content": TASK}],
            "tools": [{"type": "function", "function": READ | {"parameters": SCHEMA}}],
        },
    ),
    "responses": ("/v1/responses", {"input": TASK, "tools": [READ | {"type": "function", "parameters": SCHEMA}]}),
    "gemini": (
        "/v1beta/models/played:streamGenerateContent",
        {
            "contents": [{"role": "user", "parts": [{"text": TASK}]}],
            "tools": [{"functionDeclarations": [READ | {"parameters": SCHEMA}]}],
        },
    ),
}


def post(model: PlayedModel, protocol: str, stream: bool) -> str:
    path, body = REQUESTS[protocol]
    if protocol == "gemini" and not stream:
        path = path.replace("streamGenerateContent", "generateContent")
    data = json.dumps(body | {"model": "played", "stream": stream}).encode()
    with urllib.request.urlopen(urllib.request.Request(model.url + path, data), timeout=20) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("protocol", REQUESTS)
def test_it_reads_the_file_with_the_tool_that_it_is_offered(protocol: str) -> None:
    with PlayedModel() as model:
        whole = json.loads(post(model, protocol, stream=False))
        streamed = [line[6:] for line in post(model, protocol, stream=True).splitlines() if line.startswith("data: {")]
    assert "read_file" in json.dumps(whole) and "train.py" in json.dumps(whole)
    assert len(streamed) > 2 and all(json.loads(line) for line in streamed)
    assert "read_file" in "".join(streamed)


@pytest.mark.parametrize("protocol", REQUESTS)
def test_it_fails_with_the_status_of_its_scene_for_as_long_as_that_lasts(protocol: str) -> None:
    with PlayedModel("429 for 1") as model:
        with pytest.raises(urllib.error.HTTPError) as failed:
            post(model, protocol, stream=True)
        said = json.loads(failed.value.read())
        assert failed.value.code == 429 and said["error"]["message"].startswith("You have exceeded your rate limit")
        assert "read_file" in post(model, protocol, stream=True)
