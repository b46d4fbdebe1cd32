"""`looptop follow`: the study in somebody else's tracker."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.open_study import Refused, find_root, open_journal

if TYPE_CHECKING:
    from loop.follow.tracker import Tracker

EVERY = 2.0
"""Seconds between two looks at the journal."""


def follow(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="TRACKER", help="mlflow, tensorboard or wandb.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="MLflow's address, TensorBoard's folder, or the project of Weights & Biases.",
            show_default="MLFLOW_TRACKING_URI or http://127.0.0.1:5000; .looptop/tensorboard; the folder's name",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="MLflow's experiment for it.", show_default="the folder's name")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Show what there is by now, and end.")] = False,
) -> None:
    """Show the study in MLflow, TensorBoard or wandb.

    It goes along until ctrl+c. Each experiment is a run: constants as parameters, curves and metrics, verdict and
    researcher as tags, the diff as an artifact. It only reads the journal, in a process of its own; start it again at
    any time, nothing is doubled. Needs one of the extras `looptop[mlflow]`, `looptop[tensorboard]`, `looptop[wandb]`.

    Example: looptop follow mlflow --to http://127.0.0.1:5000

    Example: looptop follow tensorboard & tensorboard --logdir .looptop/tensorboard
    """
    if kind not in _TRACKERS:
        raise Refused(f"{kind!r:.40} is no tracker that is known; there are {', '.join(_TRACKERS)}", 2)
    from filelock import FileLock, Timeout

    from loop.follow.follower import Follower
    from loop.workspace import Workspace

    root = find_root(context.obj)
    with open_journal(root) as journal:
        try:
            tracker = _TRACKERS[kind](root, to, name or root.name)
        except ModuleNotFoundError as missing:
            if missing.name is None or missing.name.startswith(("loop", "tui")):
                raise
            raise Refused(
                f"`looptop follow {kind}` needs the package {missing.name}; install it with: "
                f"pip install 'looptop[{kind}]'"
            ) from None
        lock = FileLock(Workspace(root).folder / f"follow-{kind}.lock", timeout=0)
        try:
            with lock:
                follower = Follower(root, tracker, lambda said: typer.echo(f"looptop: {said}", err=True))
                count = follower.catch_up(journal)
                typer.echo(f"{count:,} events are shown: {tracker.where}")
                if not once:
                    follower.follow(journal, EVERY)
        except Timeout:
            raise Refused(f"another `looptop follow {kind}` is at work here; one is enough") from None
        finally:
            tracker.close()


def _mlflow(root: Path, to: str | None, name: str) -> "Tracker":
    from loop.follow.to_mlflow import MLflowTracker

    return MLflowTracker(to or os.environ.get("MLFLOW_TRACKING_URI") or "http://127.0.0.1:5000", name)


def _tensorboard(root: Path, to: str | None, name: str) -> "Tracker":
    from loop.follow.to_tensorboard import TensorBoardTracker
    from loop.workspace import Workspace

    return TensorBoardTracker(Path(to) if to else Workspace(root).folder / "tensorboard")


def _wandb(root: Path, to: str | None, name: str) -> "Tracker":
    from loop.follow.to_wandb import WandbTracker
    from loop.workspace import Workspace

    return WandbTracker(to or name, Workspace(root).folder)


_TRACKERS: dict[str, "Callable[[Path, str | None, str], Tracker]"] = {
    "mlflow": _mlflow,
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}
