"""What a person's keys and commands come to: requests, the pager, selections, folds, the program."""

from pathlib import Path

import pytest

from loop.journal import Journal
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.figures import Figures
from loop.study.folding import apply
from loop.study.queries import built_on
from loop.study.readings import RunGauge
from loop.study.state import Study
from tests.recorded import record
from tests.repositories import git
from tests.stories import Story
from tests.tui.cockpit.cockpits import journal_of, opened, requests, screen, settle
from tui.widgets.progress import optimiser_steps


def text_of(app: object) -> str:
    return "\n".join(screen(app))  # type: ignore[arg-type]


def nearly(study: Study) -> int:
    """An experiment that the judge discarded, on today's champion."""
    return next(x.id for x in study.experiments.values() if x.verdict == "discarded" and x.parent == study.champion)


# --- commands ------------------------------------------------------------------------------------------------------


async def test_a_command_is_completed_carried_out_and_remembered(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press("colon", *"the", "tab", *"li", "tab", "enter")
        await settle(app, pilot)
        assert app.palette.name == "light" and app.prompt is None
        await pilot.press("colon", "up")
        assert app.prompt is not None and app.prompt.text == "theme light"
        await pilot.press("escape", "colon", *"steer try it wider", "enter")
        await settle(app, pilot)
        assert any("try it wider" in line for line in screen(app))
        await pilot.press("colon", *"view progress", "enter")
        await settle(app, pilot)
        assert app.active == "progress"
        await pilot.press("colon", *"frobnicate", "enter")
        await pilot.pause(0.03)
        assert "no command 'frobnicate'" in screen(app)[-1]
    assert isinstance(requests(workspace)[-1].body, e.Steered)


async def test_commands_ask_where_their_keys_ask(workspace: Path) -> None:
    with journal_of(workspace) as journal:
        journal.append(e.ExperimentProposed(researcher="llm", title="bold", parent=0), 22)
        journal.append(e.ApprovalAsked(reason="review: all"), 22)
    before = len(requests(workspace))
    async with opened(workspace) as (app, pilot):
        for line, title in (("kill", "Kill run 21.1?"), ("kill 22", "Kill 22?"), ("stop", "Stop the loop?")):
            await pilot.press("colon", *line, "enter")
            await pilot.pause(0.03)
            assert title in text_of(app)
            await pilot.press("escape")
            await pilot.pause(0.03)
        assert len(requests(workspace)) == before
        await pilot.press("colon", *"reject 22 too bold", "enter")
        await settle(app, pilot)
    last = requests(workspace)[-1].body
    assert isinstance(last, e.Rejected) and last.why == "too bold"


async def test_a_read_only_cockpit_takes_no_command_that_asks_for_something(workspace: Path) -> None:
    before = len(requests(workspace))
    async with opened(workspace, read_only=True) as (app, pilot):
        for line in (
            "steer hello",
            "pause",
            "resume",
            "kill",
            "stop",
            "keep 3",
            "requeue 3",
            "branch 0",
            "submit x",
            "pin x",
        ):
            await pilot.press("colon", *line, "enter")
            await pilot.pause(0.02)
            assert "only watches" in screen(app)[-1], line
    assert len(requests(workspace)) == before


async def test_steering_in_several_lines(workspace: Path) -> None:
    async with opened(workspace) as (app, pilot):
        await pilot.press("s", *"first", "backslash", "enter", *"second")
        await pilot.pause(0.03)
        assert "first" in screen(app)[-2] and "second" in screen(app)[-1]
        await pilot.press("enter")
        await settle(app, pilot)
        assert any(line.strip() == "second" for line in screen(app))
    steered = requests(workspace)[-1].body
    assert isinstance(steered, e.Steered) and steered.text == "first\nsecond"


async def test_while_the_champion_is_measured_anew_its_run_is_the_current_one_everywhere(tmp_path: Path) -> None:
    story = Story().baseline()
    for number in range(1, 11):
        story.propose(number).queue(number).runs(number, (1.1,)).judge(number, "discarded", 1.1)
    story.propose(11).queue(11).runs(11, (0.98,)).start(0, 4)
    for step in range(20):
        story.tell(e.StepSampled(step=step, progress=0.04 * step, values={"loss": 3 - 0.1 * step}), 0, 4)
    held = RunGauge(experiment=0, run=4, memory=3 * 2**30)
    story.tell(e.GaugeRead(cpu=50, ram_used=1, ram_total=2, disk_free=3, runs=(held,)))
    (tmp_path / ".looptop").mkdir()
    with Journal(tmp_path / ".looptop" / "journal.db", create=True) as journal:
        for event in story.events:
            journal.append(event.body, event.experiment, event.run, at=event.at)
    async with opened(tmp_path, (200, 50)) as (app, pilot):
        assert "run 0.4" in screen(app)[1]
        assert "━ 0.4 loss 1.1" in text_of(app), "the curve draws it"
        await pilot.press("8")
        await pilot.pause(0.05)
        assert any("run" in line and "0.4  RAM 3.0 GB" in line for line in screen(app))
        assert any("reports" in line and "loss 1.100" in line for line in screen(app)), "the machine view quotes it"
        await pilot.press("x")
        await pilot.pause(0.03)
        assert "Kill run 0.4?" in text_of(app)
        await pilot.press("y")
        await settle(app, pilot)
        with journal_of(tmp_path) as journal:
            journal.append(e.RunFinished(outcome="killed", seconds=16), 0, 4)
        await settle(app, pilot)
        assert "run 0.4" not in screen(app)[1] and "━ 0.4 loss 1.1" in text_of(app), "the last run stays drawn"
    last = requests(tmp_path)[-1]
    assert (last.kind, last.experiment, last.run) == ("killed", 0, 4)


# --- overruling ----------------------------------------------------------------------------------------------------


async def test_overruling_names_what_will_happen_and_takes_a_reason(workspace: Path) -> None:
    async with opened(workspace, (100, 30)) as (app, pilot):
        number, best = nearly(app.known.study), app.known.study.champion
        app.open_experiment(number)
        await pilot.pause(0.03)
        await pilot.press("K")
        await pilot.pause(0.03)
        assert f"Keep {number}?" in text_of(app) and f"instead of {best}" in " ".join(text_of(app).split())
        await pilot.press("w", *"I see more in it", "enter")
        await settle(app, pilot)
        await pilot.press("escape", "3")
        app.open_experiment(best or 0)
        await pilot.pause(0.03)
        await pilot.press("D", "y")
        await settle(app, pilot)
    keep, discard = requests(workspace)[-2:]
    assert keep.body == e.Overruled(who=keep.body.who, verdict="kept", why="I see more in it")  # type: ignore[union-attr]
    assert keep.experiment == number
    assert isinstance(discard.body, e.Overruled) and discard.body.verdict == "discarded"
    assert discard.experiment == best


async def test_going_back_to_an_earlier_champion_names_who_leaves_the_branch(workspace: Path) -> None:
    async with opened(workspace, (100, 30)) as (app, pilot):
        line = built_on(app.known.study)
        app.open_experiment(0)
        await pilot.pause(0.03)
        assert "B branch " in screen(app)[-1]
        await pilot.press("B")
        await pilot.pause(0.03)
        asked = f"{app.screen.question.title} {app.screen.question.text}"  # type: ignore[attr-defined]
        assert "Branch from 0?" in asked and f"instead of {line[0]}" in asked
        assert f"{line[-2]} to {line[0]} ({len(line) - 1} champions) leave the branch" in asked
        await pilot.press("y")
        await settle(app, pilot)
        await pilot.press("escape", "colon", *f"branch {nearly(app.known.study)}", "enter")
        await pilot.pause(0.03)
        assert "was not kept" in screen(app)[-1]
    assert (requests(workspace)[-1].kind, requests(workspace)[-1].experiment) == ("branched", 0)


# --- a person's own edit, and what is pinned -----------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose study stands on a real commit of train.py."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "train.py").write_text("WIDTH = 4\nDEPTH = 8\n")
    git(tmp_path, "add", "train.py")
    git(tmp_path, "commit", "--quiet", "-m", "start")
    (tmp_path / ".looptop").mkdir()
    with Journal(tmp_path / ".looptop" / "journal.db", create=True) as journal:
        head = git(tmp_path, "rev-parse", "HEAD")
        journal.append(e.StudyStarted(tag="a", branch="looptop/a", base=head, contract=Contract()))
        journal.append(e.SupervisorStarted(pid=1, host="h", version="1"))
        journal.append(e.ExperimentProposed(researcher="you", title="baseline"), 0)
        journal.append(e.ExperimentQueued(commit=head, parent=None, parent_commit=head), 0)
    return tmp_path


async def test_a_person_runs_their_own_edit_from_the_screen(checkout: Path) -> None:
    async with opened(checkout, (100, 30)) as (app, pilot):
        await pilot.press("u")
        await pilot.pause(0.03)
        assert "is as in experiment 0; edit it first" in screen(app)[-1]
        (checkout / "train.py").write_text("WIDTH = 9\nDEPTH = 8\nHEADS = 2\n")
        with journal_of(checkout) as journal:
            journal.append(e.CheckoutChanged(files=("train.py",), lines_added=2, lines_removed=1))
        await settle(app, pilot)
        assert "train.py changed in your checkout (+2 -1" in text_of(app)
        await pilot.press("escape")
        await pilot.pause(0.03)
        assert "u run your edit (+2 −1)" in screen(app)[-1]
        await pilot.press("u")
        await pilot.pause(0.03)
        assert "train.py (+2 -1) on experiment 0" in screen(app)[-1]
        await pilot.press(*"a wider head", "enter")
        await settle(app, pilot)
        assert any("submitted “a wider head”" in line for line in screen(app))
        await pilot.press("colon", *"submit", "enter", "enter")
        await settle(app, pilot)
    first, second = (event.body for event in requests(checkout))
    assert isinstance(first, e.Submitted) and isinstance(second, e.Submitted)
    assert (first.title, first.parent) == ("a wider head", 0) and first.who
    assert first.edits == {"train.py": "WIDTH = 9\nDEPTH = 8\nHEADS = 2\n"}
    assert second.title == "WIDTH = 9", "it is called by its change where no name was given"
    assert git(checkout, "status", "--porcelain", "-uno") == " M train.py", "the checkout is as it was"


async def test_pins_are_shown_where_the_program_is_and_taken_back_by_number(checkout: Path) -> None:
    async with opened(checkout, (100, 30)) as (app, pilot):
        await pilot.press("colon", *"pin leave the tokenizer alone", "enter")
        await pilot.press("colon", *"pin think big", "enter")
        await settle(app, pilot)
        await pilot.press("P")
        await pilot.pause(0.03)
        assert "1  leave the tokenizer alone" in text_of(app) and "2  think big" in text_of(app)
        await pilot.press("escape", "colon", *"unpin 3", "enter")
        await pilot.pause(0.03)
        assert "no pin 3; pinned are 1, 2" in screen(app)[-1]
        await pilot.press("colon", *"unpin 1", "enter")
        await settle(app, pilot)
        assert app.known.study.pins == {2: "think big"}
        await pilot.press("colon", *"unpin", "enter")
        await settle(app, pilot)
        assert app.known.study.pins == {}


async def test_a_researcher_that_waits_is_counted_down_and_heard_of_when_it_is_over(checkout: Path) -> None:
    with journal_of(checkout) as journal:
        journal.append(e.GaugeRead(cpu=7, ram_used=1, ram_total=2, disk_free=3))
        at = journal.read(journal.last_seq() - 1)[-1].at
        fault = e.Fault(where="llm", message="the endpoint answered 529", next_at=at + 41)
        journal.append(fault, at=at)
    async with opened(checkout, (100, 30)) as (app, pilot):
        assert screen(app)[1].rstrip().endswith("next in 40 s") and "llm waits since " in screen(app)[1]
        app.now = lambda: at + 31.5
        app.tick()
        await pilot.pause(0.03)
        assert screen(app)[1].rstrip().endswith("next in 10 s")
        with journal_of(checkout) as journal:
            journal.append(e.Recovered(where="llm"))
        await settle(app, pilot)
        assert "llm waits" not in screen(app)[1] and "llm works again" in text_of(app)


async def test_what_cannot_be_overruled_says_why_and_asks_for_nothing(workspace: Path) -> None:
    before = len(requests(workspace))
    async with opened(workspace) as (app, pilot):
        await pilot.press("K")
        assert "choose an experiment first" in screen(app)[-1]
        for key, number, words in (("D", 0, "baseline"), ("K", 21, "no verdict"), ("R", 0, "was kept")):
            app.open_experiment(number)
            await pilot.pause(0.03)
            await pilot.press(key)
            await pilot.pause(0.03)
            assert words in screen(app)[-1]
            await pilot.press("escape")
    assert len(requests(workspace)) == before


async def test_a_waiting_diff_is_read_and_decided_on_its_own_screen(workspace: Path) -> None:
    with journal_of(workspace) as journal:
        journal.append(e.ExperimentProposed(researcher="llm", title="bold", hypothesis="why not", parent=0), 22)
        journal.append(e.ApprovalAsked(reason="review: all"), 22)
    async with opened(workspace, (100, 30)) as (app, pilot):
        await pilot.press("a", "enter")
        await pilot.pause(0.05)
        assert screen(app)[0].startswith(" 22 ") and "a approve" in screen(app)[-1] and "r reject" in screen(app)[-1]
        assert text_of(app).index("diff") < text_of(app).index("runs"), "what is asked about comes first"
        await pilot.press("r", *"too bold", "enter")
        await settle(app, pilot)
    last = requests(workspace)[-1]
    assert isinstance(last.body, e.Rejected) and (last.experiment, last.body.why) == (22, "too bold")


# --- views ---------------------------------------------------------------------------------------------------------


async def test_the_tree_folds_opens_sorts_and_says_so(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=60)
    async with opened(tmp_path, (120, 50), view="experiments", alive=1) as (app, pilot):
        assert app.experiments_view.folding and ", best +" in text_of(app)
        rows = len(app.experiments_view.keys)
        fold = next(index for index, key in enumerate(app.experiments_view.keys) if key < 0)
        await pilot.press(*["j"] * fold, "enter")
        await pilot.pause(0.03)
        assert len(app.experiments_view.keys) > rows and app.sheet is None, "enter opens a fold in place"
        await pilot.press("c", "c")
        await pilot.pause(0.03)
        assert len(app.experiments_view.keys) == 62
        await pilot.press("O")
        await pilot.pause(0.03)
        effects = [app.known.figures.effect(app.known.study.experiments[key]) for key in app.experiments_view.keys]
        measured = [effect for effect in effects if effect is not None]
        assert measured == sorted(measured, reverse=True) and effects[: len(measured)] == measured


async def test_scrolling_past_the_top_brings_older_text(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=300)
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("g")
        top = screen(app)[3:6]
        first = app.known.mind.first
        await pilot.press("k")
        await pilot.pause(0.03)
        assert app.known.mind.first < first
        assert screen(app)[4:7] == top, "what was at the top has moved down by one row"
        await pilot.press("f")
        await pilot.pause(0.03)
        assert app.known.mind.spare == 0, "back at the end the room is given back"


async def test_while_a_run_is_verified_the_screen_says_so(workspace: Path) -> None:
    with journal_of(workspace) as journal:
        done = e.RunFinished(outcome="finished", seconds=300, metrics={"val_bpb": 0.9})
        journal.append(done, 21, 1)
    async with opened(workspace, view="experiments") as (app, _):
        assert "verifying 21.1" in screen(app)[1]
        assert any("21 verifying" in line for line in screen(app)[3:6])


async def test_the_program_view_shows_the_contract_and_a_broken_edit(workspace: Path) -> None:
    with journal_of(workspace) as journal:
        text = "# Goal\n\nBe bold.\n"
        journal.append(e.ProgramChanged(contract=Contract(budget=20.0), text=text, changed=("budget", "instructions")))
    async with opened(workspace, (100, 40)) as (app, pilot):
        await pilot.press("P")
        await pilot.pause(0.03)
        assert "Be bold." in text_of(app) and "taken over: budget, instructions" in text_of(app)
        with journal_of(workspace) as journal:
            journal.append(e.Fault(where="program.md", message="program.md, line 3: budgit is not known"))
        await settle(app, pilot)
        assert "broken" in screen(app)[0] and "line 3: budgit" in text_of(app)


def test_automl_has_a_line_of_its_own_only_beside_somebody_else() -> None:
    study = Study()
    for number, (who, metric) in enumerate((("automl", 1.0), ("llm", 0.9), ("automl", 0.95), ("automl", 0.97))):
        proposed = e.ExperimentProposed(researcher=who, title="x", parent=None if number == 0 else 0)
        judged = e.ExperimentJudged(verdict="kept" if metric < 1 else "discarded", reason="", metric=metric)
        for body in (proposed, judged):
            apply(study, e.Event(study.seq + 1, 0.0, number, None, body))
    assert optimiser_steps(study, Figures(study)) == [(2.0, 1.0), (2.0, 0.95)]
    study.experiments[2].noise = 0.03
    assert optimiser_steps(study, Figures(study)) == [(2.0, 1.0), (3.0, 0.97)], "a lucky number is no step"
    study.experiments[1].submitted = True
    assert optimiser_steps(study, Figures(study)) == [], "a person's own edit is nobody's rival"
