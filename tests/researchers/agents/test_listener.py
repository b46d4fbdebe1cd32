"""What coding agents print: made readable, whoever they are, and harmless, whatever they print."""

import json
import random
from typing import Any

import pytest

from loop.researchers.agents.agent_events import Failure, ToolUse, Usage
from loop.researchers.agents.listener import LONGEST_LINE, Listener, Words
from loop.researchers.closing import closing
from loop.researchers.protocol import Closing
from tests.researchers.agents.streams import BASH, INIT, RESULT, bash_result, claude, jsonl, listen


def test_claude_code_thinks_uses_tools_and_says_what_it_cost() -> None:
    before = jsonl(INIT, claude({"type": "thinking", "thinking": "Hm."}), claude(BASH, input_tokens=3, output_tokens=9))
    after = jsonl(bash_result(), claude({"type": "text", "text": "Done.\ntitle: wider"}), RESULT)
    words, tools, costs, final = listen(before, (2.5, after))
    assert words == "Hm.\nDone.\ntitle: wider\n"
    assert tools == [ToolUse("Bash: python train.py", "val_bpb: 1.0…", 2.5)]
    assert costs == [Usage(read=1110, cached=1000, written=50, usd=0.31, model="claude-x")]
    assert final == "Done.\ntitle: wider\n"


def test_claude_code_in_pieces_is_told_once() -> None:
    def piece(**delta: str) -> dict[str, Any]:
        return {"type": "stream_event", "event": {"type": "content_block_delta", "delta": delta}}

    stop = {"type": "stream_event", "event": {"type": "content_block_stop"}}
    thinking = (piece(type="thinking_delta", thinking="H"), piece(type="thinking_delta", thinking="m."))
    whole = claude({"type": "thinking", "thinking": "Hm."})
    text = (piece(type="text_delta", text="Do"), piece(type="text_delta", text="ne."))
    tool = piece(type="input_json_delta", partial_json='{"command":')
    words, tools, _, final = listen(
        jsonl(INIT, *thinking, whole, stop, *text, claude({"type": "text", "text": "Done."}), stop, tool, claude(BASH))
    )
    assert words == "Hm.\nDone.\n"
    assert final == "Done.\n"
    assert [tool.intent for tool in tools] == ["Bash: python train.py"]


def test_claude_code_that_is_ended_early_still_says_what_its_messages_took() -> None:
    first, again = claude(BASH, input_tokens=3, output_tokens=1), claude(BASH, input_tokens=3, output_tokens=9)
    _, tools, costs, _ = listen(jsonl(INIT, first, again))
    assert costs == [Usage(read=3, written=9, model="claude-x")]
    assert tools == [ToolUse("Bash: python train.py", "no result", 0.0)]


def test_claude_code_that_fails_says_why() -> None:
    failed = {"type": "result", "subtype": "error_max_turns", "is_error": True, "total_cost_usd": 0.5, "usage": {}}
    words, tools, costs, _ = listen(jsonl(INIT, claude(BASH), bash_result(is_error=True, content="no"), failed))
    assert "(failed: it reached its limit of turns)" in words
    assert tools[0].result == "failed: no"
    assert costs == [Usage(usd=0.5, model="claude-x")]


def test_a_single_json_result_of_claude_code_is_its_text() -> None:
    words, _, costs, final = listen(jsonl(RESULT))
    assert words == final == "Done.\ntitle: wider\n"
    assert costs[0].usd == 0.31


def test_codex_runs_commands_changes_files_and_counts_tokens() -> None:
    command = {"id": "i1", "type": "command_execution", "command": "bash -lc 'ls'", "aggregated_output": ""}
    ended = command | {"aggregated_output": "ls: no\n", "exit_code": 2, "status": "failed"}
    change = {"id": "i2", "type": "file_change", "changes": [{"path": "train.py", "kind": "update"}]}
    usage = {"input_tokens": 100, "cached_input_tokens": 60, "output_tokens": 20, "reasoning_output_tokens": 5}
    words, tools, costs, final = listen(
        jsonl({"type": "thread.started", "thread_id": "x"}, {"type": "item.started", "item": command}),
        (1.5, jsonl({"type": "item.completed", "item": ended})),
        (
            2.0,
            jsonl(
                {"type": "item.completed", "item": change | {"status": "completed"}},
                {"type": "item.completed", "item": {"id": "i3", "type": "reasoning", "text": "**Wider**"}},
                {"type": "item.completed", "item": {"id": "i4", "type": "agent_message", "text": "Looking."}},
                {"type": "item.completed", "item": {"id": "i5", "type": "agent_message", "text": "title: wider"}},
                {"type": "turn.completed", "usage": usage},
                {"type": "turn.failed", "error": {"message": "usage limit"}},
            ),
        ),
    )
    assert words == "**Wider**\nLooking.\ntitle: wider\n(failed: usage limit)\n"
    assert tools == [ToolUse("bash -lc 'ls'", "exit code 2: ls: no", 1.5), ToolUse("update train.py", "completed", 0.0)]
    assert costs == [Usage(read=100, cached=60, written=20, reasoning=5)]
    assert final.startswith("title: wider\n")


