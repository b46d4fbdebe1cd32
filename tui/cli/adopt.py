"""`looptop adopt`: go on from where a prompt-driven loop has come to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui.cli.open_study import AsJson, find_root, print_json
from tui.cli.start import Tag

if TYPE_CHECKING:
    from loop.guests.adopt import Adopted


def adopt(
    context: typer.Context,
    branch: Annotated[
        str | None, typer.Argument(metavar="BRANCH", help="Its branch, or the TAG of autoresearch/TAG.")
    ] = None,
    results: Annotated[Path | None, typer.Option("--results", help="Its results.", show_default="results.tsv")] = None,
    tag: Tag = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Begin a study with the history of a prompt-driven autoresearch.

    What its results.tsv tells is imported, marked as its agent's own word, and shown to researchers; the loop then
    goes on from its best commit, which the study's own baseline measures anew. Its branch, files and results stay as
    they are.

    Example: looptop adopt autoresearch/mar5
    """
    from loop.guests.adopt import adopt as take

    found = take(find_root(context.obj), branch, results, tag, dry_run)
    if as_json:
        print_json(_data(found, dry_run))
    else:
        typer.echo("\n".join(_lines(found, dry_run)))


def _data(found: "Adopted", dry: bool) -> dict[str, Any]:
    return {
        "tag": found.tag,
        "branch": found.branch,
        "base": found.base,
        "best": None if found.best is None else {"metric": found.best.metric, "title": found.best.description},
        "imported": len(found.rows),
        "verdicts": found.counts(),
        "said": found.said,
        "dry_run": dry,
    }


def _lines(found: "Adopted", dry: bool) -> list[str]:
    from loop.sanitize import plain

    counts = ", ".join(f"{count} {word}" for word, count in found.counts().items())
    lines = [f"{'would import' if dry else 'imported'} {len(found.rows)} experiments of {found.branch}: {counts}"]
    if found.best is not None:
        number = f"{found.metric} {found.best.metric:.6g}, self-reported"
        lines.append(f"  the best is {found.base[:12]} ({number}): {found.best.description}")
    lines += [f"  {sentence}" for sentence in found.said]
    if not dry:
        lines.append(f"`looptop` goes on from {found.base[:12]} as the study {found.tag}, and measures it anew first")
    return [plain(line).replace("\n", " ") for line in lines]
