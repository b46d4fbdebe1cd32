"""Measures `kernel.py`: milliseconds of processor time for one call, on numbers that each seed draws. Not to be edited.

A result that is off by more than a ten thousandth ends it without a number. It calls until half a second is used, and
reports the median.
"""

import os
import statistics
import sys
import time

import numpy as np
from kernel import attend

ROWS, KEYS, WIDTH, OUT = 160, 320, 24, 16
SECONDS = 0.5

rng = np.random.default_rng([int(os.environ.get("LOOPTOP_SEED", "0")), int(os.environ.get("YARDSTICK", "0"))])
queries, keys, values = rng.normal(size=(ROWS, WIDTH)), rng.normal(size=(KEYS, WIDTH)), rng.normal(size=(KEYS, OUT))
far = np.square(queries[:, None, :] - keys[None, :, :]).sum(axis=2)
weights = np.exp(-far / 2)
expected = weights @ values / weights.sum(axis=1, keepdims=True)
times, began = [], time.process_time()
while len(times) < 5 or time.process_time() - began < SECONDS:
    given = queries.copy(), keys.copy(), values.copy()
    start = time.process_time()
    found = attend(*given)
    times.append(time.process_time() - start)
    if np.shape(found) != expected.shape or not np.allclose(found, expected, rtol=1e-4, atol=1e-4):
        sys.exit("measure.py: the result is wrong, so its time says nothing")
print(f"ms: {1000 * statistics.median(times):.4f}")
