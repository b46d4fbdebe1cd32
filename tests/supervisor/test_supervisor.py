"""The supervisor with researchers of every kind, in a real repository with real runs."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.config.settings import Settings
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.machine.gauges import Gauges
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, Researcher, Sink
from loop.runs.executor import Executor
from loop.runs.local import process
from loop.sandbox.backend import Wanted, choose
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.queries import built_on
from loop.study.readings import GpuProcess, GpuUse
from loop.study.state import Study
from loop.study.team import Member
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import End, Supervisor
from loop.workspace import Workspace, supervise
from tests.gauges import FakeGauges

SCRIPT = "# one\nA=5\n# two\nB=5\n# three\nC=5\n# the end\necho loss: $((A + B + C)).$((LOOPTOP_SEED % 2))\n"


class Scripted:
    """Proposes what it is told to, one after another."""

    def __init__(self, *steps: Callable[[Briefing], Proposal] | Exception, ahead: int = 0) -> None:
        self.name, self.about, self.ahead = "scripted", "proposes what a test says", ahead
        self.steps = list(steps)
        self.heard: list[Sequence[str]] = []

    async def prepare(self, sink: Sink) -> None:
        pass

    async def close(self) -> None:
        pass

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        self.heard.append(briefing.words)
        if not self.steps:
            raise NothingLeft("that was all")
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step(briefing)


def change(old: str, new: str) -> Callable[[Briefing], Proposal]:
    """A proposal that replaces `old` by `new` in the champion's script."""

    def step(briefing: Briefing) -> Proposal:
        script = briefing.files["run.sh"]
        assert old in script
        return Proposal(f"{old} to {new}", "it should help", {"run.sh": script.replace(old, new)})

    return step


class House:
    """A workspace whose supervisor runs in this process."""

    def __init__(
        self,
        root: Path,
        front: str = "",
        max_runs: int = 3,
        sandbox: Wanted = "auto",
        script: str = SCRIPT,
        review: str = "review: auto\n",
    ) -> None:
        self.root, self.sandbox = root, sandbox
        self.gauges: Gauges = FakeGauges(0)
        self.executor: Executor | None = None
        """Where runs happen, where that is not this machine."""
        self.team: tuple[Member, ...] = ()
        self.settings = Settings()
        self.end: End | None = None
        (root / "run.sh").write_text(script)
        (root / "other.txt").write_text("not to be edited\n")
        keep = f"keep: {{baseline_runs: 2, max_runs: {max_runs}, confidence: 0.9}}\n"
        (root / "program.md").write_text(
            f"---\nedit: run.sh\nrun: sh run.sh\nmetric: loss\nbudget: 1s\n{keep}{review}{front}---\nGo down.\n"
        )
        init_repository(root, [root / name for name in ("run.sh", "other.txt", "program.md")])

    @classmethod
    def at(cls, root: Path) -> "House":
        """The workspace that is at `root` already."""
        house = cls.__new__(cls)
        house.root, house.sandbox, house.gauges, house.executor = root, "auto", FakeGauges(0), None
        house.team, house.settings = (), Settings()
        return house

    def supervisor(self, journal: Journal, *researchers: Researcher) -> Supervisor:
        lineage = Lineage(self.root, "test")
        lineage.prepare()
        program, sandbox = load(self.root, matching), choose(self.sandbox)
        prepared = Prepared(
            *(Workspace(self.root), lineage, program, Overrides(), researchers, sandbox),
            team=self.team,
            settings=self.settings,
        )
        return Supervisor(build(prepared, journal, self.gauges, self.executor))

    async def work(self, *researchers: Researcher) -> Study:
        """Run the loop until it ends by itself."""
        (self.root / ".looptop").mkdir(exist_ok=True)
        with supervise(self.root), Journal(Workspace(self.root).journal, create=True) as journal:
            await asyncio.wait_for(self.supervisor(journal, *researchers).run(), 60)
        return self.study()

    async def work_while(self, act: Callable[[e.Event], None], *researchers: Researcher) -> Study:
        """The same, while somebody looks at every event as it comes, and acts."""

        async def watch(path: Path) -> None:
            with Journal(path) as journal:
                async for events in journal.follow(interval=0.02):
                    for event in events:
                        act(event)

        (self.root / ".looptop").mkdir(exist_ok=True)
        path = Workspace(self.root).journal
        with supervise(self.root), Journal(path, create=True) as journal:
            watching = asyncio.create_task(watch(path))
            self.end = await asyncio.wait_for(self.supervisor(journal, *researchers).run(), 60)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            return fold(journal.read(kinds=FOLDED))

    def events(self, *kinds: str) -> list[e.Event]:
        with Journal(Workspace(self.root).journal) as journal:
            return journal.read(kinds=kinds)

    def study(self) -> Study:
        return fold(self.events(*FOLDED))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_better_change_is_kept_and_the_next_builds_on_it(house: House) -> None:
    study = await house.work(Scripted(change("A=5", "A=4"), change("B=5", "B=9"), change("C=5", "C=4")))
    verdicts = [experiment.verdict for experiment in study.experiments.values()]
    assert verdicts == ["kept", "kept", "discarded", "kept"]
    assert [study.experiments[n].parent for n in (1, 2, 3)] == [0, 1, 1]
    tip = Lineage(house.root, "test").commits.read(study.branch, "run.sh")
    assert tip == SCRIPT.replace("A=5", "A=4").replace("C=5", "C=4").encode()
    assert study.supervisor is not None
    assert study.supervisor.reason == "no researcher has anything left to propose"
    assert study.lineage == [0, 1, 3]


