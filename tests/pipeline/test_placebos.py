"""Placebos in the whole loop: real git and journal, runs that end at once."""

import asyncio
import hashlib
import json
import random
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from loop.pipeline.placebos import Seals
from loop.policy import placebos
from loop.reporting import summary
from loop.researchers.briefing.page import for_command
from loop.researchers.protocol import Briefing, Proposal
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from loop.workspace import Workspace
from tests.fake_executor import FakeExecutor, ended
from tests.supervisor.house import House, Scripted
from tui.cli import event_lines, status_text

SOURCE = "RATE = 0.02\nDECAY = 0.1\nWARMUP = 0.3\nprint(RATE, DECAY, WARMUP)\n"


pytestmark = pytest.mark.usefixtures("quick")


async def luck(job: Job, slot: Slot) -> RunResult:
    """Every number is luck."""
    drawn = random.Random(f"{job.commit} {job.seed}" if job.experiment else f"{job.seed}")
    return ended(loss=10 + drawn.gauss(0, 0.1))


def workspace(root: Path, front: str) -> House:
    """A workspace that edits train.py; the placebos that it draws are the same ones every time."""
    house = House(root, front=front)
    (root / "train.py").write_text(SOURCE)
    text = (root / "program.md").read_text().replace("edit: run.sh", "edit: train.py")
    (root / "program.md").write_text(text)
    for words in (["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "more"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    (root / ".looptop").mkdir(exist_ok=True)
    Workspace(root).seal.write_bytes(hashlib.sha256(b"a secret").digest())
    house.executor = FakeExecutor(luck)
    return house


def idea(number: int, look: Callable[[Briefing], None] = lambda briefing: None) -> Callable[[Briefing], Proposal]:
    def step(briefing: Briefing) -> Proposal:
        look(briefing)
        text = briefing.files["train.py"].replace("DECAY = 0.1", f"DECAY = 0.1{number}")
        return Proposal(f"DECAY 0.1 → 0.1{number}", "it may help", {"train.py": text})

    return step


def told(study: Study, event: e.Event) -> list[str]:
    """All that screens, lines and scripts say of a study and its open experiments now."""
    data = summary.status(study, 1, study.at)
    texts = [json.dumps(data), *status_text.status_lines(study, 1, study.at)]
    for x in study.open_experiments():
        texts += [json.dumps(summary.experiment(study, x)), *status_text.details(study, x)]
    return [*texts, event_lines.line(event, study) or ""]


async def test_nothing_gives_a_placebo_away_before_its_verdict(tmp_path: Path) -> None:
    house = workspace(tmp_path, "placebos: 30%\nlimits: {experiments: 9}\n")
    seals, seen, read = Seals(Workspace(tmp_path).seal), set[int](), set[int]()
    looked = asyncio.Event()

    def look(briefing: Briefing) -> None:
        """Read the briefing as it is, and as it were if the open placebos in it were ideas."""
        now = {x.id for x in briefing.experiments if x.id and seals.is_placebo(x) and x.verdict is None}
        ideas = [replace(x, seal=seals.of(x.id)) if x.id in now else x for x in briefing.experiments]
        assert for_command(briefing) == for_command(replace(briefing, experiments=tuple(ideas)))
        read.update(now)
        if now:
            looked.set()

    async def slowly(job: Job, slot: Slot) -> RunResult:
        """A placebo runs until a researcher has been briefed meanwhile."""
        if job.experiment and seals.is_placebo(house.study().experiments[job.experiment]):
            looked.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(looked.wait(), 1)
        return await luck(job, slot)

    house.executor = FakeExecutor(slowly)
    await house.work(Scripted(*(idea(number, look) for number in range(1, 10)), ahead=1))
    assert read, "somebody was briefed while a placebo ran"
    study = Study()
    for event in house.events(*FOLDED):
        fold([event], study)
        for x in study.open_experiments():
            if not x.id or not seals.is_placebo(x):
                continue
            seen.add(x.id)
            said, was = told(study, event), x.seal
            x.seal = seals.of(x.id)  # as if it were an idea
            assert told(study, event) == said
            x.seal = was
    assert len(seen) >= 2 and seen == set(study.placebos)
    proposed = {event.experiment: event.body for event in house.events("experiment_proposed") if event.experiment}
    keys = {tuple(sorted(body.model_dump())) for body in proposed.values()}
    who = {body.researcher for body in proposed.values()}  # type: ignore[union-attr]
    assert len(keys) == 1 and who == {"scripted"} and all(body.seal for body in proposed.values())  # type: ignore[union-attr]
    found = placebos.rate(study)
    assert found is not None and found.judged == len(seen) and all(placebos.is_open(study, one) for one in seen)
    assert study.champion not in study.placebos
    for number in seen:
        assert study.experiments[number].reason.startswith("a placebo, the champion itself with one constant moved")
        assert study.experiments[number].lines_added == study.experiments[number].lines_removed == 1


async def test_a_placebo_that_the_judge_keeps_is_told_and_is_no_champion(tmp_path: Path) -> None:
    house = workspace(tmp_path, "ahead: false\nplacebos: 50%\nlimits: {experiments: 4}\n")
    seals = Seals(Workspace(tmp_path).seal)

    async def flattered(job: Job, slot: Slot) -> RunResult:
        """Placebos have all the luck there is."""
        x = house.study().experiments[job.experiment]
        return ended(loss=10 + job.seed % 2 / 10 - (3 if seals.is_placebo(x) else 0))

    house.executor = FakeExecutor(flattered)
    study = await house.work(Scripted(*(idea(number) for number in range(1, 5))))
    kept = [number for number, body in study.placebos.items() if body.kept]
    assert kept and study.champion == 0 and study.lineage == [0]
    (first, *_) = kept
    assert study.experiments[first].verdict == "discarded" and "the judge kept it: " in study.experiments[first].reason
    found = placebos.rate(study)
    assert found is not None and found.kept == len(kept) and not found.holds
    assert any("the judge keeps too much" in line for line in summary.sentences(study))


def test_the_secret_stays_the_same_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "seal"
    secret = Seals(path).secret
    assert Seals(path).secret == secret and path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"cut")
    assert len(Seals(path).secret) == 32 != len(b"cut")
