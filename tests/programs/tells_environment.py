"""Writes down what it was given: its environment, its folder, its session, and its guard's environment."""

import json
import os
from pathlib import Path

told = {
    "environ": dict(os.environ),
    "cwd": str(Path.cwd()),
    "session": os.getsid(0),
    "keeper": int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1]),
    "warden_environ": Path(f"/proc/{os.getppid()}/environ").read_text(),
    "stdin": str(Path("/proc/self/fd/0").readlink()),
    "open": sorted(int(path.name) for path in Path("/proc/self/fd").iterdir()),
}
Path(os.environ["LOOPTOP_RUN_DIR"], "told.json").write_text(json.dumps(told))
