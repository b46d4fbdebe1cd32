"""The journal deleted, torn or gone with its disk: what comes back, what is named, and that the study goes on."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.recovery.rebuild import CannotRebuild, rebuild
from loop.recovery.salvage import Salvage
from loop.study import codec, queries
from loop.study import events as e
from loop.study.state import Study
from loop.workspace import Workspace
from tests.recovery.test_recovery import STEPS, Hurt
from tests.repositories import git
from tests.supervisor.house import House, Scripted, change


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ran")
    house = House(root)
    (root / ".looptop").mkdir()
    with Journal(Workspace(root).journal, create=True) as journal:
        journal.append(e.Pinned(who="ada", text="mind the tokenizer"))
        for _ in range(300):  # a journal of several pages, with what only it has
            journal.append(e.Thought(researcher="scripted", text="what would it cost to start earlier? " * 8), 1)
    asyncio.run(house.work(Scripted(*STEPS)))
    return root


@pytest.fixture
def hurt(ran: Path, tmp_path: Path) -> Iterator[Hurt]:
    root = tmp_path / "copy"
    shutil.copytree(ran, root, symlinks=True)
    yield Hurt(root)


def delete(journal: Path) -> None:
    for path in journal.parent.glob("journal.db*"):
        path.unlink()


def tree(study: Study) -> list[tuple[object, ...]]:
    """What a person sees of a study's experiments."""
    return [
        (x.id, x.parent, x.commit, x.parent_commit, x.verdict, x.reason, x.metric, x.effect, x.noise, x.confidence,
         x.champion, x.judged_by, x.judged_at, x.title, x.hypothesis, x.researcher, x.flags, x.doubts,
         x.lines_added, x.lines_removed, x.measured(study.contract.protocol_id))
        for x in study.experiments.values()
    ]  # fmt: skip


def test_with_the_journal_deleted_the_tree_comes_back_from_git_and_what_cannot_is_named(hurt: Hurt) -> None:
    before = hurt.study
    delete(Workspace(hurt.root).journal)
    rebuilt = rebuild(hurt.root)
    after = hurt.study
    assert tree(after) == tree(before)
    assert (after.champion, after.lineage, after.base, after.branch) == (4, [0, 1, 4], before.base, before.branch)
    assert (after.contract, after.program, after.fingerprints) == (before.contract, before.program, before.fingerprints)
    assert queries.repetitions(after) == queries.repetitions(before)
    seconds = [(run.number, run.seed, run.seconds, run.stepping) for run in queries.usual_runs(after)]
    assert seconds == [(run.number, run.seed, run.seconds, run.stepping) for run in queries.usual_runs(before)]
    assert (rebuilt.salvaged, rebuilt.from_git, rebuilt.kept) == (0, (0, 1, 2, 3, 4), "")
    for phrase in ("the reasoning and the tool calls", "the notebook", "a person's words, pins and other requests"):
        assert phrase in rebuilt.lost
    assert after.faults[-1][1].message.startswith("the journal of test was made anew: experiments 0 to 4 from git;")


def test_the_loop_goes_on_from_a_rebuilt_journal_with_the_next_number(hurt: Hurt) -> None:
    delete(Workspace(hurt.root).journal)
    rebuild(hurt.root)
    steps = (change("C=3", "C=2"), change("C=2", "C=3"), change("C=2", "C=9"))
    study = asyncio.run(House.at(hurt.root).work(Scripted(*steps)))
    assert [x.verdict for x in study.experiments.values()][5:] == ["kept", "discarded"], "what was tried is known"
    assert len(study.experiments[0].runs) == 2, "and the noise too: the baseline is not run again"
    hurt.agree()


