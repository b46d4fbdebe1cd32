"""Everything that an endpoint can do wrong, over real sockets: what may pass is waited for, what may not is told."""

import asyncio

import pytest

from loop.config.settings import Settings
from loop.researchers.llm.endpoint import Endpoint as Ours
from loop.researchers.protocol import Unusable
from tests.endpoint import Answer, Endpoint, Fault, Request
from tests.researchers.llm.talks import EDIT, PROPOSED, briefing, model
from tests.researchers.spoken import Spoken

BOTH = pytest.mark.parametrize("dialect", ["chat", "responses"])
LONG = Answer(reasoning="one two three four five six seven eight", calls=PROPOSED.calls)


pytestmark = pytest.mark.usefixtures("quick")


PASSING = {
    "too many requests": (Fault(429, "slow down"), "429"),
    "too many requests, and when": (Fault(429, "slow down", headers={"retry-after-ms": "30"}), "429"),
    "an error of the server": (Fault(500, "oops"), "500"),
    "an overloaded server": (Fault(503, "overloaded"), "503"),
    "a proxy's page": (Fault(html=True), "Bad Gateway"),
    "a reset": (Fault(refuse=True), "cannot be reached"),
    "silence": (Fault(hang=True), "sent nothing for too long"),
    "silence in the middle": (Fault(hang_after=4, answer=LONG), "sent nothing for too long"),
    "silence behind signs of life": (Fault(hang_after=4, answer=LONG, pulse=0.05), "sent nothing for too long"),
    "a stream that is cut": (Fault(cut_after=4, answer=LONG), "cannot be reached"),
    "a stream that is reset": (Fault(cut_after=4, answer=LONG, refuse=True), "cannot be reached"),
    "a stream that ends early": (Fault(cut_after=4, answer=LONG, tidy=True), "broke off"),
    "an error in the middle": (Fault(fail_after=4, answer=LONG, message="overloaded"), "overloaded"),
    "an error in other words": (Fault(fail_after=4, answer=LONG, message="overloaded", failure="error"), "overloaded"),
}


@BOTH
@pytest.mark.parametrize("name", PASSING)
async def test_what_may_pass_is_told_and_waited_for(dialect: str, name: str) -> None:
    fault, told = PASSING[name]
    with Endpoint(fault, fault, PROPOSED) as endpoint:
        sink = Spoken()
        silent = "silence" in name
        silence = 0.8 if silent else 30
        proposal = await model(endpoint.url, dialect=dialect, silence=silence).propose(briefing(), sink)
    assert proposal.edits and len(endpoint.requests) >= 3
    # On a busy machine an answer may be late, and a request be given up before it is read.
    answered = len(endpoint.requests) - 1
    assert len(sink.troubles) >= answered if silent else len(sink.troubles) == answered
    assert sink.recoveries == 1
    assert all(told in message and wait is not None for message, wait in sink.troubles[:2]), sink.troubles
    if fault.answer is not None:
        assert sink.said.count("(the answer broke off; asked again)") >= 2
        assert [spent.usd for spent in sink.spent[:2]] == [None, None], (
            "what was cut was paid for, nobody knows how much"
        )


async def test_the_wait_that_an_endpoint_asks_for_is_kept() -> None:
    with Endpoint(Fault(429, "slow down", headers={"retry-after": "1"}), PROPOSED) as endpoint:
        sink = Spoken()
        await model(endpoint.url).propose(briefing(), sink)
        ((_, wait),) = sink.troubles
        assert wait is not None and wait >= 1
        assert endpoint.requests[1].at - endpoint.requests[0].at >= 1


async def test_an_endpoint_that_is_down_is_waited_for_and_found_again() -> None:
    with Endpoint(PROPOSED) as endpoint:
        endpoint.stop()
        sink = Spoken()
        thinking = asyncio.create_task(model(endpoint.url).propose(briefing(), sink))
        while len(sink.troubles) < 3:  # noqa: ASYNC110 - see `Spoken.until`
            await asyncio.sleep(0.01)
        endpoint.start()
        assert (await thinking).edits
    assert all("cannot be reached" in message for message, _ in sink.troubles) and sink.recoveries == 1


async def test_what_the_person_says_while_it_waits_goes_with_the_next_try() -> None:
    sink = Spoken()

    def fails(request: Request) -> Fault:
        sink.words.append("mind the schedule")
        return Fault(503, "overloaded")

    with Endpoint(fails, PROPOSED) as endpoint:
        await model(endpoint.url).propose(briefing(), sink)
    assert "mind the schedule" in endpoint.requests[1].text


