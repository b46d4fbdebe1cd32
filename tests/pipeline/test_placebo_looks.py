"""A placebo in flight beside ideas in flight, wherever a study is shown: no word, kind of event, column or mark of it
that ideas have not, and none that they have and it has not."""

import asyncio
import json
import re
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from typer.testing import CliRunner

from loop.follow.translation import Translation
from loop.journal import Journal
from loop.pipeline.placebos import Seals
from loop.researchers.automl.automl import AutoML
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study.events import Event
from loop.study.experiment import Experiment
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from loop.workspace import Workspace
from tests.fake_executor import FakeExecutor
from tests.pipeline.test_placebos import luck, workspace
from tests.repositories import git
from tests.tui.cockpit.cockpits import opened, screen, settle
from tui.cli.main import app
from tui.render.layout import VIEWS

NAMES = ("RATE", "DECAY", "WARMUP", "CLIP", "MOMENTUM", "DROPOUT", "BETA1", "INIT_SCALE")
SOURCE = "".join(f"{name} = 0.{number}3\n" for number, name in enumerate(NAMES, 1)) + f"print({', '.join(NAMES)})\n"


def shape(text: str) -> str:
    """A text without what two ideas differ in: numbers, names of constants, and how large a step is."""
    text = re.sub("|".join(NAMES), "NAME", text)
    text = re.sub(r"\b[0-9a-f]{7,40}\b|[-+]?\d[\d.,:]*(?:e[-+]?\d+)?", "#", text)
    text = re.sub(r" \(a (?:small|large) step\)|[▁▂▃▄▅▆▇█░▒▓━╸╺─│┃⣀-⣿]", "", text)
    return " ".join(text.split())


def of(number: int, lines: Iterable[str]) -> set[str]:
    """The shapes of the lines that name an experiment."""
    return {shape(line) for line in lines if re.search(rf"(?<![\w.#]){number}(?:\.\d)?(?![\w.:%])", line)}


def keys_of(found: object, path: str = "") -> set[str]:
    """The keys of data and the kinds of their values; of words their shapes."""
    if isinstance(found, dict):
        return {path}.union(*(keys_of(value, f"{path}.{shape(str(key))}") for key, value in found.items()))
    if isinstance(found, list):
        return {path}.union(*(keys_of(value, f"{path}[]") for value in found))
    return {f"{path} = {shape(found) if isinstance(found, str) else type(found).__name__}"}


async def in_flight(root: Path, copy: Path) -> tuple[Study, int, list[int], list[Event]]:
    """A study of AutoML with a placebo and two ideas in flight: as it was then, in a folder of its own."""
    house = workspace(root, "placebos: 40%\nbundles: false\nvalidation: off\nlimits: {experiments: 24}\n")
    (root / "train.py").write_text(SOURCE)
    git(root, "commit", "-qam", "more constants")
    seals, there = Seals(Workspace(root).seal), asyncio.Event()

    def apart(study: Study) -> tuple[list[int], list[int]]:
        going = [x for x, _ in study.running() if x.id and x.verdict is None]
        return [x.id for x in going if seals.is_placebo(x)], [x.id for x in going if not seals.is_placebo(x)]

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.experiment and not there.is_set():
            await asyncio.sleep(0)
            sealed, ideas = apart(study := house.study())
            if sealed and len(ideas) > 1 and study.judged() > 2:
                shutil.copytree(root, copy, ignore=shutil.ignore_patterns("journal.db*", "*.lock", "reserve"))
                with sqlite3.connect(Workspace(root).journal) as one, sqlite3.connect(Workspace(copy).journal) as other:
                    one.backup(other)
                there.set()
            elif len(sealed) + len(ideas) < 4:
                try:
                    await asyncio.wait_for(there.wait(), 0.5)
                except TimeoutError:
                    pass
        return await luck(job, slot)

    house.executor = FakeExecutor(answer, slots=4)
    await house.work(AutoML())
    assert there.is_set(), "a placebo and two ideas were in flight together"
    with Journal(Workspace(copy).journal) as journal:
        study, events = fold(journal.read(kinds=FOLDED)), journal.read()
    sealed, ideas = apart(study)
    return study, sealed[0], ideas, events


