"""Climbing: a climb begins when a person asks for it, when it has its share, or when nothing else is to be done, and
ends with its result on record.

Its runs are like any other's: the scheduler says which is next, the slots run them. What is on record is enough to go
on after any death.
"""

import asyncio
from collections.abc import Callable, Mapping

from loop.errors import UserError
from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.pipeline.filing import put_away
from loop.policy import climbing, ladder, slot_units
from loop.policy.permissions import Refused
from loop.researchers.automl import sites
from loop.researchers.automl.constants import Value
from loop.runs.local.slots import too_few_gpus
from loop.study import events as e
from loop.study import rungs
from loop.study.asked import Request
from loop.study.climb import Climb
from loop.study.experiment import Experiment
from loop.study.state import Study
from loop.workspace import Workspace


class CannotClimb(UserError):
    """An experiment's files, or the machine, do not allow for what a rung asks."""


class Climbing:
    """Looks after one study's climbs.

    Args:
        drop: ends whatever runs for the validation or climb of that number, for a reason; none of it counts.
    """

    def __init__(
        self,
        workspace: Workspace,
        lineage: Lineage,
        recorder: Recorder,
        drop: Callable[[int, str], None],
    ) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self._drop = drop

    @property
    def _study(self) -> Study:
        return self._recorder.study

    async def follow(self, idle: Callable[[], bool], at_end: Callable[[], bool]) -> None:
        """Begin what is owed, and end each climb that is over. Never returns.

        Args:
            idle: whether a slot has nothing to do.
            at_end: whether nothing else is left to be done in the study.
        """

        def owed() -> e.ClimbBegan | None:
            return climbing.owed(self._study, idle=idle(), at_end=at_end())

        while True:
            await self._recorder.until(lambda: self._is_over() or owed() is not None)
            if self._is_over():
                await self._end(self._now())
            elif (began := owed()) is not None:
                await self._begin(began)

    async def begin(self, x: Experiment, request: Request, body: e.Promoted) -> str | None:
        """Begin a climb that a person has asked for; the request ends with it.

        Returns:
            Why it cannot begin, in a sentence; None where it has.
        """
        study = self._study
        answer = climbing.may_climb(study, x, body.to)
        if isinstance(answer, Refused):
            return answer.sentence
        # One that passed all of these before is measured again on the one that was named.
        rung = climbing.next_rung(study, x)
        if body.to and (not rung or not rungs.is_between(study.contract, rung, body.to)):
            rung = body.to
        began = climbing.begun(study, x, rung, "asked", to=body.to, request=request.seq, only=body.only)
        if (lacks := await self._lacks(began)) is not None:
            return lacks
        if self._study.climb is None:  # git was read meanwhile
            self._recorder.record(began)
        return None

    async def _begin(self, began: e.ClimbBegan) -> None:
        """Record a climb's beginning; and at once its end, where the rung asks for what the experiment has not."""
        facts: list[e.Entry] = [(began, None, None)]
        if (lacks := await self._lacks(began)) is not None:
            ended = e.ClimbEnded(experiment=began.experiment, rung=began.rung, against=began.against, reason=lacks)
            facts.append((ended, None, None))
            if began.request is not None:
                told = ladder.told(self._study, ended)
                facts.append((e.RequestFulfilled(request=began.request, outcome=told), None, None))
        if self._study.climb is None:
            self._recorder.record_all(facts)

    async def _lacks(self, began: e.ClimbBegan) -> str | None:
        """What a rung asks for and one of the sides, or the machine, has not, in a sentence; None where nothing."""
        there = rungs.at(self._study.contract, began.rung)
        assert there is not None
        if (asked := slot_units.width(self._study, began.rung, began.device)) > (
            most := slot_units.most(self._study, began.device)
        ):
            return too_few_gpus(began.rung, asked, most)
        numbers = (began.experiment, *(() if began.against is None else (began.against,)), began.baseline)
        try:
            for number in numbers:
                side = self._study.experiments[number]
                await asyncio.to_thread(files_on, self._lineage, self._study, side, began.rung)
        except CannotClimb as error:
            return str(error)
        return None

    def _now(self) -> Climb:
        now = self._study.climb
        assert now is not None
        return now

    def _is_over(self) -> bool:
        now = self._study.climb
        return now is not None and (bool(climbing.over(self._study, now)) or climbing.is_complete(self._study, now))

    async def _end(self, now: Climb) -> None:
        """Record the result, and with it the end of the request, unless it goes on to the next rung."""
        study = self._study
        reason = "" if climbing.is_complete(study, now) else climbing.over(study, now)
        ended = ladder.result(study, now, reason)
        if reason:
            self._drop(now.seq, reason)
        facts: list[e.Entry] = [(ended, None, None)]
        if now.began.request is not None and not climbing.goes_further(study, now, ended.passed):
            facts.append((e.RequestFulfilled(request=now.began.request, outcome=ladder.told(study, ended)), None, None))
        self._recorder.record_all(facts)
        await put_away(self._workspace, self._study, now.seq, now.sides)


def files_on(lineage: Lineage, study: Study, experiment: Experiment, rung: str) -> Mapping[str, bytes]:
    """What the editable files of an experiment hold on a rung, by path; without those that stay as they are. Blocks.

    Raises:
        CannotClimb: they have no such constant.
        LineageError: git fails.
    """
    there = rungs.at(study.contract, rung)
    if there is None or not there.rung.set:
        return {}
    texts = {path: lineage.commits.read(experiment.commit or study.base, path) for path in study.contract.edit}
    found = {path: text.decode(errors="surrogateescape") for path, text in texts.items() if text is not None}
    try:
        changed = with_constants(found, there.rung.set)
    except ValueError as error:
        raise CannotClimb(f"experiment {experiment.id} cannot run on {rung}: {error}") from None
    return {path: text.encode(errors="surrogateescape") for path, text in changed.items()}


def with_constants(files: Mapping[str, str], values: Mapping[str, Value]) -> dict[str, str]:
    """Files with other values for some of their constants, by path; those that stay as they are are left out.

    Args:
        values: by the constant's name, or by `path:NAME` where several files have one of that name.

    Raises:
        ValueError: there is no such constant that can be replaced; the message names it, and those that there are.
    """
    constants = {path: {one.name: one for one in sites.find(text, path)} for path, text in files.items()}
    wanted: dict[str, dict[str, Value]] = {}
    for name, value in values.items():
        path, _, own = name.rpartition(":")
        having = [file for file, known in constants.items() if own in known and path in ("", file)]
        if not having:
            raise ValueError(f"its files have no constant {name} that can be replaced{_near(constants)}")
        for file in having:
            wanted.setdefault(file, {})[own] = _as_its(value, constants[file][own].value, name)
    return {file: sites.replace(files[file], its, file) for file, its in wanted.items()}


def _as_its(value: Value, before: Value, name: str) -> Value:
    """A value of the kind that the constant has."""
    if isinstance(before, bool) or isinstance(value, bool):
        if isinstance(before, bool) and isinstance(value, bool):
            return value
        raise ValueError(f"{name} is {before!r} there, and {value!r} is nothing that can stand in its place")
    if isinstance(before, str):
        return str(value)
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"{name} is {before} there, and {value!r} is no number") from None
    return int(number) if isinstance(before, int) and number == int(number) else number


def _near(constants: Mapping[str, Mapping[str, object]]) -> str:
    names = [name for known in constants.values() for name in known]
    return f" (there are {', '.join(names[:12])}{', ...' if len(names) > 12 else ''})" if names else ""
