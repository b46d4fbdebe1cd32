"""Whether another proposal is wanted, whose turn it is, and whether there are thinkers enough: from the study alone."""

import math
from collections.abc import Mapping

import pytest

from loop.policy import claims, supply
from loop.study import events as e
from loop.study.contract import Contract, Limits
from tests.stories import Story


class Busy(Story):
    """A story of researchers who think, in which a run lasts 20 s."""

    def join(self, *names: str, at_once: int = 1) -> "Busy":
        for name in names:
            self.tell(e.ResearcherJoined(name=name, about="", at_once=at_once))
        return self

    def begin(self, number: int, who: str = "llm", at: float | None = None) -> "Busy":
        self.tell(e.ThoughtBegan(researcher=who, champion=0), number, at=at)
        return self

    def think(self, number: int, seconds: float, who: str = "llm") -> "Busy":
        """A thought of that length becomes an experiment that runs and is discarded."""
        began = self.events[-1].at + 1
        self.begin(number, who, began)
        self.tell(e.ExperimentProposed(researcher=who, title=f"idea {number}", parent=0), number, at=began + seconds)
        self.queue(number).runs(number, [1.1]).judge(number, "discarded", 1.1)
        return self


AUTOML = supply.Asked("automl", {"automl": 1.0}, quick=True)


def busy() -> Busy:
    story = Busy()
    story.baseline()
    return story.join("llm", at_once=4)


def thinking(story: Busy, count: int) -> Busy:
    """So many thoughts are under way."""
    for number in range(200, 200 + count):
        story.begin(number)
    return story


def wanted(story: Story, slots: int = 1) -> int:
    """How many proposals are asked for one after another, none of which comes."""
    told = Busy()
    told.events = list(story.events)
    for number in range(100, 200):
        if not supply.wants_proposal(told.study(), slots, ahead=True):
            return number - 100
        told.begin(number)
    raise AssertionError("there is no end to it")


def test_before_there_are_lengths_each_slot_has_one_who_thinks() -> None:
    assert wanted(busy(), slots=1) == 1
    assert wanted(busy(), slots=4) == 4
    story = busy()
    for number in (1, 2):
        story.propose(number).queue(number)
    assert not supply.wants_proposal(story.study(), 1, ahead=True), "one runs, and the next one is ready"


def test_what_is_made_ahead_follows_from_the_lengths_of_thoughts_and_runs() -> None:
    slow = busy().think(1, 20).think(2, 20).think(3, 20)  # as long as a run
    assert supply.runs_per_thought(slow.study()) == 1
    assert [wanted(slow, slots) for slots in (1, 4, 8)] == [2, 5, 10]
    quick = busy().think(1, 2).think(2, 2)
    assert [wanted(quick, slots) for slots in (1, 8)] == [1, 8], "all are free, so each takes one at once"
    quick.propose(3).queue(3)
    assert wanted(quick) == 1
    quick.propose(4).queue(4)
    assert wanted(quick) == 0


def test_repeats_and_rejected_proposals_are_no_supply() -> None:
    story = busy().think(1, 20).think(2, 20)
    before = wanted(story)
    story.propose(3).queue(3).runs(3, [0.99])  # is to run again
    story.propose(4).queue(4).judge(4, "rejected")
    story.propose(5).queue(5).start(5, 1)
    assert wanted(story) == before


def test_who_is_held_up_does_not_keep_the_last_experiments_from_the_others() -> None:
    story = Busy(Contract(limits=Limits(experiments=3)))
    story.baseline()
    story.join("llm", "other").begin(1).begin(2).begin(3)
    other = supply.Asked("other", {"other": 1.0})
    assert not supply.wants_proposal(story.study(), 4, ahead=True, asked=other)
    story.tell(e.Fault(where="llm", message="it does not answer", next_at=2000.0))
    assert supply.wants_proposal(story.study(), 4, ahead=True, asked=other)
    story.tell(e.Recovered(where="llm"))
    assert not supply.wants_proposal(story.study(), 4, ahead=True, asked=other)


def test_one_who_waits_for_results_is_asked_when_a_slot_is_free() -> None:
    story = busy()
    assert supply.wants_proposal(story.study(), 1, ahead=False, asked=AUTOML)
    story.propose(1).queue(1).start(1, 1)
    assert not supply.wants_proposal(story.study(), 1, ahead=False, asked=AUTOML)
    assert supply.wants_proposal(story.study(), 2, ahead=False, asked=AUTOML)


def test_one_who_proposes_at_once_leaves_room_for_long_thoughts() -> None:
    story = busy().think(1, 200).think(2, 200).begin(3)
    for number in (4, 5):
        assert supply.wants_proposal(story.study(), 2, ahead=True, asked=AUTOML)
        story.tell(e.ExperimentProposed(researcher="automl", title="x", parent=0), number).queue(number)
    assert not supply.wants_proposal(story.study(), 2, ahead=True, asked=AUTOML), "each slot has its next commit"
    assert supply.wants_proposal(story.study(), 2, ahead=True)