TOO_MUCH = {
    "had more than its 20 processes at once": "for n in $(seq 30); do sleep 60 & done; sleep 60",
    "wrote a file of more than its 0.001 GB": 'head -c 3000000 /dev/zero > "$LOOPTOP_RUN_DIR/x"; sleep 60',
    "wrote more than its 0.005 GB into its folders": "for n in 1 2 3 4 5 6 7 8; do "
    'head -c 900000 /dev/urandom > "$LOOPTOP_RUN_DIR/$n"; done; sleep 60',
    "used more than its 0.2 GB of memory": "(head -c 400000000 /dev/zero; sleep 60) | tail -n 1 > /dev/null",
}
"""What a run does to go over each limit, by what its verdict says then."""


async def test_each_limit_ends_a_run_with_its_own_sentence_and_the_loop_goes_on(tmp_path: Path) -> None:
    limits = "limits: {processes: 20, file: 1MB, run_disk: 5MB, memory: 200MB}\n"
    house = House(tmp_path, front=limits)
    steps = [change("A=5", f"A=5; {what}") for what in TOO_MUCH.values()]
    study = await house.work(Scripted(*steps, change("A=5", "A=4")))
    experiments = [study.experiments[number] for number in range(1, 6)]
    assert [experiment.verdict for experiment in experiments] == ["crashed"] * 3 + ["out_of_memory", "kept"]
    for experiment, said in zip(experiments, TOO_MUCH, strict=False):
        assert said in experiment.reason
    assert study.supervisor is not None and study.supervisor.reason == "no researcher has anything left to propose"


async def test_a_near_win_has_the_champion_measured_anew_before_it_is_judged(tmp_path: Path) -> None:
    house = House(tmp_path, max_runs=4)
    study = await house.work(Scripted(change("echo loss: $((A + B + C)).$((LOOPTOP_SEED % 2))", "echo loss: 14.8")))
    runs = [(event.experiment, event.run) for event in house.events("run_started")]
    assert runs[:4] == [(0, 1), (0, 2), (1, 1), (0, 3)]
    champion = study.experiments[0]
    assert len({run.seed for run in champion.runs.values()}) == len(champion.runs) == 3
    assert study.experiments[1].verdict == "kept", "15.0 and 15.1 by turns against 14.8: as clear as three runs make it"
    assert study.lineage == [0, 1]


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


