"""What a digest tells of a stretch of time."""

from loop.reporting import digest as digests
from loop.study import events as e
from loop.study.outcomes import Outcome
from tests.stories import Story


def told(story: Story, after: int) -> tuple[str, dict[str, list[str]], digests.Digest]:
    """The headline and the sections of what came after the event `after`."""
    study = story.study()
    found = digests.digest(study, story.events[after:], 1000.0 + after, study.at)
    sections = {kind: rows for kind, _, rows in digests.sections(study, found)}
    return digests.headline(study, found), sections, found


def judged(story: Story, number: int, verdict: str, metric: float | None, reason: str = "because") -> None:
    story.tell(e.ExperimentJudged(verdict=Outcome(verdict), reason=reason, metric=metric, noise=0.01), number)
    if verdict == "kept":
        story.tell(e.ChampionChanged(commit=f"{number:040d}", metric=metric), number)


def test_it_tells_only_of_its_time() -> None:
    story = Story().baseline()
    story.propose(1).queue(1).runs(1, [0.9])
    judged(story, 1, "kept", 0.9)
    after = len(story.events)
    assert told(story, after)[2].empty
    story.propose(2, 1).queue(2, 1).runs(2, [0.8])
    judged(story, 2, "kept", 0.8)
    for number in (3, 4):
        story.propose(number, 2).queue(number, 2).start(number, 1).finish(number, 1, None, "crashed")
        judged(story, number, "crashed", None, "CUDA error")
    story.tell(e.LessonWritten(researcher="r", text="Width\npays."), 2)
    story.tell(e.NoteWritten(researcher="r", text="3: depth does not."), 3)
    story.tell(e.Fault(where="llm", message="529"))
    story.tell(e.Fault(where="llm", message="530"))
    story.tell(e.Fault(where="disk", message="full", next_at=9e9))
    story.tell(e.Spent(researcher="r", tokens=10, usd=1.7))
    story.propose(5, 2).tell(e.ApprovalAsked(reason="review: all"), 5)
    headline, sections, found = told(story, after)
    assert headline == "+3 experiments, 1 kept, best -0.1 (11%, 10.0σ), 2 failed, $1.70, 1 waits for you"
    assert sections["best"] == ["val_bpb 0.8, -0.1 (11%, 10.0σ) against experiment 1: experiment 2, idea 2"]
    assert sections["failed"] == ["3 and 4  CUDA error"]
    assert sections["learnt"] == ["3  depth does not.", "2  Width pays."]
    assert sections["faults"][0].startswith("disk: full (since ") and sections["faults"][1] == "llm: 530 (2 times)"
    assert sections["waits"][0].startswith("5  idea 5 (is to be approved")
    assert sections["kept"] == ["2  idea 2"]
    data = digests.as_data(story.study(), found)
    assert (data["champion_before"], data["champion"], data["waiting"]) == (1, 2, [5])
    assert data["verdicts"] == {"kept": [2], "crashed": [3, 4]}


def test_a_verdict_that_was_overruled_counts_as_it_stands_now() -> None:
    story = Story().baseline()
    after = len(story.events)
    story.propose(1).queue(1).runs(1, [0.9])
    judged(story, 1, "kept", 0.9)
    story.tell(e.ExperimentJudged(verdict=Outcome.DISCARDED, reason="ada", by="ada", metric=0.9), 1)
    story.tell(e.ChampionChanged(commit="0" * 40, metric=1.0), 0)
    headline, sections, _ = told(story, after)
    assert headline == "+1 experiment" and "kept" not in sections
    assert sections["best"] == ["val_bpb 1, which is the baseline's"]


def test_of_the_whole_study_the_gain_is_over_the_baseline() -> None:
    story = Story().baseline().propose(1).queue(1).runs(1, [0.9])
    judged(story, 1, "kept", 0.9)
    headline, sections, _ = told(story, 0)
    assert "best -0.1 (10%, 10.0σ)" in headline and "against the baseline" in sections["best"][0]
    assert sections["loop"][0].endswith("the loop was started")


def test_a_long_list_is_cut_short_and_counted() -> None:
    story = Story().baseline()
    for number in range(1, 30):
        story.propose(number).queue(number).runs(number, [1.2])
        judged(story, number, "discarded", 1.2)
        story.tell(e.LessonWritten(researcher="r", text=f"lesson {number}"), number)
    rows = told(story, 0)[1]["learnt"]
    assert rows[0] == "29  lesson 29" and rows[-1] == "and 21 more" and len(rows) == 9
