"""How often `make demo` keeps a true improvement within its first five minutes.

    python -m bench.first_gain [--tries 10] [--minutes 5] [--budget 6s] [--pairs 3]

Each try is what a newcomer does: a fresh clone, AutoML on `train.py`, from the start of the command on. It ends with
the first change that is kept, or with its time. Whether a kept one is true is not taken from those numbers:
the champion and the baseline are measured again under fresh seeds (`looptop validate`), and the gain has to be there.
Claimed: in at least eight of ten tries, on two processors. Takes up to an hour and a half.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOOPTOP = str(Path(sys.executable).with_name("looptop"))
SHARE = 0.8
"""Of the tries, in which a true improvement has to be kept."""


def said(clone: Path, *words: str) -> Any:
    """What a command prints as JSON; None where there is nothing yet."""
    ended = subprocess.run([LOOPTOP, "-C", str(clone), *words], capture_output=True, text=True, check=False)
    return json.loads(ended.stdout) if ended.returncode == 0 and ended.stdout else None


def first_kept(clone: Path, budget: str, seconds: float) -> tuple[float, int, str] | None:
    """Seconds until the first change was kept, verdicts until then, and its title; None where none was in time."""
    began = time.monotonic()
    command = [LOOPTOP, "-C", str(clone), "run", "--headless", "--researcher", "automl", "--budget", budget]
    with (clone.parent / "loop.log").open("w") as log:
        loop = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        while (took := time.monotonic() - began) < seconds and loop.poll() is None:
            rows = said(clone, "experiments", "--json") or []
            kept = next((row for row in rows if row["verdict"] == "kept" and row["id"] > 0), None)
            if kept:
                return took, sum(bool(row["verdict"]) for row in rows) - 1, kept["title"]
            time.sleep(1)
        if loop.poll() is not None:
            print((clone.parent / "loop.log").read_text()[-2000:], file=sys.stderr)
        return None
    finally:
        subprocess.run([LOOPTOP, "-C", str(clone), "stop", "--now"], capture_output=True, check=False)
        loop.wait()


def gain(clone: Path, pairs: int) -> tuple[float, float, float]:
    """The gain of the champion over the baseline under fresh seeds, and its 95% interval."""
    subprocess.run([LOOPTOP, "-C", str(clone), "validate", "--runs", str(pairs)], capture_output=True, check=True)
    while (result := said(clone, "validate", "--show", "--json")["result"]) is None:
        time.sleep(2)
    return result["gain"], result["low"], result["high"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=5.0, help="of each try")
    parser.add_argument("--budget", default="6s", help="of one run")
    parser.add_argument("--pairs", type=int, default=3, help="of fresh runs that tell whether a gain is true")
    options = parser.parse_args()
    true = 0
    for number in range(1, options.tries + 1):
        with tempfile.TemporaryDirectory() as folder:
            clone = Path(folder) / "looptop"
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
            kept = first_kept(clone, options.budget, 60 * options.minutes)
            if kept is None:
                print(f"try {number}: nothing kept in {options.minutes:g} minutes", flush=True)
                continue
            took, experiments, title = kept
            better, low, high = gain(clone, options.pairs)
            true += better > 0
            print(
                f"try {number}: {title} kept after {took:.0f} s and {experiments} experiments; "
                f"measured anew {better:+.3f} ({low:+.3f} to {high:+.3f})",
                flush=True,
            )
    print(f"a true improvement in {true} of {options.tries} tries (budget {SHARE:.0%})")
    raise SystemExit(true < SHARE * options.tries)


if __name__ == "__main__":
    main()
