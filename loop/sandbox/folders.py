"""The folders of one run: what it writes to, what is kept of it, and what it compiles.

A run has folders of its own and reads no other run's. What it compiles stays with it: a compile cache that all runs
write to would carry anything from one experiment to the next, weights included. Each run starts with a copy of what the
baseline has compiled, which is the person's own file.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from loop.sandbox import scratch


@dataclass(frozen=True)
class RunFolders:
    """The folders of one run or one verification."""

    folder: Path
    """All that is kept of the run."""
    shared: Path
    """What the baseline has compiled."""
    own: Path | None
    """What this run compiles; None for the baseline and for a verification."""
    verifies: bool = False
    sealed: bool = False
    """Of a verification on the sealed part of the data."""

    def of_verification(self, sealed: bool = False) -> "RunFolders":
        return replace(self, own=None, verifies=True, sealed=sealed)

    @property
    def _name(self) -> str:
        """Of what a verification has to itself."""
        return "sealed" if self.sealed else "verify"

    @property
    def out(self) -> Path:
        """The run's LOOPTOP_RUN_DIR."""
        return self.folder / "out"

    @property
    def tmp(self) -> Path:
        return self.folder / (f"{self._name}.tmp" if self.verifies else "tmp")

    @property
    def log(self) -> Path:
        return self.folder / (self._name if self.verifies else "")

    @property
    def cache(self) -> Path:
        """Where it compiles to; a verification's is thrown away."""
        return self.tmp / "cache" if self.verifies else self.own or self.shared

    @property
    def written(self) -> tuple[Path, ...]:
        """The folders that it alone writes to."""
        if self.verifies:
            return (self.tmp,)
        return (self.out, self.tmp, *([self.own] if self.own else []))

    def prepare(self) -> None:
        """Make them anew; what is there was left by a supervisor that died."""
        scratch.forget(self.tmp)
        shutil.rmtree(self.tmp if self.verifies else self.folder, ignore_errors=True)
        for path in (*self.written, self.tmp / "home", self.shared):
            path.mkdir(parents=True, exist_ok=True)
        if self.own is not None:
            shutil.copytree(self.shared, self.own, dirs_exist_ok=True)

    def clear(self) -> None:
        """Remove what nobody needs again."""
        scratch.forget(self.tmp)
        for path in (self.own, self.tmp if self.verifies else None):
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)