async def test_a_run_that_fails_the_inspection_is_rejected_with_the_figures(tmp_path: Path) -> None:
    # In a sandbox it could not write there at all.
    house = House(tmp_path, sandbox="off", script=SCRIPT.replace("# one", ': "$LOOPTOP_BUDGET_S"'))
    longer = change("# the end", "echo training_seconds: 99.5; A=0")
    meddling = change("# the end", "echo mine > other.txt; A=0")
    study = await house.work(Scripted(longer, meddling))
    assert [study.experiments[n].verdict for n in (1, 2)] == ["rejected", "rejected"]
    limit = "at most 2.1 s (budget 1 s, +10% +1 s)"
    assert study.experiments[1].reason == f"it trained for 99.5 s by its own account; {limit}"
    assert study.experiments[2].reason == "it changed other.txt in its worktree, which no proposal may edit"
    assert study.experiments[1].runs[1].check == "budget"


async def test_what_the_baseline_does_already_is_no_reason_to_reject(tmp_path: Path) -> None:
    house = House(tmp_path, sandbox="off")
    (house.root / "run.sh").write_text(SCRIPT + "echo training_seconds: 99\ndate > other.txt\n")
    study = await house.work(Scripted(change("A=5", "A=9"), change("A=5", "A=4")))
    assert [study.experiments[n].verdict for n in (0, 1, 2)] == ["kept", "discarded", "kept"]
    assert study.experiments[0].runs[1].touched == ("other.txt",)


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


async def test_what_a_guard_refuses_never_runs_and_is_kept_all_the_same(house: House) -> None:
    def forbidden(briefing: Briefing) -> Proposal:
        return Proposal("sneaky", "none", {"other.txt": "edited\n"})

    def outside(briefing: Briefing) -> Proposal:
        return Proposal("sneakier", "none", {"../other.txt": "edited\n"})

    def nothing(briefing: Briefing) -> Proposal:
        return Proposal("lazy", "none", dict(briefing.files))

    study = await house.work(Scripted(forbidden, outside, nothing, change("A=5", "A=9")))
    verdicts = {number: (x.verdict, x.reason) for number, x in study.experiments.items() if number}
    assert verdicts[1] == ("rejected", "it edits other.txt, and only run.sh may be edited")
    assert verdicts[2][0] == "rejected" and "../other.txt" in verdicts[2][1]
    assert verdicts[3] == ("rejected", "it changes nothing")
    assert verdicts[4][0] == "discarded"
    assert all(study.experiments[number].runs == {} for number in (1, 2, 3))
    edits = {event.experiment: event.body.edits for event in house.events("edits_recorded")}  # type: ignore[union-attr]
    assert edits[2] == {"../other.txt": "edited\n"}, "git cannot hold it, the journal does"
    assert Lineage(house.root, "test").commits.read(study.experiments[1].commit or "", "other.txt") == b"edited\n"
    assert (house.root / "other.txt").read_text() == "not to be edited\n"


async def test_a_proposal_made_before_becomes_no_experiment_and_its_researcher_is_told(house: House) -> None:
    told: list[str] = []

    def another(briefing: Briefing) -> Proposal:
        told.append(briefing.refused)
        return change("B=5", "B=4")(briefing)

    study = await house.work(Scripted(change("A=5", "A=9"), change("A=5", "A=9"), another))
    assert [(x.id, x.title) for x in study.experiments.values()][1:] == [(1, "A=5 to A=9"), (2, "B=5 to B=4")]
    same = "“A=5 to A=9”, was not taken: it is the same as experiment 1, “A=5 to A=9” (discarded at 19.1)"
    assert told == [same]
    assert [event.body.why for event in house.events("thought_ended")] == [same, "that was all"]  # type: ignore[union-attr]


async def test_a_researcher_that_fails_is_asked_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.pipeline.pool.PATIENCE", (0.01, 0.02))
    failing = Scripted(ValueError("no idea"), TimeoutError("slow"), change("A=5", "A=9"))
    study = await house.work(failing)
    messages = [fault.message for _, fault in study.faults]
    assert messages[0].startswith("ValueError: no idea")
    assert messages[1].startswith("TimeoutError: slow")
    assert study.experiments[1].verdict == "discarded"
    assert list(study.experiments) == [0, 1], "a failed thought uses up no number"


