"""A placebo beside ideas, each as it was when it had just been queued, wherever a study is shown: no word, kind of
event, column or mark of it that ideas have not."""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from typer.testing import CliRunner

from loop.follow.translation import Translation
from loop.journal import Journal
from loop.researchers.automl.automl import AutoML
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


AT_WORK = ("thinking", "running", "verifying", "idle")
"""What everybody else is at: a moment decides it, and no placebo."""


def shape(text: str) -> str:
    """A text without what two ideas differ in: numbers, names of constants, and how large a step is."""
    text = re.sub("|".join(NAMES), "NAME", text)
    text = re.sub(r"\b[0-9a-f]{7,40}\b|[-+]?\d[\d.,:]*(?:e[-+]?\d+)?", "#", text)
    text = re.sub(r"#(?:, #)* and # are", "# is", text)  # how many are queued beside it says nothing of it
    text = re.sub(r" \(a (?:small|large) step\)|[▁▂▃▄▅▆▇█░▒▓━╸╺─│┃⣀-⣿]", "", text)
    return " ".join(text.split())


def of(number: int, lines: Iterable[str]) -> set[str]:
    """The shapes of the lines that name an experiment, and no time that happens to have its number."""
    return {shape(line) for line in lines if re.search(rf"(?<![\w.#]){number}(?:\.\d)?(?![\w.:%]| s\b| min\b)", line)}


def keys_of(found: object, path: str = "") -> set[str]:
    """The keys of data and the kinds of their values; of words their shapes."""
    if isinstance(found, dict):
        return {path}.union(*(keys_of(value, f"{path}.{shape(str(key))}") for key, value in found.items()))
    if isinstance(found, list):
        return {path}.union(*(keys_of(value, f"{path}[]") for value in found))
    return {f"{path} = {shape(found) if isinstance(found, str) else type(found).__name__}"}


async def studied(root: Path) -> tuple[Study, list[Event]]:
    """A study of AutoML that has ended, a third of whose candidates were placebos, and all of its events."""
    house = workspace(root, "placebos: 40%\nbundles: false\nvalidation: off\nlimits: {experiments: 10}\n")
    (root / "train.py").write_text(SOURCE)
    git(root, "commit", "-qam", "more constants")
    house.executor = FakeExecutor(luck, slots=2)
    study = await house.work(AutoML())
    with Journal(Workspace(root).journal) as journal:
        return study, journal.read()


def back(root: Path, full: Path, events: list[Event], number: int) -> list[Event]:
    """Have the journal end where that experiment had just been queued."""
    last = next(event.seq for event in events if event.kind == "experiment_queued" and event.experiment == number)
    for old in Workspace(root).folder.glob("journal.db*"):
        old.unlink()
    shutil.copy(full, Workspace(root).journal)
    with sqlite3.connect(Workspace(root).journal) as journal:
        journal.execute("DROP TRIGGER IF EXISTS nothing_is_removed")
        journal.execute("DELETE FROM events WHERE seq > ?", (last,))
    return [event for event in events if event.seq <= last]


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
    return {f"said: {word}" for word in re.sub(r"[.,:;]", " ", shape(text)).split() if word not in AT_WORK}


async def told_on_screens(root: Path, numbers: list[int]) -> dict[int, set[str]]:
    """What each view and an experiment's own screen have of each of these."""
    found: dict[int, set[str]] = {number: set() for number in numbers}
    async with opened(root, (200, 60)) as (cockpit, pilot):
        for place, view in enumerate(VIEWS, 1):
            if view in ("runs", "machine", "researchers"):
                continue  # they say what each process and each researcher is at in this moment
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


async def test_a_placebo_that_waits_looks_like_an_idea_that_waits(tmp_path: Path) -> None:
    study, events = await studied(tmp_path)
    with sqlite3.connect(Workspace(tmp_path).journal) as journal, sqlite3.connect(tmp_path / "full.db") as full:
        journal.backup(full)
    told: dict[int, set[str]] = {}
    ideas = [x.id for x in study.experiments.values() if x.id and x.id not in study.placebos]
    sealed = next(number for number in study.placebos if number > 3)
    assert len(ideas) > 4
    for number in (sealed, ideas[0], *ideas[-3:]):
        then = back(tmp_path, tmp_path / "full.db", events, number)
        x = fold(event for event in then if event.kind in FOLDED).experiments[number]
        assert x.verdict is None and not x.runs
        told[number] = told_by_commands(tmp_path, number) | told_elsewhere(tmp_path, x, then)
        told[number] |= (await told_on_screens(tmp_path, [number]))[number]
    assert not (only := told.pop(sealed) - set().union(*told.values())), "\n".join(sorted(only))
