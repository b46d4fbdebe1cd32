"""Somebody else's loop: what a coding agent does that follows the original's program, in a real repository."""

import subprocess
import sys
from pathlib import Path

TRAIN = """\
import random
LEARNING_RATE = 0.04
DEPTH = 8
print("---")
print(f"val_bpb: {0.99 + LEARNING_RATE + abs(DEPTH - 9) * 0.002 + random.gauss(0, 0.0005):.6f}")
"""


class Agent:
    """Works on `autoresearch/TAG` in the checkout at `root`, by hand and one step at a time."""

    def __init__(self, root: Path, tag: str = "mar5") -> None:
        self.root, self.branch = root, f"autoresearch/{tag}"
        self.results = root / "results.tsv"

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Agent", "-c", "user.email=agent@example.org")
        done = subprocess.run(["git", *who, *arguments], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def begin(self) -> None:
        """The branch, the untracked results, and the baseline's row."""
        self.git("checkout", "-q", "-b", self.branch)
        self.results.write_text("commit\tval_bpb\tmemory_gb\tstatus\tdescription\n")

    def edit(self, old: str, new: str, title: str) -> str:
        """Change the file, commit it, and return the short sha."""
        file = self.root / "train.py"
        file.write_text(file.read_text().replace(old, new))
        self.git("commit", "-qam", title)
        return self.git("rev-parse", "--short", "HEAD")

    def report(self, commit: str, metric: float, status: str, title: str, memory: float = 44.0) -> None:
        with self.results.open("a") as file:
            file.write(f"{commit}\t{metric:.6f}\t{memory:.1f}\t{status}\t{title}\n")

    def take_back(self) -> None:
        self.git("reset", "-q", "--hard", "HEAD~1")

    def forget(self) -> None:
        """What a clone has: only what branches name."""
        self.git("reflog", "expire", "--expire=now", "--all")
        self.git("gc", "-q", "--prune=now")

    def work(self) -> None:
        """A morning's history: a baseline, a gain, a loss, a crash, another gain."""
        self.begin()
        self.report(self.git("rev-parse", "--short", "HEAD"), 1.031, "keep", "baseline")
        self.report(self.edit("0.04", "0.02", "halve LR"), 1.012, "keep", "halve LR")
        self.report(self.edit("= 8", "= 80", "depth 80"), 1.2, "discard", "depth 80")
        self.take_back()
        self.report(self.edit("= 8", "= 'x'", "depth x"), 0.0, "crash", "depth x", 0.0)
        self.take_back()
        self.report(self.edit("0.02", "0.01", "quarter LR"), 1.002, "keep", "quarter LR")

    def start_run(self) -> "subprocess.Popen[bytes]":
        """A run as the original has it: `python train.py > run.log 2>&1`."""
        with (self.root / "run.log").open("wb") as log:
            return subprocess.Popen([sys.executable, "-u", "train.py"], cwd=self.root, stdout=log, stderr=log)