def test_a_first_thought_that_lasts_counts_by_its_length_so_far() -> None:
    story = busy().begin(1)
    began = story.events[-1].at
    assert supply.conversations(story.tell(e.Paused(), at=began + 10).study(), 1) == 1
    study = story.tell(e.Resumed(), at=began + 30).study()
    assert supply.conversations(study, 1) == 4, "as long as a run and a half, and another run"
    assert supply.conversations(study, 1, now=began + 60) == 5, "time counts, whether anything happens or not"


def test_a_few_long_thoughts_among_short_ones_count_by_their_length() -> None:
    story = busy()
    for number, seconds in enumerate((20, 20, 20, 60, 60), 1):
        story.think(number, seconds)
    assert supply.runs_per_thought(story.study()) == pytest.approx(36 / 20), "the mean, since many go on at once"
    assert supply.runs_per_thought(story.think(6, 9000).study()) == pytest.approx((36 * 5 + 4 * 40) / 6 / 20)


def test_thoughts_that_come_to_no_run_are_made_up_for() -> None:
    story = busy()
    for number in range(1, 9):
        story.think(number, 20)
    before = supply.conversations(story.study(), 8)
    assert supply.thoughts_for_a_run(story.study()) == 1
    for number in range(9, 17):
        story.begin(number).tell(e.ThoughtEnded(researcher="llm", why="x", repeated=True), number)
    assert supply.thoughts_for_a_run(story.study()) == pytest.approx(20 / 12)
    assert supply.conversations(story.study(), 8) == math.ceil(before * 20 / 12)
    for number in range(17, 25):
        story.propose(number).queue(number).judge(number, "rejected")
    assert supply.thoughts_for_a_run(story.study()) == pytest.approx(20 / 12 * 20 / 12)
    for number in range(25, 60):
        story.begin(number).tell(e.ThoughtEnded(researcher="llm", why="x", repeated=True), number)
    assert supply.thoughts_for_a_run(story.study()) == supply.MOST_FOR_ONE
    failed = busy().think(1, 20).begin(2).tell(e.ThoughtEnded(researcher="llm", why="the endpoint is gone"), 2)
    assert supply.thoughts_for_a_run(failed.study()) == 1, "an endpoint in trouble is not asked more often for it"


@pytest.mark.parametrize("limit", [{"usd": 10.0}, {"tokens": 1000}])
def test_no_thought_begins_that_the_money_left_will_not_pay(limit: dict[str, float]) -> None:
    story = Busy(Contract(limits=Limits.model_validate(limit)))
    story.baseline()
    story.join("llm", at_once=8).think(1, 20).think(2, 20)
    assert wanted(story, slots=8) == 10
    story.tell(e.Spent(researcher="llm", tokens=400, usd=4.0), 2)
    assert wanted(story, slots=8) == 3, "each has cost a fifth of it"
    assert wanted(story.tell(e.Spent(researcher="llm", tokens=500, usd=5.0), 2), slots=8) == 1, "the last one"


def test_a_quick_thinker_does_not_keep_one_who_proposes_at_once_from_its_turn() -> None:
    story = busy().think(1, 20).think(2, 20)
    automl = supply.Asked("automl", {"llm": 1.0, "automl": 1.0}, quick=True)
    for number in (3, 4, 5, 6):
        story.propose(number).queue(number)
    assert supply.wants_proposal(story.study(), 4, ahead=True, asked=automl)
    for number in (7, 8):
        story.tell(e.ExperimentProposed(researcher="automl", title="x", parent=0), number)
    assert not supply.wants_proposal(story.study(), 4, ahead=True, asked=automl)


def test_a_quick_agent_beside_a_slow_model_does_not_pile_up_what_knows_no_results() -> None:
    shares = {"model": 1.0, "agent": 1.0}
    story = busy().join("model", at_once=64).join("agent", at_once=2).think(1, 200, "model").think(2, 5, "agent")

    def made(name: str, as_well: Mapping[str, float]) -> int:
        told = Busy()
        told.events = list(story.events)
        for number in range(100, 200):
            if not supply.wants_proposal(told.study(), 4, ahead=True, asked=supply.Asked(name, as_well)):
                return number - 100
            told.begin(number, name)
            if name == "agent":
                body = e.ExperimentProposed(researcher=name, title="x", parent=0)
                told.tell(body, number, at=told.events[-1].at + 5).queue(number)
        raise AssertionError("there is no end to it")

    assert (made("model", shares), made("agent", shares)) == (25, 3), "each for its half, by its own length"
    assert (made("model", {"model": 1.0}), made("agent", {"agent": 1.0})) == (50, 5), "the other is in trouble"
    part = supply.part(story.study(), 20, "model", shares)
    assert part == pytest.approx(0.5 + (1 - 2 / 5 - 64 / 200)), "its half, and what both together cannot supply"
    assert supply.shortage(thinking(story, 66).study(), 4) == ""


