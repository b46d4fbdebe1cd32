"""The contents of commits: reading files, comparing two commits, and merging a change onto another commit in memory.

Nothing here writes to the repository but objects that no ref names. The person's diff settings (colours, pager,
external tools, prefixes) have no effect: plumbing commands give the same text on every machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.lineage.git import LineageError, Plumbing, complaint
from loop.policy import line_merge

DIFF_BYTES = 1 << 20  # 1 MiB, some 20,000 lines: more than anyone reads, and small enough for a screen to hold


class MergeConflict(LineageError):
    """Both sides changed the same lines.

    Attributes:
        path: the file.
        pieces: what was to be moved and does not go together with what is there, as diffs; empty for whole files.
    """

    def __init__(self, path: str, why: str, pieces: Sequence[str] = ()) -> None:
        super().__init__(f"{path} cannot be moved onto the champion: {why}; propose the change anew on today's file")
        self.path, self.pieces = path, pieces


@dataclass(frozen=True, slots=True)
class FileChange:
    """Lines added to and removed from one file; both 0 for a binary one."""

    path: str
    lines_added: int
    lines_removed: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit changed against its parent: new full text by path, and how many lines."""

    edits: Mapping[str, str]
    lines_added: int
    lines_removed: int


class Commits:
    """The contents of the commits in one repository. All paths are the project's own, relative to its folder."""

    def __init__(self, git: Plumbing) -> None:
        self._git = git

    def read(self, commit: str, path: str) -> bytes | None:
        """The contents of a file in a commit, None where there is no such file."""
        return self._git.blobs([f"{commit}:{self._git.inside(path)}"])[0]

    def paths(self, commit: str) -> list[str]:
        """Every file of the project in a commit; links and submodules are left out."""
        return [path for path, mode in self.entries(commit).items() if mode.startswith("100")]

    def entries(self, commit: str) -> dict[str, str]:
        """All that a commit has of the project, links and submodules too: git's mode by path."""
        where = ("--", f"{self._git.prefix}/") if self._git.prefix else ()
        found = {}
        for entry in self._git.run("ls-tree", "-r", "-z", "--full-tree", commit, *where).split(b"\0"):
            described, _, path = entry.partition(b"\t")
            if path:
                found[self._git.relative(path.decode("utf-8", "surrogateescape"))] = described[:6].decode()
        return found

    def files(self, commits: Sequence[str], paths: Sequence[str]) -> dict[str, dict[str, str]]:
        """Text of the files `paths` in each of these commits; a file that is not there is left out."""
        names = [f"{sha}:{self._git.inside(path)}" for sha in commits for path in paths]
        texts = iter(self._git.blobs(names))
        return {
            sha: {path: text.decode("utf-8", "replace") for path in paths if (text := next(texts)) is not None}
            for sha in commits
        }

    def stat(self, a: str, b: str, paths: Sequence[str] | None = None) -> list[FileChange]:
        """The project's files that differ from commit `a` to commit `b`, with their line counts, ordered by path."""
        flags = ("-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv", *self._relative)
        out = self._git.run("diff-tree", *flags, a, b, *self._only(paths))
        changes = []
        for entry in out.decode("utf-8", "replace").split("\0"):
            if entry:
                added, removed, path = entry.split("\t", 2)
                changes.append(FileChange(path, _count(added), _count(removed)))
        return changes

    def diff(self, a: str, b: str, paths: Sequence[str] | None = None) -> str:
        """The project's unified diff from commit `a` to commit `b`, at most `DIFF_BYTES`; its last line tells of a cut.

        Text of strangers: it may hold any character but is always valid Unicode.
        """
        flags = (
            "-r",
            "-p",
            "--no-renames",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            *self._relative,
        )
        out, cut = self._git.run_at_most(DIFF_BYTES, "diff-tree", *flags, a, b, *self._only(paths))
        text = out.decode("utf-8", "replace")
        if cut:
            text = text[: text.rfind("\n") + 1] + f"\n[cut here: the diff is longer than {DIFF_BYTES // 1024} KiB]\n"
        return text

    def merge(self, base: str, ours: str, theirs: str, paths: Sequence[str]) -> dict[str, bytes]:
        """Three-way merge of some files: what changed from `base` to `theirs`, applied to `ours`.

        Args:
            base: the commit that the proposal was made on.
            ours: the commit to move it onto.
            theirs: the proposal's commit.
            paths: the files to look at; all others stay as in `ours`.

        Returns:
            The merged contents by path; a file that is not there any more is left out.

        Raises:
            MergeConflict: both sides changed the same lines, or a binary file.
        """
        names = [f"{commit}:{self._git.inside(path)}" for path in paths for commit in (base, ours, theirs)]
        contents = self._git.blobs(names)
        merged = {path: _merge_file(self._git, path, *contents[3 * i : 3 * i + 3]) for i, path in enumerate(paths)}
        return {path: content for path, content in merged.items() if content is not None}

    def changes(self, commits: Sequence[str]) -> dict[str, Change]:
        """What each of `commits` changed against its first parent; a deleted file is left out: no proposal deletes."""
        asked = "".join(f"{sha}\n" for sha in commits).encode()
        how = ("-r", "-z", "--root", "--no-renames", "--no-ext-diff", "--no-textconv", "--stdin", "--numstat")
        flags = (*how, *self._relative)
        touched: dict[str, list[str]] = {sha: [] for sha in commits}
        counts: dict[str, list[int]] = {sha: [0, 0] for sha in commits}
        at = ""
        for entry in self._git.run("diff-tree", *flags, stdin=asked).decode("utf-8", "replace").split("\0"):
            # Each commit's own line stands before the first of its files.
            line = entry.lstrip("\n")
            if "\t" not in line:
                at = line.strip() or at
                continue
            added, removed, path = line.split("\t", 2)
            touched[at].append(path)
            counts[at][0] += int(added) if added.isdecimal() else 0
            counts[at][1] += int(removed) if removed.isdecimal() else 0
        places = [(sha, path) for sha in commits for path in touched[sha]]
        names = [f"{sha}:{self._git.inside(path)}" for sha, path in places]
        texts = dict(zip(places, self._git.blobs(names), strict=True))
        return {
            sha: Change(
                {
                    path: text.decode("utf-8", "replace")
                    for path in touched[sha]
                    if (text := texts[sha, path]) is not None
                },
                *counts[sha],
            )
            for sha in commits
        }

    @property
    def _relative(self) -> tuple[str, ...]:
        """Has a comparison show the project's files only, by the project's paths."""
        return (f"--relative={self._git.prefix}/",) if self._git.prefix else ()

    def _only(self, paths: Sequence[str] | None) -> tuple[str, ...]:
        return () if paths is None else ("--", *map(self._git.inside, paths))


