"""Git commands in one checkout, isolated from everything that could surprise a person.

Invariants, for every command that lineage runs:

- no hook, editor, pager, signing, credential prompt, file-system monitor or automatic gc of the person's starts;
- no GIT_DIR, GIT_INDEX_FILE or the like of the calling shell takes effect: the repository is given explicitly, which
  is also why git's ownership check does not stop us as root on a rented machine;
- the command has its own session, so that neither ctrl+c in a terminal nor the end of a supervisor interrupts a write.

It never guesses a repository, never touches the network, and raises nothing but `LineageError`. It waits for locks that
other programs hold, and for a `.git` that was moved away (`locks.py`).
"""

import os
import posixpath
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

# GitPython asks for the version of git when it is imported and raises where there is none; we say so in a sentence.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git import Git, Repo
from git.exc import GitCommandNotFound, GitError

from loop.errors import UserError
from loop.lineage import locks

LOOPTOP_NAME = "looptop"
LOOPTOP_EMAIL = "looptop@localhost"

# GIT_* variables that keep their meaning here: who the person is, where their settings and git itself are, how to reach
# a network (which we never do). Every other one belongs to the command that started us.
_HEARD = re.compile(
    r"GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL)|GIT_CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|GIT_EXEC_PATH"
    r"|GIT_(LFS|PYTHON|SSL|SSH|HTTP|PROXY|PS1)_\w+|GIT_SSH|GIT_(SEQUENCE_)?EDITOR|GIT_PAGER"
)

_SETTINGS = (
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=",  # empty is "off" in every version; "false" was once the name of a hook
    "core.safecrlf=false",
    "core.logAllRefUpdates=true",
    "core.fsync=committed,reference",  # the journal says that there is a commit, through a power cut; so must git
    "core.fsyncMethod=batch",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "submodule.recurse=false",
    "fastimport.unpackLimit=100",  # an experiment's few objects stay loose; else each would be a pack of its own
    "log.showSignature=false",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
)


class LineageError(UserError):
    """Something about the repository stops us; the text is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a git command: exit status, output as bytes, error output as text."""

    status: int
    out: bytes
    err: str


def start_git(
    args: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    settings: Sequence[str] = _SETTINGS,
    takes_input: bool = False,
) -> "subprocess.Popen[bytes]":
    """Starts `git args` in `cwd` with our settings; the caller reads its pipes and waits for it.

    Raises:
        LineageError: git is not installed, or no process can be started.
    """
    # GitPython can add to the environment but take nothing away, so `env` does: 0.6 ms, and only where there is a need.
    leaked = {name for name in os.environ if name.startswith("GIT_") and not _HEARD.fullmatch(name)} - env.keys()
    command = ["env", *(f"-u{name}" for name in sorted(leaked))] if leaked else []
    command.append(Git.GIT_PYTHON_GIT_EXECUTABLE or "git")
    for setting in settings:
        command += ["-c", setting]
    try:
        started = Git(str(cwd)).execute(
            [*command, *args],
            istream=subprocess.PIPE if takes_input else None,
            as_process=True,
            env=dict(env),
            shell=False,
            start_new_session=True,
        )
    except GitCommandNotFound as missing:
        raise LineageError("git is not installed here; install it and start again") from missing
    except (GitError, OSError, ValueError) as failed:
        raise LineageError(f"git could not be started in {cwd} ({failed})") from failed
    process: subprocess.Popen[bytes] | None = started.proc
    assert process is not None  # GitPython empties it only when it ends the process itself
    started.proc = None  # else the wrapper would end the process as soon as it is collected
    return process


def ask_git(args: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: bytes | None = None) -> Answer:
    """Runs `git args` and returns its result, whatever its status."""
    with start_git(args, cwd, env, takes_input=stdin is not None) as process:
        out, err = process.communicate(stdin)
    return Answer(process.returncode, out, err.decode("utf-8", "replace"))


def complaint(args: Sequence[str], where: Path, answer: Answer) -> LineageError:
    """The sentence for a git command that failed: where, and git's own reasons."""
    lines = [line.strip() for line in answer.err.splitlines() if line.strip()]
    serious = [re.sub(r"^(fatal|error): ", "", line) for line in lines if line.startswith(("fatal:", "error:"))]
    # The first reason is most often the cause, the last one what it led to.
    reasons = dict.fromkeys([*serious[:1], *serious[-1:]] or lines[-1:] or [f"status {answer.status}"])
    return LineageError(f"git {args[0]} failed in {where}: {'; '.join(reasons)}")


