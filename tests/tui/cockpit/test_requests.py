"""One table of requests: the screen, the command line and the supervisor give one answer, and a new row reaches all."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from typer.testing import CliRunner

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.pipeline.ablating import Ablating
from loop.pipeline.climbing import Climbing
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.filing import Filing
from loop.pipeline.judging import Judging
from loop.pipeline.pool import ResearcherPool
from loop.pipeline.proposals import Proposals
from loop.pipeline.validating import Validating
from loop.policy import request_table
from loop.policy.permissions import Allowed, Refused, find_experiment
from loop.study import events as e
from loop.supervisor.requests import Requests
from tests.policy.test_permissions import told
from tests.stories import Story
from tests.tui.cockpit.cockpits import journal_of, opened, requests, settle
from tui.cli.main import app as command_line
from tui.render.text import one_line
from tui.screens.confirm import Confirm

ROOT = Path(__file__).parents[3]
ABOUT_ONE = [row for row in request_table.TABLE if row.numbered]


def back() -> Story:
    """A person went back to experiment 1, so champions stand beside the branch."""
    return told().tell(e.ChampionChanged(commit=f"{1:040d}", metric=0.9), 1)


def again() -> Story:
    """The champion is measured again."""
    return told().start(5, 2)


def begun() -> Story:
    """The baseline is measured for the first time."""
    return Story().propose(0).queue(0, None).start(0, 1)


STORIES = [told, back, again, begun, Story]


def workspace_of(story: Story, root: Path) -> Path:
    (root / ".looptop").mkdir()
    with Journal(root / ".looptop" / "journal.db", create=True) as journal:
        for event in story.events:
            journal.append(event.body, event.experiment, event.run, at=event.at)
    return root


def requests_of(recorder: Recorder) -> Requests:
    """A supervisor's part that fulfils requests; nothing here comes so far that it needs a slot or git."""
    idle = cast(Dispatcher, SimpleNamespace(ends_for=lambda request: False, kill=lambda *_, **__: False))
    filing = Filing(None, None, recorder)  # type: ignore[arg-type]
    judging = Judging(None, recorder, filing)  # type: ignore[arg-type]
    validating = Validating(None, recorder)  # type: ignore[arg-type]
    ablating, climbing = cast(Ablating, None), cast(Climbing, None)
    pool, proposals = cast(ResearcherPool, None), cast(Proposals, None)
    return Requests(recorder, pool, proposals, idle, judging, filing, validating, ablating, climbing)


