"""Turns against its guards, as its arguments say: `kill` or `stop`, the `nearer` one or `both`.

Before that it leaves a daemon: with an empty environment, or as it is where both guards die, since then nobody could
tell whose it is.
"""

import os
import signal
import sys
import time
from pathlib import Path

import mark

mark.here()
how, whom = sys.argv[1:]
warden = os.getppid()
keeper = int(Path(f"/proc/{warden}/stat").read_text().rpartition(")")[2].split()[1])
if mark.daemonise():
    idle = [sys.executable, "-c", "import time; time.sleep(600)", "tests/programs/"]
    os.execve(sys.executable, idle, dict(os.environ) if (how, whom) == ("kill", "both") else {})
time.sleep(0.2)  # until the daemon is what it wants to be
for guard in (keeper, warden) if whom == "both" else (warden,):
    os.kill(guard, signal.SIGSTOP if how == "stop" else signal.SIGKILL)
time.sleep(600)