def test_gemini_cli_streams_its_answer_in_pieces() -> None:
    words, tools, costs, final = listen(
        jsonl(
            {"type": "init", "session_id": "s", "model": "gemini-x"},
            {"type": "message", "role": "user", "content": "the whole briefing " * 100},
            {"type": "message", "role": "assistant", "content": "I wi", "delta": True},
            {"type": "message", "role": "assistant", "content": "ll look.", "delta": True},
            {"type": "tool_use", "tool_name": "read_file", "tool_id": "1", "parameters": {"file_path": "train.py"}},
        ),
        (
            0.5,
            jsonl(
                {"type": "tool_result", "tool_id": "1", "status": "error", "error": {"message": "not there"}},
                {"type": "message", "role": "assistant", "content": "title: ", "delta": True},
                {"type": "message", "role": "assistant", "content": "wider", "delta": True},
                {
                    "type": "result",
                    "status": "success",
                    "stats": {"total_tokens": 130, "input_tokens": 100, "output_tokens": 20, "cached": 40},
                },
            ),
        ),
    )
    assert words == "I will look.\ntitle: wider\n"
    assert final == "title: wider"
    assert tools == [ToolUse("read_file: train.py", "failed: not there", 0.5)]
    assert costs == [Usage(read=100, cached=40, written=30, model="gemini-x")]


def test_gemini_cli_in_one_object_over_many_lines() -> None:
    tokens = {"prompt": 10, "candidates": 5, "total": 18, "cached": 2, "thoughts": 3}
    whole = {"session_id": "s", "response": "title: wider", "stats": {"models": {"gemini-x": {"tokens": tokens}}}}
    words, _, costs, final = listen(json.dumps(whole, indent=2).encode() + b"\n")
    assert words == final == "title: wider\n"
    assert costs == [Usage(read=10, cached=2, written=8, reasoning=3, model="gemini-x")]
    code = b"{\n  a brace that somebody prints\n}\nand on\n"
    assert listen(code)[0] == code.decode()


def test_opencode_tells_each_tool_once_it_has_ended() -> None:
    state = {"status": "completed", "input": {"filePath": "train.py"}, "output": "ok", "time": {"start": 0, "end": 700}}
    failed = {"status": "error", "input": {"command": "ls"}, "error": "denied"}
    tokens = {"input": 10, "output": 5, "reasoning": 2, "cache": {"read": 100, "write": 1}}
    lines = [
        {"type": "step_start", "part": {"type": "step-start"}},
        {"type": "text", "part": {"type": "text", "text": "\n\nLooking."}},
        {"type": "tool_use", "part": {"type": "tool", "tool": "edit", "callID": "1", "state": state}},
        {"type": "tool_use", "part": {"type": "tool", "tool": "bash", "callID": "2", "state": failed}},
        {"type": "step_finish", "part": {"type": "step-finish", "cost": 0.01, "tokens": tokens}},
        {"type": "step_start", "part": {"type": "step-start"}},
        {"type": "text", "part": {"type": "text", "text": "title: wider"}},
        {"type": "step_finish", "part": {"type": "step-finish", "cost": 0, "tokens": tokens}},
        {"type": "error", "error": {"name": "APIError", "data": {"message": "overloaded"}}},
    ]
    words, tools, costs, final = listen(jsonl(*lines))
    assert words == "Looking.\ntitle: wider\n(failed: overloaded)\n"
    assert tools == [ToolUse("edit: train.py", "ok", 0.7), ToolUse("bash: ls", "failed: denied", 0.0)]
    assert costs[0] == Usage(read=111, cached=100, written=7, reasoning=2, usd=0.01)
    assert costs[1].usd is None, "it says 0 where it knows no price"
    assert final.startswith("title: wider\n")


