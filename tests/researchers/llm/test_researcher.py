"""A conversation with a language model, over real sockets, in both dialects."""

import asyncio

import pytest

from loop.researchers.llm import researcher as llm
from loop.researchers.llm import talk
from loop.researchers.protocol import Fruitless, ProposalFailed
from tests.endpoint import Answer, Endpoint, Request
from tests.researchers.llm.talks import EDIT, PROPOSE, PROPOSED, TRAIN, altered, briefing, experiment, model
from tests.researchers.spoken import Shelf, Spoken

pytestmark = pytest.mark.usefixtures("quick")
BOTH = pytest.mark.parametrize("dialect", ["chat", "responses"])


@BOTH
async def test_it_thinks_aloud_edits_and_proposes(dialect: str) -> None:
    first = Answer(reasoning="Let me look.", calls=(("read_file", {"path": "train.py"}),))
    with Endpoint(first, PROPOSED) as endpoint:
        sink, researcher = Spoken(), model(endpoint.url, dialect=dialect)
        await researcher.prepare(sink)
        proposal = await researcher.propose(briefing(), sink)
    assert proposal.title == "DEPTH 4 → 6" and proposal.hypothesis == "Deeper learns more."
    assert proposal.edits == {"train.py": TRAIN.replace("DEPTH = 4", "DEPTH = 6")}
    assert proposal.expected == "better by 0.01"
    assert proposal.notes["model"] == "test-model"
    assert "Let me look." in sink.said and "Deeper may help." in sink.said
    assert "-DEPTH = 4" in sink.said and "+DEPTH = 6" in sink.said, "the edit is shown as a diff"
    assert [intent for intent, _ in sink.tools] == ["read train.py", "edit train.py"]
    asked = endpoint.requests[0]
    assert "Make it better." in asked.text and "DEPTH = 4" in asked.text
    assert {"read_file", "edit_file", "write_file", "propose", "note"} <= set(asked.tools)
    assert "search_papers" not in asked.tools
    assert "    1  DEPTH = 4  # layers" in endpoint.requests[1].text, "what the tool found comes with the next request"


@BOTH
async def test_what_a_call_costs_is_booked(dialect: str) -> None:
    usage = {"input": 900, "cached": 600, "output": 80, "reasoning": 30}
    with Endpoint(Answer(calls=PROPOSED.calls, usage=usage)) as endpoint:
        sink = Spoken()
        researcher = model(endpoint.url, dialect=dialect, prices={"read": 1, "cached": 0.5, "written": 10})
        await researcher.propose(briefing(), sink)
    spent = sink.spent[0]
    assert (spent.tokens, spent.read, spent.cached, spent.written, spent.reasoning) == (980, 900, 600, 80, 30)
    assert spent.usd == pytest.approx((300 * 1 + 600 * 0.5 + 80 * 10) / 1e6)


async def test_a_call_that_nobody_counted_is_estimated_and_has_no_price() -> None:
    with Endpoint(Answer(calls=PROPOSED.calls, usage=None)) as endpoint:
        sink = Spoken()
        await model(endpoint.url).propose(briefing(), sink)
    assert sink.spent[0].usd is None and sink.spent[0].tokens > 500


@pytest.mark.parametrize("form", ["reasoning_content", "reasoning", "think"])
async def test_reasoning_is_heard_in_whatever_form_it_comes(form: str) -> None:
    with Endpoint(Answer(reasoning="Hmm, deeper…", calls=PROPOSED.calls, reasoning_as=form)) as endpoint:
        sink = Spoken()
        await model(endpoint.url).propose(briefing(), sink)
    assert "Hmm, deeper…" in sink.said and "<think>" not in sink.said


async def test_reasoning_between_calls_is_sent_back_the_way_it_came() -> None:
    first = Answer(reasoning="Look first.", calls=(("list_experiments", {}),))
    with Endpoint(first, PROPOSED) as endpoint:
        await model(endpoint.url).propose(briefing(), Spoken())
    answered = next(message for message in endpoint.requests[1].body["messages"] if message["role"] == "assistant")
    assert answered["reasoning_content"] == "Look first."


