"""Runs in their sandbox: what works in there, how they end, and which sandbox it is."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from loop.runs.local import process as local
from loop.runs.local.exit_reason import cannot_start
from loop.runs.local.order import Order
from loop.runs.local.process import LocalProcess
from loop.sandbox import landlock, scratch, seccomp
from loop.sandbox.backend import NoSandbox, Sandbox, choose, missing
from loop.sandbox.confinement import Confinement, links_on_the_way, rules
from tests.sandbox.cells import KINDS, SOMEBODY, Cell, found, python_of


def make(kind: str, user: int) -> Iterator[Cell]:
    sandbox = found(kind) if kind != "off" else Sandbox("off")
    if isinstance(sandbox, str):
        pytest.skip(sandbox)
    folder = Path(tempfile.mkdtemp(prefix="cell of a test-", dir="/var/tmp"))
    try:
        yield Cell(folder, sandbox, user, python_of(user))
    finally:
        scratch.forget(folder)
        shutil.rmtree(folder)


@pytest.fixture(params=KINDS)
def cell(request: pytest.FixtureRequest) -> Iterator[Cell]:
    yield from make(request.param, os.getuid())


@pytest.fixture(params=[*KINDS, "off"])
def any_cell(request: pytest.FixtureRequest) -> Iterator[Cell]:
    """With and without a sandbox."""
    yield from make(request.param, os.getuid())


@pytest.fixture(params=KINDS)
def somebodys_cell(request: pytest.FixtureRequest) -> Iterator[Cell]:
    """An ordinary user's."""
    if os.getuid():
        pytest.skip("the tests run as an ordinary user already")
    if not shutil.which("setpriv") or not python_of(SOMEBODY):
        pytest.skip("no Python here that an ordinary user may start")
    yield from make(request.param, SOMEBODY)


def make_venv(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)


