"""Does what training scripts do, and writes down what of it worked: all of it must, in every sandbox."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

ASKED = json.loads(sys.argv[1])
OUT = Path(os.environ["LOOPTOP_RUN_DIR"])


def twice(number: int) -> int:
    return 2 * number


def pool() -> str:
    with multiprocessing.get_context("fork").Pool(2) as workers:
        return str(workers.map(twice, [1, 2]))


def thread() -> str:
    said = []
    one = threading.Thread(target=lambda: said.append("said"))
    one.start()
    one.join()
    return said[0]


def checkpoint() -> str:
    part = OUT / "checkpoint.part"
    part.write_bytes(b"weights")
    part.replace(OUT / "checkpoint.pt")
    return (OUT / "checkpoint.pt").read_text()


def compiles() -> str:
    cache = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).parent
    (cache / "kernel").mkdir()
    (cache / "kernel" / "code.py").write_text("compiled = True")
    return (cache / "kernel" / "code.py").read_text()


def temporary() -> str:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_text("kept for a moment")
        return f"{tempfile.gettempdir()} {Path(file.name).read_text()}"


def home() -> str:
    folder = Path.home() / ".cache" / "something"
    folder.mkdir(parents=True)
    return "made"


def git() -> str:
    """Not promised: a worktree's git folder is the person's."""
    return subprocess.run(["git", "status"], capture_output=True, text=True).stderr


DOINGS: dict[str, Callable[[], str]] = {
    "read the worktree": lambda: Path("train.txt").read_text(),
    "read the training text": lambda: Path(ASKED["training"]).read_text(),
    "read what is declared": lambda: Path(ASKED["declared"]).read_text(),
    "read through a link": lambda: Path(ASKED["linked"]).read_text(),
    "save a checkpoint": checkpoint,
    "compile": compiles,
    "write a temporary file": temporary,
    "write to its home": home,
    "start a shell": lambda: subprocess.run("echo $((6 * 7))", shell=True, capture_output=True, text=True).stdout,
    "start another Python": lambda: (
        subprocess.run(
            [sys.executable, "-c", "import json, ssl, sqlite3; print('imported')"], capture_output=True, text=True
        ).stdout
    ),
    "start workers": pool,
    "start a thread": thread,
    "join two processes": lambda: str(len(socket.socketpair())),
    "know its user": lambda: __import__("pwd").getpwuid(os.getuid()).pw_name,
    "read the machine": lambda: Path("/proc/meminfo").read_text().split()[0] + str((os.cpu_count() or 0) > 0),
    "throw away": lambda: str(Path("/dev/null").write_text("x")),
    "draw chance": lambda: str(len(os.urandom(8))),
    "ask git": git,
}

told = {}
for name, doing in DOINGS.items():
    try:
        told[name] = doing()
    except Exception as error:
        told[name] = f"{type(error).__name__}: {error}"
(OUT / "told.json").write_text(json.dumps(told))
print("val_bpb: 0.5")
