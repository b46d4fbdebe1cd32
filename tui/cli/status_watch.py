"""`looptop status --watch`: the status again and again, for a terminal that cannot show the cockpit, or a script.

Where the terminal can move its cursor the lines are written over; elsewhere, and with --json, each change of the
study is printed once, so that a log of it stays short.
"""

import os
import sys
import time
from pathlib import Path

from loop.study.state import FOLDED, fold
from loop.workspace import supervisor_alive
from tui.cli import status_text
from tui.cli.open_study import json_of, open_journal

_EVERY = 1.0
"""Seconds between two looks; one look at nothing new costs well under a millisecond."""

_HOME, _REST = "\x1b[H", "\x1b[J"
"""To the top left corner, and everything behind the cursor away."""


def watch_status(root: Path, as_json: bool) -> None:
    """Print the status of the study at `root` until ctrl+c."""
    moves = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not as_json
    with open_journal(root) as journal:
        study = fold(journal.read(kinds=FOLDED))
        said = ""
        try:
            if moves:
                sys.stdout.write(_HOME + "\x1b[2J")
            while True:
                fold(journal.read(study.seq, kinds=FOLDED), study)
                newest = journal.read(limit=1, newest=True)
                study.at = max([study.at, *(event.at for event in newest)])
                pid, now = supervisor_alive(root), time.time()
                if as_json:
                    text = json_of(status_text.status(study, pid, now))
                else:
                    text = "\n".join([*status_text.status_lines(study, pid, now), *status_text.summary(study)])
                state = f"{study.seq} {pid}"  # clocks alone are no news
                if moves:
                    sys.stdout.write(_HOME + text.replace("\n", "\x1b[K\n") + "\x1b[K\n" + _REST)
                elif state != said:
                    sys.stdout.write(text + ("\n" if as_json else "\n\n"))
                said = state
                sys.stdout.flush()
                time.sleep(_EVERY)
        except KeyboardInterrupt:
            sys.stdout.write("\n")
