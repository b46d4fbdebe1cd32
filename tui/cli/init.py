"""`looptop init`: makes a folder a workspace. Finds what is there and writes a `program.md` that a person has to read.

Changes nothing that exists: neither a `program.md`, nor a `.gitignore`, nor a repository's index or commits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from loop.config.discovery import Discovered, Finding, Said, discover, has_program
from loop.config.program import ProgramError, load
from loop.lineage import Lineage, LineageError, init_repository, matching
from loop.lineage.first_commit import FirstCommit, first_commit
from loop.lineage.git import find_top
from loop.pipeline.needed_files import missing_files
from loop.study.contract import Contract
from loop.words import listed

TEMPLATE = """\
---
{front}---
# What to improve

Make `{metric}` as {direction} as you can by changing `{edit}`, and nothing else.

- Each run gets LOOPTOP_BUDGET_S seconds of training and LOOPTOP_SEED as its seed.
- At its end it prints a line `{metric}: NUMBER`. While it trains it may print lines like
  `step 00500 (52.4%) | loss: 2.31`, which the cockpit draws.
- One idea at a time, with a reason why it should help. A small gain that adds a lot of code is not worth it; the same
  number with less code is.

Write here what a new colleague would need to know: what the model is for, what has been tried, what must not change.
"""
MOST_COMMITTED = 5000
"""Files of a first commit; a folder with more of them is not looked through by anybody."""


@dataclass
class Done:
    """What was found and done.

    Attributes:
        program: the `program.md`.
        wrote: whether it is new.
        found: what it says, by key.
        lines: all of it, as a person reads it.
    """

    program: Path
    wrote: bool = False
    found: dict[str, Finding] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        found = {
            key: {"value": one.value, "where": one.where, "sure": one.sure, "others": one.others}
            for key, one in self.found.items()
        }
        return {"program": str(self.program), "wrote": self.wrote, "found": found, "said": self.lines}


def initialise(folder: Path, said: Said, ask: Callable[[str], bool] | None) -> Done:
    """Make `folder` a workspace.

    Args:
        said: wins over what is found.
        ask: asks the person before a git repository is made; None does not ask.

    Raises:
        LineageError: git failed, or the person said no.
        NothingToEdit: no file to improve was found.
        ValidationError: what the person said is no value of `program.md`.
    """
    if not folder.is_dir():
        raise LineageError(f"{folder} is no folder; make it first")
    top = find_top(folder)
    fresh = top is None or not _has_commit(top)
    root = folder if top is None or (folder / "program.md").exists() else _place(folder, top, said)
    done = Done(root / "program.md")
    start = first_commit(root) if fresh else FirstCommit((), {}, ())
    if fresh and len(start.files) > MOST_COMMITTED:
        raise LineageError(
            f"{root} has {len(start.files):,} files, too many for a first commit; make the repository "
            "yourself (git init, git add, git commit), then run `looptop init` again"
        )
    files = start.files if fresh else matching(root, ".")
    found = None
    if not done.program.exists():
        found = discover(root, files, said)
    if fresh and ask is not None and not ask(_question(root, start)):
        raise LineageError("looptop keeps every experiment in git, so it needs a repository; nothing was changed")
    if found is not None:
        _write(done, root, found, files if fresh else _committed(root))
    else:
        done.lines += [f"{done.program} exists already and stays as it is", _what_it_says(root)]
    if fresh:
        _commit(done, root if top is None else top, root, start)
    done.lines.append("next: read it, then `looptop doctor --try`, then `looptop`")
    return done


def _has_commit(top: Path) -> bool:
    try:
        Lineage(top, "init").checkout.head()
    except LineageError:
        return False
    return True


def _place(folder: Path, top: Path, said: Said) -> Path:
    """The folder itself, if it looks like a project's; else the top of its repository."""
    named = said.edit is not None and (folder / said.edit).is_file()
    return folder if named or has_program(path.name for path in folder.iterdir()) else top


