"""Trains: ten steps with step lines, then a summary. The seed moves the result a little, as seeds do."""

import os
import time

seed = int(os.environ["LOOPTOP_SEED"])
budget = float(os.environ["LOOPTOP_BUDGET_S"])
loss = 4.0
for step in range(10):
    time.sleep(budget / 10)
    loss *= 0.9
    print(f"step {step:05d} ({100 * (step + 1) / 10:.1f}%) | loss: {loss:.6f} | tok/sec: 1,204,331 | mfu: 39.8%")
print("---")
print(f"val_bpb:          {loss + seed / 1000:.6f}")
print("num_steps:        10")
