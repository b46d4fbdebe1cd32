"""Trains until it is asked to end, and then saves."""

import os
import signal
import sys
import time
from pathlib import Path


def save(number: int, frame: object) -> None:
    Path(os.environ["LOOPTOP_RUN_DIR"], "saved").write_text("all of it")
    sys.exit(3)


signal.signal(signal.SIGTERM, save)
print("step 1 | loss: 3.0 | lr: 0.1", flush=True)
while True:
    time.sleep(0.02)  # a signal that comes just before one long sleep is not seen during it
