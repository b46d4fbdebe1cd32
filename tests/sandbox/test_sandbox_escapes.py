"""What a run tries against its sandbox does not work: each is made for real, in each sandbox, as root and not."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.sandbox import landlock, scratch
from tests.sandbox.cells import KINDS, MARKER, PROGRAMS, SOMEBODY, Cell, found, listeners, python_of, victim

CELLS = [(kind, who) for kind in KINDS for who in ("me", "an ordinary user")]

ATTEMPTS = """
read a file of the home folder
read a key in the checkout
read the journal
read the output of another run
read the log of its own run
read the file of another experiment
read the validation text
read a file of the library that is held out
read the shadow file
write to the home folder
write to the checkout
write to the system
write to the output of another run
write to the texts
write to the root
empty the journal
link the journal
read its own environment
read the environment of its guard's supervisor
read any environment
read the supervisor's memory
read the supervisor's memory by process_vm_readv
see the file system as the supervisor does
trace the supervisor
take an open file from the supervisor
signal the supervisor
signal anybody
reach a port
send a datagram
open an io_uring
reach a socket by path
reach a socket by name
leave shared memory
make a device
take a mount away
""".strip().splitlines()

NOT_COVERED = {
    ("landlock", "reach a socket by path"): 9,
    ("landlock", "signal the supervisor"): 6,
    ("landlock", "signal anybody"): 6,
    ("landlock", "reach a socket by name"): 6,
    ("landlock", "empty the journal"): 3,
}
"""The version of Landlock that the attempt takes; `sandbox.missing` says so to the person."""

HARMLESS_INSIDE = {
    ("bubblewrap", "open an io_uring"),
    ("bubblewrap", "leave shared memory"),
    ("bubblewrap", "write to the home folder"),
    ("bubblewrap", "write to the checkout"),
}
"""What works in namespaces of its own, where there is nobody to reach, and ends with them; and what works because a
worktree and a home of its own are in the places of the person's."""


@pytest.fixture(scope="module", params=CELLS, ids=lambda cell: f"{cell[0]}-{cell[1].replace(' ', '-')}")
def told(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, str]]]:
    """The sandbox, and what a run in it has told of its attempts."""
    kind, who = request.param
    if isinstance(sandbox := found(kind), str):
        pytest.skip(sandbox)
    user = os.getuid()
    if who != "me":
        if user:
            pytest.skip("the tests run as an ordinary user already")
        user = SOMEBODY
        if not shutil.which("setpriv") or not python_of(user):
            pytest.skip("no Python here that an ordinary user may start")
    # Not in /tmp, which is the run's own inside; not pytest's folder, which only root may enter.
    folder = Path(tempfile.mkdtemp(prefix="cell-", dir="/var/tmp"))
    try:
        cell = Cell(folder, sandbox, user, python_of(user))
        yield kind, attempt(cell)
        assert not [path for path in written(cell).values() if path.exists()]
        assert cell.secrets["the journal"].read_text() == MARKER
    finally:
        scratch.forget(folder)
        shutil.rmtree(folder)


def written(cell: Cell) -> dict[str, Path]:
    return {
        "to the home folder": cell.home / "left",
        "to the checkout": cell.root / "left",
        "to the system": Path("/usr/left-by-a-test"),
        "to the output of another run": cell.root / ".looptop" / "runs" / "2.1" / "out" / "left",
        "to the texts": cell.training.with_name("left"),
        "to the root": Path("/left-by-a-test"),
    }


def attempt(cell: Cell) -> dict[str, str]:
    secrets = {name: str(path) for name, path in cell.secrets.items()} | {"the shadow file": "/etc/shadow"}
    disk = os.stat("/").st_dev  # noqa: PTH116
    with victim(cell) as (pid, address), listeners(cell) as sockets:
        told = asyncio.run(
            cell.told(
                "escapes.py",
                victim=pid,
                address=address,
                marker=MARKER,
                secrets=secrets,
                writes={name: str(path) for name, path in written(cell).items()},
                tcp=sockets["tcp"].getsockname()[1],
                udp=sockets["udp"].getsockname()[1],
                unix=str(cell.folder / "s"),
                abstract=sockets["abstract"].getsockname()[1:].decode(),
                disk=(os.major(disk), os.minor(disk)),
                hidden=str(cell.home),
            )
        )
        for name, heard in (
            ("tcp", "reach a port"),
            ("udp", "send a datagram"),
            ("abstract", "reach a socket by name"),
        ):
            with pytest.raises(BlockingIOError):
                sockets[name].recv(1) if name == "udp" else sockets[name].accept()
            assert heard in told
    return told


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_run_cannot(told: tuple[str, dict[str, str]], name: str) -> None:
    kind, answers = told
    needs = NOT_COVERED.get((kind, name), 0)
    if kind == "landlock" and landlock.abi() < needs:
        pytest.skip(f"Landlock {landlock.abi()} of this kernel does not cover it; version {needs} does")
    answer = answers[name]
    assert MARKER not in answer
    assert not answer.startswith("got it") or (kind, name) in HARMLESS_INSIDE, answer
    assert "root:" not in answer, "the shadow file"


def test_every_attempt_is_judged(told: tuple[str, dict[str, str]]) -> None:
    assert sorted(told[1]) == sorted(ATTEMPTS)


def test_without_a_sandbox_the_same_attempts_succeed(tmp_path: Path) -> None:
    """Else the attempts would prove nothing."""
    secret = tmp_path / "secret"
    secret.write_text(MARKER)
    asked = {
        "secrets": {"a file of the home folder": str(secret), "the journal": str(secret)},
        "writes": {"to the home folder": str(tmp_path / "left")},
        "unix": str(tmp_path / "s"), "abstract": "nobody", "marker": MARKER, "tcp": 1, "udp": 1, "address": 0,
        "disk": (0, 0), "hidden": str(tmp_path),
    }  # fmt: skip
    held = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={"SECRET": MARKER})
    command = [
        sys.executable,
        str(PROGRAMS / "escapes.py"),
        json.dumps({**asked, "victim": held.pid}),
    ]
    subprocess.run(command, env={**os.environ, "LOOPTOP_RUN_DIR": str(tmp_path), "OPENAI_API_KEY": MARKER}, check=True)
    told = json.loads((tmp_path / "told.json").read_text())
    for name in ("read a file of the home folder", "read its own environment", "read any environment"):
        assert MARKER in told[name], told[name]
    for name in ("write to the home folder", "empty the journal", "signal the supervisor"):
        assert told[name] == "got it", told[name]
    held.wait()
