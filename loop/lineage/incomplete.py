"""What a checkout lacks of its own repository, so that runs lack it too: submodules never fetched, git-lfs contents.

Reads only, and never fetches anything.
"""

from pathlib import Path

from loop.lineage.git import LineageError, Plumbing
from loop.words import listed

_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_BYTES = 1024  # git-lfs takes nothing larger for a pointer


def incomplete(root: Path) -> list[str]:
    """What runs of the project at `root` will not find in their worktrees: sentences with the commands that help.

    Raises:
        LineageError: git-lfs is missing, and the settings say that nothing may be checked out without it.
    """
    git = Plumbing(root)
    return [*_empty_submodules(git), *_large_files(git)]


def _empty_submodules(git: Plumbing) -> list[str]:
    if not (git.top / ".gitmodules").is_file():
        return []
    entries = git.run("ls-tree", "-r", "-z", "--full-tree", "HEAD").decode("utf-8", "surrogateescape").split("\0")
    modules = [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]
    empty = [path for path in modules if not (git.top / path / ".git").exists()]
    if not empty:
        return []
    names = listed([git.relative(path) for path in empty])
    return [
        f"{'submodule' if len(empty) == 1 else 'submodules'} {names}: never fetched, so it is an empty folder to runs; "
        "if they need it: git submodule update --init"
    ]


def _large_files(git: Plumbing) -> list[str]:
    how = {"GIT_LITERAL_PATHSPECS": "0"}
    attributes = ("grep", "--cached", "-q", "-F", "filter=lfs", "--", ":(glob)**/.gitattributes")
    if git.ask(*attributes, env=how).status != 0:
        return []
    # From the top: below it, git 2.39 finds no file by its attribute.
    listing = git.run("ls-files", "-z", "--", ":(attr:filter=lfs)", env=how).decode("utf-8", "surrogateescape")
    names = [name for name in map(git.relative, listing.split("\0")) if name and not name.startswith("../")]
    if not names:
        return []
    kept = f"{listed(names)}: kept with git-lfs, which is not"
    if git.ask("lfs", "version").status != 0:
        if git.ask("config", "--type=bool", "--get", "filter.lfs.required").out.strip() == b"true":
            raise LineageError(f"{kept} installed here, so no worktree can be made; install it and start again")
        how_to = "install it, then: git lfs install && git lfs pull"
        return [f"{kept} installed here, so runs find a pointer of some 130 bytes there; {how_to}"]
    if git.ask("config", "--get", "filter.lfs.smudge").status != 0:
        how_to = "git lfs install && git lfs pull"
        return [f"{kept} set up here, so runs find a pointer of some 130 bytes there: {how_to}"]
    pointers = [name for name in names if _is_pointer(git.root / name)]
    return [f"{listed(pointers)}: a pointer of git-lfs still, so runs find no more: git lfs pull"] if pointers else []


def _is_pointer(path: Path) -> bool:
    try:
        return path.stat().st_size <= _POINTER_BYTES and path.read_bytes().startswith(_POINTER)
    except OSError:
        return False
