"""Small C libraries that stand below the product where the real thing cannot be had: a driver, a clock that is set."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent


def compiled(name: str, folder: Path) -> Path:
    """The shared library made of `name.c`, in `folder`; skips the test where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler here")
    library = folder / {"nvml": "libnvidia-ml.so.1"}.get(name, f"{name}.so")
    source = str(SOURCES / f"{name}.c")
    command = [compiler, "-shared", "-fPIC", "-o", str(library), source, "-ldl"]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"the C compiler does not work here: {made.stderr[:200]}")
    return library
