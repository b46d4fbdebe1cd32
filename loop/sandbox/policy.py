"""What a run and its verification may reach: the study's rules, in the sandbox's terms.

A run reads what the program declares and the training text, and writes to its own folders (`folders`). What is held out
is out of the reach of both. It starts nothing but what `HeldOut` and `Access` look up.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from loop.harness import cache_folder
from loop.harness.corpus import GIVEN
from loop.sandbox.access import Access
from loop.sandbox.backend import Sandbox
from loop.sandbox.confinement import Confinement
from loop.sandbox.environment import resolve_command
from loop.sandbox.folders import RunFolders
from loop.sandbox.held_out import HeldOut, Library
from loop.sandbox.stdlib_mask import LEFT_OUT
from loop.study.contract import Contract
from loop.workspace import Workspace


class SandboxPolicy:
    """One study's, for one supervisor. Blocks: call it in a thread."""

    def __init__(self, workspace: Workspace, sandbox: Sandbox) -> None:
        self.texts = cache_folder()
        self._workspace = workspace
        self._held_out = HeldOut(workspace.root)
        self.access = Access(sandbox, workspace.root, workspace.folder, self.texts, os.environ)

    def confinement(
        self, contract: Contract, argv: Sequence[str], tree: Path, folders: RunFolders
    ) -> Confinement | None:
        """What a run or a verification may reach; None where runs are not confined.

        A run reads the training text and what the program declares, but not what is held out. A verification reads what
        the run left, and writes to nothing but a folder that is emptied: it executes the experiment's model, so what is
        held out is as far from it as from a run; see `given`.
        """
        libraries = self._libraries(contract, argv)
        masked = self.access.sandbox.kind == "bubblewrap"
        read = [folders.out] if folders.verifies else [library.training for library in libraries]
        return self.access.confinement(
            argv,
            tree,
            read=[*read, *self.access.declared(contract.read)],
            hidden=[
                *(self._held_out.others(libraries) if libraries else ()),
                *(path for library in libraries for path in library.hidden if not masked),
            ],
            shown=[place for library in libraries for place in _instead_of(library)] if masked else [],
            write=() if folders.verifies else (folders.out, folders.cache),
            tmp=folders.tmp,
            shared_memory=not folders.verifies,
        )

    def given(self, contract: Contract, argv: Sequence[str]) -> tuple[str, str]:
        """What a verification is given: the held-out text as an open file, which a model it starts does not inherit."""
        libraries = self._libraries(contract, argv)
        return (GIVEN, str(libraries[0].validation)) if libraries else ("", "")

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
    """The masked library in its own place, and in it other people's packages, where it has any."""
    if library.veiled is None:
        return []
    folder = library.folder.resolve()
    return [
        (folder, library.veiled),
        *((folder / name, folder / name) for name in LEFT_OUT if (folder / name).is_dir()),
    ]
