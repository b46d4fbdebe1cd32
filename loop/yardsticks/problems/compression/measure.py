"""Measures `predict.py`: bits for a byte of a piece of text, by what it said before each bit. Not to be edited.

The seed says which piece. A coder would come within a bit of the whole, so none is needed.
"""

import math
import os
import random
import sys
from pathlib import Path

from predict import Predictor

BYTES = 5000

text = (Path(__file__).parent / "text.txt").read_bytes()
seed, study = os.environ.get("LOOPTOP_SEED", "0"), os.environ.get("YARDSTICK", "0")
start = random.Random(f"{study} {seed}").randrange(len(text) - BYTES)
predictor = Predictor()
bits = 0.0
for byte in text[start : start + BYTES]:
    for place in range(7, -1, -1):
        bit = byte >> place & 1
        p = predictor.probability()
        if not 0 < p < 1:
            sys.exit(f"measure.py: {p} is no probability")
        bits -= math.log2(p if bit else 1 - p)
        predictor.update(bit)
print(f"bits_per_byte: {bits / BYTES:.6f}")