async def test_an_interrupt_cuts_the_thought_and_the_words_come_with_the_next(house: House) -> None:
    class Slow(Scripted):
        async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
            if not briefing.words:
                self.heard.append(briefing.words)
                sink.think("thinking for an hour ")
                await asyncio.sleep(3600)
            return await super().propose(briefing, sink)

    slow = Slow(change("A=5", "A=9"))
    (house.root / ".looptop").mkdir()

    async def interrupt(path: Path) -> None:
        with Journal(path) as journal:
            async for events in journal.follow():
                kinds = {(event.kind, event.experiment) for event in events}
                if ("thought", 1) in kinds and not journal.read(kinds={"steered"}):
                    journal.append(e.Steered(who="ada", text="quicker, please", interrupt=True))
                if ("experiment_judged", 1) in kinds:
                    journal.append(e.Stopped(now=True))
                    return

    workspace = Workspace(house.root)
    with supervise(house.root), Journal(workspace.journal, create=True) as journal:
        asking = asyncio.create_task(interrupt(workspace.journal))
        await asyncio.wait_for(house.supervisor(journal, slow).run(), 60)
        await asking
    assert slow.heard[:2] == [(), ("quicker, please",)]
    study = house.study()
    request = next(request for request in study.requests.values() if request.kind == "steered")
    assert request.outcome == "heard before experiment 1"
    thoughts = "".join(event.body.text for event in house.events("thought"))  # type: ignore[union-attr]
    assert "(interrupted)" in thoughts
    assert study.experiments[1].verdict == "discarded"


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


