"""Where one run writes, and what it and its verification may reach: the study's rules, said in the sandbox's terms.

A run has folders of its own and reads no other run's. What it compiles it keeps to itself: a compile cache that all
runs write to would carry anything from one experiment to the next, weights included. Each starts with a copy of what
the baseline has compiled, which is the person's own file. It starts nothing but what `HeldOut` and `Access` look up.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loop.harness import cache_folder
from loop.harness.corpus import GIVEN
from loop.sandbox.access import Access
from loop.sandbox.backend import Sandbox
from loop.sandbox.confinement import Confinement
from loop.sandbox.environment import resolve_command
from loop.sandbox.held_out import HeldOut, Library
from loop.sandbox.stdlib_mask import LEFT_OUT
from loop.study.contract import Contract
from loop.workspace import Workspace


@dataclass(frozen=True)
class Places:
    """The folders of one run or one verification."""

    folder: Path
    """All that we keep of the run."""
    shared: Path
    """What the baseline has compiled."""
    own: Path | None
    """What this run compiles; None: it is the baseline, or a verification."""
    verifies: bool = False

    def of_verification(self) -> "Places":
        return replace(self, own=None, verifies=True)

    @property
    def out(self) -> Path:
        """The run's LOOPTOP_RUN_DIR."""
        return self.folder / "out"

    @property
    def tmp(self) -> Path:
        return self.folder / ("verify.tmp" if self.verifies else "tmp")

    @property
    def log(self) -> Path:
        return self.folder / ("verify" if self.verifies else "")

    @property
    def cache(self) -> Path:
        """Where it compiles to; a verification forgets it."""
        return self.tmp / "cache" if self.verifies else self.own or self.shared

    @property
    def written(self) -> tuple[Path, ...]:
        """The folders that it writes to and has to itself."""
        if self.verifies:
            return (self.tmp,)
        return (self.out, self.tmp, *([self.own] if self.own else []))

    def prepare(self) -> None:
        """Make them anew; what is there was left by a supervisor that ended in the middle."""
        shutil.rmtree(self.tmp if self.verifies else self.folder, ignore_errors=True)
        for path in (*self.written, self.tmp / "home", self.shared):
            path.mkdir(parents=True, exist_ok=True)
        if self.own is not None:
            shutil.copytree(self.shared, self.own, dirs_exist_ok=True)

    def clear(self) -> None:
        """Remove what nobody needs again."""
        for path in (self.own, self.tmp if self.verifies else None):
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)


class SandboxPolicy:
    """One study's, for one supervisor. Blocks: call it in a thread."""

    def __init__(self, workspace: Workspace, sandbox: Sandbox) -> None:
        self.texts = cache_folder()
        self._workspace = workspace
        self._held_out = HeldOut(workspace.root)
        self._reach = Access(sandbox, workspace.root, workspace.folder, self.texts, os.environ)

    def tmp_inside(self, tmp: Path) -> Path:
        """How a run itself names its temporary folder."""
        return self._reach.tmp_inside(tmp)

    def of_run(self, contract: Contract, argv: Sequence[str], tree: Path, places: Places) -> Confinement | None:
        """What a run may reach: the training text and what the program declares, but not what is held out."""
        training = [library.training for library in self._libraries(contract, argv)]
        return self._confinement(contract, argv, tree, places, training, (places.out, places.cache), shared_memory=True)

    def of_verification(
        self, contract: Contract, argv: Sequence[str], tree: Path, places: Places
    ) -> Confinement | None:
        """What a verification may reach: what the run left; nothing to write to but a folder that is emptied.

        It executes the experiment's model, so what is held out is as far from it as from a run; see `text_for`.
        """
        return self._confinement(contract, argv, tree, places, [places.out], (), shared_memory=False)

    def text_for(self, contract: Contract, argv: Sequence[str]) -> tuple[str, str]:
        """What a verification is given: the held-out text as an open file, which a model it starts does not inherit."""
        libraries = self._libraries(contract, argv)
        return (GIVEN, str(libraries[0].validation)) if libraries else ("", "")

    def _confinement(
        self,
        contract: Contract,
        argv: Sequence[str],
        tree: Path,
        places: Places,
        read: Sequence[Path],
        write: Sequence[Path],
        *,
        shared_memory: bool,
    ) -> Confinement | None:
        libraries = self._libraries(contract, argv)
        veiled = self._reach.sandbox.kind == "bubblewrap"
        return self._reach.confinement(
            argv,
            tree,
            read=[*read, *self._reach.declared(contract.read)],
            hidden=[
                *(self._held_out.others(libraries) if libraries else ()),
                *(path for library in libraries for path in library.hidden if not veiled),
            ],
            shown=[place for library in libraries for place in _instead_of(library)] if veiled else [],
            write=write,
            tmp=places.tmp,
            shared_memory=shared_memory,
        )

    def _libraries(self, contract: Contract, argv: Sequence[str]) -> list[Library]:
        """Those of every interpreter that may want a text; none where the study has nothing to do with ours."""
        if not self._held_out.wanted(contract):
            return []
        root = self._workspace.root
        commands = [list(argv), resolve_command("python", root), resolve_command(contract.verify or "python", root)]
        return self._held_out.libraries(
            command[0] for command in commands if Path(command[0]).name.startswith("python")
        )


def _instead_of(library: Library) -> list[tuple[Path, Path]]:
    """The veiled library in its own place, and in it other people's packages, where it has any."""
    if library.veiled is None:
        return []
    folder = library.folder.resolve()
    return [
        (folder, library.veiled),
        *((folder / name, folder / name) for name in LEFT_OUT if (folder / name).is_dir()),
    ]
