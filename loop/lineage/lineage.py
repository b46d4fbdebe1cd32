"""The git side of one study: its experiments' commits, refs and notes, and its branch.

What is promised:

- Every experiment is a commit under `refs/looptop/<tag>/<id>` from the moment it exists, kept or not: no gc takes it.
  A commit that another one replaces under the same id stays under `refs/looptop/<tag>/superseded/`.
- The branch `looptop/<tag>` moves only by compare-and-swap, and never while somebody has it checked out.
- The person's HEAD, index, stash, branches and working files are never written. Commits are made without any worktree
  or index; runs happen in worktrees of their own. Nothing is pushed, no hook runs (`plumbing.py`).

All methods may be called from several threads. Each blocks for some milliseconds: an event loop calls them in a thread.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from loop.lineage import checkout, locks
from loop.lineage import diff as comparison
from loop.lineage import history as memory
from loop.lineage import refs as mending
from loop.lineage.branch import StudyBranch
from loop.lineage.git import LineageError, Plumbing, checked_path
from loop.lineage.message import ExperimentMessage, compose
from loop.lineage.refs import data
from loop.lineage.worktrees import TreeChanges, Worktrees

NOTES_LOCK_S = 10.0  # a note takes 3 ms; a lock held this long is held by something that hangs


@dataclass(frozen=True, slots=True)
class Committed:
    """An experiment's commit and its size against its parent, in lines."""

    sha: str
    lines_added: int
    lines_removed: int


