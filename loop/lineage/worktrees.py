"""The worktrees that experiments run in: `<root>/.looptop/trees/<name>`, each a detached checkout of one commit.

A tree holds the whole repository; the project is in the same folder of it as in the checkout (`project`). Paths of
files are the project's own, and those of files beside it begin with `../`.

They are git's own linked worktrees. Only trees below that folder are ever made, emptied or removed, and what counts as
one of ours is read from git's records, not from the tree: a run may have rewritten anything inside its tree. A person's
worktrees, their index and the index of their submodules stay as they are; `git worktree prune` is never called, since
it would also forget a worktree of theirs on a disk that is not mounted just now.
"""

import os
import re
import shutil
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.lineage.git import LineageError, Plumbing
from loop.lineage.locks import Turns

_RECORD = re.compile(r"(\d+\.\d+(\.(verify|try))?|workshop-\d+)\d*")
"""How git calls its records of the trees of runs, verifications, rehearsals and workshops: as these are called, with
more digits where it has one of that name. A record that is half made or removed says nothing else of whose it is."""

_WHOLE = ("gitdir", "commondir", "HEAD")
"""What a record has when git has made it, written one after the other."""


@dataclass(frozen=True, slots=True)
class TreeChanges:
    """How the files of a tree differ from a commit."""

    contents: Mapping[str, bytes]
    """What changed files hold now, as git would store it, by the project's path."""
    lost: Mapping[str, str]
    """Changed files that have no contents to speak of, and what became of each: "was deleted"."""
    strays: Sequence[str]
    """New files and folders (with a `/` behind) that nobody wanted and git does not ignore; names made printable."""


