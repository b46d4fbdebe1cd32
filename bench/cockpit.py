"""The cockpit against its budgets: the real program in a 200x50 pty on a recorded journal. Prints, never asserts.

    python -m bench.cockpit [--seconds 10] [--large] [--only stream]

Each line is a budget and what was measured on this machine. `--large` adds the journal of 10,000 experiments and
a million events, which takes about 15 s to write.
"""

import argparse
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from loop.journal import Journal
from loop.study import events as e
from loop.study.readings import GpuGauge
from loop.workspace import supervise
from tests import crowded
from tests.recorded import record

_START = "import sys; from pathlib import Path; from tui.cockpit.launch import run; sys.exit(run(Path(sys.argv[1])))"
_WORDS = "the last change lowered the loss early and lost it in the warm-down so that is where to look next".split()  # noqa: SIM905
_GB = 1024**3


class Terminal:
    """A cockpit that runs in a pty of its own."""

    def __init__(self, workspace: Path, columns: int = 200, lines: int = 50) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("NO_COLOR", "PYTHONDONTWRITEBYTECODE", "TMUX"):
            environ.pop(name, None)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, str(workspace)],
            stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.usage = psutil.Process(self.process.pid)
        self.text = b""
        self.bytes = 0
        self.newest = self.began
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.newest = time.monotonic()
            self.bytes += len(data)
            self.text = (self.text + data)[-400_000:]

    def wait_for(self, pattern: str, limit: float = 30.0) -> float:
        """Seconds from the start until the screen's bytes contain `pattern`."""
        found = re.compile(pattern.encode())
        while time.monotonic() - self.began < limit:
            if found.search(self.text):
                return self.newest - self.began
            time.sleep(0.004)
        raise SystemExit(f"the screen never showed {pattern!r}; it ended with {self.text[-600:]!r}")

    def press(self, key: str) -> float:
        """Seconds from a key to the first byte of its effect."""
        before, start = self.bytes, time.monotonic()
        os.write(self.master, key.encode())
        while self.bytes == before and time.monotonic() - start < 5:
            time.sleep(0.001)
        return time.monotonic() - start

    def rss(self) -> int:
        return self.usage.memory_info().rss

    def measure(
        self, seconds: float, work: Callable[[], None] | None = None, every: float = 0.0
    ) -> tuple[float, float]:
        """CPU in per cent of one core, and bytes per second, over `seconds`; `work` is done `every` so many seconds."""
        used, sent, start = sum(self.usage.cpu_times()[:2]), self.bytes, time.monotonic()
        following = start
        while (now := time.monotonic()) - start < seconds:
            if work is not None and now >= following:
                work()
                following += every
            time.sleep(min(0.02, every / 4) if every else 0.1)
        wall = time.monotonic() - start
        return 100 * (sum(self.usage.cpu_times()[:2]) - used) / wall, (self.bytes - sent) / wall

    def close(self) -> float:
        """Close the terminal; seconds until the process has ended."""
        start = time.monotonic()
        os.close(self.master)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            return float("inf")
        return time.monotonic() - start


def say(what: str, budget: str, measured: str) -> None:
    print(f"{what:<58} {budget:>18}   {measured}", flush=True)


def live_journal(folder: Path, experiments: int, events: int = 0) -> Journal:
    """A recorded study in a folder, whose last heartbeat is now."""
    record(folder / ".looptop" / "journal.db", experiments=experiments, events=events)
    return Journal(folder / ".looptop" / "journal.db")


def gauge() -> e.GaugeRead:
    gpu = GpuGauge(
        index=0, name="GPU", utilisation=80 + time.time() % 19, memory_used=45 * _GB, memory_total=80 * _GB,
        temperature=61, power=600 + time.time() % 50,
    )  # fmt: skip
    return e.GaugeRead(
        cpu=10 + time.time() % 9, ram_used=40 * _GB, ram_total=128 * _GB, disk_free=800 * _GB, gpus=(gpu,)
    )


def first_paint(folder: Path) -> None:
    live_journal(folder, 40).close()
    paints, wholes = [], []
    for _ in range(5):
        terminal = Terminal(folder)
        paints.append(terminal.wait_for("detach"))
        wholes.append(terminal.wait_for("champion"))
        terminal.close()
    say("first paint of a new process", "0.5 s", f"{sorted(paints)[2]:.2f} s (median of 5, best {min(paints):.2f})")
    say("  ... with a study of 40 experiments on it", "", f"{sorted(wholes)[2]:.2f} s (best {min(wholes):.2f})")


