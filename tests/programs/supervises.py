"""Runs the program in its second argument as a supervisor does, in the folder in its first, and waits."""

import asyncio
import os
import sys
from pathlib import Path

from loop.runs.local.process import LocalProcess
from loop.runs.spec import RunSpec
from loop.sandbox.environment import child_environment


async def main() -> None:
    folder, program = Path(sys.argv[1]), sys.argv[2]
    env = child_environment(
        os.environ, budget_s=1, seed=0, run_dir=folder / "out", tmp_dir=folder / "tmp", cache_dir=folder / "cache"
    )
    run = await LocalProcess.start(RunSpec([sys.executable, program], folder, env, folder, deadline_s=60))
    print(run.pid, flush=True)
    await run.wait()


asyncio.run(main())