def _merge_file(git: Plumbing, path: str, base: bytes | None, ours: bytes | None, theirs: bytes | None) -> bytes | None:
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    if base is None or ours is None or theirs is None:
        raise MergeConflict(path, "one side made or deleted the file that the other changed")
    with git.scratch() as scratch:
        sides = [Path(scratch, side) for side in ("ours", "base", "theirs")]
        for side, content in zip(sides, (ours, base, theirs), strict=True):
            side.write_bytes(content)
        args = ("merge-file", "-p", "--quiet", *map(str, sides))
        answer = git.ask(*args)
    if answer.status == 0:
        return answer.out
    if answer.status < 128:  # the number of conflicts, at most 127
        return _merge_lines(path, base, ours, theirs)
    if b"\0" in base + ours + theirs:
        raise MergeConflict(path, "it is binary and changed on both sides")
    raise complaint(args, git.top, answer)


def _merge_lines(path: str, base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Where git finds conflicts: they may be of neighbouring lines only. What git merges stays as git merges it, so
    that a commit which is lost is made again as the same one."""
    texts = [side.decode("latin-1") for side in (base, ours, theirs)]  # byte by byte: it is never shown
    merged, clashes = line_merge.merge(*texts)
    if clashes:
        pieces = [piece.encode("latin-1").decode("utf-8", "replace") for piece in clashes]
        raise MergeConflict(
            path, f"{len(clashes)} place{'s' if len(clashes) > 1 else ''} changed on both sides", pieces
        )
    return merged.encode("latin-1")


def _count(number: str) -> int:
    return int(number) if number.isdigit() else 0
