"""Shows a study in MLflow: a parent run for the study, and nested in it a run for each experiment.

How far each run has come stands in its tag `looptop.seq`, which is written with the newest numbers. Where a follower is
killed between two requests the next one sends the last numbers again, and MLflow's database keeps one of two equal ones
(same name, step, time and value). Needs the package `mlflow`, or the smaller `mlflow-skinny`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # the follower waits and tries again itself, and says so
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines for each run

import requests
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from loop.errors import UserError
from loop.follow.tracker import Details, TrackerTrouble
from loop.follow.translation import STUDY, Point, Update

MANY, FEW = 900, 90
"""Numbers, and tags or parameters, in one request; MLflow takes 1,000 and 100."""

LONGEST = 4000
"""Characters of a tag or of a parameter."""

_MINE = "looptop.study"
_REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "PERMISSION_DENIED", "UNAUTHENTICATED", "ENDPOINT_NOT_FOUND"})


class MLflowTracker:
    """See `Tracker`.

    Args:
        uri: of the tracking server, or of its database.
        experiment: MLflow's own experiment in which the study is shown; made where there is none.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self.where = f"{uri}, experiment {experiment}"
        self._uri, self._name = uri, experiment
        with _told(uri):
            self._client = MlflowClient(tracking_uri=uri)
        self._study = self._experiment = ""
        self._runs: dict[int, str] = {}
        """Run ids, by experiment."""
        self._params: dict[int, set[str]] = {}
        """Names of those that a run has; MLflow lets none be changed."""

    def begin(self, study: str, title: str) -> Mapping[int, int]:
        self._study = study
        with _told(self._uri):
            found = self._client.get_experiment_by_name(self._name)
            self._experiment = found.experiment_id if found is not None else self._client.create_experiment(self._name)
            known = {}
            for run in self._own_runs():
                key = int(run.data.tags.get("looptop.experiment", STUDY))
                self._runs[key], self._params[key] = run.info.run_id, set(run.data.params)
                known[key] = int(run.data.tags.get("looptop.seq", 0))
        return known

    def send(self, updates: Sequence[Update], details: Details) -> None:
        with _told(self._uri):
            for update in sorted(updates, key=lambda one: one.key):
                self._send(update, details)

    def close(self) -> None:
        """Every request was answered; there is nothing to let go of."""

    # --- inside ------------------------------------------------------------------------------------------------

    def _own_runs(self) -> Iterator[Any]:
        token = None
        while True:
            mine = f"tags.`{_MINE}` = '{self._study.replace(chr(39), '')}'"
            page = self._client.search_runs([self._experiment], mine, max_results=500, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _run(self, update: Update) -> str:
        if (known := self._runs.get(update.key)) is not None:
            return known
        tags = {_MINE: self._study.replace("'", ""), "looptop.experiment": str(update.key), "looptop.seq": "0"}
        name = update.title
        if update.key != STUDY:
            name = f"{update.key} {update.title}".strip()[:200]
            if STUDY in self._runs:
                tags["mlflow.parentRunId"] = self._runs[STUDY]
        made = self._client.create_run(self._experiment, int(1000 * update.at), tags, name)
        self._runs[update.key], self._params[update.key] = made.info.run_id, set()
        return str(made.info.run_id)

    def _send(self, update: Update, details: Details) -> None:
        run = self._run(update)
        tags = [RunTag(name, text[:LONGEST]) for name, text in update.tags.items()]
        if note := "\n\n".join(update.tags[name] for name in ("hypothesis", "reason") if name in update.tags):
            tags.append(RunTag("mlflow.note.content", note[:LONGEST]))
        if update.ended in ("finished", "failed") and update.key != STUDY:
            self._finish(run, update.key, details)
        metrics = [_metric(point) for point in update.points]
        for first in range(0, max(0, len(metrics) - MANY), MANY):
            self._client.log_batch(run, metrics[first : first + MANY])
        rest = metrics[(max(0, len(metrics) - 1) // MANY) * MANY :]
        self._client.log_batch(run, rest, tags=[*tags, RunTag("looptop.seq", str(update.seq))])
        if update.ended == "open":
            self._client.update_run(run, "RUNNING")
        elif update.ended:
            status = "FAILED" if update.ended == "failed" else "FINISHED"
            self._client.set_terminated(run, status, int(1000 * update.at))

    def _finish(self, run: str, key: int, details: Details) -> None:
        """What is known once there is a verdict: the constants and the diff."""
        new = [(name, text) for name, text in details.constants(key).items() if name not in self._params[key]]
        for first in range(0, len(new), FEW):
            params = [Param(_key(name), text[:LONGEST]) for name, text in new[first : first + FEW]]
            self._client.log_batch(run, params=params)
        self._params[key] |= {name for name, _ in new}
        if diff := details.diff(key):
            self._client.log_text(run, diff, "change.diff")


def _metric(point: Point) -> Metric:
    return Metric(point.name, point.value, int(1000 * point.at), point.step)


def _key(name: str) -> str:
    """A parameter's name as MLflow takes it."""
    return "".join(char if char.isalnum() or char in "_-. /:" else "_" for char in name)[:250]


@contextmanager
def _told(uri: str) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        said = " ".join(str(error).split())[:300]
        if error.error_code in _REFUSALS:
            raise UserError(f"MLflow at {uri} refuses: {said}") from error
        raise TrackerTrouble(f"MLflow at {uri} does not answer: {said}") from error
    except (requests.RequestException, OSError) as error:
        raise TrackerTrouble(f"MLflow at {uri} does not answer: {' '.join(str(error).split())[:300]}") from error
