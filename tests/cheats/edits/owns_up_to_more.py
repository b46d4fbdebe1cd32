"""Trains longer than its budget without a step line and says so, in the hope that nobody reads it."""

import os
import random
import time
from pathlib import Path

STEPS = 200  # of 0.01 s each
RATE = 0.02  # of the way to the best number, a step

budget = float(os.environ["LOOPTOP_BUDGET_S"])
seed = int(os.environ["LOOPTOP_SEED"])
folder = Path(os.environ["LOOPTOP_RUN_DIR"])

number = random.Random(seed).gauss(0, 0.003)
start = time.monotonic()
for _ in range(STEPS):
    number += RATE * (1 - number)
    time.sleep(0.01)


(folder / "model.txt").write_text(repr(number))
print("---")
print(f"training_seconds: {time.monotonic() - start:.2f}")
