"""Whether another proposal is wanted, whose turn it is, and whether there are thinkers enough: from the study alone."""

from loop.policy import claims, supply
from loop.study import events as e
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


def busy() -> Busy:
    story = Busy()
    story.baseline()
    return story.join("llm", at_once=4)


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
    assert [wanted(quick, slots) for slots in (1, 8)] == [1, 1]
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


def test_one_who_waits_for_results_is_asked_when_a_slot_is_free() -> None:
    story = busy()
    assert supply.wants_proposal(story.study(), 1, ahead=False, thinks=False)
    story.propose(1).queue(1).start(1, 1)
    assert not supply.wants_proposal(story.study(), 1, ahead=False, thinks=False)
    assert supply.wants_proposal(story.study(), 2, ahead=False, thinks=False)


def test_one_who_proposes_at_once_leaves_room_for_long_thoughts() -> None:
    story = busy().think(1, 200).think(2, 200).begin(3)
    for number in (4, 5):
        assert supply.wants_proposal(story.study(), 2, ahead=True, thinks=False)
        story.propose(number).queue(number)
    assert not supply.wants_proposal(story.study(), 2, ahead=True, thinks=False), "each slot has its next commit"
    assert supply.wants_proposal(story.study(), 2, ahead=True)


def test_a_first_thought_that_lasts_counts_by_its_length_so_far() -> None:
    story = busy().begin(1)
    began = story.events[-1].at
    assert supply.conversations(story.tell(e.Paused(), at=began + 10).study(), 1) == 1
    assert supply.conversations(story.tell(e.Resumed(), at=began + 60).study(), 1) == 4, "three runs long by now"


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
    assert supply.shortage(story.study(), 2) == ""
    assert supply.shortage(story.study(), 8).startswith(
        "needs 6 more researchers to keep 8 slots busy, since a thought "
    )
    assert supply.shortage(busy().study(), 8) == "", "nothing is known yet"


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
