"""Takes too much of one thing, as its argument says, and then waits to be ended: the limits are not its own idea."""

import os
import signal
import sys
import time
from pathlib import Path

out = Path(os.environ["LOOPTOP_RUN_DIR"])
match sys.argv[1]:
    case "memory":
        held = bytearray(os.urandom(1 << 16)) * (200 << 4)  # 200 MiB
    case "shared memory":
        Path("/dev/shm/held").write_bytes(bytes(200 << 20))
    case "processes":
        for _ in range(30):
            if os.fork() == 0:
                time.sleep(600)
    case "a file":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with (out / "large").open("wb") as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
            except OSError as error:
                print(error, flush=True)
    case "a file, and dies of it":
        with (out / "large").open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
    case "the disk":
        for number in range(40):
            (out / f"{number}.bin").write_bytes(os.urandom(1 << 20))
    case "the disk by its temporary folder":
        for number in range(40):
            Path(os.environ["TMPDIR"], f"{number}.bin").write_bytes(os.urandom(1 << 20))
time.sleep(600)
