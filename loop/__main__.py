"""`python -P -m loop [--resume] WORKSPACE [FLAGS]`: the background supervisor of one workspace.

FLAGS is `Overrides` as JSON. Started by `looptop`, and by hand only to look for a fault: `looptop run --headless` is
the same with words. What it prints lands in `.looptop/supervisor.log`. With `--resume`, as systemd starts it, it goes
on with a loop that was cut off and does nothing otherwise.
"""

import logging
import sys
from pathlib import Path

from loop.config.overrides import Overrides
from loop.errors import UserError
from loop.supervisor.service import nothing_to_resume, work


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    resume = sys.argv[1:2] == ["--resume"]
    workspace, *given = sys.argv[1 + resume :] or [""]
    if not workspace or len(given) > 1:
        print("usage: python -P -m loop [--resume] WORKSPACE [FLAGS as JSON]", file=sys.stderr)
        return 2
    flags = Overrides.model_validate_json(given[0] if given else "{}")
    try:
        if resume and (why := nothing_to_resume(Path(workspace))) is not None:
            print(f"nothing to go on with: {why}; `looptop` starts it")
            return 0
        end = work(Path(workspace), flags)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if end.failed else 0


if __name__ == "__main__":
    sys.exit(main())
