"""What git knows of a study. Reads only.

`survey` is for every start: where the refs, the branch and the notes are, without reading any commit. `read` is for a
study whose journal is lost: two or three git processes, however many experiments there are; 1,000 take about 110 ms.
Where the refs are gone too (a clone brings only branches), the kept experiments still come back from the branch.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loop.lineage.git import Plumbing
from loop.lineage.message import Judged, read_message, read_note

_FIELDS = 5  # of the format in _read_commits, each ended by a NUL; the text of a commit or a note never holds one


@dataclass(frozen=True, slots=True)
class RecoveredExperiment:
    """One experiment as git has it.

    Attributes:
        id: its number.
        sha: its commit.
        parent_sha: the commit it was made on, None for a commit without a parent.
        parent_experiment: the experiment it was made on, None for the baseline.
        title: one line.
        hypothesis: any text.
        researcher: who proposed it, "" if unknown.
        at: the commit's date in seconds since the epoch.
        judged: verdict, metric, runs and reason, None for one without a verdict.
        kept: True if it is on the study's branch.
        trailers: all trailers of its commit message.
    """

    id: int
    sha: str
    parent_sha: str | None
    parent_experiment: int | None
    title: str
    hypothesis: str
    researcher: str
    at: float
    judged: Judged | None
    kept: bool
    trailers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Survey:
    """Where everything of one study is in git.

    Attributes:
        refs: the commit that each experiment's ref is at, by number.
        superseded: commits that another one replaced under the same number, with that number.
        notes: the verdict notes of all those commits and of those asked about, by commit.
        tip: the commit that the branch is at, None where there is no such branch.
        standing: the worktree that has the branch checked out, "" for none.
        there: of all these commits, those that exist and can be read.
        broken: the branch's file holds no commit, as after a power cut.
    """

    refs: Mapping[int, str]
    superseded: Mapping[str, int]
    notes: Mapping[str, Judged]
    tip: str | None
    standing: str
    there: frozenset[str]
    broken: bool = False


class History:
    """The study `tag` as git has it."""

    def __init__(self, git: Plumbing, tag: str) -> None:
        self._git, self._tag = git, tag

    def survey(self, asked: Collection[str] = ()) -> Survey:
        """Where everything of the study is; three or four git processes.

        Args:
            asked: commits that the journal names.
        """
        refs: dict[int, str] = {}
        superseded: dict[str, int] = {}
        for name, sha in _refs(self._git, self._tag):
            if name.isdecimal():
                refs[int(name)] = sha
            elif name.startswith("superseded/") and (number := name[len("superseded/") :].split("-")[0]).isdecimal():
                superseded[sha] = int(number)
        named = {*refs.values(), *superseded, *asked}
        branch = f"refs/heads/looptop/{self._tag}"
        tip, standing = branch_state(self._git, branch)
        there = frozenset(existing(self._git, named))
        return Survey(
            refs, superseded, notes_of(self._git, named), tip, standing, there, is_broken(self._git.common_dir / branch)
        )

    def read(self) -> list[RecoveredExperiment]:
        """All experiments of the study, ordered by id."""
        found: dict[int, RecoveredExperiment] = {}
        numbers = {sha: int(name) for name, sha in _refs(self._git, self._tag) if name.isdecimal()}
        whole = existing(self._git, numbers)
        ids = {sha: number for sha, number in numbers.items() if sha in whole}
        if ids:
            asked = "\n".join(ids).encode()
            for experiment in _read_commits(self._git, "--no-walk=unsorted", "--stdin", stdin=asked):
                found[ids[experiment.sha]] = replace(experiment, id=ids[experiment.sha])
        branch = f"refs/heads/looptop/{self._tag}"
        if self._git.ask("rev-parse", "--verify", "--quiet", branch).status == 0:
            # The filter is only a quick first sieve: "Study: a" is also in "Study: a-2".
            for experiment in _read_commits(
                self._git, "--first-parent", "--fixed-strings", f"--grep=Study: {self._tag}", branch, "--"
            ):
                ours = experiment.trailers.get("Study") == self._tag and experiment.id >= 0
                if ours and found.get(experiment.id, experiment).sha == experiment.sha:
                    found[experiment.id] = replace(experiment, kept=True)
        by_sha = {experiment.sha: experiment.id for experiment in found.values()}
        return [
            replace(found[id_], parent_experiment=by_sha.get(found[id_].parent_sha or "", found[id_].parent_experiment))
            for id_ in sorted(found)
        ]


def is_broken(ref: Path) -> bool:
    """Whether the file of a ref is there and holds no commit: a power cut leaves it empty, and git cannot move it."""
    try:
        return re.fullmatch(rb"[0-9a-f]{40,64}\s*|ref: .+\s*", ref.read_bytes()) is None
    except OSError:
        return False


def _refs(git: Plumbing, tag: str) -> list[tuple[str, str]]:
    """What stands below `refs/looptop/<tag>/`, and the object that each points at, whether that is there or not."""
    out = git.run("for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", f"refs/looptop/{tag}/")
    return [(name, sha) for name, sha in (line.split(" ") for line in out.decode("utf-8", "replace").splitlines())]


def branch_state(git: Plumbing, ref: str) -> tuple[str | None, str]:
    """The commit that a branch is at, and the worktree that it is checked out in ("" for none)."""
    shown = "--format=%(refname) %(objectname) %(worktreepath)"
    for line in git.run("for-each-ref", shown, ref).decode("utf-8", "replace").splitlines():
        name, sha, standing = line.split(" ", 2)
        if name == ref:
            return sha, standing
    return None, ""


def existing(git: Plumbing, shas: Collection[str]) -> set[str]:
    """Those of `shas` that are commits in the repository."""
    if not shas:
        return set()
    asked = "".join(f"{sha}\n" for sha in shas).encode()
    said = git.run("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked).decode().splitlines()
    return {line.split(" ")[1] for line in said if line.startswith("commit ")}


def author(git: Plumbing, commit: str) -> tuple[str, str]:
    """Name and email of who a commit is by."""
    name, _, email = git.run("log", "-1", "--format=%an%x00%ae", commit).decode("utf-8", "replace").partition("\0")
    return name, email.strip("\n")


def notes_of(git: Plumbing, commits: Collection[str]) -> dict[str, Judged]:
    """The verdict notes of `commits`."""
    listed = git.ask("ls-tree", "-r", "-z", "--full-tree", "refs/notes/looptop")
    if listed.status != 0:
        return {}  # nothing was ever judged here
    blobs: dict[str, str] = {}
    for entry in listed.out.decode("utf-8", "replace").split("\0"):
        described, _, path = entry.partition("\t")
        if (sha := path.replace("/", "")) in commits:  # git spreads many notes over folders
            blobs[sha] = described.split(" ")[2]
    texts = git.blobs(list(blobs.values()))
    found = ((sha, read_note(text.decode("utf-8", "replace"))) for sha, text in zip(blobs, texts, strict=True) if text)
    return {sha: note for sha, note in found if note is not None}


def _read_commits(git: Plumbing, *which: str, stdin: bytes | None = None) -> Iterator[RecoveredExperiment]:
    """Commits with their messages and notes; the id is that of the message, -1 where it has none."""
    shown = (
        "-z",
        "--format=tformat:%H%x00%P%x00%at%x00%B%x00%N",
        "--no-color",
        "--no-notes",
        "--notes=refs/notes/looptop",
    )
    out = git.run("log", *shown, *which, stdin=stdin)
    words = out.decode("utf-8", "replace").split("\0")
    for at in range(0, len(words) - _FIELDS + 1, _FIELDS):
        sha, parents, date, text, note = words[at : at + _FIELDS]
        message = read_message(text)
        id_, parent = (message.trailers.get(key, "") for key in ("Experiment", "Parent-experiment"))
        yield RecoveredExperiment(
            id=int(id_) if id_.isdecimal() else -1,
            sha=sha,
            parent_sha=parents.split(" ")[0] or None,
            parent_experiment=int(parent) if parent.isdecimal() else None,
            title=message.title,
            hypothesis=message.hypothesis,
            researcher=message.trailers.get("Researcher", ""),
            at=float(date),
            judged=read_note(note),
            kept=False,
            trailers=dict(message.trailers),
        )
