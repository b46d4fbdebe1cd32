"""Leaves children behind that have ended and that it never waits for, and some whose parent is gone besides."""

import os
import time

import mark

for _ in range(3):
    if os.fork() == 0:
        mark.here()
        os._exit(0)
if os.fork() == 0:
    if os.fork() == 0:
        mark.here()
        os._exit(0)
    os._exit(0)
time.sleep(0.2)
print("val_bpb: 0.5")
