"""Git's locks in other hands, held by real commands of git: waited for, told, and never removed."""

import asyncio
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loop.lineage import Lineage, LineageError, init_repository, locks
from loop.lineage.message import ExperimentMessage
from loop.researchers.protocol import Briefing, Proposal, Sink
from loop.study import events as e
from tests.repositories import git, git_wrapper, make_repository
from tests.supervisor.house import House, Scripted, change


class Holder:
    """A command of the person's that holds git's own lock on a ref: a transaction that is prepared and not done."""

    def __init__(self, root: Path, ref: str) -> None:
        self.lock = root / ".git" / f"{ref}.lock"
        self._git = subprocess.Popen(
            ["git", "update-ref", "--stdin"], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._git.stdin is not None and self._git.stdout is not None
        new = git(root, "rev-parse", "HEAD")
        old = subprocess.run(["git", "rev-parse", "-q", "--verify", ref], cwd=root, capture_output=True, text=True)
        what = f"verify {ref} {old.stdout.strip()}" if old.stdout.strip() else f"create {ref} {new}"
        self._git.stdin.write(f"start\n{what}\nprepare\n".encode())
        self._git.stdin.flush()
        assert self._git.stdout.readline() == b"start: ok\n"
        assert self._git.stdout.readline() == b"prepare: ok\n"
        assert self.lock.exists()
        self.pid = self._git.pid

    def let_go(self) -> None:
        """End the transaction without a change, as the command ends that is asked to."""
        assert self._git.stdin is not None
        if self._git.poll() is None:
            self._git.stdin.write(b"abort\n")
            self._git.stdin.close()
            self._git.wait()

    def die(self) -> None:
        """End it as a power cut does: the lock stays."""
        self._git.send_signal(signal.SIGKILL)
        self._git.wait()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project")


@pytest.fixture
def hold(root: Path) -> Iterator[Callable[[str], Holder]]:
    holders: list[Holder] = []

    def one(ref: str) -> Holder:
        holders.append(Holder(root, ref))
        return holders[-1]

    yield one
    for holder in holders:
        holder.let_go()


def committed(lineage: Lineage, number: int = 1) -> str:
    files = {"train.py": f"LR = {number}\n".encode()}
    return lineage.commit(number, lineage.checkout.head(), files, ExperimentMessage("t"), 0).sha


def test_a_lock_that_a_command_of_the_persons_holds_is_waited_for_and_told(
    root: Path, hold: Callable[[str], Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "TOLD_AFTER_S", 0.0)
    lineage = Lineage(root, "t")
    holder = hold("refs/looptop/t/1")
    heard: list[str | None] = []

    def hear(said: str | None) -> None:
        heard.append(said)
        if said is not None:
            holder.let_go()

    lineage.git.patience.for_ever(hear)
    sha = committed(lineage)
    assert git(root, "rev-parse", "refs/looptop/t/1") == sha
    assert heard[0] is not None and heard[-1] is None
    assert f"git's lock {holder.lock} is held since " in heard[0]
    assert "by `git update-ref --stdin` of " in heard[0] and f"(process {holder.pid})" in heard[0]


def test_a_lock_that_a_dead_command_has_left_is_named_with_its_remedy_and_not_removed(
    root: Path, hold: Callable[[str], Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LONGEST_S", 0.3)
    lineage = Lineage(root, "t")
    sha = committed(lineage)
    holder = hold("refs/notes/looptop")
    holder.die()
    with pytest.raises(LineageError) as raised:
        lineage.notes.write({sha: {"Verdict": "kept"}})
    said = str(raised.value)
    assert said.startswith("git fast-import gave up waiting: git's lock ")
    assert said.endswith(f"if no other program works on this repository, remove it: rm '{holder.lock}'")
    assert holder.lock.exists()
    holder.lock.unlink()
    lineage.notes.write({sha: {"Verdict": "kept"}})


def test_who_waits_for_ever_gives_up_when_told_to(root: Path, hold: Callable[[str], Holder]) -> None:
    lineage = Lineage(root, "t")
    hold("refs/looptop/t/1")
    lineage.git.patience.for_ever(lambda said: None)
    threading.Timer(0.2, lineage.git.patience.end).start()
    with pytest.raises(LineageError, match=r"fast-import gave up waiting: git.s lock .* is held"):
        committed(lineage)


def test_the_index_of_the_persons_is_waited_for_where_it_is_needed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("LR = 1\n")
    lock = tmp_path / ".git" / "index.lock"
    lock.touch()
    threading.Timer(0.2, lock.unlink).start()
    init_repository(tmp_path, [tmp_path / "train.py"])
    assert git(tmp_path, "log", "--format=%s") == "Start of the study"


@pytest.mark.parametrize(
    ("complaint", "lock"),
    [
        ("fatal: Unable to create '/p/.git/index.lock': File exists.\n\nAnother git process", "/p/.git/index.lock"),
        ("fatal: Konnte '/p/.git/index.lock' nicht erstellen: Die Datei existiert bereits", "/p/.git/index.lock"),
        (
            "error: cannot lock ref 'refs/x': Unable to create '/p/.git/refs/x.lock': File exists.",
            "/p/.git/refs/x.lock",
        ),
        ("error: could not lock config file .git/config: File exists", "/p/.git/config.lock"),
        ("fatal: Unable to create '/p/.git/packed-refs.lock': File exists.", "/p/.git/packed-refs.lock"),
        ("fatal: not a valid object name: 'HEAD'", None),
        ("error: cannot lock ref 'refs/x': is at 1 but expected 2", None),
    ],
)
def test_what_git_says_of_a_lock_is_understood_in_any_language(complaint: str, lock: str | None) -> None:
    found = locks.lock_in(complaint, Path("/p"))
    assert (str(found) if found is not None else None) == lock


class Slow(Scripted):
    """Has its first idea once it is told to, so that the loop does not end before."""

    def __init__(self, *steps: Callable[[Briefing], Proposal]) -> None:
        super().__init__(*steps)
        self.now = asyncio.Event()

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        await self.now.wait()
        return await super().propose(briefing, sink)


async def test_the_loop_waits_for_a_lock_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "TOLD_AFTER_S", 0.2)
    house, slow = House(tmp_path), Slow(change("A=5", "A=1"))
    holders: list[Holder] = []

    def act(event: e.Event) -> None:
        if isinstance(event.body, e.Fault) and event.body.where == "git":
            holders[0].let_go()
            slow.now.set()
        elif event.kind == "run_started" and not holders:  # the first run has begun, so the notes are next
            holders.append(Holder(house.root, "refs/notes/looptop"))

    study = await house.work_while(act, slow)
    told = [fault for _, fault in study.faults if fault.where == "git"]
    assert told[0].message.startswith("git's lock ") and str(holders[0].pid) in told[0].message
    assert [event.body.where for event in house.events("recovered")] == ["git"]  # type: ignore[union-attr]
    assert study.troubles == {} and study.experiments[1].verdict == "kept"
    assert "Verdict: kept" in git(house.root, "notes", "--ref=looptop", "show", study.experiments[1].commit or "")


def put_back(root: Path) -> None:
    """The git folder that was moved away, in its place again, over what a git at work just then may have left there."""
    if (root / "git away").exists():
        shutil.rmtree(root / ".git", ignore_errors=True)
        (root / "git away").rename(root / ".git")


async def test_a_git_folder_that_is_moved_away_and_back_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "TOLD_AFTER_S", 0.2)
    house = House(tmp_path, sandbox="off")
    moved: list[bool] = []

    def act(event: e.Event) -> None:
        if isinstance(event.body, e.Fault) and event.body.where == "git":
            put_back(house.root)
        elif event.kind == "run_finished" and not moved:
            moved.append(True)
            (house.root / ".git").rename(house.root / "git away")

    study = await house.work_while(act, Scripted(change("A=5", "A=1")))
    told = [fault.message for _, fault in study.faults if fault.where == "git"]
    assert told[0] in (
        f"the git folder {house.root / '.git'} is gone; put it back, and this goes on",
        f"{house.root / '.git'} is no whole git folder any more; put the one that was moved away in its place, "
        "and this goes on",  # a git was at work just then
    )
    assert study.experiments[1].verdict == "kept" and study.troubles == {}


@pytest.mark.parametrize(
    "caught",
    [
        "mkdir -p .git/refs/looptop; exit 0",  # what it did, it did to folders that it made itself
        "mkdir -p .git/worktrees/1.1; echo \"fatal: couldn't set 'HEAD'\" >&2; exit 128",
        "mv 'git away' .git; echo \"fatal: not a git repository: '$PWD/.git'\" >&2; exit 128",  # it is back since
    ],
)
def test_a_git_that_is_at_work_while_its_folder_is_moved_does_its_work_anew(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caught: str
) -> None:
    monkeypatch.setattr(locks, "TOLD_AFTER_S", 0.0)
    lineage = Lineage(root, "t")
    sha = committed(lineage)
    heard: list[str | None] = []

    def hear(said: str | None) -> None:
        heard.append(said)
        put_back(root)

    lineage.git.patience.for_ever(hear)
    script = f"rm $0; cd '{root}'; mv .git 'git away'; {caught}"
    with monkeypatch.context() as patched:
        patched.setenv("PATH", git_wrapper(tmp_path / "bin", script))
        assert committed(lineage, 2) == git(root, "rev-parse", "refs/looptop/t/2")
        assert heard[0] is not None and "is no whole git folder any more" in heard[0]
        git_wrapper(tmp_path / "bin", script)
        tree = lineage.trees.add("1.1", sha)
    assert (tree / "train.py").read_text() == "LR = 1\n"
    assert [line for line in git(root, "worktree", "list").splitlines() if "1.1" in line] != []


def test_the_record_of_a_linked_worktree_that_is_gone_is_named(root: Path, tmp_path: Path) -> None:
    git(root, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    lineage = Lineage(tmp_path / "linked", "t")
    record = root / ".git" / "worktrees" / "linked"
    record.rename(tmp_path / "record away")
    heard: list[str | None] = []

    def hear(said: str | None) -> None:
        heard.append(said)
        if said is not None:
            (tmp_path / "record away").rename(record)

    lineage.git.patience.for_ever(hear)
    committed(lineage)
    assert heard == [f"the git folder {record} is gone; put it back, and this goes on", None]


def test_the_loops_of_a_repository_take_turns_at_the_records_of_worktrees(tmp_path: Path) -> None:
    """A second project's start does not take what a first one is making for something left half made."""
    root = make_repository(tmp_path / "repo")
    one, other = Lineage(root, "one"), Lineage(root / "lib", "other")
    record = root / ".git" / "worktrees" / "1.1"
    with ThreadPoolExecutor(1) as threads:
        with one.trees.one_at_a_time:
            record.mkdir(parents=True)
            clearing = threads.submit(other.trees.clear_half_made)
            with pytest.raises(TimeoutError):
                clearing.result(timeout=0.3)
            assert record.is_dir()
        clearing.result(timeout=30)
    assert not record.exists()


def test_whoever_cannot_make_the_lock_waits_for_nobody(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo")
    (root / ".git" / "looptop-trees.flock").mkdir()
    turns = Lineage(root, "one").trees.one_at_a_time
    for _ in range(2):
        with turns:
            pass
