"""Never ends: ignores every signal it can, leaves daemons in sessions of their own, and floods its output."""

import os
import signal
import sys
import time

import mark

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
    signal.signal(number, signal.SIG_IGN)
mark.here()
if mark.daemonise():
    os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "tests/programs/"], {})
if mark.daemonise():
    while True:
        time.sleep(1)
if os.fork() == 0:
    mark.here()
    while True:
        time.sleep(1)
print("ready", flush=True)
while True:
    try:
        sys.stdout.write("x" * 1000 + "\n")
    except OSError:
        time.sleep(0.01)