def large(folder: Path) -> None:
    live_journal(folder, 10_000, 1_000_000).close()
    terminal = Terminal(folder)
    paint = terminal.wait_for("h100-a|reading the journal")
    whole = terminal.wait_for("10001")
    time.sleep(1.0)
    say("  10,000 experiments, a million events: first paint", "1 s", f"{paint:.2f} s")
    say("  ... until everything is on screen", "1 s", f"{whole:.2f} s")
    say("  ... memory", "150 MB", f"{terminal.rss() / 2**20:.0f} MB")
    times = [terminal.press(key) for key in ("3", "j", "j", "4", "3", "G", "1")]
    say("  ... key to screen, worst of 7", "100 ms", f"{max(times) * 1000:.0f} ms")
    time.sleep(1.5)
    cpu, sent = terminal.measure(5)
    say("  ... at rest", "1%, 1 kB/s", f"{cpu:.1f}%, {sent / 1000:.1f} kB/s")
    terminal.close()


def at_rest(folder: Path, seconds: float) -> None:
    journal = live_journal(folder, 40)
    journal.append(e.Paused(who="ada"))
    terminal = Terminal(folder)
    terminal.wait_for("champion")
    time.sleep(2)
    cpu, sent = terminal.measure(seconds, lambda: journal.append(gauge()) and None, 5.0)
    say("idle, loop paused (a gauge every 5 s)", "1%, 1 kB/s", f"{cpu:.1f}%, {sent / 1000:.2f} kB/s")
    times = [terminal.press(key) for key in "3j15k3491"]
    say("key to screen, worst of 9", "100 ms", f"{max(times) * 1000:.0f} ms")
    say("terminal closed: the process has ended after", "3 s", f"{terminal.close():.2f} s")


def current_run(folder: Path, seconds: float) -> None:
    journal = live_journal(folder, 40)
    terminal = Terminal(folder)
    terminal.wait_for("champion")
    time.sleep(2)
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        progress = 0.64 + count * 0.0008
        values = {"loss": 2.4 - count * 0.001, "lrm": 0.8, "tok/sec": 1.2e6 + count, "mfu": 39.8}
        journal.append(e.StepSampled(step=600 + count, progress=progress, values=values), 41, 1)
        if count % 4 == 0:
            journal.append(gauge())

    cpu, sent = terminal.measure(seconds, step, 0.5)
    say("a run under way, no stream", "1.5%, 5 kB/s", f"{cpu:.1f}%, {sent / 1000:.1f} kB/s")
    terminal.close()


_NAMES = ("llm-a", "llm-b", "claude", "automl")


