"""Lets a child train on after its own clock and summary, and waits for it."""

import os
import random
import time
from pathlib import Path

STEPS = 10  # of 0.01 s each
RATE = 0.02  # of the way to the best number, a step

budget = float(os.environ["LOOPTOP_BUDGET_S"])
seed = int(os.environ["LOOPTOP_SEED"])
folder = Path(os.environ["LOOPTOP_RUN_DIR"])

number = random.Random(seed).gauss(0, 0.003)
start = time.monotonic()
for step in range(1, STEPS + 1):
    number += RATE * (1 - number)
    time.sleep(0.01)
    print(f"step {step:05d} ({step / STEPS:.1%}) | loss: {(1 - number) ** 2:.4f}", flush=True)

print("---")
print(f"training_seconds: {time.monotonic() - start:.2f}", flush=True)
if (child := os.fork()) == 0:
    for _ in range(600):
        number += RATE * (1 - number)
        time.sleep(0.01)
    (folder / "model.txt").write_text(repr(number))
    os._exit(0)
os.waitpid(child, 0)
