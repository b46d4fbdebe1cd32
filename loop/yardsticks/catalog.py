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

from loop.config.program import load
from loop.errors import UserError
from loop.lineage import init_repository, matching
from loop.words import listed

PROBLEMS = Path(__file__).parent / "problems"
_FENCE = "---\n"

PROJECT_RUNS = 60
"""Run lengths of a study of somebody's project: five hours, at five minutes a run."""


class NoSuchProblem(UserError):
    """There is no such problem; the message is a sentence."""


@dataclass(frozen=True)
class Problem:
    """One project with a number to make better."""

    name: str
    about: str
    folder: Path
    runs: int
    """Run lengths of a study, unless somebody says otherwise."""
    alone: bool = False
    """Its runs measure time, so that nothing else may run beside them."""
    reads: bool = False
    """The truth can be read off the edited file, without running it."""

    project: bool = False
    """A project of the person's own: its program stays as it is, and its runs count by their time."""

    @property
    def front(self) -> dict[str, Any]:
        """The front matter of its program."""
        found = yaml.safe_load((self.folder / "program.md").read_text().split(_FENCE)[1])
        assert isinstance(found, dict)
        return found

    @property
    def budget(self) -> float | None:
        """Seconds by which its runs are counted; None: each counts as one."""
        return float(load(self.folder, matching).contract.budget) if self.project else None

    @property
    def metric(self) -> str:
        """The name of its number."""
        return load(self.folder, matching).contract.metric if self.project else str(self.front["metric"])

    @property
    def goal(self) -> str:
        """The better direction of it: "min" or "max"."""
        return load(self.folder, matching).contract.goal if self.project else str(self.front["goal"])

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
        names = _tracked(self.folder) if self.project else _files(self.folder)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.folder / name, root / name)
        body = (self.folder / "program.md").read_text().split(_FENCE, 2)[2]
        front = self.front
        front |= {
            "researchers": list(researchers),
            "limits": {**front.get("limits", {}), "experiments": runs, "failures": None},
            "review": "auto",
            "validation": False,
            **(more or {}),
        }
        front.pop("researcher", None)
        if self.project:
            _link(self.folder, root, front)
        else:
            # Of this Python, whatever environment is active: problems need no more than looptop itself.
            front["run"] = f"{sys.executable} {str(front['run']).removeprefix('python ')}"
            front["env"] = {**front.get("env", {}), "YARDSTICK": str(seed)}
        (root / "program.md").write_text(f"{_FENCE}{yaml.safe_dump(front, sort_keys=False)}{_FENCE}{body}")
        init_repository(root, [root / name for name in dict.fromkeys((*names, "program.md"))])

    def ideas(self) -> list[dict[str, str]]:
        """What the scripted model may propose: `title`, `why`, `path`, and pieces to `find` and what to `put` there."""
        if self.project:
            return []
        found = json.loads((self.folder / "ideas.json").read_text())
        assert isinstance(found, list)
        return found


def _files(folder: Path) -> list[str]:
    """What a problem's project is made of."""
    return sorted(file.name for file in folder.iterdir() if file.is_file() and file.name != "ideas.json")


def _tracked(folder: Path) -> list[str]:
    """A project's files that are in git and there."""
    return [path for path in matching(folder, ".", new=False) if (folder / path).is_file()]


def _link(project: Path, root: Path, front: Mapping[str, Any]) -> None:
    """Have the copy of a project find its environment, and what it reads beside its files."""
    reads = front.get("read") or ()
    for name in (".venv", *((reads,) if isinstance(reads, str) else reads)):
        there, here = project / name, root / name
        if not Path(name).is_absolute() and not name.startswith("~") and there.exists() and not here.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(there.resolve())


@cache
def _measures(folder: Path) -> dict[str, Any]:
    """The names of a problem's own `measure.py`, and its surface."""
    names = runpy.run_path(str(folder / "measure.py"))
    return {**names, "surface": json.loads((folder / "surface.json").read_text())}


KNOWN: Mapping[str, Problem] = {
    one.name: one
    for one in (
        Problem("surface", "what 150 recorded runs of our train.py say, without training; the truth is known",
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
    return [KNOWN.get(name) or _project(name) for name in dict.fromkeys(names)]


def _project(name: str) -> Problem:
    """The project in the folder of that name."""
    folder = Path(name).expanduser().resolve()
    if not (folder / "program.md").is_file():
        raise NoSuchProblem(
            f"there is no problem {name!r:.80}; there are {listed(list(KNOWN))}, and any folder with a program.md"
        )
    load(folder, matching)  # or a sentence about what is wrong with it
    return Problem(folder.name, "a project", folder, PROJECT_RUNS, alone=True, project=True)
