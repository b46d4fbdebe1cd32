"""The branch of one study, which holds what was kept: it moves only from where the study left it.

That is by compare-and-swap, and never while somebody has it checked out: the move would show as changes of theirs.
"""

from loop.lineage import history
from loop.lineage.git import LineageError, Plumbing, complaint
from loop.lineage.locks import Turns


class BranchMoved(LineageError):
    """The study's branch is not where the study left it, or somebody stands on it."""


class StudyBranch:
    """The branch `name`.

    Args:
        trees: held while the branch is looked at: git reads the records of all worktrees then, whole ones only.
    """

    def __init__(self, git: Plumbing, name: str, trees: Turns) -> None:
        self._git, self.name, self._trees = git, name, trees
        self._ref = f"refs/heads/{name}"

    def check(self, expected: str) -> None:
        """Make sure that it is at the commit `expected`.

        Raises:
            BranchMoved: it is elsewhere or gone; the sentence says how to put it back.
        """
        self._check_tip(*self._state(), expected)

    def begin(self, commit: str) -> None:
        """Makes it at `commit`; nothing happens if it is there already.

        Raises:
            BranchMoved: it exists elsewhere.
        """
        wanted = self._git.run("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()
        tip, _ = self._state()
        if tip == wanted:
            return
        if tip is not None:
            raise BranchMoved(f"branch {self.name} exists already at {tip[:12]}; choose another tag for this study")
        if self._git.ask("rev-parse", "--verify", "--quiet", "refs/heads/looptop").status == 0:
            raise LineageError(
                "a branch called looptop is in the way of looptop/...; rename it: git branch -m looptop NAME"
            )
        self._git.run("update-ref", "-m", "looptop: begin", "--stdin", stdin=f"create {self._ref} {wanted}\n".encode())

    def advance(self, new: str, expected_old: str) -> None:
        """Moves it from `expected_old` to `new`; nothing happens if it is at `new` already.

        Raises:
            BranchMoved: it is elsewhere or gone, or checked out somewhere, where moving it would show as changes.
        """
        tip, standing = self._state()
        if tip == new:
            return
        self._check_tip(tip, standing, expected_old)
        self._check_nobody_stands(standing)
        move = f"update {self._ref} {new} {expected_old}\n".encode()
        answer = self._git.ask("update-ref", "-m", "looptop: new champion", "--stdin", stdin=move)
        if answer.status != 0:
            if self._state()[0] != expected_old:
                raise BranchMoved(f"branch {self.name} was moved by somebody this moment; try again")
            raise complaint(("update-ref",), self._git.top, answer)

    def put_back(self, commit: str | None, seen: str | None) -> None:
        """Moves it from `seen` back to `commit`, or takes it away where that is None.

        Args:
            seen: None where the file of the branch holds no commit.

        Raises:
            BranchMoved: somebody stands on it.
            LineageError: it is no longer at `seen`.
        """
        tip, standing = self._state()
        if tip == commit and seen is not None:
            return
        self._check_nobody_stands(standing)
        if seen is None:
            if history.is_broken(self._git.common_dir / self._ref):
                (self._git.common_dir / self._ref).unlink()
            if commit is None:
                return
            # Not `create`: if the refs were packed, an older place of the branch shows up now.
            order = f"update {self._ref} {commit}\n"
        else:
            order = f"delete {self._ref} {seen}\n" if commit is None else f"update {self._ref} {commit} {seen}\n"
        self._git.run("update-ref", "-m", "looptop: as the journal has it", "--stdin", stdin=order.encode())

    def _check_tip(self, tip: str | None, standing: str, expected: str) -> None:
        if tip != expected:
            raise BranchMoved(moved(self.name, tip, standing, expected))

    def _check_nobody_stands(self, standing: str) -> None:
        if standing:
            raise BranchMoved(f"branch {self.name} is checked out in {standing}; switch to another branch there")

    def _state(self) -> tuple[str | None, str]:
        with self._trees:
            return history.branch_state(self._git, self._ref)


def moved(branch: str, tip: str | None, standing: str, expected: str) -> str:
    """The sentence for a branch that is not at the commit `expected`: what to do, so that nothing is lost.

    Args:
        tip: where it is, None where it is gone.
        standing: the worktree that it is checked out in, "" for none.
    """
    if tip is None:
        return f"branch {branch} is gone; bring it back: git branch {branch} {expected[:12]}"
    first = f"switch to another branch in {standing}, " if standing else ""
    return (
        f"branch {branch} was moved to {tip[:12]} by somebody; {first}keep that under another name and put it back: "
        f"git branch NAME {branch} && git branch -f {branch} {expected[:12]}"
    )
