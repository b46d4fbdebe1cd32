"""Kills the process that guards it, and stays behind: once as it is, and once hidden with an empty environment."""

import os
import signal
import sys
import time

import mark

mark.here()
if mark.daemonise():
    os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "tests/programs/"], {})
time.sleep(0.2)
os.kill(os.getppid(), signal.SIGKILL if sys.argv[1] == "kill" else signal.SIGSTOP)
time.sleep(600)
