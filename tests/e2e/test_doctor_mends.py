"""`looptop doctor` as a person uses it on a study of theirs: it looks, mends, and brings a lost journal back."""

import os

import pytest

from tests.e2e.conftest import Bench


@pytest.mark.soak
def test_a_lost_journal_comes_back_and_the_loop_goes_on_with_the_next_number(bench: Bench) -> None:
    bench.program(limits={"experiments": 3}, keep={"baseline_runs": 2, "max_runs": 2})
    bench.looptop("run", "--headless", "--budget", "0.3s", "--experiments", "1")
    breaks = "sh -c 'echo \"import sys; sys.exit(3)\" > train.py'"
    bench.looptop("run", "--headless", "--researcher", breaks, "--experiments", "3")
    before, told = bench.consistent(), bench.json("experiments")
    for path in (bench.root / ".looptop").glob("journal.db*"):
        path.unlink()

    refused = bench.looptop("run", "--headless", code=1).stderr
    assert "its journal" in refused and "`looptop doctor --rebuild` brings it back from git" in refused
    lost = {found["what"]: found for found in bench.json_of("doctor", code=None)}["study"]
    assert not lost["good"] and before.tag in lost["said"] and "--rebuild" in lost["remedy"]

    said = bench.looptop("doctor", "--rebuild").stdout
    assert f"the journal of {before.tag} was made anew: experiments 0 to 3 from git" in said
    assert "not restored: the reasoning and the tool calls" in said and "not restored: the notebook" in said
    again = bench.json("experiments")
    assert [found["verdict"] for found in told][2:] == ["crashed", "rejected"]
    assert len(again) == len(told) == 4
    for was, now in zip(told, again, strict=True):
        same = ("id", "parent", "title", "hypothesis", "researcher", "verdict", "reason", "metric", "commit")
        assert {key: now[key] for key in same} == {key: was[key] for key in same}
    assert bench.study().contract.budget == 0.3, "the flag that it was begun with is in force"
    assert "is whole, so there is nothing to rebuild" in bench.looptop("doctor", "--rebuild", code=1).stderr

    bench.program(limits={"experiments": 4}, keep={"baseline_runs": 2, "max_runs": 2})
    bench.looptop("run", "--headless", "--researcher", "automl")
    after = bench.consistent()
    assert sorted(after.experiments) == [0, 1, 2, 3, 4]
    assert len(after.experiments[0].runs) == len(before.experiments[0].runs), "the noise is known still"


@pytest.mark.soak
def test_what_disagrees_is_said_and_mended_when_asked(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.looptop("run", "--headless")
    tag = bench.consistent().tag
    agree = {found["what"]: found for found in bench.json_of("doctor", code=None)}["recovery"]
    assert (agree["good"], agree["said"]) == (True, "journal, git and disk agree")
    bench.git("update-ref", "-d", f"refs/looptop/{tag}/1")
    lock = bench.root / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    said = bench.looptop("doctor", code=None).stdout
    assert (
        "– recovery    the ref of experiment 1 is gone; the next start mends that, or `looptop doctor --mend`" in said
    )
    assert f"`rm {lock}` frees what it locks" in said
    mended = bench.json("doctor", "--mend")
    assert [(found["kind"], found["mended"]) for found in mended] == [("person's locks", False), ("ref", True)]
    lock.unlink()
    bench.consistent()
    assert bench.looptop("doctor", "--mend").stdout == "nothing disagrees\n"
    assert "not both" in bench.looptop("doctor", "--mend", "--rebuild", code=2).stderr


@pytest.mark.soak
def test_while_a_loop_is_at_work_it_looks_and_leaves_the_mending_to_it(bench: Bench) -> None:
    bench.program(budget="20s")
    bench.looptop()
    bench.until(lambda: bench.study().running())
    found = {found["what"]: found for found in bench.json_of("doctor", code=None)}
    assert found["recovery"]["said"] == "journal, git and disk agree", "a run under way and its worktree are no finding"
    for flag in ("--mend", "--rebuild"):
        refused = bench.looptop("doctor", flag, code=1).stderr
        assert "a supervisor is already at work here" in refused and "looptop stop" in refused
    assert bench.pid is not None
    bench.looptop("stop", "--now")