def test_one_who_proposes_at_once_does_not_make_the_others_fewer() -> None:
    story = busy().join("automl").think(1, 80).think(2, 0, "automl")
    assert supply.runs_per_thought(story.study()) == 4
    assert supply.shortage(thinking(story, 5).study(), 4) == "", "no slot waits while there is somebody quick"


def test_the_next_one_has_made_fewest_proposals_for_its_share() -> None:
    story = busy().join("automl")
    study = story.study()
    assert supply.in_turn(study, {}, ["llm", "automl"]) == "llm"
    assert supply.in_turn(study, {}, []) is None
    story.begin(1)
    assert supply.in_turn(story.study(), {}, ["llm", "automl"]) == "automl", "a thought under way counts"
    assert supply.in_turn(story.study(), {"llm": 3}, ["automl", "llm"]) == "llm"
    for number in range(2, 80):
        story.propose(number)
    assert supply.in_turn(story.study(), {}, ["llm", "automl", "late"]) == "automl", (
        "who joins late has nothing to catch up"
    )


def test_what_supply_lacks_is_a_sentence() -> None:
    story = busy().think(1, 20).think(2, 20)
    assert supply.shortage(story.study(), 8) == "", "nobody is asked for more just now"
    thinking(story, 4)
    assert supply.shortage(story.study(), 2) == ""
    assert supply.shortage(story.study(), 8) == (
        "needs 6 more researchers to keep 8 slots busy: a thought lasts as long as 1 runs, so it takes 10 at once, "
        "where llm holds 4; raise `at_once` under `researchers:`, or name more of them"
    )
    assert supply.shortage(busy().study(), 8) == "", "nothing is known yet"
    poor = thinking(busy().join("poor", at_once=6).think(1, 20).think(2, 20), 10)
    assert supply.shortage(poor.study(), 8) == ""
    poor.tell(e.Fault(where="poor", message="its $5 are spent", gone=True))
    assert "where llm holds 4 and poor has left (its $5 are spent)" in supply.shortage(poor.study(), 8)
    waits = Busy(Contract(ahead=False)).baseline()
    assert isinstance(waits, Busy)
    assert supply.shortage(thinking(waits.join("llm").think(1, 20), 1).study(), 8) == "", "it is meant so"


def test_ideas_are_alike_by_their_numbers_and_nearly_by_their_words() -> None:
    assert claims.alike("DEPTH 4 → 6", "depth: from 4 to 6")
    assert claims.alike("Raise the learning rate to 0.03", "raise learning rate to 0.03")
    assert not claims.alike("Raise the learning rate to 0.03", "Raise the learning rate to 0.04")
    assert not claims.alike("Raise the learning rate to 0.03", "Lower weight decay to 0.03")


def test_a_claim_ends_with_its_thought_and_none_outlives_its_supervisor() -> None:
    story = busy().begin(1).begin(2, "other")
    story.tell(e.Claimed(researcher="llm", title="Raise the learning rate to 0.03"), 1)
    near = "llm is thinking about nearly the same now: “Raise the learning rate to 0.03”"
    assert claims.near(story.study(), "raise learning rate to 0.03", own=2) == near
    assert claims.near(story.study(), "raise learning rate to 0.03", own=1) == "", "its own"
    ended = Busy()
    ended.events = list(story.events)
    ended.tell(e.ThoughtEnded(researcher="llm", why="x"), 1)
    assert claims.near(ended.study(), "raise learning rate to 0.03", own=2) == ""
    story.tell(e.SupervisorStarted(pid=2, host="h", version="1"))
    assert story.study().minds.thoughts == {}
    story.propose(1)
    proposed = e.ExperimentProposed(researcher="llm", title="Raise the learning rate to 0.03", parent=0)
    story.tell(proposed, 3)
    assert claims.near(story.study(), "raise learning rate to 0.03", own=2).startswith(
        "experiment 3 is nearly the same"
    )


def test_a_rewriting_of_the_notebook_keeps_what_others_noted_meanwhile() -> None:
    story = Story()
    for text in ("a", "b"):
        story.tell(e.NoteWritten(researcher="r", text=text))
    read = story.events[-1].seq
    story.tell(e.NoteWritten(researcher="other", text="c"))
    story.tell(e.NotebookRewritten(researcher="r", text="ab", read=read))
    assert story.study().minds.notebook == ["ab", "c"]
    story.tell(e.NotebookRewritten(researcher="other", text="b and a", read=read))
    assert story.study().minds.notebook == ["b and a", "ab", "c"], "the first rewriting came after the second was begun"
    story.tell(e.NotebookRewritten(researcher="r", text="whole"))
    assert story.study().minds.notebook == ["whole"], "as journals of before have it"