class Lineage:
    """The git side of the study `tag` in the checkout at `root`.

    Attributes:
        tag: the study's name.
        branch: its branch, without `refs/heads/`.
    """

    def __init__(self, root: Path, tag: str) -> None:
        if not re.fullmatch(r"\w[\w.-]*", tag) or ".." in tag or tag.endswith((".", ".lock")):
            raise LineageError(f"{tag!r} cannot name a study; use letters, digits, `-`, `_` and single dots")
        self.tag = tag
        self.branch = f"looptop/{tag}"
        self._git = Plumbing(root)
        self._trees = Worktrees(self._git)
        self._refs = f"refs/looptop/{tag}"
        self._branch = StudyBranch(self._git, self.branch, self._trees.one_at_a_time)
        self._known_modes: dict[tuple[str, frozenset[str]], dict[str, str]] = {}

    @property
    def patience(self) -> locks.Patience:
        """How long what somebody else does to the repository is waited for; ten seconds where nobody says more."""
        return self._git.patience

    @property
    def root(self) -> Path:
        """The top folder of the person's checkout, links resolved."""
        return self._git.root

    @property
    def store(self) -> Path:
        """The git folder that holds the objects and the refs; it may lie on another disk than the checkout."""
        return self._git.common_dir

    # The person's checkout: looked at, never touched.

    def prepare(self) -> None:
        """Makes `.looptop/` and has git ignore it, through `info/exclude`: no file of the person's changes."""
        try:
            (self.root / ".looptop").mkdir(exist_ok=True)
            exclude = self._git.common_dir / "info" / "exclude"
            text = exclude.read_text(errors="surrogateescape") if exclude.exists() else ""
            if "/.looptop/" not in text.split("\n"):
                exclude.parent.mkdir(exist_ok=True)
                start = "" if not text or text.endswith("\n") else "\n"
                with exclude.open("a") as file:
                    file.write(f"{start}/.looptop/\n")
        except OSError as failed:
            raise LineageError(f"{failed.filename} cannot be written ({failed.strerror}); looptop needs it") from failed

    def head(self) -> str:
        """The sha of the commit that the person stands on, on a branch or detached."""
        return checkout.head(self._git)

    def dirty(self, exclude: Collection[str] = ()) -> list[str]:
        """Tracked files with uncommitted changes, but for `exclude`: experiments run without those changes."""
        return checkout.dirty(self._git, exclude)

    def working_copy(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The files as they stand in the checkout now, as git would store them; one that is not there is left out."""
        return checkout.working_copy(self._git, paths)

    def read(self, commit: str, path: str) -> bytes | None:
        """The contents of a file in a commit, None where there is no such file."""
        return self._git.blobs([f"{commit}:{checked_path(path)}"])[0]

    def paths(self, commit: str) -> list[str]:
        """Every file of a commit, by its path from the root; links and submodules are left out."""
        found = []
        for entry in self._git.run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
            described, _, path = entry.partition(b"\t")
            if described.startswith(b"100"):
                found.append(path.decode("utf-8", "surrogateescape"))
        return found

    # Experiments.

    def commit(
        self,
        experiment_id: int,
        parent: str,
        files: Mapping[str, bytes | None],
        message: ExperimentMessage,
        at: float,
        like: str | None = None,
    ) -> Committed:
        """Commits an experiment on top of `parent` and points `refs/looptop/<tag>/<id>` at it, in one step.

        Doing it twice with the same arguments gives the same commit, so a supervisor that died may simply do it again.

        Args:
            experiment_id: the experiment's number.
            parent: the commit it is made on.
            files: new contents by path, None to delete; a file keeps its mode, a new one is 0644.
            message: title, hypothesis and the rest.
            at: the commit's date in seconds since the epoch.
            like: a commit whose author is this one's too; None: the person as git knows them now.

        Raises:
            LineageError: a path is a link, a folder or a submodule in `parent`, or git could not write.
        """
        modes = self._modes(parent, frozenset(files))
        ref = f"{self._refs}/{experiment_id}"
        name, email = self._git.identity if like is None else memory.author(self._git, like)
        text = compose(self.tag, experiment_id, message).encode("utf-8", "replace")
        who = f"{name} <{email}> {int(at)} +0000"
        stream = [f"feature done\ncommit {ref}\nmark :1\nauthor {who}\ncommitter {who}\n".encode(), data(text)]
        stream.append(f"from {parent}\n".encode())
        for path, content in files.items():
            quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
            if content is None:
                stream.append(f"D {quoted}\n".encode())
            else:
                stream += [f"M {modes.get(path, '100644')} inline {quoted}\n".encode(), data(content)]
        stream.append(b"get-mark :1\ndone\n")
        sha = self._import(ref, stream)
        changes = comparison.stat(self._git, parent, sha)
        return Committed(sha, sum(c.lines_added for c in changes), sum(c.lines_removed for c in changes))

    def record_verdicts(self, notes: Mapping[str, Mapping[str, str]]) -> None:
        """Writes the verdicts of experiments' commits into `refs/notes/looptop`, over earlier ones.

        Args:
            notes: by commit its trailers: `Verdict`, the metric by its own name, `Runs`, `Reason` and more; values
                become one line each.
        """
        if notes:
            with self._notes_lock():
                mending.write_notes(self._git, notes)

    def forget_verdict(self, sha: str) -> None:
        """Takes the verdict of an experiment's commit back, because it runs again; one without is no error.

        Args:
            sha: the commit.
        """
        with self._notes_lock():
            self._git.run("notes", "--ref=refs/notes/looptop", "remove", "--ignore-missing", sha)

    @contextmanager
    def _notes_lock(self) -> Iterator[None]:
        """Git reads and writes the notes in two steps, and another study of the repository may do so just now."""
        self._git.await_repository()
        try:
            with FileLock(self._git.common_dir / "looptop-notes.flock", timeout=NOTES_LOCK_S):
                yield
        except Timeout as busy:
            raise LineageError(f"{busy.lock_file} is held by another looptop that hangs; end that one first") from busy
        except OSError as failed:
            raise LineageError(
                f"the verdict's note cannot be locked ({failed}); free the disk or fix its rights"
            ) from failed

    def diff(self, a: str, b: str, paths: Sequence[str] | None = None) -> str:
        """The unified diff from commit `a` to `b`, capped at 1 MiB with a last line that says so."""
        return comparison.diff(self._git, a, b, paths)

    def stat(self, a: str, b: str, paths: Sequence[str] | None = None) -> list[comparison.FileChange]:
        """The files that differ from commit `a` to `b`, with lines added and removed."""
        return comparison.stat(self._git, a, b, paths)

    def merge(self, base: str, ours: str, theirs: str, paths: Sequence[str]) -> dict[str, bytes]:
        """The files of proposal `theirs`, made on `base`, moved onto `ours`; raises `MergeConflict`."""
        return comparison.merge(self._git, base, ours, theirs, paths)

    # What git remembers, and putting it right.

    def rebuild(self) -> list[memory.RecoveredExperiment]:
        """All experiments of the study from git alone, ordered by id."""
        return memory.rebuild(self._git, self.tag)

    def is_clone(self) -> bool:
        """Whether there is another repository that this one was made from, or knows of."""
        return bool(self._git.run("remote").strip())

    def survey(self, asked: Collection[str] = ()) -> memory.Survey:
        """Where the refs, the notes and the branch are now, and which of the commits `asked` about there are."""
        return memory.survey(self._git, self.tag, asked)

    def changes(self, commits: Sequence[str]) -> dict[str, memory.Change]:
        """What each of these commits changed against its parent."""
        return memory.changes(self._git, commits)

    def files(self, commits: Sequence[str], paths: Sequence[str]) -> dict[str, dict[str, str]]:
        """Text of the files `paths` in each of these commits; one that is not there is left out."""
        names = [f"{sha}:{checked_path(path)}" for sha in commits for path in paths]
        texts = iter(self._git.blobs(names))
        return {
            sha: {path: text.decode("utf-8", "replace") for path in paths if (text := next(texts)) is not None}
            for sha in commits
        }

    def point(self, experiment_id: int, sha: str) -> None:
        """Has an experiment's ref point at `sha` again; what it was at is kept under `superseded/`."""
        mending.point(self._git, f"{self._refs}/{experiment_id}", sha, f"{self._refs}/superseded")

    def make_room(self, experiment_id: int) -> None:
        """Clears the way for an experiment's commit that is gone and is made again."""
        mending.make_room(self._git, f"{self._refs}/{experiment_id}")

    def put_back(self, commit: str | None, seen: str | None) -> None:
        """See `StudyBranch.put_back`."""
        self._branch.put_back(commit, seen)

    def foreign_locks(self, now: float) -> dict[str, float]:
        """Lock files of the person's own git, which are never touched, and for how many seconds each has been there."""
        return mending.foreign_locks(self._git, now)

    def left_by_dead_gits(self) -> list[Path]:
        """Lock files on the study's own branch and refs and on the notes, and files of its refs that hold no commit."""
        return [*mending.left_by_dead_gits(self._git, self.tag), *mending.notes_lock(self._git)]

    # Worktrees.

    def add_tree(self, name: str, commit: str) -> Path:
        """Checks `commit` out into `.looptop/trees/<name>`, with the submodules that the person's checkout has."""
        return self._trees.add(name, commit)

    def tree_path(self, name: str) -> Path:
        """Where `add_tree` puts the tree of that name."""
        return self._trees.path(name)

    def remove_tree(self, name: str) -> None:
        """Removes that tree, whatever a run has done to it; one that is not there is no error."""
        self._trees.remove(name)

    def tree_changes(self, name: str, commit: str, wanted: Collection[str], largest: int) -> TreeChanges:
        """How the files of a tree differ from `commit` by now, whatever was done there; nothing is changed.

        Args:
            wanted: paths whose files count even where they are new or ignored.
            largest: bytes; a larger file is not read.
        """
        return self._trees.changes(name, commit, wanted, largest)

    def touched(self, name: str, commit: str, editable: Collection[str]) -> tuple[str, ...]:
        """Files of `commit` that a run has changed in that tree, but for those that a proposal may change."""
        return tuple(path for path in self._trees.touched(name, commit) if path not in editable)

    def trees(self) -> list[str]:
        """The names of all trees, also half-made ones."""
        return self._trees.names()

    def clear_half_made_trees(self) -> None:
        """Removes git's records of trees that it did not get to the end of; with one of those it may refuse to work.

        Only for the start of the workspace's one supervisor, before anything else is asked of git.
        """
        self._trees.clear_half_made()

    def clear_stale_trees(self, keep: Collection[str] = ()) -> list[str]:
        """Removes what a killed supervisor left: all trees but `keep`, and lock files of dead gits in what is ours.

        Only for the start of the workspace's one supervisor. Returns the names of the trees removed.
        """
        for path in mending.left_by_dead_gits(self._git, self.tag):
            path.unlink(missing_ok=True)
        with self._notes_lock():  # who holds it is alive, and so is its git
            mending.clear_notes_lock(self._git)
        return self._trees.clear_stale(keep)

    # The branch.

    def check_branch(self, expected: str) -> None:
        """See `StudyBranch.check`."""
        self._branch.check(expected)

    def begin_branch(self, commit: str) -> None:
        """See `StudyBranch.begin`."""
        self._branch.begin(commit)

    def advance(self, new: str, expected_old: str) -> None:
        """See `StudyBranch.advance`."""
        self._branch.advance(new, expected_old)

    # Inside.

    def _modes(self, parent: str, files: frozenset[str]) -> dict[str, str]:
        """The modes of those files that are in `parent` already; refuses what is no plain file there.

        Remembered, because one proposal after another is made on the same champion: 3.5 ms each.
        """
        if (known := self._known_modes.get((parent, files))) is not None:
            return known
        asked = set()
        for path in files:
            parts = checked_path(path).split("/")
            asked |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
        found: dict[str, str] = {}
        for entry in self._git.run("ls-tree", "-z", "--full-tree", parent, "--", *sorted(asked)).split(b"\0"):
            described, _, path_bytes = entry.partition(b"\t")
            mode, path = described[:6].decode(), path_bytes.decode("utf-8", "surrogateescape")
            if path in files:
                if mode not in ("100644", "100755"):
                    kind = {"120000": "a symbolic link", "160000": "a submodule"}.get(mode, "a folder")
                    raise LineageError(f"{path} is {kind} in {parent[:12]}; looptop edits plain files only")
                found[path] = mode
            elif path in asked and mode != "040000":
                raise LineageError(f"{path} is no folder in {parent[:12]}, so nothing can be edited inside it")
        self._known_modes = {(parent, files): found}
        return found

    def _import(self, ref: str, stream: Sequence[bytes]) -> str:
        """Feeds one commit to git and returns its sha; what `ref` pointed at and would be lost is kept aside."""
        answer = self._git.fast_import(stream)
        sha = answer.out.decode().strip()
        if answer.status == 0:
            return sha
        if sha and "not updating" in answer.err.lower():  # git 2.53 begins it with a small letter
            old = self._git.run("rev-parse", "--verify", ref).decode().strip()
            aside = f"{self._refs}/superseded/{ref.rpartition('/')[2]}-{old[:12]}"
            moves = f"update {aside} {old}\nupdate {ref} {sha} {old}\n"
            self._git.run("update-ref", "-m", "looptop: made anew", "--stdin", stdin=moves.encode())
            return sha
        raise self._git.failed(("fast-import",), answer)


def free_tag(root: Path, wanted: str) -> str:
    """`wanted`, made fit to name a study, or the first of `wanted-2`, `wanted-3` ... that no study in git has yet."""
    plain = (
        re.sub(r"\.lock$|\.+$", "", re.sub(r"\.{2,}", ".", re.sub(r"[^\w.-]+", "-", wanted).lstrip(".-"))) or "study"
    )
    # Two tags that differ only in case are one file on some disks.
    taken = {tag.casefold() for tag in tags(root)}
    names = (plain if number == 1 else f"{plain}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name.casefold() not in taken)


def tags(root: Path) -> list[str]:
    """The studies that git knows of in this repository, by branch or by experiments, sorted."""
    return memory.tags(Plumbing(root))
