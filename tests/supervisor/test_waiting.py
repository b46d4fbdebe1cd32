"""What waits for a person: numbers too good to be true, flagged proposals, a kill that is granted."""

import asyncio
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.study import events as e
from loop.workspace import Workspace, supervise
from tests.supervisor.house import House, Scripted, change

TOO_GOOD = "too good to be true? better by 4.00 is 57× the noise"
ZERO = "it is exactly 0, which programs print where they have no number"
FALLS_BACK = change("echo loss: $((A + B + C)).$((LOOPTOP_SEED % 2))", "echo loss: 0")


async def test_a_verified_gain_too_good_to_be_true_is_seen_twice_and_flagged(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh run.sh\n")
    study = await house.work(Scripted(change("A=5", "A=1")))
    great = study.experiments[1]
    assert (great.verdict, len(great.runs), great.doubts) == ("kept", 2, (TOO_GOOD,))


async def test_two_runs_that_lie_close_together_make_no_honest_gain_wait(house: House) -> None:
    study = await house.work(Scripted(change("A=5", "A=1")))
    great = study.experiments[1]
    assert (great.verdict, len(great.runs), great.doubts) == ("kept", 2, (TOO_GOOD,)), "flagged, and no more than that"


async def test_one_that_nobody_verifies_waits_for_a_person_and_the_loop_goes_on(house: House) -> None:
    study = await house.work(Scripted(FALLS_BACK, change("B=5", "B=9")))
    great, other = study.experiments[1], study.experiments[2]
    assert (great.phase, great.verdict, great.waits_for, len(great.runs)) == ("waiting", None, ZERO, 2)
    assert other.verdict == "discarded" and study.champion == 0
    assert house.end is None or not house.end.failed
    assert study.supervisor is not None and study.supervisor.reason.endswith(
        "; experiment 1 waits for you: `looptop approve 1` or `looptop reject 1`"
    )


@pytest.mark.parametrize(
    ("word", "verdict", "told"),
    [
        (e.Approved(who="ada"), "kept", "; ada has looked at it (self-reported)"),
        (e.Overruled(who="ada", verdict="kept"), "kept", f"no reason given (it waited: {ZERO})"),
        (e.Overruled(who="ada", verdict="discarded", why="a zero"), "discarded", f"a zero (it waited: {ZERO})"),
        (e.Rejected(who="ada", why="a zero"), "rejected", "a zero"),
    ],
)
async def test_a_persons_word_on_a_number_is_heard_also_after_a_restart(
    house: House, word: e.AnyRequest, verdict: str, told: str
) -> None:
    before = await house.work(Scripted(FALLS_BACK))
    assert before.experiments[1].phase == "waiting"
    with Journal(Workspace(house.root).journal) as journal:
        journal.append(word, 1)
    study = await house.work(Scripted())
    great = study.experiments[1]
    assert (great.verdict, great.reason.endswith(told), len(great.runs)) == (verdict, True, 2), great.reason
    assert study.champion == (1 if verdict == "kept" else 0), "it did not run again for that"
    if verdict in ("kept", "discarded"):
        assert (great.metric, great.effect) == (0.0, pytest.approx(15.05))


@pytest.mark.parametrize("review", ["review: flagged\n", ""])
async def test_a_flagged_proposal_waits_in_flagged_review_and_where_nobody_verifies(
    tmp_path: Path, review: str
) -> None:
    house = House(tmp_path, review=review)
    workspace = Workspace(house.root)
    lucky = change("echo loss: $((A + B + C)).$((LOOPTOP_SEED % 2))", "LOOPTOP_SEED=8; echo loss: 15.0")

    async def reject() -> None:
        with Journal(workspace.journal) as journal:
            async for events in journal.follow():
                if any((event.kind, event.experiment) == ("experiment_judged", 2) for event in events):
                    journal.append(e.Rejected(who="ada", why="a seed is no idea"), 1)
                    return

    (house.root / ".looptop").mkdir()
    with supervise(house.root), Journal(workspace.journal, create=True) as journal:
        rejecting = asyncio.create_task(reject())
        researcher = Scripted(lucky, change("A=5", "A=9"))
        await asyncio.wait_for(house.supervisor(journal, researcher).run(), 60)
        await rejecting
    study = house.study()
    first, second = study.experiments[1], study.experiments[2]
    assert first.flags == ("run.sh line 8 touches the seed: LOOPTOP_SEED=8; echo loss: 15.0",
                           "run.sh line 8 touches the summary lines: LOOPTOP_SEED=8; echo loss: 15.0")  # fmt: skip
    why = "" if review else "; nobody verifies the number, so a person looks first (`review:`)"
    assert first.waits_for == f"{first.flags[0]} (and 1 more){why}"
    assert (first.verdict, first.reason, first.runs) == ("rejected", "a seed is no idea", {})
    assert (second.verdict, second.flags) == ("discarded", ())


async def test_what_waits_for_a_person_goes_on_once_the_program_asks_for_none(tmp_path: Path) -> None:
    house = House(tmp_path, review="review: flagged\n")
    program = house.root / "program.md"

    def trust(event: e.Event) -> None:
        if (event.kind, event.experiment) == ("approval_asked", 1):
            program.write_text(program.read_text().replace("review: flagged", "review: auto"))

    lucky = change("echo loss: $((A + B + C)).$((LOOPTOP_SEED % 2))", "LOOPTOP_SEED=8; echo loss: 25.0")
    study = await house.work_while(trust, Scripted(lucky))
    assert (study.experiments[1].verdict, len(study.experiments[1].flags)) == ("discarded", 2)


async def test_a_kill_is_granted_with_the_end_of_the_run_so_that_no_death_in_between_forgets_it(house: House) -> None:
    workspace = Workspace(house.root)

    async def kill() -> None:
        with Journal(workspace.journal) as journal:
            async for events in journal.follow():
                if any((event.kind, event.experiment) == ("run_started", 1) for event in events):
                    journal.append(e.Killed(who="ada"), 1)
                    return

    (house.root / ".looptop").mkdir()
    with supervise(house.root), Journal(workspace.journal, create=True) as journal:
        killing = asyncio.create_task(kill())
        researcher = Scripted(change("# the end", "sleep 60"))
        await asyncio.wait_for(house.supervisor(journal, researcher).run(), 60)
        await killing
    fulfilled = house.events("request_fulfilled")[-1]
    ended = [event for event in house.events("run_finished") if event.experiment == 1]
    assert [event.seq for event in ended] == [fulfilled.seq - 1]
    assert fulfilled.at == ended[0].at, "one transaction"
    assert house.study().experiments[1].verdict == "killed"


async def test_without_review_a_flag_is_a_mark_in_the_record(house: House) -> None:
    study = await house.work(Scripted(change("# the end", "unset LOOPTOP_SEED; A=9")))
    assert study.experiments[1].flags == ("run.sh line 7 touches the seed: unset LOOPTOP_SEED; A=9",)
    assert study.experiments[1].verdict == "discarded"