async def test_reasoning_of_the_other_dialect_is_carried_sealed() -> None:
    first = Answer(reasoning="Look first.", calls=(("list_experiments", {}),))
    with Endpoint(first, PROPOSED) as endpoint:
        await model(endpoint.url, dialect="responses").propose(briefing(), Spoken())
    assert endpoint.requests[0].body["store"] is False
    carried = [item for item in endpoint.requests[1].body["input"] if item.get("type") == "reasoning"]
    assert carried and carried[0]["encrypted_content"]


# --- the person's words ----------------------------------------------------------------------------------------


async def test_words_reach_the_model_with_its_next_call() -> None:
    sink = Spoken()

    def second(request: Request) -> Answer:
        assert "only the learning rates, please" in request.text
        return PROPOSED

    def first(request: Request) -> Answer:
        assert "only the learning rates" not in request.text
        sink.words.append("only the learning rates, please")
        return Answer(calls=(("read_file", {"path": "train.py"}),))

    with Endpoint(first, second) as endpoint:
        await model(endpoint.url).propose(briefing(), sink)
    assert len(endpoint.requests) == 2 and sink.words == []


@BOTH
async def test_an_interrupted_conversation_goes_on_with_the_words(dialect: str) -> None:
    look = Answer(calls=(("read_file", {"path": "train.py"}), EDIT))
    slow = Answer(reasoning="on and on " * 500, rate=200)
    with Endpoint(look, slow, Answer(calls=(PROPOSE,))) as endpoint:
        sink, researcher = Spoken(), model(endpoint.url, dialect=dialect)
        thinking = asyncio.create_task(researcher.propose(briefing(), sink))
        await sink.until("on and on on and on")
        thinking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await thinking
        proposal = await researcher.propose(briefing(words=["enough; propose"]), sink)
    last = endpoint.requests[2].text
    assert "enough; propose" in last and "You were interrupted" in last and "on and on" in last
    assert proposal.edits, "what was edited before the interrupt is still in the draft"
    assert endpoint.requests[1].gone_at is not None, "the endpoint saw the connection go"


async def test_words_for_another_number_begin_anew() -> None:
    with Endpoint(Answer(reasoning="on and on " * 500, rate=200), PROPOSED) as endpoint:
        sink, researcher = Spoken(), model(endpoint.url)
        thinking = asyncio.create_task(researcher.propose(briefing(), sink))
        await sink.until("on and on")
        thinking.cancel()
        await asyncio.wait([thinking])
        await researcher.propose(briefing(experiment(1)), sink)
    assert "You were interrupted" not in endpoint.requests[1].text


# --- what models do wrong --------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (Answer(calls=(("edit_file", '{"path": "train.py", '),)), "the arguments of edit_file are not right"),
        (Answer(calls=(("edit_file", {"path": "train.py"}),)), "search: Field required"),
        (Answer(calls=(("bash", {"command": "rm -rf /"}),)), "there is no tool 'bash'; there are read_file"),
        (Answer(calls=(("edit_file", {"path": "README.md", "search": "a", "replace": "b"}),)), "only train.py may"),
        (Answer(calls=(("read_file", {"path": "/etc/passwd"}),)), "there is no text file '/etc/passwd'"),
        (Answer(calls=(("read_file", {"path": "../secret"}),)), "there is no text file"),
        (Answer(calls=(("show_experiment", {"number": 9, "part": "diff"}),)), "there is no experiment 9"),
        (Answer(calls=(PROPOSE,)), "you have changed nothing yet"),
        (Answer(text="I would make it deeper."), "You used no tool"),
        (Answer(), "Your answer was empty"),
        (Answer(text="I can't help with that.", refusal="I can't help with that."), "You declined"),
        (Answer(text="First I", finish="length"), "cut off at its limit"),
    ],
)
async def test_a_mistake_comes_back_as_a_sentence_and_the_loop_goes_on(dialect: str, bad: Answer, told: str) -> None:
    with Endpoint(bad, PROPOSED) as endpoint:
        proposal = await model(endpoint.url, dialect=dialect).propose(briefing(), Spoken())
    assert told in endpoint.requests[1].text and proposal.edits


