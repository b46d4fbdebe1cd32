"""The git side of one study: its experiments' commits, refs and notes, and its branch.

What is promised:

- Every experiment is a commit under `refs/looptop/<tag>/<id>` from the moment it exists, kept or not: no gc takes it.
  A commit that another one replaces under the same id stays under `refs/looptop/<tag>/superseded/`.
- The branch `looptop/<tag>` moves only by compare-and-swap, and never while somebody has it checked out.
- The person's HEAD, index, stash, branches and working files are never written. Commits are made without any worktree
  or index; runs happen in worktrees of their own. Nothing is pushed, no hook runs (`git.py`).

All methods may be called from several threads. Each blocks for some milliseconds: an event loop calls them in a thread.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.lineage import history
from loop.lineage.branch import StudyBranch
from loop.lineage.checkout import Checkout
from loop.lineage.commits import Commits
from loop.lineage.git import LineageError, Plumbing, data
from loop.lineage.history import History
from loop.lineage.message import ExperimentMessage, compose
from loop.lineage.notes import Notes
from loop.lineage.refs import Refs
from loop.lineage.worktrees import Worktrees
from loop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Committed:
    """An experiment's commit and its size against its parent, in lines."""

    sha: str
    lines_added: int
    lines_removed: int


class Lineage:
    """The git side of the study `tag` of the project in the folder `root` of the person's checkout.

    All paths of files are the project's own, relative to that folder; a file beside it begins with `../`.

    Attributes:
        tag: the study's name.
        root: the project's folder, links resolved.
        git: runs git there; `git.common_dir` holds the objects and the refs, maybe on another disk than the checkout.
        checkout: the person's files; only read.
        commits: what is in commits, and what differs between them.
        history: the study as git has it.
        branch: the study's branch.
        refs: the experiments' refs.
        notes: the verdicts' notes.
        trees: the worktrees that runs run in.
    """

    def __init__(self, root: Path, tag: str) -> None:
        if not re.fullmatch(r"\w[\w.-]*", tag) or ".." in tag or tag.endswith((".", ".lock")):
            raise LineageError(f"{tag!r} cannot name a study; use letters, digits, `-`, `_` and single dots")
        self.tag = tag
        self.git = Plumbing(root)
        self.root = self.git.root
        self.checkout, self.commits = Checkout(self.git), Commits(self.git)
        self.history, self.refs, self.notes = History(self.git, tag), Refs(self.git, tag), Notes(self.git)
        self.trees = Worktrees(self.git)
        self.branch = StudyBranch(self.git, f"looptop/{tag}", self.trees.one_at_a_time)
        self._known_modes: dict[tuple[str, frozenset[str]], dict[str, str]] = {}

    def prepare(self) -> None:
        """Makes `.looptop/` and has git ignore it, through `info/exclude`: no file of the person's changes."""
        Workspace(self.root).refuse_stranger()
        try:
            (self.root / ".looptop").mkdir(exist_ok=True)
            exclude = self.git.common_dir / "info" / "exclude"
            text = exclude.read_text(errors="surrogateescape") if exclude.exists() else ""
            if ".looptop/" not in text.split("\n"):
                exclude.parent.mkdir(exist_ok=True)
                start = "" if not text or text.endswith("\n") else "\n"
                with exclude.open("a") as file:
                    file.write(f"{start}.looptop/\n")
        except OSError as failed:
            raise LineageError(f"{failed.filename} cannot be written ({failed.strerror}); looptop needs it") from failed

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
        modes = self.modes(parent, frozenset(files))
        ref = self.refs.name(experiment_id)
        name, email = self.git.identity if like is None else history.author(self.git, like)
        text = compose(self.tag, experiment_id, message).encode("utf-8", "replace")
        who = f"{name} <{email}> {int(at)} +0000"
        stream = [f"feature done\ncommit {ref}\nmark :1\nauthor {who}\ncommitter {who}\n".encode(), data(text)]
        stream.append(f"from {parent}\n".encode())
        for path, content in files.items():
            quoted = '"' + self.git.inside(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
            if content is None:
                stream.append(f"D {quoted}\n".encode())
            else:
                stream += [f"M {modes.get(path, '100644')} inline {quoted}\n".encode(), data(content)]
        stream.append(b"get-mark :1\ndone\n")
        sha = self._import(experiment_id, stream)
        changes = self.commits.stat(parent, sha)
        return Committed(sha, sum(c.lines_added for c in changes), sum(c.lines_removed for c in changes))

    def is_clone(self) -> bool:
        """Whether git knows another repository that this one may be a clone of."""
        return bool(self.git.run("remote").strip())

    def left_by_dead_gits(self) -> list[Path]:
        """Lock files on the study's own branch and refs and on the notes, and files of its refs that hold no commit."""
        return [*self.refs.left_by_dead_gits(), *self.notes.stale_locks()]

    def clear_stale(self, keep: Collection[str] = ()) -> list[str]:
        """Removes what a killed supervisor has left: all trees but `keep`, and stale locks on what is ours.

        Only for the start of the workspace's one supervisor. Returns the names of the trees removed.
        """
        for path in self.refs.left_by_dead_gits():
            path.unlink(missing_ok=True)
        self.notes.clear_stale_locks()
        return self.trees.clear_stale(keep)

    def modes(self, parent: str, files: frozenset[str]) -> dict[str, str]:
        """The modes of those files that are in `parent` already; refuses what is no plain file there.

        Remembered, because one proposal after another is made on the same champion: 3.5 ms each.
        """
        if (known := self._known_modes.get((parent, files))) is not None:
            return known
        asked = set()
        for path in files:
            parts = self.git.inside(path).split("/")
            asked |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
        found: dict[str, str] = {}
        for entry in self.git.run("ls-tree", "-z", "--full-tree", parent, "--", *sorted(asked)).split(b"\0"):
            described, _, path_bytes = entry.partition(b"\t")
            full = path_bytes.decode("utf-8", "surrogateescape")
            mode, path = described[:6].decode(), self.git.relative(full)
            if path in files:
                if mode not in ("100644", "100755"):
                    kind = {"120000": "a symbolic link", "160000": "a submodule"}.get(mode, "a folder")
                    raise LineageError(f"{path} is {kind} in {parent[:12]}; looptop edits plain files only")
                found[path] = mode
            elif full in asked and mode != "040000":
                raise LineageError(f"{path} is no folder in {parent[:12]}, so nothing can be edited inside it")
        self._known_modes = {(parent, files): found}
        return found

    def _import(self, experiment_id: int, stream: Sequence[bytes]) -> str:
        """Feeds one commit to git and returns its sha; what its ref pointed at and would be lost is kept aside."""
        answer = self.git.fast_import(stream)
        sha = answer.out.decode().strip()
        if answer.status == 0:
            return sha
        if sha and "not updating" in answer.err.lower():  # git 2.53 begins it with a small letter
            ref = self.refs.name(experiment_id)
            old = self.git.run("rev-parse", "--verify", ref).decode().strip()
            moves = f"update {self.refs.aside(experiment_id, old)} {old}\nupdate {ref} {sha} {old}\n"
            self.git.run("update-ref", "-m", "looptop: made anew", "--stdin", stdin=moves.encode())
            return sha
        raise self.git.failed(("fast-import",), answer)
