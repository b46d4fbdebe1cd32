"""Worktrees: whole when they are there, gone when they are removed, and cleared after a supervisor that was killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loop.lineage import ExperimentMessage, Lineage, LineageError
from tests.repositories import TRAIN, fingerprint, git, make_repository

AT = 1_700_000_000.0
IDEA = ExperimentMessage("x")


def records(lineage: Lineage) -> list[str]:
    return git(lineage.root, "worktree", "list", "--porcelain").split("\n\n")


def test_a_tree_is_a_checkout_of_its_commit_and_ignores_its_own_workspace(lineage: Lineage) -> None:
    (lineage.root / "untracked.py").write_text("mine")
    (lineage.root / "train.py").write_text("dirty")
    tree = lineage.trees.add("7.1", lineage.checkout.head())
    assert tree == lineage.root / ".looptop" / "trees" / "7.1"
    assert (tree / "train.py").read_text() == TRAIN
    assert not (tree / "untracked.py").exists()
    assert os.access(tree / "go.sh", os.X_OK)
    assert git(tree, "status", "--porcelain") == ""
    assert git(tree, "branch", "--show-current") == ""
    assert lineage.trees.names() == ["7.1"]


def test_removal_takes_whatever_a_run_has_done(lineage: Lineage, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data").write_text("keep")
    tree = lineage.trees.add("1", lineage.checkout.head())
    (tree / "out").symlink_to(precious)
    (tree / "deep").mkdir()
    (tree / "deep" / "file").write_text("x")
    (tree / "deep").chmod(0)
    # A hostile run points its tree at the person's own git folder.
    (tree / ".git").write_text(f"gitdir: {lineage.root / '.git'}\n")
    before = fingerprint(lineage.root)

    lineage.trees.remove("1")
    lineage.trees.remove("1")

    assert not tree.exists()
    assert (precious / "data").read_text() == "keep"
    assert fingerprint(lineage.root) == before
    assert len(records(lineage)) == 1


def test_a_name_is_one_plain_word_and_free(lineage: Lineage) -> None:
    head = lineage.checkout.head()
    for name in ("", ".", "..", "../out", "a/b", " "):
        with pytest.raises(LineageError, match="no name for a tree"):
            lineage.trees.add(name, head)
        with pytest.raises(LineageError, match="no name for a tree"):
            lineage.trees.remove(name)
    lineage.trees.add("1", head)
    with pytest.raises(LineageError, match="exists already"):
        lineage.trees.add("1", head)
    assert (lineage.root / ".looptop" / "trees" / "1" / "train.py").exists()


def test_a_tree_that_cannot_be_checked_out_leaves_nothing(lineage: Lineage) -> None:
    with pytest.raises(LineageError, match="git worktree failed in"):
        lineage.trees.add("1", "0" * 40)
    (lineage.root / ".gitattributes").write_text("*.py filter=broken\n")
    git(lineage.root, "add", ".gitattributes")
    git(lineage.root, "commit", "--quiet", "-m", "A filter")
    git(lineage.root, "config", "filter.broken.smudge", "false")
    git(lineage.root, "config", "filter.broken.required", "true")
    with pytest.raises(LineageError, match="git worktree failed in"):
        lineage.trees.add("1", lineage.checkout.head())
    assert lineage.trees.names() == []
    assert len(records(lineage)) == 1
    git(lineage.root, "config", "filter.broken.smudge", "tr a-z A-Z")
    assert (lineage.trees.add("1", lineage.checkout.head()) / "train.py").read_text() == TRAIN.upper()


def test_a_tree_deleted_by_hand_can_be_made_anew(lineage: Lineage) -> None:
    head = lineage.checkout.head()
    tree = lineage.trees.add("1", head)
    git(lineage.root, "worktree", "lock", str(tree))
    shutil.rmtree(lineage.root / ".looptop")
    assert (lineage.trees.add("1", head) / "train.py").exists()
    lineage.trees.remove("1")
    assert len(records(lineage)) == 1


def test_many_threads_make_and_remove_trees_at_once(lineage: Lineage) -> None:
    head = lineage.checkout.head()

    def life(number: int) -> str:
        sha = lineage.commit(number, head, {"train.py": f"N = {number}\n".encode()}, IDEA, AT).sha
        text = (lineage.trees.add(f"{number}", sha) / "train.py").read_text()
        lineage.trees.remove(f"{number}")
        return text

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(life, range(18))) == [f"N = {number}\n" for number in range(18)]
    assert lineage.trees.names() == []
    assert len(records(lineage)) == 1


def test_stale_trees_go_and_the_persons_worktrees_stay(lineage: Lineage, tmp_path: Path) -> None:
    head = lineage.checkout.head()
    for place in ("theirs", "unmounted", "1"):  # one has a name like a tree of ours
        git(lineage.root, "worktree", "add", "--quiet", "--detach", str(tmp_path / place))
    (tmp_path / "unmounted").rename(tmp_path / "elsewhere")
    (tmp_path / "theirs" / "train.py").write_text("dirty")
    for name in ("1", "2", "3"):
        lineage.trees.add(name, head)
    home = lineage.root / ".looptop" / "trees"
    shutil.rmtree(home / "2")
    (home / "half").mkdir()
    (home / "half" / "train.py").write_text("half")
    kept_record = Path((home / "3" / ".git").read_text().removeprefix("gitdir: ").strip())
    (kept_record / "index.lock").touch()
    half_made = [kept_record.parent / name for name in ("0.1", "12.2.verify1", "workshop-1")]
    for record in half_made:
        record.mkdir()
        (record / "locked").write_text("initializing\n")
    (half_made[0] / "gitdir").touch()
    for name, text in (("gitdir", f"{home}/12.2.verify1/.git\n"), ("HEAD", head), ("commondir", "")):
        (half_made[1] / name).write_text(text)  # with this no git that lists worktrees works
    (lineage.root / ".git" / "refs" / "looptop" / "study").mkdir(parents=True)
    (lineage.root / ".git" / "refs" / "looptop" / "study" / "9.lock").touch()
    before = fingerprint(lineage.root)

    cut = [record.name for record in half_made]  # a git that was killed wrote no more of them than this
    assert lineage.trees.names() == sorted(["1", "2", "3", "half", *cut])
    assert lineage.clear_stale(keep=["3"]) == sorted(["1", "2", "half", *cut])

    assert lineage.trees.names() == ["3"]
    assert not any(record.exists() for record in half_made)
    git(home / "3", "checkout", "--quiet", "--detach", "HEAD")  # works: its lock is gone
    lineage.commit(9, head, {}, IDEA, AT)  # so does this
    assert (tmp_path / "theirs" / "train.py").read_text() == "dirty"
    assert (tmp_path / "1" / "train.py").read_text() == TRAIN
    assert {k: v for k, v in fingerprint(lineage.root).items() if "/worktrees/" not in k} == {
        k: v for k, v in before.items() if "/worktrees/" not in k
    }
    assert "unmounted" in git(lineage.root, "worktree", "list")


KILLED = """
import sys
from pathlib import Path
from loop.lineage import ExperimentMessage, Lineage

