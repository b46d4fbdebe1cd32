"""Ends well, and leaves two daemons behind that nobody asked for; one of them ignores SIGTERM."""

import signal
import time

import mark

for disposition in (signal.SIG_IGN, signal.SIG_DFL):
    if mark.daemonise():
        signal.signal(signal.SIGTERM, disposition)
        time.sleep(600)
time.sleep(0.2)  # until both have marked themselves
print("val_bpb: 0.5")
