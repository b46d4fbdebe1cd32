"""Measures the saved number where train.py cannot reach: how far it is from 1. Lower is better."""

import os
import sys
from pathlib import Path

saved = Path(os.environ["LOOPTOP_RUN_DIR"]) / "model.txt"
if not saved.is_file():
    print(f"rejected: loads: the run left no {saved.name}")
    sys.exit(3)
print(f"val: {abs(1 - float(saved.read_text())):.6f}")
