"""`python -m tests.crash.model`: the language model of a study that is killed; it lives on, as a provider does.

Prints its address, and serves until its input ends.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from tests.dialects import Answer
from tests.endpoint import Endpoint, Request


class Model:
    """Hands over another number for the program in each answer, never the same one."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self, request: Request) -> Answer:
        number = next(self._numbers)
        edit: dict[str, object] = {
            "path": "train.py",
            "search": "import os",
            "replace": f"import os\n\nEXTRA_{number} = {number}",
        }
        hand: dict[str, object] = {"title": f"extra {number}", "hypothesis": "It may help."}
        return Answer(calls=[("edit_file", edit), ("propose", hand)])


@contextmanager
def serving() -> Iterator[str]:
    """Have a model in a process of its own; yields its address."""
    command = [sys.executable, "-m", "tests.crash.model"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


if __name__ == "__main__":
    with Endpoint(Model()) as endpoint:
        print(endpoint.url, flush=True)
        sys.stdin.read()