class Crowd:
    """Eight slots and four researchers that go on: two samples a second of each run, a gauge a second, and thoughts.

    Args:
        words: how many a second, of all researchers together; 0 for none.
    """

    STEP = 0.1

    def __init__(self, folder: Path, words: int) -> None:
        path = folder / ".looptop" / "journal.db"
        at = record(path, experiments=40, gpus=8)
        crowded.crowd(path, at)
        self.journal, self.words, self.count = Journal(path), words, 0
        study = crowded.folded(self.journal)
        self.runs = [(experiment.id, run.number) for experiment, run in study.running()]
        self.thinks = max(study.experiments) + 1

    def go_on(self) -> None:
        """A tenth of a second of all of it."""
        self.count += 1
        facts: list[tuple[e.Body, int | None, int | None]] = []
        for index, (experiment, run) in enumerate(self.runs):
            if (self.count + index) % 5 == 0:
                progress = min(1.0, 0.3 + 0.08 * index + self.count * 0.0002)
                values = {"loss": 2.4 - self.count * 0.0001 + index * 0.01, "tok/sec": 1.2e6 + self.count, "mfu": 39.8}
                facts.append((e.StepSampled(step=600 + self.count, progress=progress, values=values), experiment, run))
        if self.count % 10 == 0:
            running = [experiment for experiment, _ in self.runs]
            facts.append((crowded.reading(8, running, self.count / 7), None, None))
        if self.words:
            who = self.count % len(_NAMES)
            words = [_WORDS[(self.count * 5 + i) % len(_WORDS)] for i in range(self.words // 10)]
            text = " ".join(words) + ("\n\n" if self.count % 14 == 0 else " ")
            facts.append((e.Thought(researcher=_NAMES[who], text=text), self.thinks + who, None))
        if facts:
            self.journal.append_all(facts)


def many(folder: Path, seconds: float) -> None:
    """Eight runs under way and four researchers: the runs alone on the screen, then all of it."""
    for name, words, keys, budget in (
        ("eight runs, their view alone, 200x50", 0, "1z", "2%, 4 kB/s"),
        ("eight runs and four researchers, 50 words a second, 200x50", 50, "", "6%, 30 kB/s"),
    ):
        place = folder / str(words)
        crowd = Crowd(place, words)
        with supervise(place):  # what runs is shown while a supervisor is there
            terminal = Terminal(place)
            terminal.wait_for("vs champ")
            for key in keys:
                terminal.press(key)
            time.sleep(2)
            cpu, sent = terminal.measure(seconds, crowd.go_on, crowd.STEP)
            say(name, budget, f"{cpu:.1f}%, {sent / 1000:.1f} kB/s")
            times = [terminal.press(key) for key in "jjk327"]
            say("  ... key to screen, worst of 6", "100 ms", f"{max(times) * 1000:.0f} ms")
            terminal.close()


def stream(folder: Path, seconds: float, columns: int, lines: int, budget: str) -> None:
    journal = live_journal(folder, 40)
    terminal = Terminal(folder, columns, lines)
    terminal.wait_for("llm")
    time.sleep(2)
    count = 0

    def think() -> None:
        nonlocal count
        count += 1
        words = [_WORDS[(count * 5 + i) % len(_WORDS)] for i in range(5)]
        text = " ".join(words) + ("\n\n" if count % 14 == 0 else " ")
        journal.append(e.Thought(researcher="llm", text=text), 42)
        if count % 20 == 0:
            journal.append(gauge())
        if count % 5 == 0:
            values = {"loss": 2.4 - count * 0.0001, "tok/sec": 1.2e6 + count, "mfu": 39.8}
            journal.append(
                e.StepSampled(step=600 + count, progress=min(1, 0.64 + count * 0.0002), values=values), 41, 1
            )

    cpu, sent = terminal.measure(seconds, think, 0.1)
    say(f"reasoning at 50 words a second, {columns}x{lines}", budget, f"{cpu:.1f}%, {sent / 1000:.1f} kB/s")
    terminal.close()


def growth(folder: Path, words: int) -> None:
    """A long stream in fast-forward: memory after its first part and at its end."""
    journal = live_journal(folder, 40)
    terminal = Terminal(folder)
    terminal.wait_for("llm")

    def pour(count: int) -> None:
        facts: list[tuple[e.Body, int | None, int | None]] = []
        for i in range(count // 5):
            text = " ".join(_WORDS[(i + j) % len(_WORDS)] for j in range(5)) + ("\n" if i % 14 == 0 else " ")
            facts.append((e.Thought(researcher="llm", text=text), 42, None))
            if len(facts) == 200:
                journal.append_all(facts)
                facts = []
                time.sleep(0.05)
        time.sleep(2)

    pour(max(150_000, words // 4))
    before = terminal.rss()
    pour(words)
    say(
        f"growth over {words:,} words of stream, once the buffer is full",
        "5 MB a week",
        f"{(terminal.rss() - before) / 2**20:.1f} MB",
    )
    terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the cockpit against its budgets.")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each steady measurement")
    parser.add_argument("--words", type=int, default=200_000, help="length of the fast-forward stream")
    parser.add_argument("--large", action="store_true", help="also 10,000 experiments and a million events")
    parser.add_argument("--only", default="", help="only the measurements whose name has this")
    choice = parser.parse_args()
    say("what", "budget", "measured")
    parts: dict[str, Callable[[Path], None]] = {
        "paint": first_paint,
        "idle": lambda folder: at_rest(folder, choice.seconds),
        "run": lambda folder: current_run(folder, choice.seconds),
        "stream": lambda folder: stream(folder, choice.seconds, 200, 50, "6%, 30 kB/s"),
        "stream-small": lambda folder: stream(folder, choice.seconds, 80, 24, "6%, 12 kB/s"),
        "many": lambda folder: many(folder, choice.seconds),
        "growth": lambda folder: growth(folder, choice.words),
    }
    if choice.large:
        parts["large"] = large
    for name, part in parts.items():
        if choice.only in name:
            with tempfile.TemporaryDirectory() as folder:
                part(Path(folder))


if __name__ == "__main__":
    main()
