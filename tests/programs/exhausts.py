"""Runs out of memory the way its first argument says; the second is a memory cgroup to go into, or a message."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path


class OutOfMemoryError(RuntimeError):
    """As PyTorch's own."""


OutOfMemoryError.__module__ = "torch"


def fill(megabytes: int) -> bytearray:
    return bytearray(os.urandom(1 << 16)) * (megabytes << 4)


print("step 1 | loss: 2.5 | lr: 1e-3", flush=True)
match sys.argv[1]:
    case "address space":
        resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))
        held = [fill(50) for _ in range(20)]
    case "cgroup":
        (Path(sys.argv[2]) / "cgroup.procs").write_text(str(os.getpid()))
        held = [fill(20) for _ in range(20)]
        time.sleep(60)
    case "worker in a cgroup":
        worker = subprocess.run([sys.executable, __file__, "cgroup", sys.argv[2]], check=False)
        raise RuntimeError(f"DataLoader worker (pid 7) is killed by signal: Killed. ({worker.returncode})")
    case "GPU":
        raise OutOfMemoryError(sys.argv[2])
    case "GPU, and goes on":
        try:
            raise OutOfMemoryError(sys.argv[2])
        except OutOfMemoryError:
            print("a smaller batch, then")
        raise ValueError("and this is why it failed")
