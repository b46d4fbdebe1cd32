"""AutoML's values on another champion than the one that they were proposed for.

Such a proposal says "this constant, that value", and that can be said of any champion that has the constant, also of
one that has moved it itself, where no merge of lines goes together. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from loop.researchers.automl import narration
from loop.researchers.automl.constants import Value
from loop.researchers.automl.sites import Site, replace, tunable
from loop.researchers.automl.trials import Notes, is_a_step, next_to_nothing
from loop.study.experiment import Experiment

Files = Mapping[str, str]


@dataclass(frozen=True)
class Moved:
    """A proposal's values put onto another champion."""

    files: Files
    """The champion's files that are changed, by path; none where the champion has all of these values already."""
    title: str
    """What is changed there, such as "DEPTH 6 → 5"."""


def onto(experiment: Experiment, before: Files, after: Files, champion: Files, run: str = "") -> Moved | None:
    """A proposal's values on a champion's files.

    Args:
        experiment: the proposal; its notes say which values are its own.
        before: the editable files that it was made on, by path.
        after: the same as it has them.
        champion: the same as the champion has them.
        run: the command line of one run.

    Returns:
        None where it is anything else than new values for constants that the champion has too. A step too small to be
        seen is about the value that it was taken from, so it is not moved either.
    """
    notes = Notes.of(experiment)
    if notes is None or not is_a_step(notes):
        return None
    values = {name: notes.params[name] for name in notes.was}
    there = {site.name: site for site in tunable(before, run)}
    here = {site.name: site for site in tunable(champion, run)}
    if not values.keys() <= there.keys() & here.keys() or _put(before, there, values) != dict(after):
        return None
    present = {name: here[name].constant.value for name in values}
    if any(type(present[name]) is not type(value) for name, value in values.items()):
        return None
    new = {name: value for name, value in values.items() if not next_to_nothing(value, present[name])}
    moved = _put(champion, here, new)
    return Moved({path: text for path, text in moved.items() if champion[path] != text}, narration.change(new, present))


def _put(files: Files, sites: Mapping[str, Site], values: Mapping[str, Value]) -> dict[str, str]:
    """All of the files, with those values."""
    found = dict(files)
    for path, source in files.items():
        own = {sites[name].constant.name: value for name, value in values.items() if sites[name].path == path}
        if own:
            found[path] = replace(source, own, path)
    return found
