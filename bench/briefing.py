"""The size of a briefing and its cost: tokens, and the time to build it, at 10 to 2,000 experiments.

    python -m bench.briefing

The study has titles, hypotheses and reasons as models and runs write them, this repository's `program.md` and
`train.py`, and a notebook that fills its share. Tokens are counted by the product's own estimate, which is on the high
side; the budget is 32,000 tokens and 50 ms at 700 experiments, without losing a title.
"""

import statistics
import time

from loop.researchers.briefing.excerpt import tokens
from loop.researchers.briefing.page import for_command, for_model, notebook_share
from tests.researchers.history import briefing, history

BUDGET_TOKENS = 32_000
BUDGET_MS = 50
COUNTS = (10, 100, 700, 2000)
REPEATS = 15


def notebook() -> tuple[str, ...]:
    """Notes that fill the notebook's share."""
    notes: list[str] = []
    while tokens("\n".join(notes)) < 0.95 * notebook_share(BUDGET_TOKENS):
        notes.append(f"Lesson {len(notes)}: a step that costs a tenth less was worth {len(notes) / 2000:.4f} and more.")
    return tuple(notes)


def main() -> None:
    notes = notebook()
    for count in COUNTS:
        experiments = history(count, seed=4)
        told = briefing(experiments, notebook=notes)
        parts = for_model(told, BUDGET_TOKENS, "llm")
        times = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            for_model(told, BUDGET_TOKENS, "llm")
            times.append(1000 * (time.perf_counter() - began))
        judged = [x for x in experiments if x.verdict is not None]
        whole = sum(f"{x.id} {x.title}" in parts.page for x in judged)
        print(
            f"{count} experiments: {tokens(parts.stable) + tokens(parts.page):,} tokens, budget {BUDGET_TOKENS:,}; "
            f"built in median {statistics.median(times):.1f} ms (worst {max(times):.1f}), budget {BUDGET_MS} at 700; "
            f"{whole} of {len(judged)} titles whole; for a command {tokens(for_command(told)):,} tokens"
        )


if __name__ == "__main__":
    main()
