"""How many placebos a real study keeps, beside what its confidence promises: a project whose number is luck alone.

    python -m bench.placebos_real [--experiments 240] [--confidences 0.99,0.9] [--out FOLDER]

`bench.trust` simulates; this runs the loop itself, with its journal, git, sandbox and judge. The program draws its
number from the seed and its own text, so that nothing is better than anything else, and each edit throws the dice once
more. `random` proposes values, and three candidates in ten are placebos. Printed is what the top line of the cockpit
shows, and what became of the ideas, which are nothing either: placebos are to fare as they do. With `--out` a study
goes on where it was ended. Claimed: neither interval lies above what is promised, and the two overlap.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loop.journal import Journal
from loop.lineage import init_repository
from loop.policy import placebos
from loop.study.folding import FOLDED, fold
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.workspace import Workspace
from tui.widgets.status_line import placebo_forms

SHARE = "30%"

TRAIN = '''"""A number that is luck alone: drawn from the seed and this text."""

import os
import random
from pathlib import Path

RATE = 0.02
DECAY = 0.1
CLIP = 1.0
WARMUP = 0.3
WIDTH = 256
assert RATE and DECAY and CLIP and WARMUP and WIDTH

dice = random.Random(os.environ["LOOPTOP_SEED"] + Path(__file__).read_text())
print(f"loss: {10 + dice.gauss(0, 0.1):.6f}")
'''

PROGRAM = """---
edit: train.py
run: python train.py
metric: loss
budget: 1s
deadline: 60s
review: auto
researchers: [random]
placebos: {share}
keep: {{confidence: {confidence}}}
limits: {{experiments: {experiments}, failures: null}}
validation: off
bundles: false
---
Go down, as far as luck allows.
"""


def study_of(root: Path, experiments: int, confidence: float) -> Study:
    """A whole study by a supervisor of its own, as it came out."""
    if not root.exists():
        root.mkdir(parents=True)
        (root / "train.py").write_text(TRAIN)
        text = PROGRAM.format(share=SHARE, confidence=confidence, experiments=experiments)
        (root / "program.md").write_text(text)
        init_repository(root, [root / "train.py", root / "program.md"])
    environ = {**os.environ, "XDG_STATE_HOME": str(root.parent / "state"), "LOOPTOP_NOTIFY": "off"}
    command = [sys.executable, "-P", "-m", "loop", str(root), '{"slots": 2, "cluster": "off"}']
    with root.with_name(f"{root.name}.log").open("ab") as log:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=root, env=environ)
    if done.returncode:
        raise SystemExit(f"the study in {root} ended with status {done.returncode}; see {root}.log")
    with Journal(Workspace(root).journal) as journal:
        return fold(journal.read(kinds=FOLDED))


def judged(root: Path, experiments: int, confidence: float) -> bool:
    """Run one study, print what it kept, and say whether that is as claimed."""
    began = time.monotonic()
    study = study_of(root, experiments, confidence)
    found = placebos.rate(study)
    assert found is not None, "no placebo was judged"
    ideas = [x for x in study.experiments.values() if x.id and x.id not in study.placebos and x.judged_by == "judge"]
    kept = sum(x.verdict == Outcome.KEPT for x in ideas)
    others = placebos.measured(kept, len(ideas), found.promised)
    met = found.holds and others.holds and found.low <= others.high and others.low <= found.high
    shown = "".join(text for text, _ in placebo_forms(study)[-1])
    print(
        f"confidence {confidence:g}: {study.judged()} experiments, {study.runs} runs, {time.monotonic() - began:.0f} s"
    )
    print(f"  top line: {shown}")
    print(f"  placebos: {placebos.told(found)}")
    print(f"  ideas, which are nothing either: {kept} of {len(ideas)} kept ({others.low:.1%} to {others.high:.1%})")
    print(
        f"  budget: neither lies above {found.promised:.2%}, and the two overlap: {'met' if met else 'MISSED'}",
        flush=True,
    )
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=240)
    parser.add_argument("--confidences", default="0.99,0.9")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = (asked.out or Path(folder)).resolve()
        confidences = [float(word) for word in asked.confidences.split(",")]
        met = [judged(out / f"at-{one:g}", asked.experiments, one) for one in confidences]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