async def test_a_proposal_that_would_be_turned_down_is_told_why_before_it_is_made() -> None:
    shelf = Shelf({"train.py": TRAIN}, refuse=lambda edits: "it is the same as experiment 3" if edits else None)
    other = ("edit_file", {"path": "train.py", "search": "DEPTH = 6", "replace": "DEPTH = 8"})
    with Endpoint(PROPOSED, Answer(calls=(other, PROPOSE))) as endpoint:

        def refuse(edits: dict[str, str]) -> str | None:
            return "it is the same as experiment 3" if "DEPTH = 6" in edits["train.py"] else None

        shelf.refuse = refuse  # type: ignore[assignment]
        proposal = await model(endpoint.url).propose(briefing(shelf=shelf), Spoken())
    assert "it is the same as experiment 3" in endpoint.requests[1].text
    assert "DEPTH = 8" in proposal.edits["train.py"]


async def test_an_idea_that_was_tried_must_say_what_has_changed() -> None:
    again = ("propose", {**PROPOSE[1], "hypothesis": "As #1, but the batch is smaller now."})
    with Endpoint(PROPOSED, Answer(calls=(again,))) as endpoint:
        tried = experiment(1, "discarded", 4.0, title="depth 4 → 6")
        proposal = await model(endpoint.url).propose(briefing(tried), Spoken())
    assert "experiment 1 had this title already (discarded)" in endpoint.requests[1].text
    assert proposal.hypothesis == "As #1, but the batch is smaller now."


async def test_an_earlier_experiment_can_be_taken_further() -> None:
    shelf = Shelf({"train.py": TRAIN}, changes={1: {"train.py": TRAIN.replace("WIDTH = 64", "WIDTH = 48")}})
    take = ("take_experiment", {"number": 1})
    with Endpoint(Answer(calls=(take, EDIT, PROPOSE))) as endpoint:
        proposal = await model(endpoint.url).propose(briefing(experiment(1, "discarded"), shelf=shelf), Spoken())
    assert "WIDTH = 48" in proposal.edits["train.py"] and "DEPTH = 6" in proposal.edits["train.py"]


async def test_one_made_on_another_champion_cannot_be_taken_as_it_is() -> None:
    take = ("take_experiment", {"number": 2})
    old = (experiment(1, "kept"), experiment(2, "discarded", parent=1))
    with Endpoint(Answer(calls=(take,)), PROPOSED) as endpoint:
        await model(endpoint.url).propose(briefing(*old), Spoken())
    assert "experiment 2 was made on #1, not on today's champion, #0" in endpoint.requests[1].text


async def test_what_comes_after_the_proposal_is_not_carried_out() -> None:
    late = ("write_file", {"path": "train.py", "text": "late"})
    with Endpoint(Answer(calls=(EDIT, PROPOSE, late))) as endpoint:
        proposal = await model(endpoint.url).propose(briefing(), Spoken())
    assert "late" not in proposal.edits["train.py"]


async def test_what_is_to_be_remembered_counts_behind_the_proposal_too() -> None:
    sink = Spoken()
    with Endpoint(Answer(calls=(EDIT, PROPOSE, ("note", {"text": "Rates above 0.1 diverge."})))) as endpoint:
        await model(endpoint.url).propose(briefing(), sink)
    assert sink.notes == ["Rates above 0.1 diverge."]


