"""How long work has waited for a processor on this machine, by the kernel's account (PSI, Linux 4.20). Reads only."""

import re
from pathlib import Path

_SOME = re.compile(r"^some .*total=(\d+)", re.MULTILINE)


def cpu_pressure(file: Path = Path("/proc/pressure/cpu")) -> float | None:
    """Seconds since the start of the machine in which something waited for a processor; None where nobody counts."""
    try:
        found = _SOME.search(file.read_text())
    except (OSError, UnicodeDecodeError):
        return None
    return int(found[1]) / 1e6 if found else None
