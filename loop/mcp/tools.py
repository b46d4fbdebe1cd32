"""The tools of `looptop mcp`, one method each: what was tried, what came of it, and what an agent says of its change.

Name, description and schemas of a tool are derived from its method, as those of a language model's tools are. Nothing
here knows of the protocol that carries them; `server.py` does.
"""

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.mcp.drafts import ScratchRunsHere, edits
from loop.mcp.results import LONG, SHORT, Curve, CurvePoint, Detail, Row, Rows, Said, Text, part
from loop.pipeline.archive import StudyArchive
from loop.pipeline.briefed import briefing_of
from loop.pipeline.proposals import Proposals
from loop.pipeline.workshop import AgentWorktree
from loop.reporting import query, summary
from loop.researchers.agents import said_by_tool
from loop.researchers.briefing.page import for_command
from loop.researchers.llm.tool import Tool, ToolError, tool_of
from loop.researchers.llm.trying import Trying
from loop.sanitize import one_line, plain
from loop.study.curves import curve_of
from loop.study.experiment import Experiment
from loop.study.state import Study
from loop.workspace import Workspace, supervisor_alive

ROWS, MOST_ROWS = 50, 200
"""Experiments in one answer where nothing is asked for, and at most."""

POINTS, MOST_POINTS = 40, 1000
"""The same of a curve's points."""

_NO_CHAMPION = "the baseline has not been measured yet, so there is nothing to improve; try again when it has"
_NOT_HERE = (
    "this agent was not started by the loop, so there is nothing to hand over here; commit nothing, and let the person "
    "hand in your edit with `looptop submit`"
)

Number = Annotated[int, "Number of the experiment; 0 is the baseline."]
Offset = Annotated[int, "Character to begin at: `next_offset` of the answer before."]
Limit = Annotated[int, f"Characters in this answer, {LONG} at most."]