lineage = Lineage(Path(sys.argv[1]), "study")
head = lineage.checkout.head()
for number in range(10_000):
    sha = lineage.commit(number, head, {"train.py": b"N = %d\\n" % number}, ExperimentMessage("x"), 1e9).sha
    print(number, sha, flush=True)
    lineage.trees.add(f"{number}", sha)
    lineage.notes.write({sha: {"Verdict": "discarded"}})
    lineage.trees.remove(f"{number}")
"""


@pytest.mark.parametrize("delay", [0.003, 0.008, 0.013, 0.021])
def test_after_kill_9_everything_that_was_committed_is_there_and_work_goes_on(
    lineage: Lineage, tmp_path: Path, delay: float
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    with subprocess.Popen(
        [sys.executable, str(script), str(lineage.root)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        time.sleep(delay)  # to meet another step of the work each time
        os.killpg(process.pid, signal.SIGKILL)
        said += process.stdout.readlines()
    committed = {int(number): sha for number, sha in (line.split() for line in said if line.endswith("\n"))}
    time.sleep(0.2)  # a git that was under way ends by itself

    lineage.clear_stale()

    assert lineage.trees.names() == []
    assert len(records(lineage)) == 1
    found = {e.id: e for e in lineage.history.read()}
    assert {number: found[number].sha for number in committed} == committed
    done = [number for number in committed if number < max(committed)]
    assert all(found[number].judged is not None for number in done)
    last = max(found)
    again = lineage.commit(last, lineage.checkout.head(), {"train.py": b"N = %d\n" % last}, IDEA, 1e9)
    assert again.sha == found[last].sha
    lineage.trees.add(f"{last}", again.sha)
    git(lineage.root, "fsck", "--strict", "--no-dangling")


def with_submodules(tmp_path: Path) -> Path:
    """A repository with a submodule that has a submodule, and one that was never initialised."""
    deepest = make_repository(tmp_path / "deepest")
    inner = make_repository(tmp_path / "inner")
    git(inner, "submodule", "--quiet", "add", str(deepest), "deep")
    git(inner, "commit", "--quiet", "-m", "Deep")
    origin = make_repository(tmp_path / "origin")
    git(origin, "submodule", "--quiet", "add", str(inner), "vendor/inner lib")
    git(origin, "submodule", "--quiet", "add", str(deepest), "unused")
    git(origin, "commit", "--quiet", "-m", "Submodules")
    git(tmp_path, "clone", "--quiet", str(origin), "repo")
    root = tmp_path / "repo"
    git(root, "submodule", "--quiet", "update", "--init", "--recursive", "vendor/inner lib")
    for path in (origin, inner, deepest):
        shutil.rmtree(path)  # whatever needs the network fails from here on
    return root


def test_submodules_are_filled_from_what_is_here(tmp_path: Path) -> None:
    root = with_submodules(tmp_path)
    inner = root / "vendor" / "inner lib"
    (inner / "train.py").write_text("dirty")
    git(inner, "add", "train.py")
    (inner / "deep" / "train.py").unlink()
    before = fingerprint(root)
    lineage = Lineage(root, "t")
    lineage.prepare()
    tree = lineage.trees.add("1", lineage.commit(1, lineage.checkout.head(), {"train.py": b"pass\n"}, IDEA, AT).sha)
    assert (tree / "vendor" / "inner lib" / "train.py").read_text() == TRAIN
    assert (tree / "vendor" / "inner lib" / "deep" / "train.py").read_text() == TRAIN
    assert list((tree / "unused").iterdir()) == []
    assert fingerprint(root) == before
    lineage.trees.remove("1")
    assert fingerprint(root) == before


def test_a_submodule_at_a_commit_that_is_not_here_is_one_sentence(tmp_path: Path) -> None:
    root = with_submodules(tmp_path)
    git(root, "update-index", "--cacheinfo", f"160000,{'1' * 40},vendor/inner lib")
    git(root, "commit", "--quiet", "-m", "From elsewhere")
    lineage = Lineage(root, "t")
    with pytest.raises(LineageError, match="submodule vendor/inner lib cannot be checked out at 1111"):
        lineage.trees.add("1", lineage.checkout.head())
    assert lineage.trees.names() == []


LARGEST = 10_000


def test_a_tree_as_it_was_made_has_no_changes(lineage: Lineage) -> None:
    head = lineage.checkout.head()
    lineage.trees.add("1", head)
    found = lineage.trees.changes("1", head, ["train.py", "new.py"], LARGEST)
    assert (found.contents, found.lost, found.strays) == ({}, {}, [])


def test_changes_are_found_whatever_was_done_with_git_in_the_tree(lineage: Lineage) -> None:
    head = lineage.checkout.head()
    tree = lineage.trees.add("1", head)
    (tree / "train.py").write_text("LR = 1\n")
    git(tree, "commit", "--quiet", "-am", "Mine")
    (tree / "lib" / "data.py").write_text("ROWS = 1\n")
    (tree / "added.py").write_text("x")
    git(tree, "add", "lib/data.py", "added.py")
    record = Path(git(tree, "rev-parse", "--absolute-git-dir"))
    (record / "index.lock").touch()
    found = lineage.trees.changes("1", head, ["train.py"], LARGEST)
    assert found.contents == {"train.py": b"LR = 1\n", "lib/data.py": b"ROWS = 1\n"}
    assert (found.lost, found.strays) == ({}, ["added.py"])
    (tree / ".git").unlink()
    git(tree, "init", "--quiet")
    assert lineage.trees.changes("1", head, ["train.py"], LARGEST) == found
    shutil.rmtree(tree / ".git")
    (tree / ".git").write_text(f"gitdir: {lineage.root / '.git'}\n")  # as if it were the person's checkout
    before = fingerprint(lineage.root)
    assert lineage.trees.changes("1", head, ["train.py"], LARGEST) == found
    assert fingerprint(lineage.root) == before


def test_what_has_no_new_contents_says_what_became_of_it(lineage: Lineage, tmp_path: Path) -> None:
    (lineage.root / "deep").mkdir()
    for name in ("deep/one", "two", "three", "four"):
        (lineage.root / name).write_text("text\n")
    git(lineage.root, "add", ".")
    git(lineage.root, "commit", "--quiet", "-m", "More")
    head = lineage.checkout.head()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "one").write_text("secret\n")
    tree = lineage.trees.add("1", head)
    shutil.rmtree(tree / "deep")
    (tree / "deep").symlink_to(tmp_path / "outside")
    (tree / "two").unlink()
    (tree / "two").mkdir()
    (tree / "two" / "inner").write_text("x")
    (tree / "three").unlink()
    (tree / "three").symlink_to("four")
    (tree / "four").write_text("x" * (LARGEST + 1))
    (tree / "train.py").unlink()
    os.mkfifo(tree / "go.sh.pipe")
    found = lineage.trees.changes("1", head, ["train.py", "two"], LARGEST)
    assert found.contents == {}
    assert found.lost == {
        "deep/one": "was deleted",
        "two": "is no plain file any more",
        "three": "is a symbolic link now",
        "four": "is larger than 10 kB",
        "train.py": "was deleted",
    }
    assert "secret" not in str(found)


def test_odd_names_nested_repositories_and_ignored_files(lineage: Lineage) -> None:
    odd = os.fsencode(lineage.root) + b"/odd \xff\n.txt"
    Path(os.fsdecode(odd)).write_text("x")
    (lineage.root / ".gitignore").write_text("out/\nmodels/\n")
    git(lineage.root, "add", ".")
    git(lineage.root, "commit", "--quiet", "-m", "Odd")
    head = lineage.checkout.head()
    tree = lineage.trees.add("1", head)
    Path(os.fsdecode(os.fsencode(tree) + b"/odd \xff\n.txt")).write_text("y")
    Path(os.fsdecode(os.fsencode(tree) + b"/new \xfe\n.txt")).write_text("y")
    git(tree, "init", "--quiet", "lib")
    (tree / "lib" / "data.py").write_text("ROWS = 2\n")
    (tree / "nested").mkdir()
    git(tree / "nested", "init", "--quiet")
    (tree / "nested" / "file").write_text("x")
    for name in ("out", "models", "many"):
        (tree / name).mkdir()
        (tree / name / "net.py").write_text("WIDTH = 1\n")
    (tree / "go.sh").chmod(0o644)  # of a mode alone nothing can be proposed
    found = lineage.trees.changes("1", head, ["models/net.py"], LARGEST)
    assert found.contents == {"lib/data.py": b"ROWS = 2\n", "models/net.py": b"WIDTH = 1\n"}
    assert found.lost == {"odd ��.txt": "has a name that is not plain text"}
    assert found.strays == ["many/", "nested/", "new ��.txt"]


def test_a_tree_that_is_gone_is_said_so(lineage: Lineage, tmp_path: Path) -> None:
    head = lineage.checkout.head()
    tree = lineage.trees.add("1", head)
    shutil.rmtree(tree)
    with pytest.raises(LineageError, match="no folder any more"):
        lineage.trees.changes("1", head, (), LARGEST)
    tree.symlink_to(lineage.root)
    with pytest.raises(LineageError, match="no folder any more"):
        lineage.trees.changes("1", head, (), LARGEST)
    lineage.trees.remove("1")
    assert (lineage.root / "train.py").exists()


def test_line_ends_as_git_stores_them_are_no_change(lineage: Lineage) -> None:
    (lineage.root / ".gitattributes").write_text("*.py text eol=crlf\n")
    git(lineage.root, "add", ".")
    git(lineage.root, "commit", "--quiet", "-m", "Windows")
    head = lineage.checkout.head()
    tree = lineage.trees.add("1", head)
    assert b"\r\n" in (tree / "train.py").read_bytes()
    assert lineage.trees.changes("1", head, ["train.py"], LARGEST).contents == {}
    (tree / "train.py").write_bytes(b"LR = 3\r\n")
    assert lineage.trees.changes("1", head, ["train.py"], LARGEST).contents == {"train.py": b"LR = 3\n"}