async def outcomes(root: Path, asked: list[tuple[e.Body, int]]) -> list[str]:
    """What a supervisor says to each request, which it finds in the journal when it starts."""
    with Journal(root / ".looptop" / "journal.db") as journal:
        places = [journal.append(body, number) for body, number in asked]
        recorder = Recorder(journal)
        working = asyncio.create_task(requests_of(recorder).fulfil_all())
        done = asyncio.create_task(recorder.until(lambda: not recorder.study.open_requests()))
        await asyncio.wait([working, done], return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        await asyncio.wait([working])
    return [recorder.study.requests[place].outcome for place in places]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_screen_command_line_and_supervisor_refuse_in_the_same_words(
    story: Callable[[], Story], tmp_path: Path
) -> None:
    root, study = workspace_of(story(), tmp_path), story().study()
    refused: list[tuple[request_table.Row, int, str]] = []
    for row in ABOUT_ONE:
        for number in (*study.experiments, 99):
            found = find_experiment(study, number)
            answer = found if isinstance(found, Refused) else row.check(study, found)
            if isinstance(answer, Refused):
                refused.append((row, number, answer.sentence))
    assert {row.name for row, *_ in refused} == {row.name for row in ABOUT_ONE}
    async with opened(root, (200, 50)) as (app, _):
        for row, number, sentence in refused:
            app.hush()
            app.obey(f"{row.name} {number}")
            assert app.message == (sentence, "warn"), (row.name, number)
        assert app.prompt is None and not isinstance(app.screen, Confirm), "nothing is asked of a person in vain"
    for row, number, sentence in refused:
        said = CliRunner().invoke(command_line, ["-C", str(root), row.name, str(number)])
        assert (said.output.strip() or str(said.exception)) == sentence, (row.name, number)
    with journal_of(root) as journal:
        assert journal.last_seq() == len(story().events), "what cannot be done is not put on record"
    told_by = await outcomes(root, [(row.body("ada"), number) for row, number, _ in refused])
    assert told_by == [sentence for *_, sentence in refused]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_what_is_confirmed_first_is_asked_in_the_words_of_the_table(
    story: Callable[[], Story], tmp_path: Path
) -> None:
    study = story().study()
    async with opened(workspace_of(story(), tmp_path), (200, 50)) as (app, pilot):
        known = app.known.study
        for row in ABOUT_ONE:
            for number in study.experiments:
                answer = row.check(known, known.experiments[number])
                if isinstance(answer, Allowed) and row.confirm:
                    app.obey(f"{row.name} {number}")
                    await pilot.pause(0.02)
                    assert isinstance(app.screen, Confirm) and app.screen.question.text == one_line(answer.sentence)
                    await pilot.press("escape")
                    await pilot.pause(0.02)


async def test_the_supervisor_asks_again_when_it_acts(tmp_path: Path) -> None:
    """What could be done when it was asked for cannot be done any more."""
    root = workspace_of(told(), tmp_path)
    with journal_of(root) as journal:
        journal.append(e.ExperimentJudged(verdict="rejected", reason="too timid", by="ada"), 8)
    assert await outcomes(root, [(e.Approved(who="bob"), 8), (e.Branched(who="bob"), 8)]) == [
        "experiment 8 does not wait for approval",
        "experiment 8 was not kept; `keep 8` makes it the champion",
    ]


async def test_a_question_about_a_run_is_withdrawn_when_another_has_taken_its_place(tmp_path: Path) -> None:
    root = workspace_of(told(), tmp_path)
    async with opened(root) as (app, pilot):
        await pilot.press("x")
        await pilot.pause(0.03)
        assert isinstance(app.screen, Confirm) and app.screen.question.title == "Kill run 11.1?"
        with journal_of(root) as journal:
            journal.append(e.RunFinished(outcome="finished"), 11, 1)
            journal.append(next(x.body for x in told().events if x.kind == "run_started"), 11, 2)
        await settle(app, pilot)
        assert app.message is not None and app.message[0].startswith("run 11.1 has ended meanwhile")
        await pilot.press("y")
        await settle(app, pilot)
    assert not requests(root), "the run of now is not the one that was asked about"


# --- a new request -------------------------------------------------------------------------------------------------

_NEW_ROW = """
import asyncio, json, sys
from pathlib import Path
from typing import Literal

from loop.policy import request_table
from loop.policy.permissions import Allowed, Refused
from loop.study.requests import Request


class Praised(Request):
    kind: Literal["praised"] = "praised"
    why: str = ""


def praise(study, experiment):
    if experiment.verdict != "kept":
        return Refused(f"experiment {experiment.id} was not kept, so there is nothing to praise")
    return Allowed(f"Experiment {experiment.id} is praised in every briefing.")


row = request_table.Row(
    Praised, "praise", "praise {}", "praise experiment N", takes="N [WHY]", check=praise, confirm=True, key="F"
)
request_table.TABLE += (row,)

from typer.testing import CliRunner

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.study import events as e
from loop.study.asked import Request as Asked
from tests.tui.cockpit.cockpits import opened, screen
from tests.tui.cockpit.test_requests import requests_of
from tui.cli import event_lines
from tui.cli.main import app as command_line
from tui.model import commands, keys

root = Path(sys.argv[1])
said = {}


def run(*words):
    done = CliRunner().invoke(command_line, ["-C", str(root), *words])
    return done.output or str(done.exception)


async def at_the_screen():
    async with opened(root, (200, 50)) as (app, pilot):
        study = app.known.study
        said["completion"] = [commands.completions("pra", study), commands.completions("praise ", study)]
        said["hint"] = commands.hint("praise", study)
        said["command"] = commands.parse("praise 1 well done", study).text
        app.obey("praise 2")
        said["refused"] = app.message[0]
        app.open_experiment(1)
        await pilot.pause(0.05)
        said["sheet"] = screen(app)[-1]
        await pilot.press("F")
        await pilot.pause(0.05)
        said["asked"] = [app.screen.question.title, app.screen.question.text]
        said["choices"] = [choice[2] for choice in app.screen.choices]
        await pilot.press("y")
        await pilot.pause(0.05)
        said["sent"] = app.message[0]


async def at_work():
    with Journal(root / ".looptop" / "journal.db") as journal:
        recorder = Recorder(journal)
        for seq, number in ((1000, 1), (1001, 2)):
            recorder.study.requests[seq] = Asked(seq, 0.0, "ada", "praised", Praised(who="ada"), number)
        working = asyncio.create_task(requests_of(recorder).fulfil_all())
        while recorder.study.open_requests() and not working.done():
            await asyncio.sleep(0.01)
        working.cancel()
        said["supervisor"] = [recorder.study.requests[seq].outcome for seq in (1000, 1001)]
        event = e.Event(2000, 0.0, 1, None, Praised(who="ada"))
        said["line"] = event_lines.line(event, recorder.study).partition("  ")[2]


asyncio.run(at_the_screen())
asyncio.run(at_work())
said["key"] = ["".join(text for text, _ in line) for line in keys.help_lines() if "praise" in str(line)]
said["listed"] = [line.split() for line in run("--help").splitlines() if "praise" in line]
said["help"] = run("praise", "--help")
said["cli"] = run("praise", "2")
print(json.dumps(said))
"""


def test_a_new_row_is_a_command_a_key_a_hint_a_completion_a_question_and_a_refusal(tmp_path: Path) -> None:
    root = workspace_of(told(), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _NEW_ROW, str(root)], capture_output=True, text=True, cwd=ROOT, timeout=100
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    refused = "experiment 2 was not kept, so there is nothing to praise"
    assert (said["refused"], said["cli"].strip(), said["supervisor"][1]) == (refused, refused, refused)
    assert said["supervisor"][0] == "this version does nothing about such a request", "that is for a person to write"
    assert said["completion"] == [["praise "], ["praise 5", "praise 3", "praise 1", "praise 0"]]
    assert said["hint"] == "N [WHY]  praise experiment N" and said["command"] == "well done"
    assert "F praise" in said["sheet"]
    assert said["asked"] == ["Praise 1?", "Experiment 1 is praised in every briefing."]
    assert said["choices"] == ["praise 1", "praise 1, with a reason for the record"]
    assert said["sent"].startswith("asked to praise 1")
    assert said["key"] == ["  F          praise this experiment (asks first)"]
    assert said["listed"] == [["praise", "Praise", "experiment", "N."]]
    assert "--why" in said["help"] and "Praise experiment N." in said["help"]
    assert said["line"] == "ada asked to praise 1"