class Worktrees:
    """Makes and removes the trees of one checkout. Thread-safe for different names."""

    def __init__(self, git: Plumbing) -> None:
        self._git = git
        # Commands that read the records of all trees, such as `git worktree add`, fail on a half-made one, whoever of
        # the repository's loops is making it.
        self.one_at_a_time = Turns(git.common_dir / "looptop-trees.flock")
        self.home = git.root / ".looptop" / "trees"

    def add(self, name: str, commit: str) -> Path:
        """Checks `commit` out into a new tree, with the submodules that the person's checkout has.

        Returns:
            The tree's top folder.

        Raises:
            LineageError: the name is taken or no plain name, or git could not check the commit out. Nothing is left.
        """
        tree = self.path(name)
        if os.path.lexists(tree):
            raise LineageError(f"{tree} exists already; remove that tree before making it anew")
        self.home.mkdir(parents=True, exist_ok=True)
        try:
            # Forced twice: a record whose tree somebody deleted by hand must not stop us, locked or not.
            with self.one_at_a_time:
                command = ("worktree", "add", "-f", "-f", "--quiet", "--detach", str(tree), commit)
                self._git.run(*command, again=lambda: self._clear(tree))
            _fill_submodules(self._git, self._git, commit, tree)
        except BaseException:
            self.remove(name)
            raise
        return tree

    def remove(self, name: str) -> None:
        """Removes a tree and git's record of it, whatever a run has done to it; one that is not there is no error.

        Raises:
            LineageError: something in it cannot be deleted.
        """
        tree = self.path(name)
        _delete(tree)  # may take a while, so before the lock
        with self.one_at_a_time:
            for record in self._records().get(tree.name, []):
                _delete(record)

    def changes(self, name: str, commit: str, wanted: Collection[str], largest: int) -> TreeChanges:
        """Looks at how a tree differs from `commit`, whatever was done there; changes nothing.

        Only the files count. What the tree's own git says (its `.git`, HEAD, index, locks, commits made there) may be
        anything by now and is not asked: the person's repository is, with an index of ours. A change of mode alone is
        no change, and a submodule is not looked into.

        Args:
            wanted: paths whose files count even where they are new or ignored.
            largest: bytes; a larger file is not read.

        Raises:
            LineageError: the tree is no folder any more, or git could not look.
        """
        tree = self.path(name)
        if tree.is_symlink() or not tree.is_dir():
            raise LineageError(f"{tree} is no folder any more, so nothing in it can be compared")
        with self._git.scratch() as scratch:
            place = {"GIT_INDEX_FILE": f"{scratch}/index", "GIT_WORK_TREE": str(tree)}
            self._git.run("read-tree", commit, env=place, cwd=tree)
            how = ("--porcelain=v2", "--no-renames", "--untracked-files=normal", "--ignore-submodules=all", "-z")
            listed = self._git.run("status", *how, env=place, cwd=tree).split(b"\0")
            expected = [self._git.inside(path) for path in wanted]
            known = self._git.run("ls-files", "-z", "--", *expected, env=place, cwd=tree).split(b"\0")
            changed: dict[bytes, str] = {}  # path to the object that it was
            new: list[bytes] = []
            for entry in listed:
                if entry.startswith(b"? "):
                    new.append(entry[2:])
                elif entry.startswith(b"1 "):
                    fields = entry.split(b" ", 8)
                    if fields[1][1:] != b".":  # the second letter: against the index, which is the commit
                        changed[fields[8]] = fields[7].decode()
            for path in map(os.fsencode, expected):
                if path not in known and os.path.lexists(os.fsencode(tree) + b"/" + path):
                    changed[path] = ""
            strays = [path for path in new if not any(want == path or want.startswith(path) for want in changed)]
            lost = {shown(path): why for path in changed if (why := _no_contents(tree, path, largest))}
            whole = {path.decode(): was for path, was in changed.items() if shown(path) not in lost}
            asked = "".join(f"{path}\n" for path in whole).encode()
            stored = self._git.run("hash-object", "-w", "--stdin-paths", stdin=asked, env=place, cwd=tree).split()
            now = dict(zip(whole, map(bytes.decode, stored), strict=True))
            differ = [path for path in whole if now[path] != whole[path]]
            contents = zip(differ, self._git.blobs([now[path] for path in differ]), strict=True)
        relative = self._git.relative
        return TreeChanges(
            {relative(path): content for path, content in contents if content is not None},
            {relative(path): why for path, why in lost.items()},
            sorted(relative(shown(path)) for path in strays),
        )

    def touched(self, name: str, commit: str, editable: Collection[str] = ()) -> tuple[str, ...]:
        """Files of `commit` that a run has changed, replaced or removed in that tree, except for `editable` ones.

        Git compares by size and time first, and a run cannot set the time of change that it looks at.

        Returns:
            Paths in order; nothing where git has no record of the tree.

        Raises:
            LineageError: git could not compare.
        """
        tree = self.path(name)
        with self.one_at_a_time:
            records = self._records().get(tree.name, [])
        if not records:
            return ()
        place = {"GIT_DIR": str(records[0]), "GIT_WORK_TREE": str(tree)}
        arguments = ("diff-index", "--name-only", "-z", "--no-renames", "--ignore-submodules=all", commit)
        out = self._git.run(*arguments, env=place, cwd=tree if tree.is_dir() else self.home)
        changed = (self._git.relative(os.fsdecode(entry)) for entry in out.split(b"\0") if entry)
        return tuple(sorted(path for path in changed if path not in editable))

    def names(self) -> list[str]:
        """The names of all trees, whole or half made, and of those that only git's records still know."""
        standing = {entry.name for entry in self.home.iterdir()} if self.home.is_dir() else set()
        return sorted(standing | self._records().keys() | {record.name for record in self._half_made()})

    def clear_stale(self, keep: Collection[str] = ()) -> list[str]:
        """Removes every tree but those to keep, and what a killed git left: half-made records, the lock of a kept tree.

        Only for a moment when nothing else works in the trees: at the start of the workspace's one supervisor.

        Returns:
            The names of the trees removed.
        """
        stale = [name for name in self.names() if name not in keep]
        for name in stale:
            self.remove(name)
        for records in self._records().values():
            for record in records:
                (record / "index.lock").unlink(missing_ok=True)
        self.clear_half_made()
        return stale

    def clear_half_made(self) -> None:
        """Removes records of ours that a killed git left half made, or a killed supervisor half removed.

        While one has an empty `commondir`, many git commands fail in the whole repository. Only for the start of the
        workspace's one supervisor.
        """
        with self.one_at_a_time:  # another loop of the repository may be making one
            for record in self._half_made():
                _delete(record)

    def _clear(self, tree: Path) -> None:
        """Removes what a failed attempt to make `tree` has left, because the git folder was gone at its cleanup too."""
        _delete(tree)
        half_made = [record for record in self._half_made() if record.name.startswith(tree.name)]
        for record in [*self._records().get(tree.name, []), *half_made]:
            _delete(record)

    def _half_made(self) -> list[Path]:
        ours = [path for path in self._git.common_dir.glob("worktrees/*") if _RECORD.fullmatch(path.name)]
        return [record for record in ours if not all(_has_contents(record / name) for name in _WHOLE)]

    def path(self, name: str) -> Path:
        if not name or name in (".", "..") or "/" in name or "\0" in name or name != name.strip():
            raise LineageError(f"{name!r} is no name for a tree; use one plain word")
        return self.home / name

    def project(self, name: str) -> Path:
        """The project's folder in a tree."""
        return self.path(name) / self._git.prefix

    def _records(self) -> dict[str, list[Path]]:
        """Git's records (folders below `worktrees/` of the common git folder) of trees of ours, by the tree's name."""
        found: dict[str, list[Path]] = {}
        home = os.path.realpath(self.home)
        for link in self._git.common_dir.glob("worktrees/*/gitdir"):
            try:
                target = os.fsdecode(link.read_bytes()).strip()
            except OSError:
                continue  # somebody's worktree is being removed this moment
            tree = Path(os.path.normpath(link.parent / target)).parent  # relative since git 2.48, if configured so
            if os.path.realpath(tree.parent) == home:
                found.setdefault(tree.name, []).append(link.parent)
        return found


