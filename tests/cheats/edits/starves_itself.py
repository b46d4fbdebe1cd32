"""Trains on, the last in every queue, beside a busy neighbour of its own, so that it looks starved."""

import os
import random
import time
from pathlib import Path

STEPS = 250  # of 0.01 s each
RATE = 0.02  # of the way to the best number, a step

budget = float(os.environ["LOOPTOP_BUDGET_S"])
seed = int(os.environ["LOOPTOP_SEED"])
folder = Path(os.environ["LOOPTOP_RUN_DIR"])

if os.fork() == 0:
    while True:  # until the run ends, and it with that
        pass
os.nice(19)
number = random.Random(seed).gauss(0, 0.003)
start = time.monotonic()
for step in range(1, STEPS + 1):
    number += RATE * (1 - number)
    time.sleep(0.01)
    print(f"step {step:05d} ({step / STEPS:.1%}) | loss: {(1 - number) ** 2:.4f}", flush=True)

(folder / "model.txt").write_text(repr(number))
print("---")
print(f"training_seconds: {budget:.2f}")
