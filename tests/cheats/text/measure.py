"""Measures the saved table on the validation text, in bits per byte. Lower is better."""

import os
from pathlib import Path

import numpy

from loop.harness import corpus

counts = numpy.load(Path(os.environ["LOOPTOP_RUN_DIR"]) / "table.npy") + 0.01
text = corpus.load("validation").astype(int)
probabilities = counts / counts.sum(axis=1, keepdims=True)
print(f"val: {-numpy.log2(probabilities[text[:-1], text[1:]]).mean():.6f}")
