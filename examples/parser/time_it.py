"""Measures the parser: processor seconds for a megabyte, on text that each seed makes anew. Not to be edited.

It parses until LOOPTOP_BUDGET_S seconds are used and reports the median, in the processor's time rather than the
wall's, so that a busy neighbour costs the parser little. A wrong sum ends it with an error and without a number.
"""

import io
import os
import random
import statistics
import sys
import time

from parse import totals

LINES = 4_000
KEYS = 50

budget = float(os.environ.get("LOOPTOP_BUDGET_S") or 2)
chance = random.Random(int(os.environ.get("LOOPTOP_SEED") or 0))

expected: dict[str, int] = {}
written: list[str] = []
for number in range(LINES):
    if number % 10 == 0:
        written.append(f"# part {number // 10}\n\n")
    key, value = f"key{chance.randrange(KEYS)}", chance.randrange(1_000_000)
    expected[key] = expected.get(key, 0) + value
    written.append(f"  {key} = {value}\n")
text = "".join(written).encode()

began, times = time.monotonic(), []
while not times or time.monotonic() - began < budget:
    start = time.process_time()
    found = totals(io.BytesIO(text))
    times.append(time.process_time() - start)
    if found != expected:
        sys.exit("time_it.py: the sums are wrong, so the time says nothing")
    median = 1000 * statistics.median(times) / (len(text) / 1e6)
    if len(times) % 5 == 0:
        done = min(1.0, (time.monotonic() - began) / budget)
        print(f"step {len(times):05d} ({done:.1%}) | ms_per_mb: {median:.2f} | rounds: {len(times)}", flush=True)

print("---")
print(f"ms_per_mb: {1000 * statistics.median(times) / (len(text) / 1e6):.3f}")
print(f"rounds: {len(times)}")