def test_cursor_tells_tools_by_their_kind() -> None:
    shell = {"shellToolCall": {"args": {"command": "ls"}}}
    success = {"shellToolCall": {"args": {"command": "ls"}, "result": {"success": {"stdout": "a\n", "exitCode": 0}}}}
    words, tools, costs, final = listen(
        jsonl(
            {"type": "system", "subtype": "init", "model": "auto"},
            {"type": "thinking", "subtype": "delta", "text": "Hm, "},
            {"type": "thinking", "subtype": "delta", "text": "well."},
            {"type": "thinking", "subtype": "completed"},
            {"type": "tool_call", "subtype": "started", "call_id": "c", "tool_call": shell},
        ),
        (
            1.0,
            jsonl(
                {"type": "tool_call", "subtype": "completed", "call_id": "c", "tool_call": success},
                {"type": "assistant", "message": {"content": [{"type": "text", "text": "title: wider"}]}},
                {
                    "type": "result",
                    "subtype": "success",
                    "is_error": False,
                    "result": "Hm.title: wider",
                    "usage": {"inputTokens": 90, "outputTokens": 5, "cacheReadTokens": 50},
                },
            ),
        ),
    )
    assert words == "Hm, well.\ntitle: wider\n"
    assert tools == [ToolUse("shell: ls", "a", 1.0)]
    assert costs == [Usage(read=90, cached=50, written=5, model="auto")]
    assert final == "title: wider\n"


def test_plain_text_is_shown_as_it_is() -> None:
    words, tools, costs, final = listen(b"I look.\n\nThen I change it.\r\ntitle: wider")
    assert words == final == "I look.\n\nThen I change it.\ntitle: wider\n"
    assert (tools, costs) == ([], [])


def test_what_a_known_agent_prints_beside_what_is_known_is_left_out() -> None:
    unknown = {"type": "telemetry", "blob": "x" * 50_000}
    assert listen(jsonl(INIT, unknown, {"no": "type"}))[0] == ""
    shown = listen(jsonl(unknown))[0]
    assert shown.startswith("(it prints JSON of a kind that is not known here") and shown.count("\n") == 1


def test_a_strangers_bytes_move_no_cursor_and_cost_no_memory() -> None:
    assert listen(b"\x1b[2J\x1b]0;title\x07red \xff\xfe\n10%\r50%\r100%\n")[0] == "red ��\n100%\n"
    long = b"x" * 100_000 + b"\n"
    words = listen(long)[0]
    assert words == "x" * 2000 + "…\n"
    listener = Listener()
    for _ in range(100):
        assert listener.feed(b"y" * 65_536, 0.0) == []
    assert listener.feed(b"\nafter\n", 0.0) == [
        Words(f"(a line of more than {LONGEST_LINE >> 10} kB)\n"),
        Words("after\n"),
    ]
    evil = claude({"type": "text", "text": "\x1b[31mred\u202e"}, {"type": "tool_use", "id": "1", "name": "\x1b[0m\nX"})
    words, tools, _, _ = listen(jsonl(evil))
    assert words == "red\n" and tools[0].intent == "X"


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "assistant", "message": 7}',
        b'{"type": "assistant", "message": {"content": [7, {"type": "text", "text": 9}, {"type": "tool_use"}]}}',
        b'{"type": "user", "message": {"content": [{"type": "tool_result", "content": [3, {"text": []}]}]}}',
        b'{"type": "result", "usage": {"input_tokens": -5, "output_tokens": 1e400}, "total_cost_usd": "much"}',
        b'{"type": "result", "modelUsage": {}, "total_cost_usd": NaN, "usage": {"input_tokens": NaN}}',
        b'{"type": "item.completed", "item": {"type": "file_change", "changes": [1, {}]}}',
        b'{"type": "item.completed", "item": {"type": "mcp_tool_call", "error": {"message": []}}}',
        b'{"type": "tool_use", "part": {"state": {"time": {"start": 9, "end": "x"}}}}',
        b'{"type": "step_finish", "part": {"tokens": [], "cost": true}}',
        b'{"type": "tool_call", "subtype": "completed", "tool_call": {"x": {"result": {"success": 5}}}}',
        b'{"type": "result", "status": "error", "stats": [], "error": 5}',
        b'{"type": ["error"], "error": {"data": 5}}',
        b'{"type": "error"}',
        b"{" * 5000,
        b'{"a":' * 5000,
        b"null",
        b"\x00\x01\x02",
        b'{\n"response": 5, "stats": {"models": {"m": 5}}\n}',
    ],
)
def test_odd_lines_are_no_accident(line: bytes) -> None:
    listener = Listener()
    said = [*listener.feed(line + b"\n", 0.0), *listener.finish(1.0)]
    for one in said:
        match one:
            case Usage():
                assert one.read >= 0 and one.written >= 0 and (one.usd is None or one.usd >= 0)
            case ToolUse():
                assert one.seconds >= 0 and len(one.intent) <= 160 and len(one.result) <= 160


