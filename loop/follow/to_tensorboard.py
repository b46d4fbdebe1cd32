"""Shows a study in TensorBoard: a folder with an event file for the study, and one for each experiment.

Beside each file a note says up to which event of the journal it is whole, and how long it was then. It is replaced once
the file is on the disk; what a follower that was killed has written beyond it is cut off by the next one and written
again from the journal. Needs the package `tensorboard`, which brings no TensorFlow.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.summary.writer.record_writer import RecordWriter

from loop.errors import UserError
from loop.follow.tracker import Details, TrackerTrouble
from loop.follow.translation import STUDY, Point, Update

NOTE, FILE = "looptop.json", "events.out.tfevents.0.looptop"


class TensorBoardTracker:
    """See `Tracker`.

    Args:
        folder: TensorBoard's `--logdir`; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.where = f"tensorboard --logdir {folder}"
        self._folder = folder
        self._place = folder
        self._study = ""

    def begin(self, study: str, title: str) -> Mapping[int, int]:
        self._study, self._place = study, self._folder / title
        known: dict[int, int] = {}
        try:
            self._place.mkdir(parents=True, exist_ok=True)
            for folder in sorted(self._place.iterdir()):
                if not folder.is_dir() or (key := _key_of(folder.name)) is None:
                    continue
                note = _note(folder)
                if note is not None and note["study"] != study:
                    raise UserError(
                        f"{self._place} holds another study of the name {title}; name another folder with `--to`"
                    )
                known[key] = 0 if note is None else int(note["seq"])
        except OSError as error:
            raise TrackerTrouble(f"{self._place} cannot be written: {error.strerror}") from error
        return known

    def send(self, updates: Sequence[Update], details: Details) -> None:
        try:
            for update in updates:
                self._send(update, details)
        except OSError as error:
            raise TrackerTrouble(f"{self._place} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Every file was closed."""

    # --- inside ------------------------------------------------------------------------------------------------

    def _send(self, update: Update, details: Details) -> None:
        folder = self._place / _name(update.key)
        folder.mkdir(parents=True, exist_ok=True)
        note = _note(folder) or {"seq": 0, "size": 0}
        if note["seq"] >= update.seq:
            return  # sent, and what came after it in this batch failed
        path = folder / FILE
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(note["size"])
            file.seek(0, os.SEEK_END)
            writer = RecordWriter(file)
            if not note["size"]:
                writer.write(Event(wall_time=update.at, file_version="brain.Event:2").SerializeToString())
            for event in [*map(_scalar, update.points), *self._texts(update, details)]:
                writer.write(event.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        _write_note(folder, {"study": self._study, "seq": update.seq, "size": size})

    def _texts(self, update: Update, details: Details) -> list[Event]:
        at = update.at
        found = [_text(name, text, update.seq, at) for name, text in update.tags.items()]
        if update.ended not in ("finished", "failed") or update.key == STUDY:
            return found
        constants = details.constants(update.key)
        if constants:
            found += [_event(at, 0, one) for one in _hparams(constants, update)]
        if diff := details.diff(update.key):
            fenced = "\n".join(f"    {line}" for line in diff.splitlines())
            found.append(_text("change", fenced, update.seq, at))
        return found


def _hparams(constants: Mapping[str, str], update: Update) -> list[Summary]:
    """The constants as TensorBoard's hyperparameters; numbers as numbers."""
    begun = SessionStartInfo(start_time_secs=update.at)
    for name, text in constants.items():
        number = _number(text)
        if number is None:
            begun.hparams[name].string_value = text
        else:
            begun.hparams[name].number_value = number
    status = api_pb2.STATUS_FAILURE if update.ended == "failed" else api_pb2.STATUS_SUCCESS
    ended = SessionEndInfo(status=status, end_time_secs=update.at)
    return [
        _of_hparams(metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=begun)),
        _of_hparams(metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=ended)),
    ]


def _of_hparams(tag: str, data: Any) -> Summary:
    told = metadata.create_summary_metadata(data)
    return Summary(value=[Summary.Value(tag=tag, metadata=told, tensor=metadata.NULL_TENSOR)])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _scalar(point: Point) -> Event:
    return _event(point.at, point.step, Summary(value=[Summary.Value(tag=point.name, simple_value=point.value)]))


def _text(name: str, text: str, step: int, at: float) -> Event:
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode("utf-8", "replace")], tensor_shape=shape)
    value = Summary.Value(tag=f"{name}/text_summary", metadata=metadata, tensor=tensor)
    return _event(at, step, Summary(value=[value]))


def _event(at: float, step: int, summary: Summary) -> Event:
    return Event(wall_time=at, step=step, summary=summary)


def _name(key: int) -> str:
    return "study" if key == STUDY else f"{key:04d}"


def _key_of(name: str) -> int | None:
    return STUDY if name == "study" else int(name) if name.isdecimal() else None


def _note(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return {"study": str(found["study"]), "seq": int(found["seq"]), "size": int(found["size"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none yet, or a power cut has emptied it: the file is written anew


def _write_note(folder: Path, note: Mapping[str, Any]) -> None:
    """Put the note in its place whole, or not at all."""
    part = folder / f"{NOTE}.part"
    part.write_text(json.dumps(note), encoding="utf-8")
    part.rename(folder / NOTE)
