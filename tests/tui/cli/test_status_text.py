"""What a plain terminal is told of troubles, pins, a person's own edit and what it has cost."""

from loop.reporting.summary import status
from loop.study import events as e
from loop.study.supervision import Trouble
from tests.stories import Story
from tui.cli.event_lines import line
from tui.cli.status_text import details, slot_lines, status_lines, table
from tui.render.troubles import trouble_words


def test_status_says_who_waits_what_is_pinned_edited_and_spent() -> None:
    story = Story().baseline()
    story.tell(e.Fault(where="llm", message="the endpoint answered 529", next_at=2000.0))
    story.tell(e.Pinned(text="leave the data alone"))
    story.tell(e.CheckoutChanged(files=("train.py",), lines_added=3, lines_removed=1))
    story.tell(e.Spent(researcher="llm", tokens=12_500, usd=0.5))
    study = story.study()
    text = status_lines(study, 77, 1960.0)
    assert any(
        one.startswith("  llm waits since ") and one.endswith("next in 40 s: the endpoint answered 529") for one in text
    )
    assert "  train.py changed in your checkout (+3 -1): `looptop submit` runs it" in text
    assert "  pinned 1: leave the data alone" in text and "  spent $0.50, 12,500 tokens" in text
    told = status(study, 77, 1960.0)
    assert told["pins"] == {"1": "leave the data alone"} and told["edited"] == ["train.py"]
    assert told["troubles"]["llm"]["tries"] == 1
    assert not any("waits" in one for one in status_lines(study, None, 1960.0)), "a loop that is gone waits for nothing"


def test_status_says_what_confines_the_runs_as_long_as_any_can_start() -> None:
    def told(sandbox: str, pid: int | None) -> list[str]:
        study = Story().tell(e.SupervisorStarted(pid=77, host="h", version="1", sandbox=sandbox)).study()
        assert status(study, pid, 0.0)["supervisor"]["sandbox"] == (sandbox or None)
        return [one for one in status_lines(study, pid, 0.0) if "confined" in one]

    assert told("landlock", 77) == ["  runs are confined by landlock"]
    warning = ["  ! runs are not confined: they can read what you can read, and use the network"]
    assert told("off", 77) == warning and told("off", None) == []
    assert told("", 77) == [], "a supervisor from before there was any"


def test_an_unknown_price_is_not_zero() -> None:
    study = Story().tell(e.Spent(researcher="llm", tokens=900)).study()
    assert "  spent 900 tokens (price unknown)" in status_lines(study, 1, 0.0)


def test_a_trouble_takes_the_room_it_has() -> None:
    trouble = Trouble(since=0.0, message="", next_at=1000.0)
    assert trouble_words("llm", trouble, 960.0, 20) == "llm waits 40 s"
    assert trouble_words("llm", trouble, 960.0, 25) == "llm waits, next in 40 s"
    assert trouble_words("llm", trouble, 400.0, 25) == "llm waits, next in 10 min"
    assert trouble_words("llm", trouble, 1000.0).endswith("trying again")


def test_a_plain_line_for_each() -> None:
    study = Story().study()

    def said(body: e.Body, experiment: int | None = None) -> str:
        text = line(e.Event(1, 0.0, experiment, None, body), study)
        return "" if text is None else text.partition("  ")[2]

    assert said(e.Recovered(where="llm")) == "llm works again"
    assert said(e.ResearcherJoined(name="automl", about="Optuna")) == "automl proposes: Optuna"
    assert said(e.Pinned(who="ada", text="think big")) == "ada asked to pin: think big"
    assert said(e.Submitted(who="ada", title="wider", parent=0, edits={})) == "ada asked to submit: wider"
    assert said(e.Branched(who="ada"), 4) == "ada asked to branch from 4"
    changed = e.CheckoutChanged(files=("train.py",), lines_added=3)
    assert said(changed) == "train.py changed in your checkout (+3 -0): looptop submit runs it"
    assert said(e.CheckoutChanged()) == ""


def test_a_run_that_had_little_of_the_machine_says_so_beside_its_time() -> None:
    story = Story().baseline().propose(1).queue(1)
    for run, waited in ((1, e.Waited(total=9.2)), (2, e.Waited(total=1)), (3, None)):
        story.start(1, run)
        story.tell(e.RunFinished(outcome="finished", seconds=20, waited=waited), 1, run)
    study = story.study()
    runs = [one for one in details(study, study.experiments[1]) if one.startswith("  run ")]
    assert [one.partition("no number, ")[2] for one in runs] == ["20.0 s (had 54% of the machine)", "20.0 s", "20.0 s"]


def test_slots_say_what_they_do_and_why_one_is_idle() -> None:
    started = e.SupervisorStarted(pid=1, host="h", version="1", slots=("GPU 0", "GPU 1"), device="H100")
    story = Story().tell(started).baseline().propose(1).queue(1).start(1, 1)
    story.tell(e.Drained(who="ada", slot="GPU 1"))
    now = story.study().at + 60
    said = slot_lines(story.study(), 1, now)
    assert said[0].startswith("2 slots, busy ") and said[0].endswith(" experiments an hour")
    assert said[1].split() == ["GPU", "0", "H100", "run", "1.1", "for", "01:01"]
    assert said[2].endswith("idle: ada keeps it out of work (`looptop undrain 'GPU 1'`)")
    assert any("GPU 1 is idle: ada keeps it" in line for line in status_lines(story.study(), 1, now))


def test_a_lost_machine_of_several_slots_is_told_in_one_line() -> None:
    slots = ("b GPU 0", "b GPU 1", "c GPU 0", "c GPU 1")
    story = Story().tell(e.SupervisorStarted(pid=1, host="h", version="1", slots=slots)).baseline()
    for slot in slots[:2]:
        story.tell(e.Fault(where=slot, message="node b is lost", next_at=4000.0))
    told = status_lines(story.study(), 1, 3960.0)
    (lost,) = [line for line in told if "node b is lost" in line]
    assert lost.startswith("  b GPU 0 waits since ") and lost.endswith(": node b is lost (b GPU 1 likewise)")
    (idle,) = [line for line in told if "idle: " in line]
    assert idle.startswith("  c GPU 0 and c GPU 1 are idle: ")


def test_a_number_that_does_not_count_is_shown_and_called_so() -> None:
    story = Story().baseline().propose(1).queue(1).start(1, 1)
    failed = e.RunFinished(outcome="finished", metrics={"val_bpb": 0.875}, check="budget", reason="it took 32 s")
    story.tell(failed, 1, 1).judge(1, "rejected").tell(e.LessonWritten(researcher="r", text="start up is slow"), 1)
    study = story.study()
    rows = table(study, study.experiments.values())
    assert "(0.875)" in rows[2] and "measured and is not counted" in rows[3]
    told = "\n".join(details(study, study.experiments[1]))
    assert "measured: val_bpb 0.875, not counted" in told and "val_bpb 0.875 (not counted)" in told
    newest = "  newest verdict: experiment 1 ⊘ rejected at val_bpb 0.875, not counted: because"
    assert newest in status_lines(study, 77, 1960.0)
    assert "learnt: start up is slow" in told
    assert "not counted" not in "\n".join(details(study, study.experiments[0]))