def alive(cell: Cell) -> list[psutil.Process]:
    """Processes of the cell's runs, known by the path of their program, whatever their number is in there."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(cell.folder) in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


# --- what works ----------------------------------------------------------------------------------------------------

WORKS = {
    "read the worktree": "to be read",
    "read the training text": "to be read",
    "read what is declared": "to be read",
    "read through a link": "to be read",
    "save a checkpoint": "weights",
    "compile": "compiled = True",
    "write to its home": "made",
    "start a shell": "42\n",
    "start another Python": "imported\n",
    "start workers": "[2, 4]",
    "start a thread": "said",
    "join two processes": "2",
    "read the machine": "MemTotal:True",
    "throw away": "1",
    "draw chance": "8",
}


async def check_that_all_works(cell: Cell) -> None:
    told = await cell.told(
        "settles_in.py",
        training=str(cell.training),
        declared=str(cell.declared),
        linked=str(cell.linked / "data.bin"),
    )
    assert {name: told[name] for name in WORKS} == WORKS
    assert told["write a temporary file"].endswith("kept for a moment")
    assert (cell.run / "out" / "checkpoint.pt").read_bytes() == b"weights"
    assert (cell.folder / "other disk" / "kernel" / "code.py").exists()  # its compile cache is a link to there
    assert "not a git repository" in told["ask git"] or "Error" in told["ask git"]


async def test_all_that_training_scripts_do_works(cell: Cell) -> None:
    await check_that_all_works(cell)


async def test_all_that_training_scripts_do_works_for_an_ordinary_user(somebodys_cell: Cell) -> None:
    await check_that_all_works(somebodys_cell)


async def test_a_virtual_environment_in_an_odd_place_is_found(cell: Cell) -> None:
    """Behind a link, with a space in its path, in the home folder that nobody may see."""
    venv = cell.home / "my envs" / "one"
    await asyncio.to_thread(make_venv, venv)
    (next(venv.glob("lib/python3*/site-packages")) / "odd.py").write_text("found = 'in the odd place'")
    link = cell.folder / "env"
    link.symlink_to(venv)
    cell.python = str(link / "bin" / "python")
    (cell.tree / "train.py").write_text("import odd\nprint(odd.found)\nprint('val_bpb: 0.5')")
    result = await cell.ends_command(cell.python, "train.py")
    assert (result.outcome, result.metrics) == ("finished", {"val_bpb": 0.5}), result.tail


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed here")
async def test_uv_run_works_offline_with_the_environment_of_the_checkout(cell: Cell) -> None:
    await asyncio.to_thread(make_venv, cell.root / ".venv")
    (cell.tree / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0"\n')
    (cell.tree / "train.py").write_text("import sys\nprint(sys.prefix)\nprint('val_bpb: 0.5')")
    result = await cell.ends_command("uv", "run", "train.py")
    assert (result.outcome, result.metrics) == ("finished", {"val_bpb": 0.5}), result.tail
    assert str(cell.root / ".venv") in result.tail


# --- how it ends ---------------------------------------------------------------------------------------------------

LIMITS = [
    ("memory", {"memory_cap": 100_000_000}, "used more than its 0.1 GB of memory"),
    ("processes", {"process_cap": 20}, "had more than its 20 processes at once"),
    ("a file", {"file_cap": 10_000_000}, "wrote a file of more than its 0.01 GB"),
    ("a file, and dies of it", {"file_cap": 10_000_000}, "wrote a file of more than its 0.01 GB"),
    ("the disk", {"disk_cap": 10_000_000}, "wrote more than its 0.01 GB into its folders"),
    ("the disk by its temporary folder", {"disk_cap": 10_000_000}, "wrote more than its 0.01 GB into its folders"),
]


@pytest.mark.parametrize(("what", "limits", "said"), LIMITS, ids=lambda value: value if isinstance(value, str) else "")
async def test_each_limit_ends_a_run_with_a_sentence_of_its_own(
    any_cell: Cell, what: str, limits: dict[str, float], said: str
) -> None:
    result = await any_cell.ends("takes.py", what, **limits)
    held = f" ({result.peak_memory / 1e9:.3g} GB)" if what == "memory" else ""
    assert result.outcome == ("out_of_memory" if what == "memory" else "crashed")
    assert result.reason == f"{said}{held}, and was ended"
    assert alive(any_cell) == []
    largest = max((path.stat().st_size for path in (any_cell.run / "out").rglob("*")), default=0)
    assert largest <= limits.get("file_cap", 1e9)


async def test_a_run_within_its_limits_is_left_alone(any_cell: Cell) -> None:
    limits = {"memory_cap": 2e9, "process_cap": 3, "file_cap": 1e6, "disk_cap": 1e6}
    result = await any_cell.ends("trains.py", **{name: int(value) for name, value in limits.items()})
    assert (result.outcome, result.reason) == ("finished", "")


async def test_memory_in_files_of_the_namespace_counts() -> None:
    for cell in make("bubblewrap", os.getuid()):
        result = await cell.ends("takes.py", "shared memory", memory_cap=100_000_000)
        held = f"{result.peak_memory / 1e9:.3g} GB"
        assert result.reason == f"used more than its 0.1 GB of memory ({held}), and was ended"
        assert result.peak_memory > 100_000_000 and not Path("/dev/shm/held").exists()


async def test_a_daemon_does_not_outlive_the_command(any_cell: Cell) -> None:
    result = await any_cell.ends("leaves_daemons.py")
    assert (result.outcome, result.metrics) == ("finished", {"val_bpb": 0.5})
    assert alive(any_cell) == []


async def test_a_fork_bomb_is_ended_to_the_last_process(any_cell: Cell) -> None:
    await any_cell.ends("forks.py")
    assert alive(any_cell) == []


async def test_a_run_that_is_ended_may_save_first(any_cell: Cell) -> None:
    trains = asyncio.Event()
    run = await any_cell.start("saves_at_the_end.py", on_samples=lambda _: trains.set())
    await asyncio.wait_for(trains.wait(), 20)
    run.kill(by="ada")
    result = await run.wait()
    assert (result.outcome, result.reason, result.exit_code) == ("killed", "killed by ada", 3)
    assert (any_cell.run / "out" / "saved").read_text() == "all of it"


async def test_a_signal_that_ends_the_command_is_told_by_its_name(any_cell: Cell) -> None:
    result = await any_cell.ends("crashes.py", "abort")
    assert (result.outcome, result.exit_code) == ("crashed", None)
    assert result.reason.startswith("ended by SIGABRT")


async def test_the_exit_code_is_the_commands_own(any_cell: Cell) -> None:
    result = await any_cell.ends("crashes.py", "raise")
    assert (result.outcome, result.exit_code) == ("crashed", 1)
    assert result.reason.startswith("exit code 1: RuntimeError: mat1 and mat2")


CANNOT = [
    ("no-such-program", "cannot start 'no-such-program': no such program"),
    ("./script", "cannot start './script': it is not executable"),
    ("./lost", "cannot start './lost': the interpreter that its first line names is not there"),
]


@pytest.mark.parametrize(("program", "said"), CANNOT)
async def test_what_cannot_start_says_why(any_cell: Cell, program: str, said: str) -> None:
    (any_cell.tree / "script").write_text("#!/bin/sh\n")
    (any_cell.tree / "lost").write_text("#!/no/such/interpreter\n")
    (any_cell.tree / "lost").chmod(0o755)
    result = await any_cell.ends_command(program)
    assert result.outcome == "crashed" and result.reason.startswith(said), result.reason


async def test_time_and_memory_are_those_of_the_tree_inside(any_cell: Cell) -> None:
    assert (await any_cell.ends("spins.py")).cpu_seconds >= 0.8
    assert (await any_cell.ends("remembers.py", "60", "1.2")).peak_memory >= 120 << 20


async def test_a_run_that_bubblewrap_cannot_confine_is_not_started() -> None:
    for cell in make("bubblewrap", os.getuid()):
        argv = [cell.python, "-c", "print('step 1 | loss: 3.0 | lr: 0.1')"]
        confinement, inside = cell.confinement(argv)
        assert confinement is not None
        broken = replace(confinement, shown=(("/etc", "/no/such/folder"),))
        result = await (await LocalProcess.start(cell.spec(argv, broken, inside))).wait()
        assert result.outcome == "crashed" and "/no/such/folder" in result.reason and "step 1" not in result.tail


def test_a_run_that_landlock_cannot_confine_is_not_started(tmp_path: Path) -> None:
    for cell in make("landlock", os.getuid()):
        order = Order([cell.python, "-c", "print('started')"], "/", 60, rules=(("an unheard of right", "/usr"),))
        done = subprocess.run(local._WARDEN, input=order.encode(), capture_output=True, timeout=30)
        assert b"cannot confine 0" in done.stdout and b"started" not in done.stderr
        said = cannot_start("python", tmp_path, "confine", 1)
        assert said.startswith("the run could not be confined (Operation not permitted), so it was not started")


# --- which sandbox -------------------------------------------------------------------------------------------------


def test_a_sandbox_that_is_asked_for_and_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        NoSandbox, match=r"bubblewrap is not installed .*; choose another with --sandbox landlock or off"
    ):
        choose("bubblewrap")


def test_a_bubblewrap_that_does_not_work_is_passed_over_and_why_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a container, which allows no namespaces."""
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    chosen = choose("auto")
    assert chosen.kind == ("landlock" if landlock.abi() else "off")
    assert "bubblewrap does not work here: No permissions to create new namespace" in chosen.sentence()


