"""Recovery on the real thing: a study that ran, then damaged in every way, is looked at, mended, and loses nothing."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.lineage import Lineage
from loop.recovery import doctor
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from loop.workspace import Workspace
from tests.repositories import git
from tests.supervisor.house import House, Scripted, change

STEPS = (change("A=5", "A=4"), change("B=5", "B=9"), change("# the end", "exit 3"), change("C=5", "C=3"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a baseline and experiments kept, discarded, crashed and kept; made once, copied for each test."""
    root = tmp_path_factory.mktemp("ran")
    study = asyncio.run(House(root).work(Scripted(*STEPS)))
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept", "discarded", "crashed", "kept"]
    return root


@dataclass
class Hurt:
    """A copy of the study, to be damaged."""

    root: Path

    @property
    def study(self) -> Study:
        with Journal(Workspace(self.root).journal) as journal:
            return fold(journal.read(kinds=FOLDED))

    @property
    def lineage(self) -> Lineage:
        return Lineage(self.root, "test")

    def commit(self, number: int) -> str:
        return self.study.experiments[number].commit or ""

    def git(self, *args: str) -> str:
        return git(self.root, *args)

    def say(self, body: e.Body, experiment: int | None = None, run: int | None = None) -> None:
        with Journal(Workspace(self.root).journal) as journal:
            journal.append(body, experiment, run)

    def found(self) -> list[str]:
        return [one.kind for one in doctor.examine(self.root)]

    def mended(self) -> list[str]:
        """Mend, check that a second look finds nothing more, and return what was told."""
        told = [one.sentence for one in doctor.mend(self.root) if not one.ordinary]
        assert doctor.examine(self.root) == []
        self.agree()
        return told

    def agree(self) -> None:
        """Journal and git say the same."""
        study, survey = self.study, self.lineage.history.survey()
        assert study.best is not None and survey.tip == study.best.commit
        assert dict(survey.refs) == {x.id: x.commit for x in study.experiments.values() if x.commit}
        for experiment in study.experiments.values():
            note = survey.notes.get(experiment.commit or "")
            assert (note.verdict if note else "") == (experiment.verdict or "")


@pytest.fixture
def hurt(ran: Path, tmp_path: Path) -> Iterator[Hurt]:
    root = tmp_path / "copy"
    shutil.copytree(ran, root, symlinks=True)
    yield Hurt(root)


def test_after_a_clean_stop_nothing_disagrees_and_a_mending_says_nothing(hurt: Hurt) -> None:
    with Journal(Workspace(hurt.root).journal) as journal:
        before = journal.last_seq()
        assert doctor.examine(hurt.root) == doctor.mend(hurt.root) == []
        assert journal.last_seq() == before


def test_a_ref_that_is_gone_or_elsewhere_is_put_back_and_nothing_is_lost(hurt: Hurt) -> None:
    hurt.git("update-ref", "-d", "refs/looptop/test/2")
    stray = hurt.git("commit-tree", "-m", "somebody's", "HEAD^{tree}")
    hurt.git("update-ref", "refs/looptop/test/3", stray)
    told = hurt.mended()
    assert told[0] == "the ref of experiment 2 is gone; put back"
    assert told[1].startswith("the ref of experiment 3 points at another commit")
    assert stray in hurt.git("for-each-ref", "refs/looptop/test/superseded")
    assert [fault.message for _, fault in hurt.study.faults if fault.where == "recovery"] == told


def test_a_commit_that_is_gone_is_made_again_from_the_journal(hurt: Hurt) -> None:
    lost = [hurt.commit(number) for number in (1, 4)]
    for sha in lost:
        hurt.git("update-ref", "-d", f"refs/looptop/test/{1 if sha == lost[0] else 4}")
    hurt.git("update-ref", "-d", "refs/heads/looptop/test")
    (hurt.root / ".git" / "logs").rename(hurt.root / "logs")
    for sha in lost:  # as a disk loses them
        place = hurt.root / ".git" / "objects" / sha[:2] / sha[2:]
        place.chmod(0o644)  # git writes them for nobody to change, and only root may all the same
        place.write_bytes(b"")
    hurt.git("config", "user.name", "Somebody Else")
    found = doctor.mend(hurt.root)
    assert "the commit of experiments 1 and 4 is gone from git; made again from the journal" in [
        one.sentence for one in found
    ]
    assert found[-1].said == f"branch looptop/test is gone; bring it back: git branch looptop/test {lost[1][:12]}"
    hurt.git("branch", "looptop/test", lost[1])
    assert doctor.examine(hurt.root) == []
    hurt.agree()


