"""Real trackers: a MLflow server on loopback with SQLite, TensorBoard's own reader, Weights & Biases offline.

Skipped where their packages are not installed; `make trackers` installs them in an environment of their own.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.follow.follower import Follower
from loop.follow.translation import STUDY, Translation
from tests.follow.journals import Parts


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path, experiments=3)


# --- TensorBoard -----------------------------------------------------------------------------------------------


def tensorboard_counts(folder: Path) -> tuple[Counter[tuple[int, str]], dict[int, str]]:
    """Points of each scalar, and the verdicts, as TensorBoard's own reader has them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    counts: Counter[tuple[int, str]] = Counter()
    verdicts = {}
    for place in sorted(folder.glob("*/*")):
        key = STUDY if place.name == "study" else int(place.name)
        reader = EventAccumulator(str(place), size_guidance={"scalars": 0, "tensors": 0})
        reader.Reload()
        for tag in reader.Tags()["scalars"]:
            counts[key, tag] = len(reader.Scalars(tag))
        if "verdict/text_summary" in reader.Tags()["tensors"]:
            verdicts[key] = reader.Tensors("verdict/text_summary")[-1].tensor_proto.string_val[0].decode()
    return counts, verdicts


def test_tensorboard_reads_what_was_followed_live_and_after_kills(parts: Parts, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from loop.follow import to_tensorboard

    folder, root = tmp_path / "logs", parts.path.parents[1]
    for share in (0.2, 0.5):
        parts.tell(share)
        Follower(root, to_tensorboard.TensorBoardTracker(folder), print).catch_up(parts.journal)
    # Killed after the file was written and before the note was: what lies beyond the note is written again.
    notes = {path: path.read_text() for path in folder.rglob(to_tensorboard.NOTE)}
    parts.tell(0.8)
    Follower(root, to_tensorboard.TensorBoardTracker(folder), print).catch_up(parts.journal)
    for path, text in notes.items():
        path.write_text(text)
    for path in folder.rglob(to_tensorboard.NOTE):
        if path not in notes:
            path.unlink()
    follower = Follower(root, to_tensorboard.TensorBoardTracker(folder), print)
    follower.catch_up(parts.journal)
    parts.tell(1.0)
    follower.catch_up(parts.journal)
    counts, verdicts = tensorboard_counts(folder)
    curves = parts.curves()
    assert {place: counts[place] for place in curves} == dict(curves)
    assert {key: text for key, text in verdicts.items() if key != STUDY} == parts.verdicts()
    once = tmp_path / "once"
    Follower(root, to_tensorboard.TensorBoardTracker(once), print).catch_up(parts.journal)
    assert tensorboard_counts(once) == (counts, verdicts), "live and at once come to the same"


# --- MLflow ----------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A MLflow server with SQLite on a free port of loopback."""
    pytest.importorskip("mlflow.server")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    store = ["--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db", "--artifacts-destination", str(tmp_path / "art")]
    command = [sys.executable, "-m", "mlflow", "server", *store, "--host", "127.0.0.1", "--port", str(port)]
    log = (tmp_path / "server.log").open("wb")
    process = subprocess.Popen([*command, "--workers", "1"], stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                    break
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < until, (tmp_path / "server.log").read_text()[-2000:]
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.timeout(600)
def test_mlflow_has_each_number_once_after_a_restart_in_the_middle(parts: Parts, server: str) -> None:
    from mlflow.tracking import MlflowClient

    from loop.follow.to_mlflow import MLflowTracker

    root, client = parts.path.parents[1], MlflowClient(server)
    parts.tell(0.4)
    Follower(root, MLflowTracker(server, "ours"), print).catch_up(parts.journal)
    runs = client.search_runs([client.get_experiment_by_name("ours").experiment_id])
    for run in runs:  # as if it had been killed before it noted how far it had come
        client.set_tag(run.info.run_id, "looptop.seq", str(int(run.data.tags["looptop.seq"]) // 2))
    parts.tell(1.0)
    Follower(root, MLflowTracker(server, "ours"), print).catch_up(parts.journal)
    runs = client.search_runs([client.get_experiment_by_name("ours").experiment_id])
    by_key = {int(run.data.tags["looptop.experiment"]): run for run in runs}
    assert len(runs) == len(by_key) and set(by_key) == {STUDY, *parts.verdicts()}
    for (key, name), count in parts.curves().items():
        assert len(client.get_metric_history(by_key[key].info.run_id, name)) == count, (key, name)
    for key, verdict in parts.verdicts().items():
        run = by_key[key]
        assert run.data.tags["verdict"] == verdict and run.data.tags["researcher"] == "llm"
        assert run.data.tags["mlflow.parentRunId"] == by_key[STUDY].info.run_id
        assert run.info.status == ("FAILED" if verdict in ("crashed", "timed_out") else "FINISHED")


def test_a_server_that_is_away_is_a_trouble_in_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    from loop.follow.to_mlflow import MLflowTracker
    from loop.follow.tracker import TrackerTrouble

    with pytest.raises(TrackerTrouble, match="does not answer"):
        MLflowTracker("http://127.0.0.1:9", "ours").begin("s", "t")


def test_diff_and_constants_come_along_with_the_verdict(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from loop.follow.to_tensorboard import TensorBoardTracker
    from loop.follow.tracker import Details
    from loop.follow.translation import Update

    tracker = TensorBoardTracker(tmp_path)
    assert tracker.begin("s", "t") == {}
    details = Details(lambda number: {"LR": "0.1", "NAME": "adam"}, lambda number: "-a\n+b")
    tracker.send([Update(7, 3, 1000.0, tags={"verdict": "kept"}, ended="finished")], details)
    reader = EventAccumulator(str(tmp_path / "t" / "0007"))
    reader.Reload()
    assert "change/text_summary" in reader.Tags()["tensors"]
    assert set(reader.summary_metadata) >= {"_hparams_/session_start_info", "_hparams_/session_end_info"}
    shutil.rmtree(tmp_path / "t")


# --- Weights & Biases ------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
def test_wandb_gets_each_experiment_once_and_whole(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    from loop.follow.to_wandb import WandbTracker, rows

    folder, root = tmp_path / "theirs", parts.path.parents[1]
    folder.mkdir()
    for share in (0.6, 1.0):
        parts.tell(share)
        Follower(root, WandbTracker("ours", folder), print).catch_up(parts.journal)
    Follower(root, WandbTracker("ours", folder), print).catch_up(parts.journal)
    runs = {int(path.name.rpartition("-")[2]): path for path in folder.glob("wandb/offline-run-*")}
    assert len(list(folder.glob("wandb/offline-run-*"))) == len(parts.verdicts()), "one for each, and none twice"
    translation, points = Translation(), {}
    for event in parts.events:
        for update in translation.take(event):
            points.setdefault(update.key, []).extend(update.points)
    assert {key: _history(path) for key, path in runs.items()} == {key: len(rows(points[key])) for key in runs}


def _history(run: Path) -> int:
    """Rows of history in the file of a run that was made offline."""
    from wandb.proto import wandb_internal_pb2

    (path,) = run.glob("*.wandb")
    count = 0
    for found in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(found)
        count += record.WhichOneof("record_type") == "history"
    return count


def _records(data: bytes) -> Iterator[bytes]:
    """The records of their file: LevelDB's log, in blocks of 32 KiB, behind seven bytes of a header."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""
