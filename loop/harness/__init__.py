"""What a training script may import and never edits: its text, its score, its examiner.

`corpus` holds the text, `scoring` defines bits per byte, `verify` re-measures a checkpoint where the script that made
it cannot reach. This file knows only where those three and the script meet on disk. The package imports nothing from
the rest of `loop`, never opens a network connection, and importing it loads neither numpy nor torch.
"""

import os
from pathlib import Path

CHECKPOINT = "checkpoint.pt"
"""The file name, inside the run's folder, that a run leaves its model under and `verify` hands to `load_model`."""


def cache_folder() -> Path:
    """The folder shared by all runs of this user: `LOOPTOP_CACHE`, else the platform's own cache folder."""
    if named := os.environ.get("LOOPTOP_CACHE"):
        return Path(named).absolute()
    import platformdirs  # here, so that a sandbox that names its cache needs no home directory

    return platformdirs.user_cache_path("looptop", appauthor=False)


def run_folder() -> Path:
    """The folder of this run: `LOOPTOP_RUN_DIR`, else (a run by hand) one fixed folder in the cache; made if missing.

    Raises:
        OSError: it cannot be made.
    """
    named = os.environ.get("LOOPTOP_RUN_DIR")
    folder = Path(named).absolute() if named else cache_folder() / "by-hand"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