def test_switched_off_is_said_in_plain_words() -> None:
    chosen = choose("off")
    assert chosen.kind == "off"
    assert chosen.sentence().startswith("runs are not confined (switched off): they can read what you can read")


@pytest.mark.parametrize(
    ("version", "filtered", "open_", "closed"),
    [
        (1, True, ("emptying a file", "signals to your other processes", "unix sockets by path"), ("network",)),
        (3, False, ("the network", "signals"), ("emptying a file",)),
        (4, False, ("networks other than TCP",), ()),
        (6, True, ("unix sockets by path", "command lines"), ("signals", "network", "emptying")),
        (9, True, ("/dev/shm", "command lines"), ("unix sockets", "signals")),
    ],
)
def test_what_landlock_leaves_open_depends_on_its_version(
    version: int, filtered: bool, open_: tuple[str, ...], closed: tuple[str, ...]
) -> None:
    said = "; ".join(missing("landlock", version, filtered))
    assert all(words in said for words in open_) and not any(words in said for words in closed)


def test_rights_that_a_kernel_does_not_know_are_not_asked_of_it() -> None:
    assert landlock.rights(1) == (1 << 13) - 1
    assert landlock.rights(2) & landlock.REFER and not landlock.rights(2) & landlock.TRUNCATE
    assert landlock.rights(7) == (1 << 16) - 1 and landlock.rights(9) == (1 << 17) - 1


@pytest.mark.skipif(not seccomp.available(), reason="the filter is not written for this processor")
def test_the_filter_is_a_whole_number_of_instructions_and_ends_in_an_answer() -> None:
    program = seccomp.program()
    assert len(program) % 8 == 0 and program[-8:-6] == seccomp.RETURN.to_bytes(2, "little")


# --- what may be reached, as data ----------------------------------------------------------------------------------


def test_a_folder_with_something_hidden_in_it_is_granted_piece_by_piece(tmp_path: Path) -> None:
    for name in ("a/seen.py", "a/hidden.py", "b/seen.py", "c/secret/key", "c/seen.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    hidden = (str(tmp_path / "a" / "hidden.py"), str(tmp_path / "c" / "secret"))
    granted = rules(Confinement("landlock", read=(str(tmp_path),), hidden=hidden))
    readable = sorted(path.removeprefix(f"{tmp_path}/") for kind, path in granted if kind == "read")
    assert readable == ["a/seen.py", "b", "c/seen.py"]
    assert {path for kind, path in granted if kind == "list"} == {str(tmp_path / name) for name in ("", "a", "c")}


def test_what_is_named_below_something_hidden_is_granted(tmp_path: Path) -> None:
    (tmp_path / "home" / "data").mkdir(parents=True)
    (tmp_path / "usr").mkdir()
    named = (str(tmp_path), str(tmp_path / "home" / "data"))
    granted = rules(Confinement("landlock", read=named, hidden=(str(tmp_path / "home"),)))
    assert ("read", str(tmp_path / "home" / "data")) in granted
    assert ("read", str(tmp_path / "home")) not in granted


def test_links_on_the_way_are_found_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "disk" / "one").mkdir(parents=True)
    (tmp_path / "first").symlink_to("disk")
    (tmp_path / "disk" / "second").symlink_to(tmp_path / "disk" / "one")
    (tmp_path / "round").symlink_to("round")
    assert links_on_the_way(str(tmp_path / "first" / "second" / "file")) == [
        (str(tmp_path / "first"), "disk"),
        (str(tmp_path / "disk" / "second"), str(tmp_path / "disk" / "one")),
    ]
    assert len(links_on_the_way(str(tmp_path / "round"))) == 40