@BOTH
async def test_a_key_that_is_revoked_mid_way_names_the_setting_and_not_the_key(dialect: str) -> None:
    revoked = Fault(401, "Incorrect API key provided: sk-marker-4711.", code="invalid_api_key")
    with Endpoint(Answer(calls=(EDIT,)), revoked) as endpoint, pytest.raises(Unusable) as told:
        await model(endpoint.url, dialect=dialect).propose(briefing(), Spoken())
    assert "OPENAI_API_KEY" in str(told.value) and "4711" not in str(told.value)


async def test_a_wrong_key_is_found_before_anything_is_thought() -> None:
    with Endpoint(PROPOSED, key="sk-right") as endpoint, pytest.raises(Unusable, match="rejects the key"):
        await model(endpoint.url).prepare(Spoken())
    assert endpoint.requests == []


async def test_openais_endpoint_without_a_key_is_refused_without_a_call() -> None:
    with pytest.raises(Unusable, match="OPENAI_API_KEY"):
        await Ours(Settings(model="gpt-5-mini")).model(Spoken())


async def test_the_only_model_need_not_be_named() -> None:
    with Endpoint(PROPOSED, models=("solo",)) as endpoint:
        assert await Ours(Settings(base_url=endpoint.url)).model(Spoken()) == "solo"


async def test_several_models_and_none_named_asks_for_a_name() -> None:
    with Endpoint(PROPOSED, models=("qwen3", "llama4")) as endpoint, pytest.raises(Unusable) as told:
        await Ours(Settings(base_url=endpoint.url)).model(Spoken())
    assert "qwen3, llama4" in str(told.value) and "--model" in str(told.value)


async def test_a_model_that_is_not_there_is_told_with_the_nearest_names() -> None:
    with Endpoint(PROPOSED, models=("qwen3-coder:30b", "llama4")) as endpoint:
        with pytest.raises(Unusable, match=r"no model 'qwen3-codr'; it has qwen3-coder:30b"):
            await Ours(Settings(base_url=endpoint.url, model="qwen3-codr")).model(Spoken())
        assert await Ours(Settings(base_url=endpoint.url, model="qwen3-coder")).model(Spoken()) == "qwen3-coder"


async def test_an_address_that_answers_with_pages_is_told_so() -> None:
    page = Fault(200, html=True)
    with Endpoint(page, PROPOSED) as endpoint:
        sink = Spoken()
        await model(endpoint.url).propose(briefing(), sink)
    assert "a page" in sink.troubles[0][0] and "base URL" in sink.troubles[0][0]


async def test_a_refusal_of_this_very_conversation_is_a_fault_and_not_a_wait() -> None:
    from loop.researchers.llm.faults import RequestRefused

    with Endpoint(Fault(400, "messages: roles must alternate"), PROPOSED) as endpoint:
        researcher = model(endpoint.url)
        with pytest.raises(RequestRefused, match="roles must alternate"):
            await researcher.propose(briefing(), Spoken())
        assert (await researcher.propose(briefing(), Spoken())).edits


LIMITED = {"chat": "max_tokens", "responses": "max_output_tokens"}


@BOTH
@pytest.mark.parametrize(
    "said",
    [
        "max_tokens is too large: 32000. This model supports at most 8192 completion tokens",
        "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (8000 in the "
        "messages, 32000 in the completion)",
    ],
)
async def test_a_limit_of_the_answer_that_an_endpoint_refuses_is_left_out_and_costs_no_briefing(
    dialect: str, said: str
) -> None:
    with Endpoint(Fault(400, said), PROPOSED) as endpoint:
        sink, researcher = Spoken(), model(endpoint.url, dialect=dialect)
        await researcher.propose(briefing(), sink)
        await researcher.propose(briefing(), sink)
    limits = [request.body.get(LIMITED[dialect]) for request in endpoint.requests]
    assert limits == [32_000, None, None] and sink.troubles == []
    assert endpoint.requests[0].messages == endpoint.requests[1].messages


@BOTH
async def test_what_a_gateway_says_that_a_call_cost_is_booked(dialect: str) -> None:
    costs = (0.0125, 0, {"total_cost": 0.5}, "0.1", -1, float("inf"), True, {"total_cost": None})
    answers = [Answer(calls=PROPOSED.calls, usage={"cost": cost}) for cost in costs]
    with Endpoint(*answers) as endpoint:
        sink = Spoken()
        for _ in costs:
            await model(endpoint.url, dialect=dialect).propose(briefing(), sink)
        priced = model(endpoint.url, dialect=dialect, prices={"read": 0, "written": 0})
        await priced.propose(briefing(), sink)
    assert [spent.usd for spent in sink.spent] == [0.0125, 0, 0.5, None, None, None, None, None, 0]


def test_the_fixed_waits_are_long() -> None:
    from loop.researchers.llm.endpoint import WAITS

    assert WAITS[1] >= 60, "an endpoint that is away for a night is not asked ten thousand times"