async def test_a_model_that_never_proposes_is_bounded_and_at_last_a_person_is_called() -> None:
    with Endpoint(Answer(text="Let me think about it.")) as endpoint:
        researcher = model(endpoint.url)
        ends: list[ProposalFailed] = []
        for _ in range(llm.GIVE_UP_AFTER):
            with pytest.raises(ProposalFailed, match="brought nothing new") as found:
                await researcher.propose(briefing(), Spoken())
            ends.append(found.value)
    assert [isinstance(end, Fruitless) and end.hopeless for end in ends] == [False, False, False, True]
    assert isinstance(ends[1], Fruitless) and "made no proposal in 2 conversations in a row" in str(ends[1])
    assert len(endpoint.requests) == llm.GIVE_UP_AFTER * (talk.IDLE + 1)


async def test_a_model_that_only_looks_is_bounded_and_told_before() -> None:
    def looks(request: Request) -> Answer:
        return Answer(calls=(("read_file", {"path": "train.py", "lines": request.number}),))

    why = f"no proposal in {talk.TURNS} answers"
    many = altered(briefing(), files={"train.py": "x = 1\n" * 100})
    with Endpoint(looks) as endpoint, pytest.raises(ProposalFailed, match=why):
        await model(endpoint.url).propose(many, Spoken())
    assert len(endpoint.requests) == talk.TURNS
    assert "4 answers left" in endpoint.requests[-1].text and "4 answers left" not in endpoint.requests[-6].text


async def test_a_call_that_tells_nothing_new_says_so_and_soon_ends_the_conversation() -> None:
    looks = Answer(calls=(("read_file", {"path": "train.py"}),))
    with Endpoint(looks) as endpoint, pytest.raises(ProposalFailed, match="5 answers in a row brought nothing new"):
        await model(endpoint.url).propose(briefing(), Spoken())
    assert len(endpoint.requests) == talk.IDLE + 2
    results = [message["content"] for message in endpoint.requests[-1].messages if message["role"] == "tool"]
    assert "DEPTH = 4" in results[0] and all("unchanged since your answer 1" in text for text in results[1:])


async def test_what_was_read_is_told_again_after_an_edit() -> None:
    looks = ("read_file", {"path": "train.py"})
    with Endpoint(Answer(calls=(looks,)), Answer(calls=(EDIT, looks)), Answer(calls=(PROPOSE,))) as endpoint:
        await model(endpoint.url).propose(briefing(), Spoken())
    assert "DEPTH = 6  # layers" in endpoint.requests[2].text


async def test_the_third_identical_error_ends_the_conversation() -> None:
    bad = Answer(calls=(("edit_file", {"path": "train.py", "search": "NOT = 1", "replace": "x"}),))
    with (
        Endpoint(bad) as endpoint,
        pytest.raises(ProposalFailed, match=r"refused 3 times: edit_file: .*Nothing sim"),
    ):
        await model(endpoint.url).propose(briefing(), Spoken())
    assert len(endpoint.requests) == talk.SAME


async def test_a_finished_draft_is_proposed_with_the_words_that_ended_it() -> None:
    done = Answer(text="Done. A deeper net should learn more per token.")
    with Endpoint(Answer(calls=(EDIT,)), done) as endpoint:
        proposal = await model(endpoint.url).propose(briefing(), Spoken())
    assert len(endpoint.requests) == 3 and "Your draft is changed, and not handed over yet" in endpoint.requests[2].text
    assert proposal.title == "DEPTH = 6 # layers" and proposal.expected == ""
    assert proposal.hypothesis == "Done. A deeper net should learn more per token."


async def test_a_draft_that_does_not_parse_or_has_a_refused_edit_is_not_finished() -> None:
    torn = ("edit_file", {"path": "train.py", "search": "def main():", "replace": "def main("})
    lost = ("edit_file", {"path": "train.py", "search": "NOT = 1", "replace": "x"})
    for last in (torn, lost):
        with Endpoint(Answer(calls=(EDIT, last)), Answer(text="Done.")) as endpoint, pytest.raises(ProposalFailed):
            await model(endpoint.url).propose(briefing(), Spoken())