def test_output_means_the_same_however_it_is_cut() -> None:
    data = (
        jsonl(INIT, claude({"type": "text", "text": "é — ünd"}), claude(BASH), bash_result(), RESULT)
        + "plain é\n".encode()
    )
    whole = listen(data)
    chance = random.Random(5)
    for _ in range(30):
        cuts = sorted(chance.randrange(len(data)) for _ in range(12))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert listen(pieces[0], *((0.0, piece) for piece in pieces[1:])) == whole


def test_the_last_message_of_an_unknown_agent_is_found_in_its_json() -> None:
    events = [{"event": "delta", "data": {"text": word}} for word in ("I", " look", " around")]
    end = {"event": "finished", "data": [{"output": {"summary": "Done.\ntitle: wider\nhypothesis: more room"}}]}
    words, _, _, final = listen(jsonl(*events, end, end))
    assert closing(final) == Closing("wider", "more room")
    assert words.count("title: wider") == 1 and "delta" not in words
    assert words.startswith("(it prints JSON of a kind that is not known here")


def test_tools_that_lack_a_permission_are_counted() -> None:
    refused = (
        "Claude requested permissions to write to /x/.looptop/trees/workshop-1/a.py, but you haven't granted it yet."
    )
    listener = Listener()
    listener.feed(jsonl(INIT, claude(BASH), bash_result(is_error=True, content=refused)), 0.0)
    listener.feed(jsonl(claude(BASH), bash_result(is_error=True, content="exit code 1")), 0.0)
    assert listener.refused == ["Bash: python train.py"]


def test_a_question_by_a_tool_is_known() -> None:
    asks = {"type": "tool_use", "id": "t2", "name": "AskUserQuestion", "input": {"questions": [{"question": "Wide?"}]}}
    listener = Listener()
    listener.feed(jsonl(INIT, claude(asks)), 0.0)
    assert listener.question == "Wide?"


def test_qwen_code_counts_its_cached_tokens_once() -> None:
    usage = {"input_tokens": 9900, "output_tokens": 450, "cache_read_input_tokens": 6000, "total_tokens": 10350}
    ended = RESULT | {"usage": usage, "total_cost_usd": None, "modelUsage": {}}
    assert listen(jsonl(INIT, ended))[2] == [Usage(read=9900, cached=6000, written=450, model="claude-x")]


def test_what_an_interrupted_message_cost_is_known_from_its_pieces() -> None:
    begun = claude({"type": "text", "text": "I look."}, input_tokens=100, output_tokens=1)
    delta = {"type": "message_delta", "usage": {"output_tokens": 70}}
    piece = {"type": "stream_event", "session_id": "s", "event": delta}
    assert listen(jsonl(INIT, begun, piece))[2] == [Usage(read=100, written=70, model="claude-x")]


def test_the_result_of_an_mcp_tool_is_shown() -> None:
    item = {"id": "i1", "type": "mcp_tool_call", "server": "looptop", "tool": "list_experiments", "status": "completed"}
    item["result"] = {"content": [{"type": "text", "text": "#1 kept"}]}  # type: ignore[assignment]
    assert listen(jsonl({"type": "item.completed", "item": item}))[1] == [
        ToolUse("looptop list_experiments", "#1 kept", 0.0)
    ]


def test_a_limit_of_a_subscription_says_when_it_ends() -> None:
    listener = Listener()
    info = {"status": "rejected", "resetsAt": 1_800_000_000, "rateLimitType": "five_hour"}
    listener.feed(jsonl(INIT, {"type": "rate_limit_event", "rate_limit_info": info, "session_id": "s"}), 0.0)
    assert listener.failure == Failure("its usage limit is reached", 429, until=1_800_000_000.0)
