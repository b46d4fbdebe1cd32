"""Real git repositories for tests: made in a moment, and fingerprinted to prove that nothing in them was touched."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

TRAIN = "LR = 0.1\nDEPTH = 4\nWIDTH = 64\n\n\ndef main():\n    print('val_bpb:', LR)\n\n\nmain()\n"


def git(where: Path, *args: str) -> str:
    """Runs git as a person would, with an identity, and returns its output."""
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "protocol.file.allow=always")
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or "CONFIG" in name}
    done = subprocess.run(["git", *who, *args], cwd=where, env=env, capture_output=True, check=False)
    assert done.returncode == 0, (args, done.stderr.decode())
    return done.stdout.decode().rstrip("\n")


def git_wrapper(folder: Path, script: str) -> str:
    """Puts a shell script in front of git; returns the PATH with it. In it `$real` is git, and `$0` the script."""
    real = shutil.which("git")
    assert real is not None
    folder.mkdir(exist_ok=True)
    (folder / "git").write_text(f"#!/bin/sh\nreal={real}\n{script}\n")
    (folder / "git").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def make_repository(root: Path) -> Path:
    """A repository with train.py, a script, and a folder, in one commit on `main`."""
    root.mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / "train.py").write_text(TRAIN)
    (root / "go.sh").write_text("#!/bin/sh\nexec python train.py\n")
    (root / "go.sh").chmod(0o755)
    (root / "lib").mkdir()
    (root / "lib" / "data.py").write_text("ROWS = 10\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Begin")
    return root


def make_dirty(root: Path) -> None:
    """A stash, a staged change, an unstaged one, a deletion and an untracked file."""
    (root / "lib" / "data.py").write_text("ROWS = 11\n")
    git(root, "stash", "--quiet")
    (root / "train.py").write_text(TRAIN.replace("0.1", "0.2"))
    git(root, "add", "train.py")
    (root / "train.py").write_text(TRAIN.replace("0.1", "0.3"))
    (root / "go.sh").unlink()
    (root / "notes with spaces é.txt").write_text("mine\n")


def fingerprint(root: Path) -> dict[str, str]:
    """Every file of the checkout and of its git folder, by content, mode and time of change.

    Left out is what looptop may write: `.looptop/`, objects, its own refs and their logs, its own worktrees' records,
    its locks and reservations, and `info/exclude`.
    """
    shared = (root / git(root, "rev-parse", "--git-common-dir")).resolve()
    folders = [root] if shared.is_relative_to(root) else [root, shared]
    ours = ("/objects/", "/refs/looptop/", "/heads/looptop/", "/notes/looptop", "/looptop-", "/info/exclude")
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = f"{path}"
            record = "/worktrees/" in name and _is_ours(path)
            empty = path.is_dir() and not path.is_symlink()
            if empty or "/.looptop/" in name or record or any(part in name for part in ours):
                continue
            stat = path.lstat()
            content = bytes(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[name] = f"{hashlib.sha256(content).hexdigest()} {stat.st_mode:o} {stat.st_mtime_ns}"
    return found


def _is_ours(path: Path) -> bool:
    """True for a file in git's record of a worktree that lies below `.looptop/`."""
    parts = path.parts
    record = Path(*parts[: parts.index("worktrees") + 2])
    link = record / "gitdir"
    return link.exists() and "/.looptop/trees/" in link.read_text()
