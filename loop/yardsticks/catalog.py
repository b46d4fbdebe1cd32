"""The problems of `looptop bench`: small projects with a program of their own, and what is known of each.

A problem is a folder below `problems/`: `program.md`, the file that researchers edit, what measures it, and in
`ideas.json` what the scripted model knows. Where the truth can be read off the file (the surface), it is; else its
champions are run again under fresh seeds.
"""

import json
import runpy
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from loop.errors import UserError
from loop.lineage import init_repository
from loop.words import listed

PROBLEMS = Path(__file__).parent / "problems"
_FENCE = "---\n"


class NoSuchProblem(UserError):
    """There is no such problem; the message is a sentence."""


@dataclass(frozen=True)
class Problem:
    """One project with a number to lower."""

    name: str
    about: str
    folder: Path
    runs: int
    """Run lengths of a study, unless somebody says otherwise."""
    alone: bool = False
    """Its runs measure time, so that nothing else may run beside them."""
    reads: bool = False
    """The truth can be read off the edited file, without running it."""

    @property
    def front(self) -> dict[str, Any]:
        """The front matter of its program."""
        found = yaml.safe_load((self.folder / "program.md").read_text().split(_FENCE)[1])
        assert isinstance(found, dict)
        return found

    @property
    def edited(self) -> str:
        """The one file that researchers edit."""
        return str(self.front["edit"])

    def truth(self, text: str) -> float:
        """The true level of the edited file, without noise; only where `reads`."""
        known = _measures(self.folder)
        return float(known["level"](text, known["surface"]))

    @property
    def best(self) -> float | None:
        """The best level there is, where that is known."""
        if not self.reads:
            return None
        known = _measures(self.folder)
        return float(known["best"](known["surface"]))

    def make(
        self,
        root: Path,
        seed: int,
        researchers: Sequence[Mapping[str, Any]],
        runs: int,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the project at `root`, as a git repository with a commit. Done twice, it is the same.

        Args:
            seed: of the study: its luck, and its researchers'.
            researchers: entries of `researchers:`.
            runs: run lengths after which the study is over; it never goes on beyond so many experiments.
            more: keys of its program.
        """
        if (root / ".git").exists():
            return
        shutil.rmtree(root, ignore_errors=True)  # one that was begun and has no commit yet
        root.mkdir(parents=True)
        files = [file for file in sorted(self.folder.iterdir()) if file.is_file() and file.name != "ideas.json"]
        for file in files:
            shutil.copyfile(file, root / file.name)
        body = (self.folder / "program.md").read_text().split(_FENCE, 2)[2]
        front = self.front
        front |= {
            # Of this Python, whatever environment is active: problems need no more than looptop itself.
            "run": f"{sys.executable} {str(front['run']).removeprefix('python ')}",
            "env": {**front.get("env", {}), "YARDSTICK": str(seed)},
            "researchers": list(researchers),
            "limits": {"experiments": runs, "failures": None},
            "review": "auto",
            "validation": False,
            **(more or {}),
        }
        (root / "program.md").write_text(f"{_FENCE}{yaml.safe_dump(front, sort_keys=False)}{_FENCE}{body}")
        init_repository(root, [root / file.name for file in files])

    def ideas(self) -> list[dict[str, str]]:
        """What the scripted model may propose: `title`, `why`, `path`, and pieces to `find` and what to `put` there."""
        found = json.loads((self.folder / "ideas.json").read_text())
        assert isinstance(found, list)
        return found


@cache
def _measures(folder: Path) -> dict[str, Any]:
    """The names of a problem's own `measure.py`, and its surface."""
    names = runpy.run_path(str(folder / "measure.py"))
    return {**names, "surface": json.loads((folder / "surface.json").read_text())}


KNOWN: Mapping[str, Problem] = {
    one.name: one
    for one in (
        Problem("surface", "what 133 recorded runs of our train.py say, without training; the truth is known",
                PROBLEMS / "surface", 80, reads=True),
        Problem("small-gains", "ten gains of one noise each among 34 switches: what near wins are worth; truth known",
                PROBLEMS / "small-gains", 120, reads=True),
        Problem("compression", "a predictor of text, in bits per byte; constants and structure matter",
                PROBLEMS / "compression", 40),
        Problem("kernel", "an array kernel, in milliseconds of processor time; order and tiling matter",
                PROBLEMS / "kernel", 40, alone=True),
    )
}  # fmt: skip


def find(names: Sequence[str]) -> list[Problem]:
    """The problems of these names, in this order.

    Raises:
        NoSuchProblem: one is not known.
    """
    for name in names:
        if name not in KNOWN:
            raise NoSuchProblem(f"there is no problem {name!r:.40}; there are {listed(list(KNOWN))}")
    return [KNOWN[name] for name in dict.fromkeys(names)]
