"""`python -P -m loop WORKSPACE [FLAGS]`: the background supervisor of one workspace.

FLAGS is `Options` as JSON. Started by `looptop`, and by hand only to look for a fault: `looptop run --headless` is the
same with words. What it prints lands in `.looptop/supervisor.log`.
"""

import logging
import sys
from pathlib import Path

from loop.options import Options
from loop.service import SENTENCES, work


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    if len(sys.argv) not in (2, 3):
        print("usage: python -P -m loop WORKSPACE [FLAGS as JSON]", file=sys.stderr)
        return 2
    flags = Options.model_validate_json(sys.argv[2] if len(sys.argv) == 3 else "{}")
    try:
        end = work(Path(sys.argv[1]), flags)
    except SENTENCES as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if end.failed else 0


if __name__ == "__main__":
    sys.exit(main())
