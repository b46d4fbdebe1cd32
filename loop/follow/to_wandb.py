"""Shows a study in Weights & Biases: a run for each experiment, in the study's group, once it has its verdict.

Their history only grows and cannot be read back while offline, so an experiment is handed over whole, and a note in
`.looptop/` says how far each has come. What happens to it later, such as a champion's further runs, is added to its
run.
`WANDB_MODE=offline` writes files, which `wandb sync` brings there. Needs the package `wandb`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb
from wandb.errors import CommError, UsageError

from loop.errors import UserError
from loop.follow.tracker import Details, TrackerTrouble
from loop.follow.translation import STUDY, Point, Update

_SIGNS = str.maketrans(dict.fromkeys("/\\#?%:@", "-"))


class WandbTracker:
    """See `Tracker`.

    Args:
        project: of theirs; made where there is none.
        folder: for their files and our note.
    """

    def __init__(self, project: str, folder: Path) -> None:
        self.where = f"the project {project} of Weights & Biases"
        self._project, self._folder = project, folder
        self._note = folder / f"wandb-{project.translate(_SIGNS)}.json"
        self._study = self._title = ""
        self._known: dict[str, dict[str, int]] = {}
        self._held: dict[int, Update] = {}
        """Of experiments without a verdict yet, everything so far."""

    def begin(self, study: str, title: str) -> Mapping[int, int]:
        self._study, self._title = study, title
        self._known = _read(self._note)
        return {int(key): seq for key, seq in self._known.setdefault(study, {}).items()}

    def send(self, updates: Sequence[Update], details: Details) -> None:
        for update in updates:
            key = update.key
            if key == STUDY or update.seq <= self._known[self._study].get(str(key), 0):
                continue  # the study is the group; the other was sent, and what came after it failed
            if (held := self._held.get(key)) is None:
                held = self._held[key] = update
            elif held.seq < update.seq:
                held.join(update)
            if held.ended in ("finished", "failed") or str(key) in self._known[self._study]:
                self._hand_over(held, details)
                del self._held[key]

    def close(self) -> None:
        """Every run was finished."""

    # --- inside ------------------------------------------------------------------------------------------------

    def _hand_over(self, update: Update, details: Details) -> None:
        ended = bool(update.ended)
        constants = details.constants(update.key) if ended else {}
        diff = details.diff(update.key) if ended else ""
        try:
            run = wandb.init(
                project=self._project,
                id=f"{self._study}-{update.key}".translate(_SIGNS)[-128:],
                name=f"{update.key} {update.title}".strip()[:128],
                group=self._title,
                job_type="experiment",
                dir=str(self._folder),
                resume="allow",
                reinit="finish_previous",
                settings=wandb.Settings(console="off", silent=True),
            )
            run.define_metric("training step", hidden=True)
            run.define_metric("*", step_metric="training step")
            run.config.update({**constants, **update.tags}, allow_val_change=True)
            for row in rows(update.points):
                run.log(row)
            if diff:
                artifact = wandb.Artifact(f"change-{update.key}", type="diff")
                with artifact.new_file("change.diff", mode="w") as file:
                    file.write(diff)
                run.log_artifact(artifact)
            run.tags = (*(run.tags or ()), update.tags.get("verdict", "open"))
            run.finish(exit_code=int(update.ended == "failed"))
        except UsageError as error:
            raise UserError(f"Weights & Biases refuses: {' '.join(str(error).split())[:300]}") from error
        except (CommError, OSError) as error:
            said = " ".join(str(error).split())[:300]
            raise TrackerTrouble(f"Weights & Biases does not answer: {said}") from error
        self._known[self._study][str(update.key)] = update.seq
        part = self._note.with_suffix(".part")
        part.write_text(json.dumps(self._known), encoding="utf-8")
        part.rename(self._note)


def rows(points: Sequence[Point]) -> list[dict[str, float]]:
    """Points of one moment and step together."""
    found: dict[tuple[float, int], dict[str, float]] = {}
    for point in points:
        row = found.setdefault((point.at, point.step), {"training step": point.step})
        row[point.name] = point.value
    return list(found.values())


def _read(path: Path) -> dict[str, dict[str, int]]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return {str(study): {str(k): int(v) for k, v in known.items()} for study, known in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
