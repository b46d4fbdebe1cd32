"""Predicts a text bit by bit: the more is known of the next bit, the shorter the text. This is the file to edit.

Every context remembers how often a one followed; what the contexts say is mixed in the logistic domain.
"""

import math

FOLLOW = 0.1  # how far a probability moves towards each bit that it sees
WEIGHT = 0.5  # of each context in the mixture
LEAST = 0.001  # no probability is nearer to 0 or 1


def contexts(history: bytes) -> tuple[bytes, ...]:
    """What the next byte may follow from."""
    return (
        history[-1:],
        history[-2:],
    )


class Predictor:
    """Is asked for the next bit, then told what it was."""

    def __init__(self) -> None:
        self.history = b""
        self.partial = 1  # the bits of the byte so far, behind a one
        self.tables: list[dict[tuple[bytes, int], float]] = [{} for _ in contexts(b"")]
        self.counts: dict[tuple[int, bytes, int], int] = {}
        self.weights = [WEIGHT] * len(self.tables)

    def probability(self) -> float:
        """That the next bit is a one."""
        self.keys = [(context, self.partial) for context in contexts(self.history)]
        self.said = [table.get(key, 0.5) for table, key in zip(self.tables, self.keys)]
        self.inputs = [math.log(p / (1 - p)) for p in self.said]
        total = sum(weight * one for weight, one in zip(self.weights, self.inputs))
        self.mixed = 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))
        return min(1 - LEAST, max(LEAST, self.mixed))

    def update(self, bit: int) -> None:
        """Learn from the bit."""
        for index, (table, key, p) in enumerate(zip(self.tables, self.keys, self.said)):
            rate = FOLLOW
            table[key] = min(1 - LEAST, max(LEAST, p + rate * (bit - p)))
        # What the contexts weigh stays as it is.
        self.partial = 2 * self.partial + bit
        if self.partial >= 256:
            self.history = (self.history + bytes((self.partial - 256,)))[-32:]
            self.partial = 1