def _what_it_says(root: Path) -> str:
    """Also of a program without front matter, for which the defaults stand."""
    try:
        contract = load(root, matching).contract
    except ProgramError as error:
        return f"it cannot be used yet: {error}"
    better = "lower" if contract.goal == "min" else "higher"
    return f"it says: edit {listed(contract.edit)}; run `{contract.run}`; {contract.metric}, {better} is better"


def _committed(root: Path) -> Sequence[str]:
    lineage = Lineage(root, "init")
    return list(lineage.commits.entries(lineage.checkout.head()))


def _write(done: Done, root: Path, found: Discovered, committed: Sequence[str]) -> None:
    """Write `program.md`, and say what was found and what is a guess."""
    done.found = {key: getattr(found, key) for key in ("edit", "run", "metric", "goal", "budget")}
    edit = found.edit.value
    contract = Contract.model_validate({key: one.value for key, one in done.found.items()})
    lacking = missing_files(root, contract, committed)
    read = {_outermost(root, one.path, committed): one for one in lacking if not one.certain}
    front = "".join(_line(key, one.value, _comment(one)) for key, one in done.found.items())
    if read:
        why = f"{listed(sorted({one.by for one in read.values()}))} names it, and git does not have it"
        front += _line("read", sorted(read), why)
    direction = "high" if found.goal.value == "max" else "low"
    text = TEMPLATE.format(front=front, edit=edit, metric=found.metric.value, direction=direction)
    done.program.write_text(text, encoding="utf-8")
    done.wrote = True
    done.lines.append(f"wrote {done.program}, from what is here:")
    width = max(len(one.value) for one in done.found.values())
    for key, one in done.found.items():
        done.lines.append(f"  {key + ':':<8}{one.value:<{width}}  {_comment(one)}")
    if read:
        done.lines.append(f"  {'read:':<8}{', '.join(sorted(read))}")
    done.lines += [one.sentence for one in lacking if one.certain]
    if not (root / edit).is_file():
        done.lines.append(f"{edit} does not exist yet: it is the file that researchers will edit")
    if unsure := [key for key, one in done.found.items() if not one.sure]:
        done.lines.append(
            f"not sure of {listed([f'`{key}:`' for key in unsure])}: look at {'these' if unsure[1:] else 'it'}"
        )


def _comment(one: Finding) -> str:
    others = f"; or {listed(one.others)}" if one.others else ""
    return f"{'' if one.sure else 'not sure: '}{one.where}{others}"


def _line(key: str, value: object, comment: str) -> str:
    """A line of front matter, quoted where it must be, and a comment behind it."""
    flow = None if isinstance(value, list) else False  # a list in one line
    dumped = yaml.safe_dump({key: value}, default_flow_style=flow, allow_unicode=True, width=10_000).rstrip("\n")
    return f"{dumped}  # {' '.join(comment.split())}\n"


def _outermost(root: Path, path: str, committed: Sequence[str]) -> str:
    """The largest folder around a file that git has nothing of: a program that opens one shard opens the others too."""
    if Path(path).is_absolute():  # outside of the project
        return path
    parts = path.split("/")
    for count in range(1, len(parts)):
        folder = "/".join(parts[:count])
        if not any(one.startswith(f"{folder}/") for one in committed):
            return folder
    return path


def _question(root: Path, start: FirstCommit) -> str:
    out = f", without {listed(list(start.left_out))}" if start.left_out else ""
    count = f"{len(start.files)} file{'' if len(start.files) == 1 else 's'}"
    return f"{root} is not a git repository with a commit; make it one, with a first commit of {count}{out}?"


def _commit(done: Done, top: Path, root: Path, start: FirstCommit) -> None:
    files = [root / name for name in start.files]
    if start.ignore:
        (root / ".gitignore").write_text("".join(f"{line}\n" for line in start.ignore), encoding="utf-8")
        files.append(root / ".gitignore")
    files = [*dict.fromkeys([*files, done.program])]
    init_repository(top, files)
    done.lines.append(
        f"made a git repository with a first commit of {listed([str(path.relative_to(top)) for path in files])}"
    )
    done.lines += [f"left out {path}: {why}" for path, why in start.left_out.items()]
