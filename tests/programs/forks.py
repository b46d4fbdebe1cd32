"""A small fork bomb: ends well, and leaves nine processes that ignore SIGTERM and replace themselves all the time."""

import os
import signal
import time

import mark

signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mark.daemonise():
    until = time.monotonic() + 60  # should our own code fail, the machine recovers
    for _ in range(8):
        if os.fork() == 0:
            break
    while time.monotonic() < until:
        time.sleep(0.05)
        if os.fork():
            os._exit(0)
        mark.here()
    os._exit(0)
time.sleep(0.5)
print("val_bpb: 0.5")