class StudyTools:
    """The tools on one study.

    Args:
        root: the project's folder.
        journal: its journal; only read.
        handed_over: LOOPTOP_RUN_DIR of the agent that the loop started; None for any other.
    """

    def __init__(self, root: Path, journal: Journal, handed_over: Path | None) -> None:
        self._root, self._journal, self._handed_over = root, journal, handed_over
        self._recorder = Recorder(journal)  # it writes what it is given, and is given nothing
        workspace, lineage = Workspace(root), Lineage(root, self._recorder.study.tag)
        self._trees = lineage.trees
        self._proposals = Proposals(lineage, self._recorder, journal)
        self._archive = StudyArchive(workspace, lineage, self._recorder, self._proposals, journal)
        self._workshop = AgentWorktree(workspace, lineage, self._recorder)
        methods: tuple[Callable[..., Awaitable[Any]], ...] = (
            self.briefing,
            self.status,
            self.experiments,
            self.experiment,
            self.diff,
            self.file,
            self.log,
            self.curve,
            self.notebook,
        )
        self.reading = tuple(tool_of(method) for method in methods)
        trying = Trying(ScratchRunsHere(workspace, lineage, lambda: self._study), self._edits)
        acts: tuple[Callable[..., Awaitable[Any]], ...] = (
            trying.try_draft,
            trying.time_code,
            self.note,
            self.propose,
        )
        self.acting = tuple(tool_of(method) for method in acts)

    @property
    def all(self) -> tuple[Tool[Any], ...]:
        return *self.reading, *self.acting

    @property
    def _study(self) -> Study:
        self._recorder.catch_up()
        return self._recorder.study

    # --- the state of the study --------------------------------------------------------------------------------

    async def briefing(self, offset: Offset = 0, limit: Limit = SHORT) -> Text:
        """The whole briefing of the study as it is now: program, table of experiments, notebook, machine, limits."""
        study = self._study
        if study.best is None:
            raise ToolError(_NO_CHAMPION)
        briefing = briefing_of(
            study,
            time.time() if supervisor_alive(self._root) is not None else study.at,
            next(number for number in range(len(study.experiments) + 1) if number not in study.experiments),
            files=self._proposals.champion_files(),
            archive=self._archive,
            workshop=self._workshop,
        )
        return part(for_command(briefing), offset, limit)

    async def status(self) -> dict[str, Any]:
        """Whether the loop runs, the metric and its goal, the champion, what runs and waits, and what limits leave."""
        told = summary.status(self._study, supervisor_alive(self._root), time.time())
        del told["milestones"]  # whoever proposes by what the sealed part says has opened it for good
        return told

    async def notebook(self, offset: Offset = 0, limit: Limit = SHORT) -> Text:
        """The study's notebook: what was learnt from the experiments so far."""
        return part("\n".join(self._study.minds.notebook), offset, limit)

    # --- experiments -------------------------------------------------------------------------------------------

    async def experiments(
        self,
        filter: Annotated[
            str,
            "Words and terms, all of which hold: dropout, is:kept, is:crashed, is:open, is:failed, is:noted, by:NAME, "
            "effect>1 (in units of the noise), age<6h, metric<0.98, or any value that runs print; ! in front: not.",
        ] = "",
        sort: Annotated[
            str, "metric, effect, age, runs, lines or a printed value, the best first; else the newest."
        ] = "",
        offset: Annotated[int, "Experiments to skip: `next_offset` of the answer before."] = 0,
        limit: Annotated[int, f"Experiments in this answer, {MOST_ROWS} at most."] = ROWS,
    ) -> Rows:
        """List experiments: what was changed, what was measured, what became of it."""
        study = self._study
        found = query.chosen(study, filter, sort, reverse=not sort)
        offset = max(0, offset)
        end = offset + min(max(1, limit), MOST_ROWS)
        rows = [Row.model_validate(_shown(study, x)) for x in found[offset:end]]
        return Rows(experiments=rows, total=len(found), next_offset=end if end < len(found) else None)

    async def experiment(self, number: Number) -> Detail:
        """All about one experiment: why it was tried, its runs, what they printed, its verdict and the reason."""
        found = self._found(number)
        return Detail.model_validate(_shown(self._recorder.study, found))

    async def diff(self, number: Number, offset: Offset = 0, limit: Limit = SHORT) -> Text:
        """The change of one experiment, as a unified diff."""
        return part(await self._archive.diff(self._found(number).id), offset, limit)

    async def file(
        self,
        path: Annotated[str, "Path from the root of the checkout."],
        number: Annotated[int | None, "As this experiment proposed it; the champion's where it is left out."] = None,
        offset: Offset = 0,
        limit: Limit = SHORT,
    ) -> Text:
        """Read a file of the champion, or as an experiment has changed it."""
        if number is None:
            self._recorder.catch_up()
            text = await self._archive.read(path)
            if text is None:
                raise ToolError(f"there is no text file {one_line(path, 200)!r} in the champion's commit")
            return part(text, offset, limit)
        edits = await self._archive.edits(self._found(number).id)
        if path not in edits:
            changed = ", ".join(edits) or "no file"
            raise ToolError(f"experiment {number} did not change {one_line(path, 200)!r}; it changed {changed}")
        return part(edits[path], offset, limit)

    async def log(self, number: Number, offset: Offset = 0, limit: Limit = SHORT) -> Text:
        """The end of the output of an experiment's newest run, or of that run's verification where it failed."""
        return part(await self._archive.log(self._found(number).id), offset, limit)

    async def curve(
        self,
        number: Number,
        value: Annotated[str, "Which reported value; its loss where it is left out."] = "",
        points: Annotated[int, f"Points at most, {MOST_POINTS} at most, spread over the run."] = POINTS,
    ) -> Curve:
        """What an experiment's newest run reported over its time, such as its loss."""
        found = self._found(number)
        run = None if found.newest is None else found.newest.number
        events = self._journal.read(kinds={"step_sampled"}, experiment=number, run=run) if run is not None else []
        started = found.newest.started_at if found.newest is not None else 0.0
        samples = [(e.at - started, e.body.values) for e in events if e.body.kind == "step_sampled"]
        names = sorted({name for _, values in samples for name in values})
        if value and value not in names:
            known = f"it reports {', '.join(names)}" if names else "it reports none"
            raise ToolError(f"experiment {number} reports no {one_line(value, 80)!r}; {known}")
        name, curve = curve_of(samples, self._recorder.study.contract.metric)
        if value:
            name, curve = value, [(seconds, values[value]) for seconds, values in samples if value in values]
        most = min(max(2, points), MOST_POINTS)
        if len(curve) > most:
            curve = [curve[round(at * (len(curve) - 1) / (most - 1))] for at in range(most)]
        shown = [CurvePoint(seconds=round(seconds, 3), value=one) for seconds, one in curve]
        return Curve(experiment=number, run=run, name=name, names=names, points=shown)

    def _found(self, number: int) -> Experiment:
        experiments = self._study.experiments
        if number not in experiments:
            last = f"they go from 0 to {max(experiments)}" if experiments else "there is none yet"
            raise ToolError(f"there is no experiment {number}; {last}")
        return experiments[number]

    def _edits(self) -> dict[str, str]:
        """The draft: the agent's worktree where the loop has started it, else the person's checkout."""
        self._recorder.catch_up()
        name = "" if self._handed_over is None else f"workshop-{self._handed_over.parent.name}"
        folder = self._trees.project(name) if name else self._root
        return edits(folder, self._proposals.champion_files())

    # --- what an agent says of its own change ------------------------------------------------------------------

    async def note(self, text: Annotated[str, "One or two sentences."]) -> Said:
        """Write into the notebook, which later briefings carry: what was learnt, so that nobody tries it again."""
        folder = self._folder()
        if not one_line(text):
            raise ToolError("the note is empty")
        self._say(lambda: said_by_tool.note(folder, text))
        return Said(said="noted; the notebook has it when you have ended")

    async def propose(
        self,
        title: Annotated[str, "What changes, in at most 80 characters, with the numbers, such as DEPTH 4 → 6."],
        hypothesis: Annotated[str, "Why it should help, in one to three sentences."],
        expected: Annotated[str, "What you expect of the metric, such as `better by 0.01`; your honest guess."] = "",
    ) -> Said:
        """Say what your edits are, once they are made. What the files are when you end is what is run."""
        folder = self._folder()
        if not one_line(title):
            raise ToolError("the title is empty")
        self._say(lambda: said_by_tool.propose(folder, title, hypothesis, expected))
        return Said(said="taken; your edits are proposed under this title when you have ended")

    def _folder(self) -> Path:
        if self._handed_over is None:
            raise ToolError(_NOT_HERE)
        return self._handed_over

    def _say(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            raise ToolError(f"it cannot be written down: {error.strerror}; end your last message with it") from None


def handed_over(root: Path) -> Path | None:
    """LOOPTOP_RUN_DIR of the agent that started this process for the study at `root`, where the loop started it.

    Some agents hand their environment on to their servers, and all of them start these in the folder that they work in.
    """
    folder = Workspace(root).folder
    named = os.environ.get("LOOPTOP_RUN_DIR")
    place = Path(named).resolve() if named else _beside(folder, Path.cwd())
    inside = place is not None and place.is_relative_to(folder.resolve() / "workshop")
    return place if inside and place is not None and place.is_dir() else None


def _beside(folder: Path, here: Path) -> Path | None:
    """The LOOPTOP_RUN_DIR that belongs to the worktree `here`."""
    trees = folder.resolve() / "trees"
    if not here.is_relative_to(trees) or here == trees:
        return None
    kind, _, number = here.relative_to(trees).parts[0].partition("-")
    return folder.resolve() / "workshop" / number / "out" if kind == "workshop" and number.isdigit() else None


def _shown(study: Study, found: Experiment) -> dict[str, Any]:
    """An experiment as data, with the words of strangers made safe to show."""
    data = summary.experiment(study, found)
    return {key: plain(value, tab="\t") if isinstance(value, str) else value for key, value in data.items()}
