"""What the commands share: how they refuse, their common options, and how they open the study."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loop.errors import UserError

if TYPE_CHECKING:
    from loop.journal import Journal
    from loop.study.experiment import Experiment
    from loop.study.state import Study


class Refused(UserError):
    """A command refuses; the message is one sentence for the person.

    Args:
        code: exit code; 1 if something is not as it must be, 2 if the command was used wrongly.
    """

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def parse_number(text: str) -> int:
    """The number of an experiment, as a person types it."""
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"{text!r:.80} is no number of an experiment; `looptop experiments` lists them")
    return int(text)


Number = Annotated[int, typer.Argument(metavar="N", parser=parse_number, help="Number of the experiment.")]


def find_root(start: Path) -> Path:
    """The project around `start`; found without git where there is a study already."""
    from loop.workspace import outside_trees

    place = outside_trees(start.resolve())
    if place.exists() and not place.is_dir():
        raise Refused(f"{place} is a file; -C takes the folder of a checkout", 2)
    for folder in (place, *place.parents):
        if (folder / ".looptop" / "journal.db").exists():
            return folder
        if (folder / "program.md").is_file() or (folder / ".git").exists():
            break
    from loop import lineage

    return lineage.find_root(start)


def open_journal(root: Path, *, to_ask: bool = False) -> "Journal":
    """The journal of the study at `root`. Says so on stderr where it can only be read.

    Args:
        to_ask: the command has a request to append.

    Raises:
        Refused: a request is to be appended, and the journal can only be read; or it is gone, and git knows the study.
    """
    from loop.journal import Journal, exists
    from loop.workspace import Workspace

    if not exists(path := Workspace(root).journal) and (lost := without_journal(root)) is not None:
        raise Refused("; ".join(lost))
    journal = Journal(path)
    if journal.refusal and to_ask:
        raise Refused(journal.refusal)
    if journal.refusal:
        typer.echo(f"looptop: {journal.refusal}", err=True)
    return journal


def without_journal(root: Path) -> tuple[str, str] | None:
    """What git knows of studies although `root` has no journal, and what to do; None where it knows of none."""
    from loop.lineage import tags
    from loop.words import listed

    if not (known := tags(root)):
        return None
    which = "--rebuild" if len(known) == 1 else "--rebuild --tag TAG"
    remedy = f"`looptop doctor {which}` brings one back, `looptop` begins another"
    return f"there is no journal in {root}, and git knows {listed(known)}", remedy


def folded(journal: "Journal", earlier: "Study | None" = None) -> "Study":
    """The study of a journal, as of its newest event; `earlier` is brought up to date."""
    from loop.study.folding import FOLDED, fold

    study = fold(journal.read(earlier.seq if earlier else 0, kinds=FOLDED), earlier)
    newest = journal.read(limit=1, newest=True)
    study.at = max([study.at, *(event.at for event in newest)])
    return study


def find_experiment(study: "Study", number: int) -> "Experiment":
    """The experiment with this number.

    Raises:
        Refused: there is none.
    """
    from loop.policy import permissions

    found = permissions.find_experiment(study, number)
    if isinstance(found, permissions.Refused):
        raise Refused(found.sentence, 2)
    return found


def print_json(value: Any) -> None:
    typer.echo(json_of(value, indent=2))


def json_of(value: Any, indent: int | None = None) -> str:
    """JSON that every parser accepts: numbers that are not finite are null."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
