"""Claude models behind gateways: what is to be kept is marked, and nothing of the text changes."""

from typing import Any

from loop.researchers.briefing.page import for_model
from loop.researchers.llm import chat
from loop.researchers.llm.conversation import Conversation, Reply, Request, ToolCall, ToolResult
from loop.researchers.protocol import Briefing
from tests.endpoint import Endpoint, Fault
from tests.researchers.history import briefing, history
from tests.researchers.llm.talks import PROPOSED, model
from tests.researchers.llm.talks import briefing as short
from tests.researchers.spoken import Spoken

CLAUDE = "anthropic/claude-sonnet-4.5"
Sent = list[dict[str, Any]]


def asked(told: Briefing) -> Conversation:
    parts = for_model(told, 24_000, "llm")
    conversation = Conversation(parts.stable)
    conversation.say(parts.page)
    return conversation


def sent(conversation: Conversation, named: str = CLAUDE, without: frozenset[str] = frozenset()) -> Sent:
    messages: Sent = chat.body(Request(named, conversation, without=without))["messages"]
    return messages


def parts(messages: Sent) -> list[dict[str, Any]]:
    """All parts, in order; a text counts as one."""
    found: list[dict[str, Any]] = []
    for message in messages:
        content = message["content"]
        found += content if isinstance(content, list) else [{"type": "text", "text": content}]
    return found


def text(messages: Sent) -> list[str]:
    return ["".join(part["text"] for part in parts([message])) for message in messages]


def marks(messages: Sent) -> list[int]:
    return [index for index, part in enumerate(parts(messages)) if "cache_control" in part]


def test_the_text_is_the_same_and_at_most_four_places_are_marked() -> None:
    conversation = asked(briefing(history(200)))
    for number in range(3):
        call = ToolCall(f"call_{number}", "read_file", "{}")
        conversation.messages += [Reply(text="", calls=[call]), ToolResult(call, f"result {number}")]
        marked, plain = sent(conversation), sent(conversation, "gpt-5.4")
        assert text(marked) == text(plain) and all(isinstance(message["content"], str) for message in plain)
        assert 3 <= len(marks(marked)) <= 4
        assert marks(marked)[-1] == len(parts(marked)) - 1, "the newest message"
        assert all(part["text"] for part in parts(marked) if "cache_control" in part)


def test_a_proposal_finds_what_the_one_before_it_had_kept() -> None:
    shares = []
    for count in range(200, 220):
        before, after = (sent(asked(briefing(history(n)))) for n in (count, count + 1))
        texts = [[part["text"] for part in parts(messages)] for messages in (before, after)]
        at = marks(before)[1]  # the briefing's; the first is the system message
        same = texts[0][: at + 1] == texts[1][: at + 1]
        assert not same or marks(after)[1] - at < 20, "too far back to be looked for"
        shares.append(len("".join(texts[1][: at + 1])) / len("".join(texts[1])) if same else 0.0)
    assert sorted(shares)[len(shares) // 2] > 0.6, shares


async def test_a_gateway_gets_the_marks_and_one_that_refuses_them_is_asked_without() -> None:
    with Endpoint(PROPOSED, models=(CLAUDE,)) as endpoint:
        await model(endpoint.url, dialect="chat", model=CLAUDE).propose(short(), Spoken())
        assert marks(endpoint.requests[-1].body["messages"])
    refusal = Fault(400, "messages.0.content.0.cache_control: Extra inputs are not permitted")
    with Endpoint(refusal, PROPOSED, models=(CLAUDE,)) as endpoint:
        proposal = await model(endpoint.url, dialect="chat", model=CLAUDE).propose(short(), Spoken())
        tried = [marks(request.body["messages"]) for request in endpoint.requests if "messages" in request.body]
    assert proposal.edits and tried[0] and tried[-1] == []
