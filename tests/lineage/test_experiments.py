"""Experiments as commits, refs, notes and a branch: made once, never lost, and read back from git alone."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loop.lineage import BranchMoved, ExperimentMessage, FileChange, Lineage, LineageError, MergeConflict
from tests.disks import fill, small_disk
from tests.repositories import TRAIN, git, make_repository

AT = 1_700_000_000.0
IDEA = ExperimentMessage("halve the learning rate", "The loss rises at first.", {"Researcher": "automl"})


def with_lr(value: str) -> bytes:
    return TRAIN.replace("LR = 0.1", f"LR = {value}").encode()


def test_the_same_commit_again_is_the_same_commit(lineage: Lineage) -> None:
    first = lineage.commit(1, lineage.checkout.head(), {"train.py": with_lr("0.05")}, IDEA, AT)
    again = lineage.commit(1, lineage.checkout.head(), {"train.py": with_lr("0.05")}, IDEA, AT)
    assert first == again
    assert (first.lines_added, first.lines_removed) == (1, 1)
    assert git(lineage.root, "for-each-ref", "--format=%(refname) %(objectname)", "refs/looptop") == (
        f"refs/looptop/study/1 {first.sha}"
    )


def test_a_commit_made_anew_keeps_the_old_one_aside(lineage: Lineage) -> None:
    first = lineage.commit(1, lineage.checkout.head(), {"train.py": with_lr("0.05")}, IDEA, AT)
    second = lineage.commit(1, lineage.checkout.head(), {"train.py": with_lr("0.01")}, IDEA, AT)
    lineage.commit(1, lineage.checkout.head(), {"train.py": with_lr("0.02")}, IDEA, AT)
    aside = git(lineage.root, "for-each-ref", "--format=%(objectname)", "refs/looptop/study/superseded").split()
    assert sorted(aside) == sorted([first.sha, second.sha])
    assert [e.id for e in lineage.history.read()] == [1]


def test_files_keep_their_mode_and_may_come_and_go(lineage: Lineage) -> None:
    files = {
        "go.sh": b"#!/bin/sh\n",
        "lib/data.py": None,
        'new/a "b" \\ ü.py': b"x = 1\n",
        "blob.bin": bytes(range(256)),
    }
    sha = lineage.commit(1, lineage.checkout.head(), files, IDEA, AT).sha
    tree = git(lineage.root, "-c", "core.quotePath=false", "ls-tree", "-r", "-z", sha)
    assert {entry.split("\t")[1]: entry[:6] for entry in tree.split("\0") if entry} == {
        "go.sh": "100755",
        "train.py": "100644",
        'new/a "b" \\ ü.py': "100644",
        "blob.bin": "100644",
    }
    assert lineage.commits.read(sha, "blob.bin") == bytes(range(256))
    assert lineage.commits.read(sha, 'new/a "b" \\ ü.py') == b"x = 1\n"
    assert lineage.commits.read(sha, "lib/data.py") is None
    assert lineage.commits.read(sha, "new") is None


def test_what_is_no_plain_file_is_refused(lineage: Lineage) -> None:
    (lineage.root / "link.py").symlink_to("train.py")
    (lineage.root / "linked").symlink_to("lib")
    git(lineage.root, "add", ".")
    git(lineage.root, "commit", "--quiet", "-m", "Links")
    head = lineage.checkout.head()
    for path, why in {
        "link.py": "symbolic link",
        "linked/data.py": "linked is no folder",
        "train.py/x": "train.py is no folder",
        "lib": "a folder",
        "../x": "no path",
        "/etc/passwd": "no path",
        ".git/config": "no path",
        "lib/.GIT/hooks": "no path",
        "a\nb": "no path",
        "": "no path",
    }.items():
        with pytest.raises(LineageError, match=why):
            lineage.commit(1, head, {path: b"x"}, IDEA, AT)
    assert lineage.history.read() == []


def test_an_unknown_parent_is_one_sentence_and_leaves_nothing(lineage: Lineage) -> None:
    with pytest.raises(LineageError, match=r"^git ls-tree failed in .*: .*"):
        lineage.commit(1, "0" * 40, {"train.py": b""}, IDEA, AT)
    assert not list((lineage.root / ".git").glob("*crash*"))


def test_what_git_cannot_write_is_one_sentence(lineage: Lineage) -> None:
    (lineage.root / ".git" / "refs" / "looptop").write_text("a file where git needs a folder")
    with pytest.raises(LineageError, match="git fast-import failed in") as failed:
        lineage.commit(1, lineage.checkout.head(), {"train.py": b""}, IDEA, AT)
    assert "\n" not in str(failed.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk can only be mounted by root")
def test_what_finds_no_room_leaves_nothing_that_takes_more_of_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "8m") as disk:
        lineage = Lineage(make_repository(disk / "repo"), "full")
        sha = lineage.commit(1, lineage.checkout.head(), {}, IDEA, AT).sha
        before = {path for path in disk.rglob("*") if path.is_file()}
        ballast = fill(disk)
        with pytest.raises(LineageError, match="git fast-import failed in"):
            lineage.notes.write({sha: {"Verdict": "kept"}})
        with pytest.raises(LineageError, match="git fast-import failed in"):
            lineage.commit(2, sha, {"train.py": with_lr("0.05")}, IDEA, AT)
        assert {path for path in disk.rglob("*") if path.is_file()} - before == {
            ballast,
            lineage.root / ".git" / "looptop-notes.flock",
        }
        ballast.unlink()
        lineage.notes.write({sha: {"Verdict": "kept"}})


def test_the_branch_moves_by_compare_and_swap_only(lineage: Lineage) -> None:
    base = lineage.checkout.head()
    one = lineage.commit(1, base, {"train.py": with_lr("0.05")}, IDEA, AT).sha
    two = lineage.commit(2, base, {"train.py": with_lr("0.01")}, IDEA, AT).sha
    assert lineage.history.survey().tip is None
    with pytest.raises(BranchMoved, match="looptop/study is gone; bring it back"):
        lineage.branch.advance(one, base)
    lineage.branch.begin(base)
    lineage.branch.begin(base)
    with pytest.raises(BranchMoved, match="exists already"):
        lineage.branch.begin(one)
    lineage.branch.advance(one, base)
    lineage.branch.advance(one, base)  # a supervisor that died after it does it again
    with pytest.raises(BranchMoved, match=r"moved to .* by somebody"):
        lineage.branch.advance(two, base)
    lineage.branch.advance(base, one)  # a person overruled the champion
    assert lineage.history.survey().tip == base


def test_a_branch_that_somebody_stands_on_stays(lineage: Lineage, tmp_path: Path) -> None:
    base = lineage.checkout.head()
    one = lineage.commit(1, base, {"train.py": with_lr("0.05")}, IDEA, AT).sha
    lineage.branch.begin(base)
    there = tmp_path / "their place"
    git(lineage.root, "worktree", "add", "--quiet", str(there), "looptop/study")
    with pytest.raises(BranchMoved, match=r"checked out in .*their place; switch"):
        lineage.branch.advance(one, base)
    git(there, "switch", "--quiet", "--detach")
    lineage.branch.advance(one, base)
    assert lineage.history.survey().tip == one


def test_a_branch_in_the_way_is_named(lineage: Lineage) -> None:
    git(lineage.root, "branch", "looptop")
    with pytest.raises(LineageError, match="git branch -m looptop NAME"):
        lineage.branch.begin(lineage.checkout.head())


def test_a_verdict_is_written_over_and_read_by_git(lineage: Lineage) -> None:
    sha = lineage.commit(1, lineage.checkout.head(), {}, IDEA, AT).sha
    lineage.notes.write({sha: {"Verdict": "discarded", "val_bpb": "0.98"}})
    lineage.notes.write({sha: {"Verdict": "kept", "val_bpb": "0.97", "Reason": "a person\nsaid: so"}})
    shown = git(lineage.root, "log", "-1", "--notes=looptop", "--format=%N", sha)
    assert shown == "Verdict: kept\nval_bpb: 0.97\nReason: a person said: so"


def test_a_verdict_takes_the_place_of_one_that_git_put_elsewhere(lineage: Lineage) -> None:
    """Git spreads notes over folders by how many there are."""
    one, other = (lineage.commit(number, lineage.checkout.head(), {}, IDEA, AT).sha for number in (1, 2))
    git(lineage.root, "notes", "--ref=looptop", "add", "-m", "Verdict: crashed", one)
    git(lineage.root, "notes", "--ref=looptop", "add", "-m", "Verdict: crashed", other)
    assert one in git(lineage.root, "ls-tree", "-r", "--name-only", "refs/notes/looptop").splitlines()
    lineage.notes.write({one: {"Verdict": "kept"}})
    assert git(lineage.root, "notes", "--ref=looptop", "show", one) == "Verdict: kept"
    assert git(lineage.root, "notes", "--ref=looptop", "show", other) == "Verdict: crashed"
    # git's own hand on it puts all of them back into one folder
    lineage.notes.remove(other)
    assert git(lineage.root, "notes", "--ref=looptop", "show", one) == "Verdict: kept"
    lineage.notes.write({one: {"Verdict": "discarded"}, other: {"Verdict": "crashed"}})
    found = {experiment.sha: experiment.judged for experiment in lineage.history.read()}
    assert [judged.verdict for judged in found.values() if judged] == ["discarded", "crashed"]


def test_verdicts_of_two_studies_at_once_all_arrive(lineage: Lineage) -> None:
    other = Lineage(lineage.root, "other")
    head = lineage.checkout.head()
    studies = [lineage, other]

    def one(number: int) -> None:
        study = studies[number % 2]
        sha = study.commit(number, head, {"train.py": with_lr(f"0.{number}")}, IDEA, AT).sha
        study.notes.write({sha: {"Verdict": "discarded", "val_bpb": str(number)}})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))
    found = lineage.history.read() + other.history.read()
    assert sorted(e.id for e in found) == list(range(24))
    assert all(e.judged is not None and e.judged.value == e.id for e in found)


def test_diff_and_stat_hear_no_setting_of_the_persons(lineage: Lineage) -> None:
    (lineage.root / ".gitattributes").write_text("*.py diff=mine\n")
    git(lineage.root, "add", ".")
    git(lineage.root, "commit", "--quiet", "-m", "Attributes")
    for key, value in {"diff.mine.textconv": "tac", "diff.mine.command": "false", "diff.noprefix": "true"}.items():
        git(lineage.root, "config", key, value)
    head = lineage.checkout.head()
    files = {"train.py": with_lr("0.05"), "lib/data.py": b"a\0b", "go.sh": b"\xff\x1b[31m\n"}
    sha = lineage.commit(1, head, files, IDEA, AT).sha
    text = lineage.commits.diff(head, sha)
    assert "--- a/train.py\n+++ b/train.py\n" in text
    assert "-LR = 0.1\n+LR = 0.05\n" in text
    assert "Binary files a/lib/data.py and b/lib/data.py differ" in text
    assert "data.py" not in lineage.commits.diff(head, sha, ["train.py"])
    assert lineage.commits.stat(head, sha) == [
        FileChange("go.sh", 1, 2),
        FileChange("lib/data.py", 0, 0),
        FileChange("train.py", 1, 1),
    ]


def test_a_huge_diff_is_cut_with_a_sign(lineage: Lineage) -> None:
    head = lineage.checkout.head()
    sha = lineage.commit(1, head, {"train.py": b"x = 'y'\n" * 1_000_000}, IDEA, AT).sha
    text = lineage.commits.diff(head, sha)
    assert len(text) < 1_100_000
    assert text.endswith("\n[cut here: the diff is longer than 1024 KiB]\n")


def test_a_proposal_moves_onto_a_new_champion(lineage: Lineage) -> None:
    base = lineage.checkout.head()
    champion = lineage.commit(1, base, {"train.py": with_lr("0.05")}, IDEA, AT).sha
    far = lineage.commit(2, base, {"train.py": TRAIN.replace("main()", "start()").encode()}, IDEA, AT).sha
    near = lineage.commit(3, base, {"train.py": with_lr("0.01")}, IDEA, AT).sha
    gone = lineage.commit(4, base, {"train.py": None, "lib/data.py": None}, IDEA, AT).sha

    merged = lineage.commits.merge(base, champion, far, ["train.py", "lib/data.py"])
    expected = TRAIN.replace("LR = 0.1", "LR = 0.05").replace("main()", "start()").encode()
    assert merged == {"train.py": expected, "lib/data.py": b"ROWS = 10\n"}
    with pytest.raises(MergeConflict, match=r"train.py cannot be moved onto the champion: 1 place changed on both"):
        lineage.commits.merge(base, champion, near, ["train.py"])
    with pytest.raises(MergeConflict, match="made or deleted"):
        lineage.commits.merge(base, champion, gone, ["train.py"])
    assert lineage.commits.merge(base, champion, gone, ["lib/data.py"]) == {}
    assert lineage.commits.merge(base, champion, champion, ["train.py"]) == {"train.py": with_lr("0.05")}


def test_binary_files_changed_on_both_sides_conflict(lineage: Lineage) -> None:
    base = lineage.commit(0, lineage.checkout.head(), {"w.bin": b"\0base"}, IDEA, AT).sha
    ours = lineage.commit(1, base, {"w.bin": b"\0ours"}, IDEA, AT).sha
    theirs = lineage.commit(2, base, {"w.bin": b"\0theirs"}, IDEA, AT).sha
    with pytest.raises(MergeConflict, match="binary"):
        lineage.commits.merge(base, ours, theirs, ["w.bin"])


def test_the_tree_of_experiments_is_rebuilt_from_git_alone(lineage: Lineage) -> None:
    chance = random.Random(3)
    base = lineage.checkout.head()
    Lineage(lineage.root, "study-2").commit(0, base, {}, IDEA, AT)
    lineage.branch.begin(base)
    made: dict[int, tuple[str, int | None, bool]] = {}
    champion, champion_id = base, None
    for number in range(30):
        trailers = {"Researcher": f"r{number % 3}"}
        if champion_id is not None:
            trailers["Parent-experiment"] = str(champion_id)
        message = ExperimentMessage(f"idea {number}", f"Because of {number}.\n\nVerdict: kept\nval_bpb: 0.1", trailers)
        sha = lineage.commit(number, champion, {"train.py": with_lr(str(number))}, message, AT + number).sha
        kept = number == 0 or chance.random() < 0.3
        made[number] = (sha, champion_id, kept)
        note = {"Verdict": "kept" if kept else "discarded", "val_bpb": repr(1 / (number + 3)), "Runs": "seed 1: 0.5"}
        if number % 7 == 5:
            note = {"Verdict": "crashed", "Reason": "ValueError: not a number"}
        if number != 29:
            lineage.notes.write({sha: note})
        if kept:
            lineage.branch.advance(sha, champion)
            champion, champion_id = sha, number

    found = lineage.history.read()

    assert {e.id: (e.sha, e.parent_experiment, e.kept) for e in found} == made
    for e in found:
        assert (e.title, e.researcher, e.at) == (f"idea {e.id}", f"r{e.id % 3}", AT + e.id)
        assert e.hypothesis == f"Because of {e.id}.\n\nVerdict: kept\nval_bpb: 0.1"
        assert e.parent_sha == (base if e.parent_experiment is None else made[e.parent_experiment][0])
        if e.id == 29:
            assert e.judged is None
        elif e.id % 7 == 5:
            assert e.judged is not None
            assert (e.judged.verdict, e.judged.value) == ("crashed", None)
            assert e.judged.reason == "ValueError: not a number"
        else:
            assert e.judged is not None
            assert (e.judged.metric, e.judged.value, e.judged.runs) == ("val_bpb", 1 / (e.id + 3), "seed 1: 0.5")


def test_a_clone_that_brings_only_the_branch_still_has_the_kept_ones(lineage: Lineage, tmp_path: Path) -> None:
    base = lineage.checkout.head()
    one = lineage.commit(0, base, {}, IDEA, AT).sha
    two = lineage.commit(1, one, {"train.py": with_lr("0.05")}, IDEA, AT).sha
    lineage.commit(2, two, {"train.py": with_lr("0.01")}, IDEA, AT)
    lineage.branch.begin(two)
    git(tmp_path, "clone", "--quiet", "--branch", "looptop/study", str(lineage.root), "clone")
    found = Lineage(tmp_path / "clone", "study").history.read()
    assert [(e.id, e.sha, e.parent_experiment, e.kept) for e in found] == [(0, one, None, True), (1, two, 0, True)]


def test_strange_refs_and_commits_among_ours_are_passed_over(lineage: Lineage) -> None:
    head = lineage.checkout.head()
    sha = lineage.commit(1, head, {}, IDEA, AT).sha
    blob = git(lineage.root, "hash-object", "-w", "train.py")
    for name, target in {"2": blob, "x": head, "3/4": head}.items():
        git(lineage.root, "update-ref", f"refs/looptop/study/{name}", target)
    git(lineage.root, "update-ref", "refs/looptop/study/5", head)
    found = lineage.history.read()
    assert [(e.id, e.sha, e.title) for e in found] == [
        (1, sha, "halve the learning rate"),
        (5, head, "Begin"),
    ]