async def test_a_process_on_a_gpu_is_known_as_the_run_s_or_somebody_else_s(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crowded(FakeGauges):
        """A GPU on which every process of ours works, this one and those of the runs; as a driver would list them."""

        def read(self) -> e.GaugeRead:
            here = psutil.Process()
            pids = [here.pid, *(child.pid for child in here.children(recursive=True))]
            use = GpuUse(index=0, processes=tuple(GpuProcess(pid=pid, memory=1 << 30) for pid in pids))
            return super().read().model_copy(update={"gpu_use": (use,)})

    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_BUSY", 0.05)
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_IDLE", 0.05)
    (house.root / "run.sh").write_text(SCRIPT + "sleep 0.3\n")
    house.gauges = Crowded(1)
    await house.work(Scripted())
    told = [event.body for event in house.events("gauge_read")]
    busy = [body for body in told if isinstance(body, e.GaugeRead) and body.runs and body.runs[0].gpu_memory]
    assert busy, "a run was seen on the GPU while it was under way"
    for body in busy:
        processes = [one for use in body.gpu_use or () for one in use.processes or ()]
        mine = [one for one in processes if one.run]
        assert {one.run for one in mine} == {f"0.{body.runs[0].run}"}
        assert body.runs[0].gpu_memory == len(mine) << 30
        assert [one.run for one in processes if one.pid == os.getpid()] == [""], "the supervisor itself is no run"


async def test_failures_in_a_row_stop_the_loop_with_a_reason(tmp_path: Path) -> None:
    house = House(tmp_path, "limits: {failures: 2}\n")
    crash = [change("# the end", f"exit {code}") for code in (3, 4, 5)]
    study = await house.work(Scripted(*crash))
    assert [study.experiments[n].verdict for n in (1, 2)] == ["crashed", "crashed"]
    assert study.experiments[1].reason.startswith("exit code 3")
    assert study.supervisor is not None
    assert study.supervisor.reason == "limit reached: 2 experiments in a row ended without a number"
    assert 3 not in study.experiments


async def test_a_verification_decides_and_not_the_run(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh other.txt\n")
    (house.root / "other.txt").write_text(
        'grep -q A=1 run.sh && { echo "rejected: honest: it lies"; exit 3; }\n'
        "grep -q A=2 run.sh && exit 9\n"
        "echo loss: 7.$((LOOPTOP_SEED % 2))\n"
    )
    init = ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qam", "verify"]
    subprocess.run(["git", *init], cwd=house.root, check=True)  # noqa: ASYNC221 - before the loop begins
    study = await house.work(Scripted(change("A=5", "A=1"), change("A=5", "A=2"), change("A=5", "A=3")))
    assert study.experiments[0].metric == pytest.approx(7.05)
    assert (study.experiments[1].verdict, study.experiments[1].reason) == ("rejected", "it lies")
    assert study.experiments[2].verdict == "crashed"
    assert "the verification failed: exit code 9" in study.experiments[2].reason
    assert study.experiments[3].verdict == "discarded", "8 less in its own words, and nothing in the verification's"
    assert all(run.verified for run in study.experiments[3].runs.values())


async def test_a_verification_that_takes_too_long_is_no_measurement(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh other.txt\n")
    (house.root / "other.txt").write_text("grep -q A=1 run.sh && sleep 6\necho loss: 7.$((LOOPTOP_SEED % 2))\n")
    init = ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qam", "verify"]
    subprocess.run(["git", *init], cwd=house.root, check=True)  # noqa: ASYNC221 - before the loop begins
    study = await house.work(Scripted(change("A=5", "A=1")))
    assert study.experiments[1].verdict == "rejected"
    assert study.experiments[1].reason.startswith("its verification took 6.")


async def test_a_verification_that_runs_out_of_memory_is_done_again_and_the_number_is_not_lost(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh other.txt\n", sandbox="off")
    once = tmp_path / "once"
    (house.root / "other.txt").write_text(
        f"grep -q A=1 run.sh && mkdir {once} 2>/dev/null && {{ echo MemoryError; exit 1; }}\n"
        "grep -q A=2 run.sh && { echo MemoryError; exit 1; }\n"
        "echo loss: 7.$((LOOPTOP_SEED % 2))\n"
    )
    init = ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qam", "verify"]
    subprocess.run(["git", *init], cwd=house.root, check=True)  # noqa: ASYNC221 - before the loop begins
    study = await house.work(Scripted(change("A=5", "A=1"), change("A=5", "A=2")))
    first, second = study.experiments[1], study.experiments[2]
    assert (first.verdict, first.metric) == ("discarded", pytest.approx(7.05, abs=0.06))
    assert [run.outcome for run in first.runs.values()] == ["finished"] * len(first.runs), "it did not run again"
    said = [fault.message for _, fault in study.faults if fault.where == "verification"]
    assert said[0].startswith("the verification of run 1.1 ran out of memory: it used ")
    assert said[0].endswith("; the run's number is not lost, it is verified once more")
    assert (second.verdict, len(said)) == ("out_of_memory", 2)
    assert second.reason.startswith("the run came to its end, and its verification ran out of memory: it used ")
    assert second.runs[1].outcome == "finished"


def broken_guard(monkeypatch: pytest.MonkeyPatch, folder: Path, times: int) -> None:
    """Have the process that guards a run fail so many times, as a damaged installation has it."""
    code = (
        f"import os, sys; sys.path += sys.argv[1:]; open({str(folder / 'starts')!r}, 'a').write('x')\n"
        f"from loop.runs.local import warden\n"
        f"if os.path.getsize({str(folder / 'starts')!r}) <= {times}: warden.Warden.start = lambda self: 1 / 0\n"
        "warden.main()"
    )
    monkeypatch.setattr("loop.runs.local.process._WARDEN", ["python3", "-I", "-S", "-c", code, *process._ROOTS])
    monkeypatch.setattr("loop.pipeline.quarantine.LONGEST_TROUBLE", 0.01)


async def test_a_run_that_our_own_machinery_lost_is_no_fault_of_the_experiment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_guard(monkeypatch, house.root, 6)  # before each of the runs a rehearsal is tried
    study = await house.work(Scripted(change("A=5", "A=4")))
    assert [x.verdict for x in study.experiments.values()] == ["kept", "kept"]
    lost = [run for run in study.experiments[0].runs.values() if run.outcome == "lost"]
    assert len(lost) == 3 and "the process that guards the run failed (ZeroDivisionError)" in lost[0].reason
    assert {run.seed for run in lost} == {study.experiments[0].counted()[0].seed}, "it is run again with its own seed"
    assert house.events("recovered") and study.troubles == {}


async def test_a_machine_on_which_no_run_starts_ends_the_loop_with_its_sentence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_guard(monkeypatch, house.root, 1000)
    study = await house.work(Scripted(change("A=5", "A=4")))
    assert study.supervisor is not None and study.supervisor.failed
    assert study.supervisor.reason.startswith("no run can be started here, 10 times in a row: the process that guards")
    assert study.experiments[0].verdict is None, "and nothing is held against anybody"
