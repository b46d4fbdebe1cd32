"""A journal and a repository of before the redesign are attached, folded, checked and gone on with."""

import dataclasses
import gzip
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from loop.journal import Journal
from loop.policy import bundles, placebos, validation
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from tests.consistency import faults, rows_of
from tests.repositories import git

HERE = Path(__file__).parent

RENAMED = {"wishes": "requests", "granted_at": "fulfilled_at", "measure": "protocol_id"}
"""Fields of the folded study that have another name today."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The recorded study, as a clone of it with its journal would be."""
    root = tmp_path / "a study"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Ada")
    git(root, "config", "user.email", "ada@example.org")
    git(root, "fetch", "-q", "--update-head-ok", str(HERE / "repository.bundle"), "+refs/*:refs/*")
    git(root, "reset", "-q", "--hard", "main")
    (root / ".looptop").mkdir()
    (root / ".looptop" / "journal.db").write_bytes(gzip.decompress((HERE / "journal.db.gz").read_bytes()))
    subprocess.run(["tar", "-xzf", HERE / "runs.tar.gz", "-C", root / ".looptop"], check=True)
    return root


def looptop(root: Path, *words: str) -> str:
    command = [sys.executable, "-P", "-m", "tui.cli", "-C", str(root), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def recorded(name: str) -> Any:
    """What the old looptop made of the study."""
    return json.loads(
        gzip.decompress((HERE / name).read_bytes()) if name.endswith(".gz") else (HERE / name).read_text()
    )


def plain(value: Any) -> Any:
    """`value` as the old looptop's was written down: models as objects, sets sorted, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def differences(old: Any, new: Any, at: str = "") -> list[str]:
    """Where `new` does not say all that `old` says; it may say more."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(key, value, RENAMED.get(key, key)) for key, value in old.items()]
        lost = [f"{at}.{key} is gone" for key, _, name in pairs if name not in new]
        return lost + [
            x for key, value, name in pairs if name in new for x in differences(value, new[name], f"{at}.{key}")
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [x for i, (a, b) in enumerate(zip(old, new, strict=True)) for x in differences(a, b, f"{at}[{i}]")]
    return [] if old == new else [f"{at}: {old!r} is {new!r} now"]


def study_of(root: Path) -> Study:
    with Journal(root / ".looptop" / "journal.db") as journal:
        return fold(journal.read(kinds=FOLDED))


def test_it_folds_to_the_same_study(workspace: Path) -> None:
    study = study_of(workspace)
    researchers = {mind.name: mind.about for mind in study.minds.of.values() if mind.about}
    told = {**plain(study), "researchers": researchers, "notebook": study.minds.notebook}  # both are the minds' now
    assert differences(recorded("study.json.gz"), told) == []


def test_old_kinds_and_fields_are_read_and_asked_for_by_their_present_names(workspace: Path) -> None:
    with Journal(workspace / ".looptop" / "journal.db") as journal:
        answers = journal.read(kinds={"request_fulfilled"})
        runs = journal.read(kinds={"run_started"})
        assert {event.kind for event in journal.read()} <= e.KINDS
    assert len(answers) == 29 and all(isinstance(x.body, e.RequestFulfilled) and x.body.request for x in answers)
    assert len(runs) == 32 and all(isinstance(x.body, e.RunStarted) and x.body.protocol_id for x in runs)


def test_it_is_attached_and_tells_what_it_told(workspace: Path) -> None:
    assert differences(recorded("experiments.json.gz"), json.loads(looptop(workspace, "experiments", "--json"))) == []
    told = recorded("status.json")
    told["champion"]["metric"] = 1.00975  # the mean of all its runs; before, of those that it was kept by
    assert differences(told, json.loads(looptop(workspace, "status", "--json"))) == []
    assert "journal, git and disk agree" in looptop(workspace, "doctor")


def test_it_is_gone_on_with(workspace: Path) -> None:
    before = study_of(workspace)
    assert [request.kind for request in before.open_requests()] == ["steered", "pinned"]
    number = len(before.experiments)
    looptop(workspace, "run", "--headless", "--experiments", str(number))
    after = study_of(workspace)
    assert after.open_requests() == [] and after.tag == "recorded"
    assert number in after.experiments and after.experiments[number].verdict is not None, "one more experiment"
    assert faults(workspace, rows_of(workspace / ".looptop" / "journal.db")) == []
    old = {x: (one.verdict, one.metric, one.commit) for x, one in before.experiments.items()}
    assert {
        x: (after.experiments[x].verdict, after.experiments[x].metric, after.experiments[x].commit) for x in old
    } == old


def test_its_journal_is_made_anew_from_its_git(workspace: Path) -> None:
    """What git was told of verdicts by a looptop of before is enough to bring the experiments back."""
    before = study_of(workspace)
    for file in (workspace / ".looptop").glob("journal.db*"):
        file.unlink()
    looptop(workspace, "doctor", "--rebuild", "--tag", "recorded")
    after = study_of(workspace)
    told = {x: one for x, one in before.experiments.items() if one.commit}
    assert after.champion == before.champion
    assert {x: (after.experiments[x].verdict, after.experiments[x].metric) for x in told} == {
        x: (one.verdict, one.metric) for x, one in told.items()
    }


def test_it_goes_on_under_the_rules_that_it_began_with(workspace: Path) -> None:
    with Journal(workspace / ".looptop" / "journal.db") as journal:
        study = fold(journal.read(kinds=FOLDED))
    assert not bundles.is_on(study) and not placebos.share(study) and not validation.runs_at_end(study)
    study.contract = study.contract.model_copy(update={"bundles": True, "placebos": 0.02, "validation": 5})
    assert bundles.is_on(study) and placebos.share(study) == 0.02 and validation.runs_at_end(study) == 5