async def test_a_proposal_waits_when_an_edit_of_the_same_answer_was_refused() -> None:
    lost = ("edit_file", {"path": "train.py", "search": "NOT = 1", "replace": "x"})
    with Endpoint(Answer(calls=(EDIT, lost, PROPOSE)), Answer(calls=(PROPOSE,))) as endpoint:
        proposal = await model(endpoint.url).propose(briefing(), Spoken())
    assert "not handed over, since an edit of the same answer was refused" in endpoint.requests[1].text
    assert proposal.edits["train.py"] == TRAIN.replace("DEPTH = 4", "DEPTH = 6")


async def test_two_answers_without_a_tool_are_answered_with_how_to_write_one_as_text() -> None:
    with Endpoint(Answer(text="Let me think."), Answer(text="Hm."), IN_TEXT) as endpoint:
        proposal = await model(endpoint.url).propose(briefing(), Spoken())
    assert "```edit_file train.py" in endpoint.requests[2].text and "```edit_file" not in endpoint.requests[1].text
    assert proposal.edits


async def test_an_edit_in_the_text_of_an_answer_that_proposes_is_the_edit_of_the_proposal() -> None:
    text = "train.py\n```python\n<<<<<<< SEARCH\nDEPTH = 4\n=======\nDEPTH = 6\n>>>>>>> REPLACE\n```\n"
    with Endpoint(Answer(text=text, calls=(PROPOSE,))) as endpoint:
        proposal = await model(endpoint.url).propose(briefing(), Spoken())
    assert "DEPTH = 6" in proposal.edits["train.py"] and len(endpoint.requests) == 1


async def test_what_is_only_in_the_reasoning_counts_where_there_is_nothing_else() -> None:
    with Endpoint(Answer(reasoning=IN_TEXT.text)) as endpoint:
        proposal = await model(endpoint.url).propose(briefing(), Spoken())
    assert proposal.title == "DEPTH 4 → 6"
    with Endpoint(Answer(reasoning=IN_TEXT.text, text="Let me look closer."), PROPOSED) as endpoint:
        await model(endpoint.url).propose(briefing(), Spoken())
    assert len(endpoint.requests) == 2, "what was only thought about is no edit"


# --- models without tools --------------------------------------------------------------------------------------

IN_TEXT = Answer(
    text="Deeper.\n\n```edit_file train.py\n<<<<<<< SEARCH\nDEPTH = 4\n=======\nDEPTH = 6\n>>>>>>> REPLACE\n```\n\n"
    "```propose\ntitle: DEPTH 4 → 6\nhypothesis: Deeper: better.\nexpected_gain: 0.01\n```\n"
)


async def test_an_endpoint_without_tools_gets_them_as_text_and_is_remembered() -> None:
    with Endpoint(IN_TEXT, tools=False) as endpoint:
        researcher = model(endpoint.url)
        proposal = await researcher.propose(briefing(), Spoken())
        assert proposal.edits["train.py"].startswith("DEPTH = 6") and proposal.hypothesis == "Deeper: better."
        assert proposal.notes["tools"] == "text"
        refused, asked = endpoint.requests[:2]
        assert refused.tools and not asked.tools and "```edit_file train.py" in asked.text
        restarted = model(endpoint.url)
        before = experiment(1, notes=dict(proposal.notes))
        await restarted.prepare(Spoken())
        await restarted.propose(briefing(before), Spoken())
    assert not endpoint.requests[2].tools, "it is not asked again what it was found not to do"


async def test_a_model_that_writes_its_calls_as_text_is_understood() -> None:
    looks = Answer(text="```read_file README.md\n```")
    with Endpoint(looks, IN_TEXT) as endpoint:
        proposal = await model(endpoint.url).propose(briefing(), Spoken())
    assert "Result of read_file:\n    1  # About" in endpoint.requests[1].text
    assert proposal.notes["tools"] == "text"


async def test_an_endpoint_is_spared_what_it_does_not_take() -> None:
    with Endpoint(PROPOSED, stream_options=False) as endpoint:
        await model(endpoint.url).propose(briefing(), Spoken())
    assert ["stream_options" in request.body for request in endpoint.requests] == [True, False]
