"""A study's whole life in git, in every kind of checkout, leaves the person's files, index and refs as they were."""

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loop.lineage import ExperimentMessage, Lineage, LineageError, find_root, free_tag, init_repository, tags
from tests.lineage.checkouts import CHECKOUTS, clean, dirty, linked_worktree, windows_line_ends
from tests.repositories import TRAIN, fingerprint, git, make_repository

AT = 1_700_000_000.5
NOBODY = 65534


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose person has configured nothing: no identity, no system settings, an empty home."""
    for name in [name for name in os.environ if name.startswith("GIT_") or name == "EMAIL"]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def whole_life(root: Path) -> Lineage:
    """A baseline, a kept, a discarded and a moved experiment, each with its tree and verdict; returns the lineage."""
    lineage = Lineage(find_root(root), "life")
    lineage.prepare()
    lineage.clear_stale()
    lineage.checkout.dirty(["train.py"])
    base = lineage.checkout.head()
    files = lineage.checkout.working_copy(["train.py"])
    text = files["train.py"]

    def live(number: int, parent: str, content: bytes, verdict: str) -> str:
        message = ExperimentMessage(f"idea {number}", "because", {"Researcher": "automl"})
        done = lineage.commit(number, parent, {"train.py": content}, message, AT + number)
        tree = lineage.trees.add(f"{number}.1", done.sha)
        assert (tree / "train.py").read_bytes().replace(b"\r\n", b"\n") == content
        assert git(tree, "rev-parse", "HEAD") == done.sha
        (tree / "result.txt").write_text("left by the run")
        lineage.notes.write({done.sha: {"Verdict": verdict, "val_bpb": "0.5", "Runs": "seed 1: 0.5"}})
        lineage.trees.remove(f"{number}.1")
        return done.sha

    baseline = live(0, base, text, "kept")
    lineage.branch.begin(baseline)
    kept = live(1, baseline, text.replace(b"DEPTH = 4", b"DEPTH = 8"), "kept")
    lineage.branch.advance(kept, baseline)
    discarded = live(2, baseline, text.replace(b"main()\n", b"main()  # twice\n"), "discarded")
    moved = lineage.commits.merge(baseline, kept, discarded, ["train.py"])
    assert b"DEPTH = 8" in moved["train.py"] and b"twice" in moved["train.py"]
    live(2, kept, moved["train.py"], "discarded")
    assert "+DEPTH = 8" in lineage.commits.diff(baseline, kept)
    assert [(e.id, e.kept, e.judged and e.judged.verdict) for e in lineage.history.read()] == [
        (0, True, "kept"),
        (1, True, "kept"),
        (2, False, "discarded"),
    ]
    assert lineage.trees.names() == []
    assert lineage.history.survey().tip == kept
    return lineage


@pytest.mark.parametrize("make", CHECKOUTS, ids=lambda make: make.__name__)
def test_a_study_touches_nothing_of_the_persons(make: Callable[[Path], Path], tmp_path: Path) -> None:
    root = make(tmp_path)
    git(root, "tag", "mine")
    before, status = fingerprint(root), git(root, "--no-optional-locks", "status", "--porcelain")
    assert len(before) > 20

    whole_life(root)

    assert fingerprint(root) == before
    assert git(root, "--no-optional-locks", "status", "--porcelain") == status


def test_gc_takes_no_experiment(tmp_path: Path) -> None:
    root = clean(tmp_path)
    lineage = whole_life(root)
    before = lineage.history.read()
    git(root, "reflog", "expire", "--all", "--expire=now")
    git(root, "gc", "--quiet", "--prune=now")

    assert lineage.history.read() == before
    for experiment in before:
        assert lineage.commits.read(experiment.sha, "train.py") is not None
    aside = git(root, "for-each-ref", "--format=%(objectname)", "refs/looptop/life/superseded/")
    assert "twice" in git(root, "show", f"{aside}:train.py")  # the second experiment as it was before it was moved


def test_no_hook_of_the_persons_runs(tmp_path: Path) -> None:
    root = clean(tmp_path)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in (
        "post-checkout",
        "reference-transaction",
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-index-change",
    ):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> '{tmp_path}/ran'\n")
        (hooks / name).chmod(0o755)
    git(root, "config", "core.hooksPath", str(hooks))
    git(root, "branch", "other")
    assert (tmp_path / "ran").exists(), "the hooks of this test must work"
    (tmp_path / "ran").unlink()

    whole_life(root)

    assert not (tmp_path / "ran").exists()


def test_the_calling_shells_git_variables_are_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = clean(tmp_path)
    other = make_repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git" / "objects"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/does/not/exist")
    monkeypatch.setenv("GIT_NAMESPACE", "elsewhere")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("GIT_EDITOR", "/does/not/exist")
    monkeypatch.setenv("GIT_AUTHOR_DATE", "1999-01-01T00:00:00Z")
    before = fingerprint(root), fingerprint(other), len(list((other / ".git" / "objects").rglob("*")))

    lineage = whole_life(root)

    assert (fingerprint(root), fingerprint(other), len(list((other / ".git" / "objects").rglob("*")))) == before
    assert not (tmp_path / "trace").exists()
    assert lineage.history.survey().tip == git(root, "rev-parse", "looptop/life")
    assert git(root, "log", "-1", "--format=%at", "looptop/life") == str(int(AT + 1))


def test_without_an_identity_looptop_signs(tmp_path: Path) -> None:
    root = clean(tmp_path)
    whole_life(root)
    assert git(root, "log", "-1", "--format=%an %ae %cn %ce", "looptop/life") == " ".join(
        ["looptop looptop@localhost"] * 2
    )


def test_the_persons_identity_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = clean(tmp_path)
    git(root, "config", "user.name", "Zoë <z> Quick")
    git(root, "config", "user.email", "z@example.org")
    whole_life(root)
    assert git(root, "log", "-1", "--format=%an|%ae", "looptop/life") == "Zoë z Quick|z@example.org"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Someone Else")
    sha = Lineage(root, "two").commit(0, git(root, "rev-parse", "HEAD"), {}, ExperimentMessage("x"), AT).sha
    assert git(root, "log", "-1", "--format=%an|%ae", sha) == "Someone Else|z@example.org"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a repository to somebody else")
def test_works_as_root_in_a_checkout_that_somebody_else_owns(tmp_path: Path) -> None:
    root = clean(tmp_path)
    for path in [root, *root.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    refused = subprocess.run(["git", "status"], cwd=root, capture_output=True, check=False)
    assert b"dubious ownership" in refused.stderr, "git itself must refuse, or this test says nothing"
    lineage = Lineage(find_root(root / "lib"), "life")
    lineage.prepare()
    done = lineage.commit(0, lineage.checkout.head(), {"train.py": b"pass\n"}, ExperimentMessage("x"), AT)
    assert (lineage.trees.add("0", done.sha) / "train.py").read_bytes() == b"pass\n"


def test_prepare_has_git_ignore_the_workspace_once(tmp_path: Path) -> None:
    root = linked_worktree(tmp_path)
    exclude = tmp_path / "repo" / ".git" / "info" / "exclude"
    exclude.write_text("mine")
    for _ in range(2):
        Lineage(root, "t").prepare()
    (root / ".looptop" / "journal.db").write_text("x")
    assert exclude.read_text() == "mine\n.looptop/\n"
    assert ".looptop" not in git(root, "status", "--porcelain")


def test_find_root_finds_the_top_from_any_folder(tmp_path: Path) -> None:
    root = linked_worktree(tmp_path)
    (tmp_path / "link").symlink_to(root)
    assert find_root(root / "lib") == find_root(root) == find_root(tmp_path / "link" / "lib") == root


def test_find_root_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(LineageError, match=r"plain is not inside a git repository; run `looptop init` there"):
        find_root(tmp_path / "plain")
    git(tmp_path, "init", "--quiet", "--bare", str(tmp_path / "bare.git"))
    with pytest.raises(LineageError, match="bare repository; start looptop in a checkout"):
        find_root(tmp_path / "bare.git")
    git(tmp_path, "init", "--quiet", str(tmp_path / "unborn"))
    with pytest.raises(LineageError, match=r"no commit yet; run `looptop init`"):
        find_root(tmp_path / "unborn")
    with pytest.raises(LineageError, match="gone does not exist"):
        find_root(tmp_path / "gone")


def test_no_git_on_the_machine_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = clean(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LineageError, match="git is not installed here"):
        find_root(root)


def test_init_commits_the_named_files_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "program.md").write_text("go\n")
    (tmp_path / "secrets.env").write_text("KEY=1\n")
    (tmp_path / ".gitignore").write_text("*.md\n")
    sha = init_repository(tmp_path, [Path("train.py"), tmp_path / "program.md"])
    assert find_root(tmp_path) == tmp_path
    assert git(tmp_path, "ls-tree", "-r", "--name-only", sha).split() == ["program.md", "train.py"]
    assert "- program.md" in git(tmp_path, "log", "-1", "--format=%B")
    with pytest.raises(LineageError, match="commits already"):
        init_repository(tmp_path, [Path("train.py")])
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "x.py").write_text("")
    with pytest.raises(LineageError, match="already inside the git repository"):
        init_repository(tmp_path / "below", [Path("x.py")])


def test_init_finishes_a_repository_without_commits_and_leaves_what_is_staged(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    for name in ("train.py", "mine.py"):
        (tmp_path / name).write_text("pass\n")
    git(tmp_path, "add", "mine.py")
    sha = init_repository(tmp_path, [Path("train.py")])
    assert git(tmp_path, "ls-tree", "-r", "--name-only", sha) == "train.py"
    assert git(tmp_path, "diff", "--cached", "--name-only") == "mine.py"


@pytest.mark.parametrize("name", ["missing.py", "../outside.py"])
def test_init_refuses_a_bad_file_before_it_makes_anything(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.py").write_text("")
    (tmp_path / "here").mkdir()
    with pytest.raises(LineageError, match="nothing was changed"):
        init_repository(tmp_path / "here", [Path(name)])
    assert not (tmp_path / "here" / ".git").exists()


def test_working_copy_is_what_stands_there_now(tmp_path: Path) -> None:
    root = dirty(tmp_path)
    lineage = Lineage(root, "t")
    (root / "link.py").symlink_to("train.py")
    assert lineage.checkout.working_copy(["train.py", "go.sh"]) == {"train.py": TRAIN.replace("0.1", "0.3").encode()}
    assert lineage.checkout.dirty(["train.py"]) == ["go.sh"]
    assert lineage.checkout.dirty() == ["go.sh", "train.py"]
    with pytest.raises(LineageError, match="symbolic link"):
        lineage.checkout.working_copy(["link.py"])
    with pytest.raises(LineageError, match="no plain file"):
        lineage.checkout.working_copy(["lib"])
    with pytest.raises(LineageError, match="no path of a file inside"):
        lineage.checkout.working_copy(["../repo/train.py"])


def test_unchanged_text_with_windows_line_ends_is_no_change(tmp_path: Path) -> None:
    lineage = Lineage(windows_line_ends(tmp_path), "t")
    assert lineage.checkout.working_copy(["train.py"])["train.py"] == lineage.commits.read(
        lineage.checkout.head(), "train.py"
    )


def test_tags_are_found_and_free_ones_made(tmp_path: Path) -> None:
    root = clean(tmp_path)
    assert tags(root) == []
    assert free_tag(root, "h100 a/b..c.lock") == "h100-a-b.c"
    for tag in ("run", "Run-2"):
        Lineage(root, tag).branch.begin(git(root, "rev-parse", "HEAD"))
    Lineage(root, "only-refs").commit(0, git(root, "rev-parse", "HEAD"), {}, ExperimentMessage("x"), AT)
    assert tags(root) == ["Run-2", "only-refs", "run"]
    assert free_tag(root, "run") == "run-3"
    assert free_tag(root, "only-refs") == "only-refs-2"
    assert free_tag(root, "...") == "study"


def test_two_projects_of_a_repository_that_begin_at_once_get_different_names(tmp_path: Path) -> None:
    root = clean(tmp_path)
    git(root, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    projects = [root, root / "lib", tmp_path / "linked", tmp_path / "linked" / "lib"]
    with ThreadPoolExecutor(8) as threads:
        names = list(threads.map(lambda project: free_tag(project, "Nov28"), [*projects, *projects]))
    assert sorted(names[:4]) == ["Nov28", "Nov28-2", "Nov28-3", "Nov28-4"]
    assert names[:4] == names[4:], "each keeps the name it has reserved until git knows a study of that name"
    assert tags(root) == []
    Lineage(root, names[0]).branch.begin(git(root, "rev-parse", "HEAD"))
    assert free_tag(root, "nov28") == "nov28-5"


@pytest.mark.parametrize("tag", ["", "a/b", "..", ".a", "a..b", "a.lock", "-x", "a b"])
def test_a_bad_tag_is_refused(tmp_path: Path, tag: str) -> None:
    root = clean(tmp_path)
    with pytest.raises(LineageError, match="cannot name a study"):
        Lineage(root, tag)
