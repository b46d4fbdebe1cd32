"""Counts which byte follows which at random places of the training text, and saves the table. More would be better."""

import os
import time
from pathlib import Path

import numpy

from loop.harness import corpus

PLACES = 20_000

folder = Path(os.environ["LOOPTOP_RUN_DIR"])

start = time.monotonic()
text = corpus.load("train")
at = numpy.random.default_rng(int(os.environ["LOOPTOP_SEED"])).integers(len(text) - 1, size=PLACES)
counts = numpy.bincount(text[at].astype(int) * 256 + text[at + 1], minlength=256 * 256)

numpy.save(folder / "table.npy", counts.reshape(256, 256))
print("---")
print(f"training_seconds: {time.monotonic() - start:.2f}")
