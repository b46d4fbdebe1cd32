"""Proposals that were made on another champion: moved onto the new one, clashing, or from an earlier one on."""

from dataclasses import replace
from pathlib import Path

from loop.journal import Journal
from loop.lineage import Lineage
from loop.researchers.protocol import Briefing, Proposal, Sink
from loop.study import events as e
from loop.study.queries import built_on
from loop.workspace import Workspace
from tests.supervisor.house import SCRIPT, House, Scripted, change


async def test_a_proposal_made_on_an_older_champion_is_moved_onto_the_new_one(house: House) -> None:
    study = await house.work(Scripted(change("A=5", "A=4"), change("C=5", "C=4"), ahead=1))
    second = study.experiments[2]
    assert (second.parent, second.verdict) == (1, "kept")
    queued = [event.body.parent for event in house.events("experiment_queued") if event.experiment == 2]  # type: ignore[union-attr]
    assert queued == [0, 1], "it was proposed on the baseline, and ran on experiment 1"
    assert Lineage(house.root, "test").commits.read(study.branch, "run.sh") == (
        SCRIPT.replace("A=5", "A=4").replace("C=5", "C=4").encode()
    )


async def test_two_changes_of_the_same_line_do_not_go_together(house: House) -> None:
    study = await house.work(Scripted(change("A=5", "A=4"), change("A=5", "A=3"), ahead=1))
    second = study.experiments[2]
    assert second.verdict == "rejected" and "the same lines as the new champion" in second.reason
    assert "“A=5”" in second.reason and second.runs == {}


async def test_two_changes_of_neighbouring_lines_do(tmp_path: Path) -> None:
    script = SCRIPT.replace("# two\n", "")
    house = House(tmp_path, script=script)
    study = await house.work(Scripted(change("A=5", "A=4"), change("B=5", "B=4"), ahead=1))
    assert (study.experiments[2].parent, study.experiments[2].verdict) == (1, "kept")
    merged = Lineage(house.root, "test").commits.read(study.branch, "run.sh")
    assert merged == script.replace("A=5", "A=4").replace("B=5", "B=4").encode()


async def test_a_persons_own_edit_that_clashes_waits_for_them_with_what_to_do(house: House) -> None:
    def own(briefing: Briefing) -> Proposal:
        return replace(change("A=5", "A=3")(briefing), submitted=True)

    def asked(event: e.Event) -> None:
        """Approved, it is asked about again, since it still does not go together; rejected, it is over."""
        if isinstance(event.body, e.ApprovalAsked):
            answer = e.Rejected(who="ada", why="made anew") if answered else e.Approved(who="ada")
            answered.append(event.seq)
            with Journal(Workspace(house.root).journal) as journal:
                journal.append(answer, event.experiment)

    answered: list[int] = []
    study = await house.work_while(asked, Scripted(change("A=5", "A=4"), own, ahead=1))
    waits = study.experiments[2]
    assert (waits.verdict, waits.reason, waits.runs, len(answered)) == ("rejected", "made anew", {}, 2)
    assert "the same lines as the new champion, experiment 1, does (run.sh: “A=5”)" in waits.waits_for
    assert "submit that, and reject this one" in waits.waits_for


async def test_the_search_goes_on_from_an_earlier_champion(house: House) -> None:
    class Watched(Scripted):
        """While it thinks about experiment 3, a person goes back to experiment 1."""

        async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
            if briefing.next_id == 3:
                with Journal(Workspace(house.root).journal) as journal:
                    journal.append(e.Branched(who="ada"), 1)
                    async for events in journal.follow():
                        if any(event.kind == "request_fulfilled" for event in events):
                            break
            return await super().propose(briefing, sink)

    steps = [change("A=5", "A=4"), change("B=5", "B=4"), change("C=5", "C=4"), change("# the end", "# fin")]
    study = await house.work(Watched(*steps))
    assert [study.experiments[n].verdict for n in (1, 2, 3)] == ["kept", "kept", "kept"], "no verdict changes"
    assert study.lineage == [0, 1, 2, 1, 3]
    assert [study.experiments[n].parent for n in (2, 3, 4)] == [1, 1, 3], "3 was thought of on 2, and moved onto 1"
    tip = Lineage(house.root, "test").commits.read(study.branch, "run.sh")
    assert tip == SCRIPT.replace("A=5", "A=4").replace("C=5", "C=4").encode()
    (request,) = study.requests.values()
    assert request.outcome.startswith("experiment 1 is the champion again")
    assert built_on(study) == [3, 1, 0]


async def test_a_branch_that_was_moved_before_the_supervisor_died_is_no_obstacle(house: House) -> None:
    study = await house.work(Scripted(change("A=5", "A=4"), change("B=5", "B=4")))
    first, second = study.experiments[1], study.experiments[2]
    assert first.commit and second.commit
    Lineage(house.root, "test").branch.advance(first.commit, second.commit)
    with Journal(Workspace(house.root).journal) as journal:
        journal.append(e.Branched(who="ada"), 1)
    study = await house.work(Scripted(change("C=5", "C=4")))
    assert study.lineage == [0, 1, 2, 1, 3]
    assert study.experiments[3].parent == 1


async def test_what_was_not_kept_is_nothing_to_go_on_from(house: House) -> None:
    (house.root / ".looptop").mkdir()

    class Asked(Scripted):
        async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
            if briefing.next_id == 2:
                with Journal(Workspace(house.root).journal) as journal:
                    for number in (1, 0):
                        journal.append(e.Branched(who="ada"), number)
                    async for _ in journal.follow():
                        if len(journal.read(kinds={"request_fulfilled"})) == 2:
                            break
            return await super().propose(briefing, sink)

    study = await house.work(Asked(change("A=5", "A=9")))
    assert [request.outcome for request in study.requests.values()] == [
        "experiment 1 was not kept; `keep 1` makes it the champion",
        "experiment 0 is the champion already",
    ]
    assert study.lineage == [0]