def _has_contents(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def shown(path: bytes) -> str:
    """A file's name as printable text, whatever bytes it has."""
    text = path.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _no_contents(tree: Path, path: bytes, largest: int) -> str:
    """Why a changed file of a tree has nothing that could be read as its new contents; empty where it has."""
    if path.decode("utf-8", "replace").encode() != path or b"\n" in path:
        return "has a name that is not plain text"
    place = tree
    for part in path.decode().split("/"):
        place /= part
        if place.is_symlink():
            return "is a symbolic link now" if place == tree / path.decode() else "was deleted"
    try:
        found = place.stat()
    except OSError:
        return "was deleted"
    if not stat.S_ISREG(found.st_mode):
        return "is no plain file any more"
    return f"is larger than {largest // 1000} kB" if found.st_size > largest else ""


def _fill_submodules(git: Plumbing, source: Plumbing, commit: str, tree: Path) -> None:
    """Checks out the submodules of `commit` that are initialised in the checkout `source`, from its local objects.

    Each is read through an index in a scratch folder of `git`: neither the submodule's own index nor its HEAD moves.
    """
    if not (tree / ".gitmodules").is_file():
        return
    for entry in source.run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
        described, _, raw_path = entry.partition(b"\t")
        if not described.startswith(b"160000 "):
            continue
        path, sha = os.fsdecode(raw_path), described.split()[2].decode()
        if not (source.top / path / ".git").exists():
            continue  # never initialised: empty here as it is there
        module = Plumbing(source.top / path)
        with git.scratch() as scratch:
            place = {"GIT_INDEX_FILE": f"{scratch}/index", "GIT_WORK_TREE": str(tree / path)}
            answer = module.ask("read-tree", "--reset", "-u", sha, env=place, cwd=tree / path)
        if answer.status != 0:
            raise LineageError(
                f"submodule {path} cannot be checked out at {sha[:12]}; run `git submodule update --init {path}` first"
            )
        _fill_submodules(git, module, sha, tree / path)


def _delete(path: Path) -> None:
    """Deletes a file or a folder with all that is in it, also where a run took away its own write permission."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    try:
        try:
            shutil.rmtree(path)
        except PermissionError:
            path.chmod(stat.S_IRWXU)
            for folder, inner, _ in os.walk(path):
                for name in inner:
                    if not (Path(folder) / name).is_symlink():
                        (Path(folder) / name).chmod(stat.S_IRWXU)
            shutil.rmtree(path)
    except FileNotFoundError:
        pass  # somebody else deleted it at the same time
    except OSError as failed:
        raise LineageError(f"{path} cannot be deleted ({failed.strerror}); delete it by hand") from failed