def test_a_torn_journal_gives_what_can_be_read_and_git_the_rest(hurt: Hurt) -> None:
    before, path = hurt.study, Workspace(hurt.root).journal
    size = path.stat().st_size
    with path.open("r+b") as file:
        for share in (0.5, 0.9):
            file.seek(int(size * share) // 4096 * 4096)
            file.write(os.urandom(4096))
    old = path.read_bytes()
    rebuilt = rebuild(hurt.root)
    after = hurt.study
    assert rebuilt.salvaged > 150 and rebuilt.gaps
    assert Path(rebuilt.kept).read_bytes() == old
    assert tree(after) == tree(before)
    assert (after.champion, after.lineage, after.pins) == (4, [0, 1, 4], before.pins)
    with Journal(path) as journal:
        assert len(journal.read(kinds={"thought"})) > 100
    with pytest.raises(CannotRebuild, match="is whole, so there is nothing to rebuild"):
        rebuild(hurt.root)


def test_a_journal_whose_first_page_is_gone_gives_all_but_what_was_on_it(hurt: Hurt) -> None:
    path = Workspace(hurt.root).journal
    before = hurt.study
    with path.open("r+b") as file:
        file.write(os.urandom(4096))
    rebuilt = rebuild(hurt.root)
    assert rebuilt.salvaged > 300 and not rebuilt.gaps, "the first page holds only the layout"
    assert tree(hurt.study) == tree(before)
    assert hurt.study.pins == before.pins


def test_rows_taken_out_page_by_page_are_those_of_the_table(hurt: Hurt, tmp_path: Path) -> None:
    path = Workspace(hurt.root).journal
    with Journal(path) as journal:
        journal.append(e.Steered(text="é" * 20_000))  # over several pages
        journal.append(e.Steered(text="short"))
        events = journal.read()
        torn = tmp_path / "torn.db"
        shutil.copyfile(f"{path}-wal", f"{torn}-wal")  # the newest rows are nowhere else
        torn.write_bytes(os.urandom(2 * 4096) + path.read_bytes()[2 * 4096 :])  # neither header nor root
    (tmp_path / "read").mkdir()
    rows = Salvage(torn, tmp_path / "read").by_page()
    assert sorted(rows) == [event.seq for event in events]
    assert [codec.decode(rows[event.seq][5]) for event in events] == [event.body for event in events]


def test_a_clone_says_what_to_fetch_and_gives_what_it_has(hurt: Hurt, tmp_path: Path) -> None:
    before = hurt.study
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(hurt.root), str(clone))
    with pytest.raises(CannotRebuild, match=r"in a clone, fetch it first: git fetch origin 'refs/looptop"):
        rebuild(clone)
    git(clone, "fetch", "--quiet", "origin", "refs/heads/looptop/*:refs/heads/looptop/*")
    with pytest.raises(CannotRebuild, match=r"only the branch of test is here, without a verdict.*git fetch origin"):
        rebuild(clone)
    alone = tmp_path / "alone"
    shutil.copytree(clone, alone)
    rebuilt = rebuild(alone, "test")
    assert {x.id: x.verdict for x in Hurt(alone).study.experiments.values()} == {0: "kept", 1: "kept", 4: "kept"}
    assert any("the numbers of experiments 0, 1 and 4" in phrase for phrase in rebuilt.lost)
    git(clone, "fetch", "--quiet", "origin", "refs/looptop/*:refs/looptop/*", "refs/notes/looptop:refs/notes/looptop")
    rebuild(clone)
    assert tree(Hurt(clone).study) == tree(before)


def test_with_several_studies_it_asks_which(hurt: Hurt) -> None:
    hurt.git("branch", "looptop/other", "HEAD")
    delete(Workspace(hurt.root).journal)
    with pytest.raises(CannotRebuild, match="say --tag with one of other, test"):
        rebuild(hurt.root)
    with pytest.raises(CannotRebuild, match="git has nothing of a study other; it knows other, test"):
        rebuild(hurt.root, "other")
    assert rebuild(hurt.root, "test").experiments == 5


def test_killed_at_the_very_end_it_is_finished_by_the_next(hurt: Hurt, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Workspace(hurt.root).journal
    before = tree(hurt.study)
    path.write_bytes(b"\0" * 8192)
    (path.parent / "journal.db-wal").write_bytes(b"old")
    for step in ("unlink", "replace"):

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, step, killed)
            with pytest.raises(KeyboardInterrupt):
                rebuild(hurt.root)
        assert path.exists()
    rebuilt = rebuild(hurt.root)
    assert tree(hurt.study) == before
    assert Path(rebuilt.kept).read_bytes() == b"\0" * 8192
    assert Path(f"{rebuilt.kept}-wal").read_bytes() == b"old"
    assert not list(path.parent.glob("rebuild*"))


def test_a_study_of_another_budget_goes_on_with_that_budget(hurt: Hurt) -> None:
    delete(Workspace(hurt.root).journal)
    program = hurt.root / "program.md"
    program.write_text(program.read_text().replace("budget: 1s", "budget: 2s"))
    rebuild(hurt.root)
    study = hurt.study
    assert (study.contract.budget, study.options) == (1.0, {"budget": 1.0}), "as `--budget 1s` would have it"
    assert len(queries.usual_runs(study)) == 2


def test_notes_are_read_by_git_and_by_whoever_reads_the_metric_only(hurt: Hurt) -> None:
    said = subprocess.run(
        ["git", "notes", "--ref=looptop", "show", hurt.commit(3)], cwd=hurt.root, capture_output=True, text=True
    ).stdout
    assert said.startswith("Verdict: crashed\nReason: exit code 3") and "\nJudged: " in said
    judged = hurt.lineage.history.survey().notes[hurt.commit(3)]
    assert (judged.metric, judged.value) == ("", None), "no line of a crash's note is taken for its number"
