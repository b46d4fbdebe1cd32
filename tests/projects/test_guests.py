"""A loop that somebody else's agent ran is adopted: its history is told, and the loop goes on from its best commit."""

from pathlib import Path

import pytest

from loop.guests.adopt import adopt
from loop.guests.history import NoGuest
from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.pipeline.archive import StudyArchive
from loop.pipeline.proposals import Proposals
from loop.policy import permissions
from loop.reporting.table import as_tsv
from loop.researchers.briefing.experiment_table import table as briefed
from loop.study.outcomes import Outcome
from loop.workspace import Workspace
from tests.e2e.conftest import Bench
from tests.projects.agents import TRAIN, Agent


@pytest.fixture
def agent(bench: Bench) -> Agent:
    """A workspace as the original's agent leaves it: a program in prose, results that git does not know."""
    bench.plain_python()
    bench.write("train.py", TRAIN)
    bench.write("program.md", "# autoresearch\nOnly prose, as in the original.\n")
    bench.write(".gitignore", "/.venv\nresults.tsv\nrun.log\n")
    bench.git("add", ".gitignore", "train.py", "program.md")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "the original's shape")
    return Agent(bench.root)


def _theirs(bench: Bench) -> tuple[str, ...]:
    """All that adopting must not change."""
    files = {name: (bench.root / name).read_bytes() for name in ("results.tsv", "train.py", "program.md")}
    return bench.git("rev-parse", "HEAD", "autoresearch/mar5"), bench.git("status", "--porcelain"), str(files)


def test_the_loop_goes_on_from_its_best(bench: Bench, agent: Agent) -> None:
    agent.work()
    agent.forget()
    best = bench.git("rev-parse", "HEAD")
    bench.git("checkout", "-q", "main")  # whatever is checked out
    before = _theirs(bench)
    dry = adopt(bench.root, None, None, None, dry=True)
    assert dry.base == best and not (bench.root / ".looptop").exists()
    told = bench.json("adopt", "mar5")
    assert (told["base"], told["said"], told["verdicts"]) == (best, dry.said, dry.counts())
    assert told["verdicts"] == {"kept": 3, "discarded": 1, "crashed": 1} and told["said"] == []
    told = bench.json("status")
    assert (told["state"], told["experiments"]["kept"], told["imported"]) == ("not started", 0, 5)

    options = ("--researcher", "automl", "--experiments", "1", "--budget", "1s", "--sandbox", "off")
    bench.looptop("run", "--headless", *options)
    study = bench.consistent()
    assert study.base == best and study.judged() == 1
    imported = [one for one in study.experiments.values() if one.imported]
    assert [one.id for one in imported] == [1, 2, 3, 4, 5] and {one.researcher for one in imported} == {"imported"}
    assert [one.metric for one in imported] == [1.031, 1.012, 1.2, None, 1.002]
    assert [one.parent for one in imported] == [None, 1, 2, 2, 2]
    assert not any(one.runs for one in imported)
    assert study.baseline is not None and study.baseline.verdict == Outcome.KEPT
    assert study.baseline.metric == pytest.approx(1.002, abs=0.003), "its best, measured anew"
    assert study.experiments[6].parent == 0
    assert bench.git("rev-parse", f"{study.baseline.commit}^") == best
    assert _theirs(bench) == before

    assert study.experiments[3].between() is None, "it was reset away"
    for check in (permissions.requeue, permissions.branch, permissions.keep):
        answer = check(study, study.experiments[2])
        assert isinstance(answer, permissions.Refused) and "imported and has not run here" in answer.sentence
    table = as_tsv(study).splitlines()
    theirs = (bench.root / "results.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in table[2:5]] == [line.split("\t")[0] for line in theirs[1:4]]


def test_what_is_gone_torn_or_odd_is_said(bench: Bench, agent: Agent) -> None:
    agent.work()
    agent.report("cafe123", 0.9, "keep", "the best, and gone")
    agent.report("abc1234", 1.1, "perhaps", "an odd status")
    with agent.results.open("a") as file:
        file.write("abc12")
    done = bench.looptop("adopt").stdout
    assert "git has no commit of 1 kept experiments (cafe123)" in done
    assert "the commit of its best number is gone: the study goes on from" in done
    assert "line 8 has the status 'perhaps', which nobody knows: taken as discarded" in done
    assert "line 9 is torn (1 of 5 columns): left out" in done
    assert bench.study().imported == 7
    with pytest.raises(NoGuest, match="holds a study already"):
        adopt(bench.root, None, None, None, dry=False)


async def test_researchers_are_told(bench: Bench, agent: Agent) -> None:
    agent.work()
    adopt(bench.root, None, None, None, dry=False)
    study = bench.study()
    told = briefed(study.experiments.values(), study.contract, 2000)
    assert "Experiments 1 to 5 were imported" in told and "halve LR | kept, 1.012, imported" in told
    assert "depth 80" in told and "depth x" in told
    lineage = Lineage(bench.root, study.tag)
    with Journal(Workspace(bench.root).journal) as journal:
        recorder = Recorder(journal)
        proposals = Proposals(lineage, recorder, journal)
        archive = StudyArchive(Workspace(bench.root), lineage, recorder, proposals, journal)
        assert "+LEARNING_RATE = 0.02" in await archive.diff(2)
        assert "LEARNING_RATE = 0.02" in (await archive.edits(2))["train.py"]
        assert await archive.log(2) == "it has not run"


def test_a_journal_that_is_lost_is_made_anew_without_them(bench: Bench, agent: Agent) -> None:
    agent.work()
    adopt(bench.root, None, None, None, dry=False)
    options = ("--researcher", "automl", "--budget", "1s", "--sandbox", "off")
    bench.looptop("run", "--headless", "--experiments", "1", *options)
    for left in (bench.root / ".looptop").glob("journal.db*"):
        left.unlink()
    done = bench.looptop("doctor", "--rebuild").stdout
    assert "what was imported from another loop" in done
    assert sorted(bench.study().experiments) == [0, 6]


def test_what_cannot_be_adopted_is_one_sentence(bench: Bench, agent: Agent, tmp_path: Path) -> None:
    def refused(branch: str | None = None, file: Path | None = None) -> str:
        with pytest.raises(NoGuest) as caught:
            adopt(bench.root, branch, file, None, dry=False)
        assert "\n" not in str(caught.value) and not (bench.root / ".looptop").exists()
        return str(caught.value)

    assert bench.looptop("adopt", code=1).stderr.count("\n") == 1
    assert "git has no branch autoresearch/TAG" in refused()
    agent.begin()
    assert "have no experiment" in refused()
    agent.report("abc1234", 0.9, "keep", "x")
    assert "no branch nov1 or autoresearch/nov1" in refused("nov1") and "there are autoresearch/mar5" in refused("nov1")
    assert "there is no" in refused(file=tmp_path / "nowhere.tsv")
    bench.write("program.md", "---\nmetric: val_loss\n---\nx\n")
    assert "its results are of val_bpb, and program.md says val_loss: write `metric: val_bpb`" in refused()
    bench.write("program.md", "x\n")
    agent.git("branch", "autoresearch/mar6")
    agent.git("checkout", "-q", "main")
    assert "name one of autoresearch/mar5 and autoresearch/mar6" in refused()
    agent.results.unlink()
    assert "there is no results.tsv" in refused("mar5")