def checked_path(path: str) -> str:
    """The path if it can name a file inside a checkout: relative, `/` between parts, no `..`, nothing of git's own.

    Raises:
        LineageError: it cannot.
    """
    parts = path.split("/")
    if "\n" in path or "\0" in path or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise LineageError(f"{path!r} is no path of a file inside the checkout; name it relative to the top folder")
    return path


def find_top(folder: Path) -> Path | None:
    """The top of the checkout that `folder` is in, None where it is in none."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


class Plumbing:
    """Git for the project in one folder of a checkout.

    Commands run at the checkout's top and name files from there; a project's own paths are relative to its folder.
    `inside` and `relative` lead from one to the other.

    Attributes:
        root: the project's folder, links resolved.
        top: the top folder of the checkout.
        prefix: where in the checkout the project is, such as `packages/model`; empty at the top.
        patience: how long to wait for what blocks a command.
        git_dir: its own git folder (for a linked worktree, the one below `worktrees/`).
        common_dir: the git folder that all worktrees share: objects, refs, `info/exclude`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.top = find_top(self.root) or self.root
        self.prefix = "" if self.root == self.top else self.root.relative_to(self.top).as_posix()
        self.patience = locks.Patience()
        try:
            with Repo(self.top, expand_vars=False) as repo:
                self.git_dir = Path(os.fspath(repo.git_dir)).resolve()
                self.common_dir = Path(os.fspath(repo.common_dir)).resolve()
        except (GitError, OSError, ValueError) as failed:
            if (self.top / ".git").exists():  # of another user, say, or of a worktree whose repository was moved
                asked = ("rev-parse", "--git-dir")
                raise complaint(asked, self.top, ask_git(asked, self.top, {})) from failed
            raise LineageError(f"{root} is in no git checkout; run looptop inside one") from failed

    def inside(self, path: str) -> str:
        """A path of the project, as git names it from the top.

        Raises:
            LineageError: it can be no file of the project.
        """
        return f"{self.prefix}/{checked_path(path)}" if self.prefix else checked_path(path)

    def relative(self, path: str) -> str:
        """A path from the top, as the project names it; what lies beside the project begins with `../`."""
        if not self.prefix or not path:
            return path
        return posixpath.relpath(path, self.prefix) + "/" * path.endswith("/")

    @cached_property
    def identity(self) -> tuple[str, str]:
        """Name and email of the person, `looptop` for what they have not set; read once."""
        known: dict[str, str] = {}
        asked = ("config", "--null", "--get-regexp", r"^(user|author)\.(name|email)$")
        listed = ask_git(asked, self.top, self._place())
        for entry in listed.out.decode("utf-8", "replace").split("\0"):
            key, _, value = entry.partition("\n")
            known[key.lower()] = value

        def said(field: str, otherwise: str) -> str:
            env = os.environ.get(f"GIT_AUTHOR_{field.upper()}", "")
            words = env or known.get(f"author.{field}", "") or known.get(f"user.{field}", "")
            return " ".join(re.sub(r"[\x00-\x1f<>]", " ", words).split()) or otherwise

        return said("name", LOOPTOP_NAME), said("email", LOOPTOP_EMAIL)

    def ask(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        again: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Runs a git command once nothing blocks it and returns its result, whatever its status.

        Args:
            again: removes what a blocked attempt has left, before the next one.
        """
        place, variables = cwd or self.top, {**self._env(), **(env or {})}

        def attempt() -> Answer:
            answer = ask_git(args, place, variables, stdin)
            # Git creates folders that are missing: while its own was moved away, it worked on an empty one.
            return answer if self._present() else replace(answer, status=answer.status or 128)

        return self.patience.through(attempt, self._blocked, self._why, again)

    def await_repository(self) -> None:
        """Wait until the git folder is back, if somebody has moved it away."""
        self.patience.through(lambda: Answer(0 if self._present() else 128, b"", ""), self._blocked, self._why)

    def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        again: Callable[[], None] = lambda: None,
    ) -> bytes:
        """Runs a git command that is expected to work, and returns its output; the arguments are those of `ask`.

        Raises:
            LineageError: it did not work; the sentence carries git's own reason.
        """
        answer = self.ask(*args, stdin=stdin, env=env, cwd=cwd, again=again)
        if answer.status != 0:
            raise self.failed(args, answer)
        return answer.out

    def failed(self, args: Sequence[str], answer: Answer) -> LineageError:
        """The error for a command that failed: what it waited for in vain, or git's own reason."""
        if self._blocked(answer):
            return LineageError(f"git {args[0]} gave up waiting: {self._why(answer)}")
        return complaint(args, self.top, answer)

    def fast_import(self, stream: Sequence[bytes]) -> Answer:
        """Feeds commits to `git fast-import`; returns its result."""
        answer = self.ask("fast-import", "--quiet", stdin=b"".join(stream))
        if answer.status != 0:  # what it leaves behind would fill a full disk further with every attempt
            for left in re.findall(r"crash report to (.+)|'([^']+/objects/pack/tmp_\w+)'", answer.err):
                Path(self.top, "".join(left)).unlink(missing_ok=True)
        return answer

    def run_at_most(self, limit: int, *args: str) -> tuple[bytes, bool]:
        """Runs a git command for the first `limit` bytes of its output; the flag says that there was more."""
        with start_git(args, self.top, self._env()) as process:
            assert process.stdout is not None and process.stderr is not None
            out = process.stdout.read(limit + 1)
            if len(out) > limit:
                process.kill()
                return out[:limit], True
            err = process.stderr.read()
        if process.returncode != 0:
            raise complaint(args, self.top, Answer(process.returncode, out, err.decode("utf-8", "replace")))
        return out, False

    def blobs(self, names: Sequence[str]) -> list[bytes | None]:
        """The contents behind object names (`sha`, `commit:path`), None for those that are no file; one process."""
        out = self.run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode())
        contents: list[bytes | None] = []
        at = 0
        for _ in names:
            end = out.index(b"\n", at)
            words = out[at:end].rsplit(b" ", 2)
            at = end + 1
            if len(words) < 3 or not words[2].isdigit():  # "NAME missing" and its kin carry no body
                contents.append(None)
                continue
            size = int(words[2])
            contents.append(out[at : at + size] if words[1] == b"blob" else None)
            at += size + 1
        return contents

    def _blocked(self, answer: Answer) -> bool:
        """Whether a command failed because of what another program is doing to the repository."""
        if answer.status == 0:
            return False
        # Git quotes the folder that it does not recognise as a repository; it may be back by now.
        unseen = answer.err.rstrip().endswith(f"'{self.git_dir}'")
        return locks.lock_in(answer.err, self.top) is not None or unseen or not self._present()

    def _why(self, answer: Answer) -> str:
        """What that is."""
        lock = locks.lock_in(answer.err, self.top)
        if lock is not None:
            return locks.sentence(lock, self.top, self.common_dir)
        folder = self.git_dir if self._present() else self.common_dir  # two of them in a linked worktree
        if not folder.exists():
            return f"the git folder {folder} is gone; put it back, and this goes on"
        return (
            f"{folder} is no whole git folder any more; put the one that was moved away in its place, and this goes on"
        )

    def _present(self) -> bool:
        """Whether the git folder has what git recognises one by."""
        return all(os.access(self.common_dir / name, os.F_OK) for name in ("HEAD", "objects", "refs"))

    def scratch(self) -> "tempfile.TemporaryDirectory[str]":
        """A temporary folder among our worktrees, so that the next start removes it after a kill."""
        home = self.root / ".looptop" / "trees"
        home.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="scratch-", dir=home)

    def _place(self) -> dict[str, str]:
        return {
            "GIT_DIR": str(self.git_dir),
            "GIT_WORK_TREE": str(self.top),
            "GIT_ASKPASS": "",  # also silences core.askPass and SSH_ASKPASS
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_LITERAL_PATHSPECS": "1",
        }

    def _env(self) -> dict[str, str]:
        name, email = self.identity
        who = {
            f"GIT_{role}_{part}": word
            for role in ("AUTHOR", "COMMITTER")
            for part, word in (("NAME", name), ("EMAIL", email))
        }
        return {**self._place(), **who}


def data(content: bytes) -> bytes:
    """A `data` command in a stream for `git fast-import`."""
    return b"data %d\n%b\n" % (len(content), content)
