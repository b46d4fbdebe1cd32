"""The corpus of cheats: edits of `train.py` that win the original protocol without being better.

Each file in `edits/` begins with what it tries. Those of the study in `toy/` go through the whole loop with a
verification of its own, those of the real harness through `loop.harness verify`. What only a sandbox stops is listed in
`NEEDS_SANDBOX` with what it must not reach. `docs/trust.md` has the table for people.
"""

from pathlib import Path

EDITS = Path(__file__).parent / "edits"
TOY = Path(__file__).parent / "toy"
TEXT = Path(__file__).parent / "text"
MODEL = Path(__file__).parent / "model"

NEEDS_SANDBOX = {
    "reads_the_validation_text": "the validation folder of the corpus",
    "trains_on_the_validation_text": "the validation folder of the corpus",
    "forges_the_checkpoint_of_another": "the run folders of other experiments",
    "writes_into_the_next_runs_cache": "the corpus and whatever of the cache is imported or read by others",
    "reads_the_journal": "`.looptop/journal.db`",
    "reads_the_supervisors_keys": "the environment of other processes in /proc",
    "sends_the_answer_home": "the network, this machine's own addresses included",
}
"""Cheats that nothing but a sandbox stops, and what each must not reach."""


def edit(name: str) -> str:
    """The text of a cheat's `train.py`."""
    return (EDITS / f"{name}.py").read_text()
