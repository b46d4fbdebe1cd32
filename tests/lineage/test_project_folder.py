"""A project in a folder of a larger repository: its paths are its own, and the whole repository is in its trees."""

from pathlib import Path

import pytest

from loop.lineage import ExperimentMessage, Lineage, LineageError, MergeConflict, find_root, prefix_of
from tests.repositories import TRAIN, fingerprint, git, make_repository

AT = 1_700_000_000.0
IDEA = ExperimentMessage("x")


@pytest.fixture
def lineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lineage:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    top = make_repository(tmp_path / "mono repo")
    root = top / "packages" / "my [model]"
    (root / "src").mkdir(parents=True)
    (root / "src" / "train.py").write_text(TRAIN)
    (root / "program.md").write_text("Improve it.\n")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "A model")
    made = Lineage(root, "study")
    made.prepare()
    return made


def test_the_nearest_program_tells_where_the_project_is(lineage: Lineage, tmp_path: Path) -> None:
    top = tmp_path / "mono repo"
    assert find_root(lineage.root / "src") == find_root(lineage.root) == lineage.root
    assert find_root(top / "lib") == find_root(top / "packages") == top, "there is none on the way"
    assert prefix_of(lineage.root) == "packages/my [model]" and prefix_of(top) == ""
    tree = lineage.trees.add("1.1", lineage.checkout.head())
    assert find_root(tree / "lib") == find_root(lineage.trees.project("1.1")) == lineage.root
    other = make_repository(lineage.root / "vendor")
    assert find_root(other / "lib") == other, "a repository inside is another project"


def test_paths_are_the_projects_own(lineage: Lineage) -> None:
    base = lineage.checkout.head()
    before = fingerprint(lineage.git.top)
    assert lineage.commits.paths(base) == ["program.md", "src/train.py"]
    assert lineage.commits.read(base, "src/train.py") == TRAIN.encode()
    assert lineage.commits.read(base, "train.py") is None, "that one is beside the project"
    with pytest.raises(LineageError, match=r"'\.\./train\.py' is no path of a file inside"):
        lineage.commits.read(base, "../train.py")
    assert lineage.checkout.working_copy(["src/train.py", "gone.py"]) == {"src/train.py": TRAIN.encode()}

    better = TRAIN.replace("0.1", "0.2").encode()
    one = lineage.commit(1, base, {"src/train.py": better, "new.py": b"x\n"}, IDEA, AT)
    assert (one.lines_added, one.lines_removed) == (2, 1)
    named = git(lineage.git.top, "diff", "--name-only", base, one.sha).splitlines()
    assert named == ["packages/my [model]/new.py", "packages/my [model]/src/train.py"]
    assert [change.path for change in lineage.commits.stat(base, one.sha)] == ["new.py", "src/train.py"]
    assert [change.path for change in lineage.commits.stat(base, one.sha, ["new.py"])] == ["new.py"]
    assert "+++ b/src/train.py" in lineage.commits.diff(base, one.sha)
    assert "packages" not in lineage.commits.diff(base, one.sha)
    assert lineage.commits.changes([one.sha])[one.sha].edits == {"src/train.py": better.decode(), "new.py": "x\n"}
    assert lineage.commits.files([one.sha], ["new.py", "lib/data.py"]) == {one.sha: {"new.py": "x\n"}}
    wider = lineage.commit(2, base, {"src/train.py": TRAIN.replace("64", "65").encode()}, IDEA, AT)
    merged = lineage.commits.merge(base, one.sha, wider.sha, ["src/train.py"])
    assert merged == {"src/train.py": TRAIN.replace("0.1", "0.2").replace("64", "65").encode()}
    clash = lineage.commit(3, base, {"src/train.py": TRAIN.replace("0.1", "0.3").encode()}, IDEA, AT)
    with pytest.raises(MergeConflict, match=r"^src/train\.py cannot be moved"):
        lineage.commits.merge(base, one.sha, clash.sha, ["src/train.py"])
    assert fingerprint(lineage.git.top) == before


def test_a_file_under_the_same_name_at_the_top_is_another_one(lineage: Lineage) -> None:
    base = lineage.checkout.head()
    with pytest.raises(LineageError, match=r"src is a folder in"):
        lineage.commit(1, base, {"src": b""}, IDEA, AT)
    made = lineage.commit(1, base, {"train.py": b"pass\n"}, IDEA, AT)
    assert lineage.commits.read(made.sha, "train.py") == b"pass\n"
    assert git(lineage.git.top, "show", f"{made.sha}:train.py") == TRAIN.rstrip("\n")


def test_a_tree_holds_the_whole_repository_and_tells_what_was_done_beside_the_project(lineage: Lineage) -> None:
    base = lineage.checkout.head()
    tree = lineage.trees.add("1.1", base)
    project = lineage.trees.project("1.1")
    assert project == tree / "packages" / "my [model]"
    assert (project / "src" / "train.py").read_text() == (tree / "train.py").read_text() == TRAIN
    assert git(lineage.git.top, "status", "--porcelain") == "", "git ignores .looptop/ below the top too"

    (project / "src" / "train.py").write_text("better\n")
    (project / "program.md").unlink()
    (project / "notes").mkdir()
    (project / "notes" / "x").write_text("")
    (tree / "lib" / "data.py").write_text("ROWS = 9\n")
    (tree / "new.txt").write_text("")
    assert lineage.trees.touched("1.1", base, ["src/train.py"]) == ("../../lib/data.py", "program.md")
    found = lineage.trees.changes("1.1", base, ["src/train.py", "never.py"], 1000)
    assert found.contents == {"src/train.py": b"better\n", "../../lib/data.py": b"ROWS = 9\n"}
    assert found.lost == {"program.md": "was deleted"}
    assert found.strays == ["../../new.txt", "notes/"]
    lineage.trees.remove("1.1")
    assert lineage.trees.names() == []


def test_changes_beside_the_project_are_the_persons_to_know(lineage: Lineage) -> None:
    (lineage.git.top / "lib" / "data.py").write_text("ROWS = 8\n")
    (lineage.root / "src" / "train.py").write_text("mine\n")
    assert lineage.checkout.dirty() == ["../../lib/data.py", "src/train.py"]
    assert lineage.checkout.dirty(["src/train.py"]) == ["../../lib/data.py"]


def test_the_studies_of_one_repository_are_told_apart(lineage: Lineage) -> None:
    """Two projects, their trees and their half-made records."""
    other = Lineage(lineage.git.top, "other")
    other.prepare()
    base = lineage.checkout.head()
    lineage.trees.add("1.1", base)
    other.trees.add("1.1", base)
    assert lineage.trees.names() == other.trees.names() == ["1.1"]
    (other.trees.path("1.1") / "train.py").write_text("changed\n")
    assert lineage.trees.touched("1.1", base) == ()
    assert other.trees.touched("1.1", base) == ("train.py",)
    assert lineage.trees.clear_stale() == ["1.1"]
    assert other.trees.path("1.1").is_dir() and other.trees.names() == ["1.1"]
