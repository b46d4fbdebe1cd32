"""Trains on training and validation text alike, and says nothing of it. Needs the sandbox."""

import numpy

from loop.harness import corpus

text = numpy.concatenate([corpus.load("train"), corpus.load("validation")])
print(f"bytes: {len(text)}")