def told_by_commands(root: Path, number: int) -> set[str]:
    """What commands say of an experiment."""

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["-C", str(root), *words])
        assert done.exit_code == 0, done.output
        return done.output

    found = {f"show: {shape(line)}" for line in run("show", str(number)).splitlines()}
    found |= {f"show{key}" for key in keys_of(json.loads(run("show", str(number), "--json")))}
    rows = [row for row in json.loads(run("experiments", "--json")) if row["id"] == number]
    found |= {f"experiments{key}" for key in keys_of(rows)}
    status = json.loads(run("status", "--json"))
    found |= {f"status{key}" for key in keys_of([one for one in status["running"] if one["id"] == number])}
    for words in (("experiments",), ("log",), ("status",), ("report", "--md", "-o", "-"), ("digest",)):
        found |= {f"{words[0]}: {line}" for line in of(number, run(*words).splitlines())}
    return found


def told_elsewhere(root: Path, x: Experiment, events: list[Event]) -> set[str]:
    """What git, the journal and the trackers have of it."""
    own = [event for event in events if event.experiment == x.id]
    found = {" ".join(dict.fromkeys(event.kind for event in own if event.kind != "output"))}
    for event in own:
        if event.kind == "thought":
            found |= said(event.body.text)
        elif event.kind != "edits_recorded":
            found |= keys_of(event.body.model_dump(mode="json", exclude={"notes"}), event.kind)
    found |= {f"notes {' '.join(sorted(x.notes))}"}
    assert x.commit
    found |= {f"git: {shape(line)}" for line in git(root, "log", "-1", "--format=%an %cn%n%B", x.commit).splitlines()}
    found |= {f"ref: {line}" for line in of(x.id, git(root, "for-each-ref", "--format=%(refname)").splitlines())}
    translation = Translation()
    updates = [update for event in events for update in translation.take(event) if update.key == x.id]
    for update in updates:
        found |= keys_of(dict(update.tags), "tag") | {f"point {point.name}" for point in update.points}
    return found


def said(text: str) -> set[str]:
    """The words of a text: an idea's sentence is another one in another state of the study, and is broken elsewhere."""
    return {f"said: {word}" for word in shape(text).split()}


async def told_on_screens(root: Path, numbers: list[int]) -> dict[int, set[str]]:
    """What each view and an experiment's own screen have of each of these."""
    found: dict[int, set[str]] = {number: set() for number in numbers}
    async with opened(root, (200, 60)) as (cockpit, pilot):
        for place, view in enumerate(VIEWS, 1):
            await pilot.press(str(place), "z")
            await settle(cockpit, pilot)
            for number in numbers:
                for line in of(number, screen(cockpit)):
                    found[number] |= said(line) if view in ("mind", "detail") else {f"{view}: {line}"}
            await pilot.press("z")
        for number in numbers:
            cockpit.open_experiment(number)
            await settle(cockpit, pilot)
            found[number] |= said(" ".join(screen(cockpit)))
            await pilot.press("escape")
    return found


async def test_a_placebo_in_flight_looks_like_an_idea_in_flight(tmp_path: Path) -> None:
    root, copy = tmp_path / "study", tmp_path / "then"
    root.mkdir()
    study, placebo, ideas, events = await in_flight(root, copy)
    told = {
        number: told_by_commands(copy, number) | told_elsewhere(copy, study.experiments[number], events)
        for number in (placebo, *ideas)
    }
    for number, more in (await told_on_screens(copy, [placebo, *ideas])).items():
        told[number] |= more
    theirs = [told[number] for number in ideas]
    vocabulary = [event.body.text for event in events if event.kind == "thought" and event.experiment != placebo]
    theirs_said = said(" ".join(vocabulary))  # type: ignore[arg-type]
    told[placebo] -= theirs_said
    assert not (only := told[placebo] - set().union(*theirs)), "\n".join(sorted(only))
    assert not (lacks := set.intersection(*theirs) - told[placebo] - theirs_said), "\n".join(sorted(lacks))