def test_what_a_power_cut_left_empty_is_put_back(hurt: Hurt) -> None:
    hurt.git("update-ref", "refs/heads/looptop/test", hurt.commit(1))
    hurt.git("pack-refs", "--all")  # so that git falls back on an older place once the empty file is gone
    hurt.git("update-ref", "-d", "refs/looptop/test/2")
    hurt.git("update-ref", "-d", "refs/notes/looptop")
    for ref in ("refs/heads/looptop/test", "refs/looptop/test/2", "refs/notes/looptop"):
        (hurt.root / ".git" / ref).parent.mkdir(parents=True, exist_ok=True)
        (hurt.root / ".git" / ref).write_bytes(b"")
    told = hurt.mended()
    assert told == [
        "the ref of experiment 2 is gone; put back",
        "the verdict of experiments 0, 1, 2, 3 and 4 has no note in git; written again from the journal",
        "the file of branch looptop/test holds no commit, as after a power cut; put back",
    ]


def test_notes_are_written_as_the_journal_has_them(hurt: Hurt) -> None:
    hurt.git("notes", "--ref=looptop", "remove", hurt.commit(1))
    said = hurt.git("notes", "--ref=looptop", "show", hurt.commit(2))
    forged = said.replace("Verdict: discarded", "Verdict: kept")
    hurt.git("notes", "--ref=looptop", "add", "-f", "-m", forged, hurt.commit(2))
    assert hurt.mended() == [
        "the verdict of experiment 1 has no note in git; written again from the journal",
        "the verdict of experiment 2 is another in git's note; written again from the journal",
    ]
    assert hurt.git("notes", "--ref=looptop", "show", hurt.commit(2)) == said


def test_a_supervisor_that_died_on_its_way_is_followed_without_a_word(hurt: Hurt) -> None:
    study = hurt.study
    hurt.say(e.ExperimentQueued(commit=hurt.commit(2), parent=1, parent_commit=hurt.commit(1)), 2)  # requeued
    hurt.say(e.ExperimentProposed(researcher="scripted", title="new", parent=4), 5)
    hurt.say(e.EditsRecorded(edits={"run.sh": "echo loss: 3\n"}), 5)
    started = e.RunStarted(
        seed=1, slot=0, budget=1.0, deadline=9.0, protocol_id=study.contract.protocol_id, pid=1, pid_started=0.0
    )
    hurt.say(started, 2, 9)
    folder = Workspace(hurt.root).run_folder(2, 10)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("step 1\n")
    hurt.lineage.trees.add("2.9", hurt.commit(2))
    (hurt.root / ".git" / "refs" / "looptop" / "test" / "2.lock").touch()
    assert hurt.found() == ["trees", "locks", "run", "uncommitted", "folders", "note"]
    assert hurt.mended() == []
    after = hurt.study
    assert (after.experiments[2].verdict, after.experiments[2].runs[9].outcome) == (None, "lost")
    assert hurt.lineage.commits.read(after.experiments[5].commit or "", "run.sh") == b"echo loss: 3\n"
    assert (folder.parent / "2.10.aside" / "log.txt").read_text() == "step 1\n"


def test_a_branch_that_was_on_its_way_to_a_new_champion_is_put_back_for_the_judge(hurt: Hurt) -> None:
    hurt.say(e.ExperimentQueued(commit=hurt.commit(4), parent=1, parent_commit=hurt.commit(1)), 4)
    hurt.say(e.ChampionChanged(commit=hurt.commit(1)), 1)  # as it was before the verdict of 4 was recorded
    assert hurt.found() == ["note", "branch"]
    assert hurt.mended() == []
    assert hurt.git("rev-parse", "looptop/test") == hurt.commit(1)


def elsewhere(hurt: Hurt) -> str:
    hurt.git("branch", "-f", "looptop/test", "HEAD")
    tip, best = hurt.git("rev-parse", "HEAD")[:12], hurt.commit(4)[:12]
    return (
        f"branch looptop/test was moved to {tip} by somebody; keep that under another name and put it back: "
        f"git branch NAME looptop/test && git branch -f looptop/test {best}"
    )


def gone(hurt: Hurt) -> str:
    hurt.git("branch", "-D", "looptop/test")
    return f"branch looptop/test is gone; bring it back: git branch looptop/test {hurt.commit(4)[:12]}"


