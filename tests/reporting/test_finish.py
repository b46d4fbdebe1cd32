"""The branch for a person's review: one commit for each kept change, and nothing else of theirs is touched."""

from pathlib import Path

import pytest

from loop.lineage import ExperimentMessage, Lineage, LineageError
from loop.reporting import cost
from loop.reporting.finish import NothingToFinish, finish
from loop.study import events as e
from loop.study.contract import Contract
from tests.repositories import TRAIN, fingerprint, git, make_repository
from tests.stories import Story


def a_study(root: Path) -> tuple[Story, Lineage]:
    """The baseline holds an edit of the person; 1 was kept, 2 was not, 3 was kept on top of 1."""
    lineage = Lineage(root, "t")
    lineage.prepare()
    base = git(root, "rev-parse", "HEAD")
    texts = {
        0: TRAIN.replace("WIDTH = 64", "WIDTH = 96"),
        1: TRAIN.replace("WIDTH = 64", "WIDTH = 96").replace("0.1", "0.2"),
        2: TRAIN.replace("WIDTH = 64", "WIDTH = 96").replace("0.1", "0.9"),
        3: TRAIN.replace("WIDTH = 64", "WIDTH = 96").replace("0.1", "0.2").replace("DEPTH = 4", "DEPTH = 6"),
    }
    parents = {0: None, 1: 0, 2: 1, 3: 1}
    shas: dict[int, str] = {}
    story = Story(Contract(verify=None))
    story.tell(e.StudyStarted(tag="t", branch="looptop/t", base=base, contract=story.contract))
    for number, text in texts.items():
        parent = parents[number]
        onto = base if parent is None else shas[parent]
        message = ExperimentMessage(f"idea {number}", "", {"Researcher": "r"})
        shas[number] = lineage.commit(number, onto, {"train.py": text.encode()}, message, 1000.0 + number).sha
        why = "Because.\n\nExperiment: 7\n# not a comment"
        proposal = e.ExperimentProposed(researcher="claude", title=f"idea {number}", hypothesis=why, parent=parent)
        story.tell(proposal, number)
        story.tell(e.ExperimentQueued(commit=shas[number], parent=parent, parent_commit=onto), number)
        values = {0: (1.0, 1.01, 0.99), 1: (0.9, 0.91, 0.89), 2: (0.95,), 3: (0.8, 0.81, 0.79)}[number]
        story.runs(number, values)
        effect = None if parent is None else 0.1 if number != 2 else -0.05
        verdict = "discarded" if number == 2 else "kept"
        judged = e.ExperimentJudged(
            verdict=verdict, reason="seen\nthrice", metric=values[0], effect=effect, noise=0.01, champion=parent
        )
        story.tell(judged, number)
        if verdict == "kept":
            story.tell(e.ChampionChanged(commit=shas[number], metric=values[0]), number)
    return story, lineage


def test_one_commit_for_each_kept_change_with_its_worth(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo")
    story, lineage = a_study(root)
    study = story.study()
    books = cost.books(study, story.events)
    before = fingerprint(root)
    dry = finish(study, books, lineage, "finish/t", dry=True)
    assert git(root, "branch", "--list", "finish/*") == "" and fingerprint(root) == before
    done = finish(study, books, lineage, "finish/t")
    assert done.commits == dry.commits and [number for _, _, number in done.commits] == [None, 1, 3]
    assert git(root, "log", "--format=%s", f"{study.base}..finish/t").splitlines() == [
        "idea 3",
        "idea 1",
        "The files that study t began with",
    ]
    assert git(root, "diff", study.experiments[3].commit or "", "finish/t") == "", "it ends where the champion is"
    assert git(root, "show", "--format=", "--shortstat", "finish/t").strip() == (
        "1 file changed, 1 insertion(+), 1 deletion(-)"
    )
    message = git(root, "show", "--format=%B", "--no-patch", "finish/t")
    assert "val_bpb 0.8 ± 0.0058 over 3 runs, better by 0.100 (95% interval +0.0" in message
    assert "The judge: seen thrice" in message
    trailers = git(root, "show", "--format=%(trailers:only)", "--no-patch", "finish/t").split("\n")
    assert trailers[:3] == ["Proposed-by: claude", "Looptop-study: t", "Looptop-experiment: 3"]
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/main" and git(root, "status", "--porcelain") == ""
    assert finish(study, books, lineage, "finish/t").commits == done.commits, "twice is the same as once"
    assert lineage.history.read()[-1].id == 3, "no study takes the branch for its own"


def test_no_branch_is_overwritten_and_studies_keep_their_names(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo")
    story, lineage = a_study(root)
    study = story.study()
    books = cost.books(study, story.events)
    git(root, "branch", "mine")
    mine = git(root, "rev-parse", "mine")
    for name, why in (("mine", "is not overwritten"), ("looptop/t", "belongs to studies"), ("a b", "git takes no")):
        with pytest.raises(LineageError, match=why):
            finish(study, books, lineage, name)
    assert git(root, "rev-parse", "mine") == mine


def test_where_nothing_was_kept_there_is_no_branch(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo")
    story = Story().baseline()
    with pytest.raises(NothingToFinish):
        finish(story.study(), cost.books(story.study(), story.events), Lineage(root, "t"), "finish/t")
