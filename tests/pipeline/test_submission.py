"""A person's own edit, looked at: what it is made on, what differs, and that nothing is touched."""

from pathlib import Path

from loop.lineage import Lineage
from loop.pipeline.submission import Edit, look
from loop.study.contract import Contract
from loop.study.state import Study
from tests.repositories import TRAIN, fingerprint, git, make_dirty, make_repository
from tests.stories import Story


def begun(root: Path) -> tuple[Lineage, Study]:
    """A study whose experiments 0 and 1 are the two newest commits of `root`."""
    make_repository(root)
    first = git(root, "rev-parse", "HEAD")
    (root / "train.py").write_text(TRAIN.replace("DEPTH = 4", "DEPTH = 5"))
    git(root, "commit", "--quiet", "-am", "deeper")
    second = git(root, "rev-parse", "HEAD")
    git(root, "switch", "--quiet", "--detach", first)
    study = Story(Contract(edit=("train.py", "lib/data.py"))).baseline().propose(1).queue(1).study()
    study.experiments[0].commit, study.experiments[1].commit = first, second
    return Lineage(root, "t"), study


def test_an_edit_is_compared_with_the_experiment_that_the_checkout_stands_on(tmp_path: Path) -> None:
    root = tmp_path / "r"
    lineage, study = begun(root)
    assert look(lineage, study) == "train.py, lib/data.py in your checkout is as in experiment 0; edit it first"
    (root / "train.py").write_text(TRAIN.replace("WIDTH = 64", "WIDTH = 96"))
    found = look(lineage, study)
    assert isinstance(found, Edit) and (found.added, found.removed, found.words) == (1, 1, "train.py (+1 -1)")
    assert (found.request.parent, list(found.request.edits), found.request.title) == (0, ["train.py"], "WIDTH = 96")
    assert found.request.edits["train.py"] == TRAIN.replace("WIDTH = 64", "WIDTH = 96")
    git(root, "stash", "--quiet")
    git(root, "switch", "--quiet", "--detach", study.experiments[1].commit or "")
    (root / "lib" / "data.py").write_text("ROWS = 99\n")
    found = look(lineage, study)
    assert isinstance(found, Edit)
    assert (found.request.parent, found.request.edits) == (1, {"lib/data.py": "ROWS = 99\n"})


def test_a_commit_of_the_person_s_own_is_compared_with_the_baseline(tmp_path: Path) -> None:
    root = tmp_path / "r"
    lineage, study = begun(root)
    (root / "train.py").write_text(TRAIN.replace("WIDTH = 64", "WIDTH = 96"))
    git(root, "commit", "--quiet", "-am", "mine")
    found = look(lineage, study)
    assert isinstance(found, Edit) and (found.request.parent, list(found.request.edits)) == (0, ["train.py"])


def test_what_cannot_be_submitted_is_said_in_a_sentence(tmp_path: Path) -> None:
    root = tmp_path / "r"
    lineage, study = begun(root)
    assert "no baseline yet" in str(look(lineage, Story().study()))
    (root / "train.py").write_bytes(b"caf\xe9 = 1\n")
    assert look(lineage, study) == "train.py is no UTF-8 text, so it cannot be submitted"
    (root / "train.py").unlink()
    assert str(look(lineage, study)).startswith("train.py is not in your checkout; put it back: git checkout ")


def test_looking_touches_nothing(tmp_path: Path) -> None:
    root = tmp_path / "r"
    lineage, study = begun(root)
    make_dirty(root)
    before = fingerprint(root)
    assert isinstance(look(lineage, study), Edit)
    assert fingerprint(root) == before
