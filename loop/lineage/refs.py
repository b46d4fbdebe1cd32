"""A study's refs, notes and branch put right in git. Each step may be done again, and changes nothing then.

Whatever a ref was at and would be lost by moving it is kept aside first. Locks are taken away only where a file of the
study's own is locked; those of the person's own git are told of (`foreign_locks`) and left.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from loop.lineage.git import LineageError, Plumbing
from loop.lineage.history import is_broken
from loop.lineage.message import compose_note

FOREIGN_LOCKS = ("index.lock", "HEAD.lock", "packed-refs.lock", "config.lock", "shallow.lock")


def point(git: Plumbing, ref: str, sha: str, aside: str) -> None:
    """Have `ref` point at the commit `sha`, whatever it is at now.

    Args:
        aside: the folder of refs in which the commit that it was at is kept.

    Raises:
        LineageError: git does not take it.
    """
    was = git.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").out.decode().strip()
    if was == sha:
        return
    keep = f"update {aside}/{ref.rpartition('/')[2]}-{was[:12]} {was}\n" if was else ""
    git.run("update-ref", "-m", "looptop: put back", "--stdin", stdin=f"{keep}update {ref} {sha}\n".encode())


def write_notes(git: Plumbing, notes: Mapping[str, Mapping[str, str]]) -> None:
    """Write verdict notes, over earlier ones: trailers by commit; one process however many there are.

    A note is put where git's own notes are once there are hundreds: `fast-import` would read all of them to find that
    out, 8 ms at 700. Where git had it while there were fewer, it goes. The caller holds the lock of the notes.

    Raises:
        LineageError: git does not take them.
    """
    ref = "refs/notes/looptop"
    name, email = git.identity
    stream = [b"feature done\n", f"commit {ref}\ncommitter {name} <{email}> {int(time.time())} +0000\n".encode()]
    stream.append(data(b"Notes added by looptop\n"))
    if git.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").status == 0:
        stream.append(f"from {ref}^0\n".encode())
    elif is_broken(git.common_dir / ref):
        (git.common_dir / ref).unlink()
    for sha, trailers in notes.items():
        stream += [f"D {path}\n".encode() for path in (sha, f"{sha[:2]}/{sha[2:4]}/{sha[4:]}")]
        stream.append(f"M 100644 inline {sha[:2]}/{sha[2:]}\n".encode())
        stream.append(data(compose_note(trailers).encode("utf-8", "replace")))
    answer = git.fast_import([*stream, b"done\n"])
    if answer.status != 0:
        raise git.failed(("fast-import",), answer)


def make_room(git: Plumbing, ref: str) -> None:
    """Clear the way for a commit that is made again under `ref`: git would neither move a ref whose commit is gone, nor
    write an object whose file is there, though a power cut left it empty. An empty object is nobody's."""
    if git.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").status != 0:
        git.ask("update-ref", "-d", ref)
    for file in (git.common_dir / "objects").glob("??/*"):
        if file.stat().st_size == 0:
            file.unlink()


def move_branch(git: Plumbing, ref: str, to: str | None, seen: str | None) -> None:
    """Move a branch from `seen` to the commit `to`, or take it away where that is None.

    Args:
        seen: None where its file holds no commit.

    Raises:
        LineageError: it is elsewhere by now.
    """
    if seen is None:
        if is_broken(git.common_dir / ref):
            (git.common_dir / ref).unlink()
        if to is not None:  # not `create`: where the refs were packed, an older place of it shows up now
            git.run("update-ref", "-m", "looptop: put back", "--stdin", stdin=f"update {ref} {to}\n".encode())
        return
    order = f"delete {ref} {seen}\n" if to is None else f"update {ref} {to} {seen}\n"
    git.run("update-ref", "-m", "looptop: as the journal has it", "--stdin", stdin=order.encode())


def left_by_dead_gits(git: Plumbing, tag: str) -> list[Path]:
    """Lock files on the study's own branch and refs, and files of its refs that hold no commit.

    They are stale where the workspace's one supervisor is not at work.
    """
    lock = git.common_dir / f"refs/heads/looptop/{tag}.lock"
    found = [lock] if lock.exists() else []
    for folder, _, files in os.walk(git.common_dir / "refs" / "looptop" / tag):
        paths = (Path(folder, name) for name in files)
        found += [path for path in paths if path.suffix == ".lock" or is_broken(path)]
    return sorted(found)


def foreign_locks(git: Plumbing, now: float) -> dict[str, float]:
    """Lock files of the person's own git, and how many seconds each has been there. A living git may hold them."""
    found = {}
    for path in {git.common_dir / name for name in FOREIGN_LOCKS} | {git.git_dir / "index.lock"}:
        try:
            found[str(path)] = max(0.0, now - path.lstat().st_mtime)
        except OSError:
            continue
    return dict(sorted(found.items()))


def notes_lock(git: Plumbing) -> list[Path]:
    """The lock file of git's own on the notes, where there is one."""
    lock = git.common_dir / "refs" / "notes" / "looptop.lock"
    return [lock] if lock.exists() else []


def clear_notes_lock(git: Plumbing) -> None:
    """Take away the lock file of git's own on the notes. The caller holds ours, so no looptop's git is writing them."""
    try:
        for lock in notes_lock(git):
            lock.unlink(missing_ok=True)
    except OSError as failed:
        raise LineageError(f"{failed.filename} cannot be deleted ({failed.strerror}); delete it by hand") from failed


def data(content: bytes) -> bytes:
    """A piece of a stream for `git fast-import`."""
    return b"data %d\n%b\n" % (len(content), content)