@pytest.mark.parametrize("do", [elsewhere, gone])
async def test_a_branch_that_a_person_moved_or_deleted_stops_the_loop_with_the_way_back(
    do: Callable[[Hurt], str], hurt: Hurt
) -> None:
    sentence = do(hurt)
    study = await House.at(hurt.root).work(Scripted(change("C=3", "C=2")))
    assert study.supervisor is not None and study.supervisor.failed
    assert study.supervisor.reason == sentence
    for command in sentence.partition(": ")[2].replace("NAME", "kept-aside").split(" && "):
        hurt.git(*command.split()[1:])
    study = await House.at(hurt.root).work(Scripted(change("C=3", "C=2")))
    assert [x.verdict for x in study.experiments.values()][5:] == ["kept"]
    hurt.agree()


@pytest.mark.parametrize("do", [elsewhere, gone])
async def test_a_branch_moved_while_the_loop_works_is_found_at_the_next_verdict(
    do: Callable[[Hurt], str], hurt: Hurt
) -> None:
    sentences = []

    def meanwhile(briefing):  # type: ignore[no-untyped-def]
        sentences.append(do(hurt))
        return change("C=3", "C=9")(briefing)

    study = await House.at(hurt.root).work(Scripted(meanwhile))
    assert study.supervisor is not None and study.supervisor.reason == sentences[0]
    assert (study.experiments[5].verdict, study.experiments[5].phase) == (None, "queued")
    hurt.git("branch", "-f", "looptop/test", hurt.commit(4))
    study = await House.at(hurt.root).work(Scripted())
    assert study.experiments[5].verdict == "discarded", "what was measured counts"
    assert len(study.experiments[5].runs) == 1


def test_a_branch_that_somebody_stands_on_is_said_before_it_stops_anything(hurt: Hurt, tmp_path: Path) -> None:
    hurt.git("worktree", "add", "--quiet", str(tmp_path / "theirs"), "looptop/test")
    (found,) = doctor.examine(hurt.root)
    assert found.said.startswith(f"branch looptop/test is checked out in {tmp_path / 'theirs'}; switch to another")
    assert not found.stops and found.mends == ()


def test_an_older_journal_is_told_what_git_knows_and_no_number_is_used_twice(hurt: Hurt) -> None:
    whole = hurt.study
    path = Workspace(hurt.root).journal
    with Journal(path) as journal:
        events = journal.read()
    path.unlink()
    with Journal(path, create=True) as journal:  # a backup from when experiment 2 had run and was not yet judged
        for event in events:
            if event.kind == "experiment_judged" and event.experiment == 2:
                break
            journal.append(event.body, event.experiment, event.run, event.at)
    told = hurt.mended()
    assert told == [
        "git has of experiments 2, 3 and 4 what the journal does not, as when an older journal was put back; "
        "taken in from git"
    ]
    after = hurt.study
    assert after.champion == 4 and after.lineage == whole.lineage
    for number, before in whole.experiments.items():
        now = after.experiments[number]
        assert (now.verdict, now.reason, now.metric, now.effect, now.judged_at, now.judged_by) == (
            before.verdict, before.reason, before.metric, before.effect, before.judged_at, before.judged_by,
        )  # fmt: skip
        assert (now.commit, now.parent, now.lines_added, now.title, now.researcher) == (
            before.commit, before.parent, before.lines_added, before.title, before.researcher,
        )  # fmt: skip
        assert now.measured(after.contract.protocol_id) == before.measured(whole.contract.protocol_id)
    assert after.fingerprints == whole.fingerprints


def test_a_persons_own_lock_is_told_of_and_never_touched(hurt: Hurt) -> None:
    lock = hurt.root / ".git" / "index.lock"
    lock.touch()
    assert hurt.found() == [], "a living git holds one for a moment"
    os.utime(lock, (time.time() - 7200, time.time() - 7200))
    (found,) = doctor.mend(hurt.root)
    assert found.said.startswith(f"{lock} has been there for 2 h: if no git of yours is at work")
    assert lock.exists()


def test_a_branch_of_another_study_under_this_name_stops_before_anything_runs(tmp_path: Path) -> None:
    house = House(tmp_path)
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "theirs")
    git(tmp_path, "branch", "looptop/test")
    (tmp_path / ".looptop").mkdir()
    with Journal(Workspace(tmp_path).journal, create=True) as journal:
        contract = e.StudyStarted.model_fields["contract"].annotation
        assert contract is not None
        journal.append(
            e.StudyStarted(
                tag="test", branch="looptop/test", base=git(tmp_path, "rev-parse", "HEAD~1"), contract=contract()
            )
        )
    study = asyncio.run(house.work(Scripted()))
    assert study.supervisor is not None and "the branch is another study's" in study.supervisor.reason
    assert study.experiments == {}
