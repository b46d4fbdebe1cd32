"""A diff on a screen: git's, or why there is none."""

from pathlib import Path

from tests.repositories import git, make_repository
from tui.model.diffs import diff_between


def test_a_diff_is_gits_or_a_sentence(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project")
    first = git(root, "rev-parse", "HEAD").strip()
    (root / "train.py").write_text("RATE = 0.5\n")
    git(root, "commit", "-qam", "half")
    commits = first, git(root, "rev-parse", "HEAD").strip()
    assert "+RATE = 0.5" in diff_between(root, "t", commits)
    said = diff_between(root, "t", (first, "b" * 40))
    assert said.startswith("# the diff cannot be shown: ") and "\n" not in said
    assert diff_between(tmp_path / "gone", "t", commits).startswith("# the diff cannot be shown: ")
