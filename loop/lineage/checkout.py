"""The person's checkout: finding it, making one where there is none, and looking at what stands in it.

Only `init_repository`, which a person asks for, writes to it; everything else here reads, and takes no lock of git's.
"""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from loop.config.named_files import NAME
from loop.lineage.git import LineageError, Plumbing, ask_git, checked_path, complaint
from loop.workspace import outside_trees


def find_root(path: Path) -> Path:
    """The folder of the project that `path` is in: the nearest one with a `program.md`, up to the checkout's top.

    Returns:
        That folder, links resolved; the top where no folder on the way has a `program.md`.

    Raises:
        LineageError: no checkout, a bare repository, or one without a commit.
    """
    start = outside_trees(path.resolve())
    if not start.exists():
        raise LineageError(f"{path} does not exist")
    top = _find_top(start)
    if Plumbing(top).ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}").status != 0:
        raise LineageError(f"{top} has no commit yet; run `looptop init` there, or commit your files, and start again")
    within = (folder for folder in (start, *start.parents) if folder.is_relative_to(top))
    return next((folder for folder in within if (folder / NAME).is_file()), top)


def matching(root: Path, pattern: str, new: bool = True) -> list[str]:
    """Files of the project at `root` that a pattern or a folder stands for: those in git, and new ones not ignored.

    Args:
        pattern: as git's `:(glob)` has it: `*` stays in a folder, `**` goes down any number of them.
        new: False: only those in git.

    Returns:
        Paths of the project, whether the files are there or not.
    """
    literal = (root / pattern).is_dir()
    spec = f":({'literal' if literal else 'glob'}){pattern.rstrip('/')}"
    git = Plumbing(root)
    others = ("--others", "--exclude-standard") if new else ()
    listed = ("ls-files", "-z", "--cached", *others, "--", spec)
    out = git.run(*listed, cwd=git.root, env={"GIT_LITERAL_PATHSPECS": "0"})
    return sorted({os.fsdecode(path) for path in out.split(b"\0") if path})


def prefix_of(root: Path) -> str:
    """Where in its checkout the project at `root` lies, such as `packages/model`; empty at the top."""
    return Plumbing(root).prefix


def _find_top(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
            raise LineageError(f"{folder} is a bare repository; start looptop in a checkout of it (git worktree add)")
    raise LineageError(f"{start} is not inside a git repository; run `looptop init` there to make one")


def init_repository(path: Path, files: Sequence[Path]) -> str:
    """Makes `path` the top of a git repository whose first commit holds `files`, and nothing else.

    Also for a repository that has no commit yet; what is staged there stays staged.

    Args:
        path: the folder.
        files: existing files inside it, absolute or relative to it.

    Returns:
        The sha of the commit.

    Raises:
        LineageError: a repository with commits is there already, a file is missing or outside, or git could not do it.
    """
    root = path.resolve()
    if not root.is_dir():
        raise LineageError(f"{path} is no folder; make it first")
    names = []
    for file in files:
        absolute = (root / file).parent.resolve() / file.name
        if not absolute.is_file() or absolute.is_symlink():
            raise LineageError(f"{file} is no plain file in {root}; nothing was changed")
        if not absolute.is_relative_to(root):
            raise LineageError(f"{file} lies outside {root}; nothing was changed")
        names.append(checked_path(absolute.relative_to(root).as_posix()))
    if not names:
        raise LineageError("there is no file to make a first commit of; name at least one")
    if not (root / ".git").exists():
        try:
            above = find_root(root)
        except LineageError:
            args = ("init", "--quiet")
            answer = ask_git(args, root, {})
            if answer.status != 0:
                raise complaint(args, root, answer) from None
        else:
            raise LineageError(f"{root} is already inside the git repository {above}")
    git = Plumbing(root)
    if git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}").status == 0:
        raise LineageError(f"{root} is a git repository with commits already; nothing to do")
    git.run("add", "--force", "--", *names)
    message = "Start of the study\n\nThe first commit, made by `looptop init`, holds:\n\n" + "".join(
        f"- {n}\n" for n in names
    )
    git.run(
        "commit",
        "--quiet",
        "--no-verify",
        "--cleanup=verbatim",
        "--file=-",
        "--only",
        "--",
        *names,
        stdin=message.encode(),
    )
    return Checkout(git).head()


NO_SOURCES = tuple(f":!*.{end}" for end in ("md", "rst", "txt", "csv", "json", "jsonl", "ipynb", "lock", "html", "svg"))
LONGEST_LINE = 1000  # bytes; a longer one is data


class Checkout:
    """The files of the person's checkout; only read."""

    def __init__(self, git: Plumbing) -> None:
        self._git = git

    def head(self) -> str:
        """The sha of the commit that the checkout stands on, on a branch or detached."""
        return self._git.run("rev-parse", "--verify", "HEAD^{commit}").decode().strip()

    def dirty(self, exclude: Collection[str] = ()) -> list[str]:
        """Tracked files with uncommitted changes, but for `exclude`: experiments run without those changes."""
        out = self._git.run(
            "status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=dirty", "--no-renames"
        )
        changed = [self._git.relative(os.fsdecode(entry[3:])) for entry in out.split(b"\0") if entry]
        return sorted(name for name in changed if name not in exclude)

    def lines_with(self, words: Collection[str]) -> dict[str, str]:
        """Lines of tracked source files below the checkout's folder in which one of `words` stands, by path."""
        if not words:
            return {}
        patterns = [part for word in sorted(words) for part in ("-e", word)]
        found = self._git.ask("grep", "-I", "-z", "-w", "-F", "--no-color", *patterns, "--", ".", *NO_SOURCES)
        lines: dict[str, str] = {}
        for entry in found.out.splitlines():
            path, _, line = entry.partition(b"\0")
            if len(line) <= LONGEST_LINE:
                name = os.fsdecode(path)
                lines[name] = lines.get(name, "") + line.decode("utf-8", "replace") + "\n"
        return lines

    def working_copy(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The files as they stand in the checkout now, as `git add` would store them (line ends, filters).

        Returns:
            Contents by path; a file that is not there is left out.

        Raises:
            LineageError: a path is no plain file (a link, a folder) or cannot be read.
        """
        there = []
        for path in paths:
            place = self._git.root
            for part in checked_path(path).split("/"):
                place /= part
                if place.is_symlink():
                    raise LineageError(
                        f"{path} leads through the symbolic link {place}; looptop edits plain files only"
                    )
            if place.is_file():
                there.append(path)
            elif place.exists():
                raise LineageError(f"{path} is no plain file; looptop edits plain files only")
        if not there:
            return {}
        asked = "".join(f"{self._git.inside(path)}\n" for path in there).encode()
        stored = self._git.run("hash-object", "-w", "--stdin-paths", stdin=asked)
        contents = self._git.blobs(stored.decode().split())
        return {path: content for path, content in zip(there, contents, strict=True) if content is not None}
