"""What a run and its verification may reach and where they find it: the study's rules, in the sandbox's terms.

A run reads what the program declares and the training text, and writes to its worktree and its own folders (`folders`).
What is held out is out of the reach of both. It starts nothing but what `HeldOut` and `Access` look up.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from loop.harness import cache_folder
from loop.harness.corpus import GIVEN
from loop.sandbox import caches, imports, worktree
from loop.sandbox.access import Access
from loop.sandbox.backend import Sandbox
from loop.sandbox.caches import Cache
from loop.sandbox.confinement import Confinement, above
from loop.sandbox.environment import resolve_command
from loop.sandbox.folders import RunFolders
from loop.sandbox.held_out import HeldOut, Library
from loop.sandbox.project_python import ProjectPython, choose, search_path
from loop.sandbox.stdlib_mask import LEFT_OUT
from loop.study.contract import Contract
from loop.workspace import Workspace

OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "UV_OFFLINE")
"""Switches that have a library look into its cache at once, rather than wait for a network that is not there."""

MOST_MOUNTS = 200
"""Places that bubblewrap shows something of one folder at, at half a millisecond each; more of them are links."""


class SandboxPolicy:
    """One study's, for one supervisor. Blocks: call it in a thread."""

    def __init__(self, workspace: Workspace, sandbox: Sandbox, environment: Mapping[str, str] = os.environ) -> None:
        self.texts = cache_folder()
        self._workspace, self._environment = workspace, environment
        self._held_out = HeldOut(workspace.root)
        self.access = Access(sandbox, workspace, self.texts, environment)

    @property
    def _kind(self) -> str:
        return self.access.sandbox.kind

    def environment(self, contract: Contract, tmp: Path, given: Mapping[str, str]) -> dict[str, str]:
        """A run's variables, with those by which it finds what `furnish` puts into its places.

        Args:
            tmp: how it names its temporary folder.
            given: its variables without these. What the program says of them stands.
        """
        found: dict[str, str] = {}
        if self._kind != "off":
            home = self.access.home_of(tmp)
            variables = caches.found(self.access.home, self._environment)[1]
            found |= {name: str(home / place) for name, place in variables.items()}
        if contract.network != "on":
            found |= {name: "1" for name in OFFLINE if name not in self._environment}
        environment = {**given, **{name: value for name, value in found.items() if name not in contract.env}}
        if self._kind != "bubblewrap":
            environment["PYTHONPATH"] = ":".join(filter(None, (str(tmp / "imports"), given.get("PYTHONPATH"))))
        return environment

    def furnish(self, contract: Contract, argv: Sequence[str], tree: Path, folders: RunFolders) -> Confinement | None:
        """Put into the worktree and the home of a run or a verification what it looks for there.

        A run reads the training text and what the program declares, but not what is held out. A verification reads what
        the run left, and writes to nothing but a folder that is emptied: it executes the experiment's model, so what is
        held out is as far from it as from a run; see `given`.

        Returns:
            What it may reach; None where runs are not confined.
        """
        top = str(self._workspace.top)
        worktree.bring_built(top, str(tree))
        declared = [*self.access.declared(contract.read), *caches.toolchains(self.access.home, self._environment)]
        write = [] if folders.verifies else self.access.declared(contract.write)
        kept = list(caches.originals(self._caches(declared)))
        shown = [(str(place), cache.source) for cache, place in kept]
        environments = worktree.environments((top, str(self._workspace.root)))
        masked = self._kind == "bubblewrap"
        shown += self._fill(tree, [*environments, *declared, *([] if masked else write)])
        self._plant(kept, folders)
        if not masked:
            imports.write(folders.tmp / "imports", self._workspace.top, tree)
        if self._kind == "landlock":
            self._link_home([*declared, *write], folders)
        libraries = self._libraries(contract, argv)
        return self.access.confinement(
            argv,
            tree,
            read=[
                *([folders.out] if folders.verifies else [library.training for library in libraries]),
                *(path for path in declared if not masked or not self._shown_already(path, kept)),
                *(() if masked else (cache.source for cache, _ in kept)),
                *environments,
                *(() if masked else self._looked_at_above(tree)),
            ],
            hidden=[
                *(self._held_out.others(libraries) if libraries else ()),
                *(path for library in libraries for path in library.hidden if not masked),
            ],
            shown=[*shown, *(place for library in libraries for place in _instead_of(library))] if masked else [],
            write=() if folders.verifies else (tree, folders.out, folders.cache, *write),
            tmp=folders.tmp,
            shared_memory=not folders.verifies,
            path=self.path(contract),
            network="off" if folders.verifies else contract.network,
        )

    def python(self, contract: Contract) -> ProjectPython:
        """The project's own Python."""
        return choose(self._workspace.root, self._environment, contract)

    def path(self, contract: Contract) -> str:
        """PATH of a run or a verification."""
        return search_path(self.python(contract), self._workspace.root, self._environment, contract)

    def _caches(self, declared: Sequence[str]) -> list[Cache]:
        """The caches that a run has copies of: not those in a folder that is declared, and so seen as it is."""
        if self._kind == "off":
            return []
        return [
            cache
            for cache in caches.found(self.access.home, self._environment)[0]
            if not any(above(path, os.path.join(self.access.home, cache.place)) for path in declared)
        ]

    def _shown_already(self, path: str, kept: Sequence[tuple[Cache, Path]]) -> bool:
        """Whether a run finds this in its worktree or among the copies of its caches."""
        if above(os.path.realpath(self._workspace.top), os.path.realpath(path)):
            return True
        places = (os.path.join(self.access.home, cache.place) for cache, _ in kept)
        return any(path == place or above(place, path) for place in places)

    def _fill(self, tree: Path, sources: Sequence[str]) -> list[tuple[str, str]]:
        """Have what the checkout has and git has not in the worktree too; what bubblewrap is to show there."""
        top = str(self._workspace.top)
        shown: list[tuple[str, str]] = []
        for source in sources:
            if source != top and not above(top, source):
                continue
            found = list(worktree.gaps(source, str(tree) + source[len(top) :]))
            private = any(above(source, str(folder)) for folder in (self._workspace.folder, Path(top, ".git")))
            if len(found) > MOST_MOUNTS and self._kind == "bubblewrap" and not private:
                seen_at = f"/run/looptop/read/{len(shown)}"
                shown.append((seen_at, source))
                for path, place in found:
                    worktree.link(seen_at + path[len(source) :], place, str(tree))
                continue
            for path, place in found:
                if self._kind != "bubblewrap":
                    worktree.link(path, place, str(tree))
                elif not os.path.islink(path) and worktree.reserve(path, place, str(tree)):
                    shown.append((path, path))
        return shown

    def _plant(self, kept: Sequence[tuple[Cache, Path]], folders: RunFolders) -> None:
        room = caches.MOST
        for cache, place in kept:
            seen_at = str(place) if self._kind == "bubblewrap" else cache.source
            room -= caches.plant(cache.source, str(folders.tmp / "home" / cache.place), seen_at, room)

    def _link_home(self, paths: Sequence[str], folders: RunFolders) -> None:
        """Have what is declared below the person's home in the run's own too."""
        for path in paths:
            if above(self.access.home, path):
                for source, place in worktree.gaps(path, str(folders.tmp / "home") + path[len(self.access.home) :]):
                    worktree.link(source, place, str(folders.tmp / "home"))

    def _looked_at_above(self, tree: Path) -> Iterator[str]:
        """What uv and Cargo read in every folder above the project; where it cannot be read they give up."""
        for folder in tree.parents:
            yield from (str(folder / name) for name in ("pyproject.toml", "Cargo.toml"))
        for name in ("uv.toml", ".python-version"):
            if (tree / name).is_file():  # of the commit, and so no secret
                yield str(self._workspace.top / name)

    def given(self, contract: Contract, argv: Sequence[str]) -> tuple[str, str]:
        """What a verification is given: the held-out text as an open file, which a model it starts does not inherit."""
        libraries = self._libraries(contract, argv)
        return (GIVEN, str(libraries[0].validation)) if libraries else ("", "")

    def _libraries(self, contract: Contract, argv: Sequence[str]) -> list[Library]:
        """Those of every interpreter that may want a text; none where the study has nothing to do with ours."""
        if not self._held_out.wanted(contract):
            return []
        root, python = self._workspace.root, self.python(contract)
        commands = [list(argv), [python.executable], resolve_command(contract.verify or "python", root, python)]
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
