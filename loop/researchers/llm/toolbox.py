"""The tools of a language model: look at the files and at what was tried, edit, note, propose.

One small method each; its schema is derived from its types and its docstring. They work on a draft in memory, the
champion's files with the model's edits; the proposal is what differs in the draft. There is no tool to run anything, to
read outside the champion's commit, or to reach git, the judge or the person; the web only where the person allows it.
A mistake returns a sentence that says how to do it right.
"""

import difflib
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, Protocol

from pydantic import ValidationError

from loop.policy import guards
from loop.researchers import patching
from loop.researchers.briefing.excerpt import fenced, shortened
from loop.researchers.briefing.page import outcome
from loop.researchers.llm.tool import ToolError, tool_of, wrong_arguments
from loop.researchers.protocol import Briefing, Proposal, Sink
from loop.sanitize import one_line
from loop.study.experiment import Experiment
from loop.study.outcomes import NO_NUMBER

LINES = 600
"""Lines of a file in one answer; train.py has some 300."""

RESULT = 16_000
"""Characters of one answer at most, about 5,000 tokens."""

ROWS = 60
"""Experiments listed in one answer."""

_READS = ("read_file", "list_experiments", "show_experiment", "search_papers", "read_page")
"""Tools with long answers, of which the stream shows the length only."""

_SHOWN_ANYWAY = ("note", "propose")
"""Tools whose effect is an event of its own, so that the stream needs no line about them."""

_NAME_SHOWN = 200
"""Characters of a path, an address or a name by the model that are shown."""

_DIFF_SHOWN = 40
"""Lines of an edit's diff that the stream shows."""


class Web(Protocol):
    """Reads the web; see `researchers/web`."""

    async def papers(self, query: str) -> str: ...

    async def page(self, url: str, page: int = 1) -> str: ...


class GivenUp(Exception):
    """The model gives up the idea that it was to repair; the message is its reason."""


Path_ = Annotated[str, "Path from the root of the checkout."]
Part = Literal["summary", "diff", "log", "file"]
Which = Literal["all", "kept", "discarded", "crashed", "rejected", "open"]


class Toolbox:
    """The tools of one conversation, and its draft.

    Args:
        draft: edits to begin with, new full text by path.
        repairs: a crash is being repaired, so the model may also give up.
    """

    def __init__(
        self,
        briefing: Briefing,
        sink: Sink,
        web: Web | None = None,
        draft: Mapping[str, str] | None = None,
        repairs: bool = False,
    ) -> None:
        self.briefing, self.sink, self._web = briefing, sink, web
        self._before = dict(briefing.files)
        self.draft: dict[str, str] = {**self._before, **(draft or {})}
        self.proposal: Proposal | None = None
        methods: list[Callable[..., Awaitable[str]]] = [
            self.read_file,
            self.edit_file,
            self.write_file,
            self.list_experiments,
            self.show_experiment,
            self.take_experiment,
            self.note,
        ]
        if web is not None:
            methods += [self.search_papers, self.read_page]
        if repairs:
            methods.append(self.give_up)
        self.tools = {tool.name: tool for tool in map(tool_of, [*methods, self.propose])}

    def schemas(self) -> list[dict[str, Any]]:
        """Every tool, as a request lists them."""
        return [tool.schema() for tool in self.tools.values()]

    def edits(self) -> dict[str, str]:
        """New full text of each file that the draft changes."""
        return {path: text for path, text in self.draft.items() if self._before.get(path) != text}

    async def use(self, name: str, arguments: str) -> str:
        """Carry out one call; if something is wrong with it, the answer says what.

        Args:
            arguments: JSON as the model wrote it.

        Raises:
            GivenUp: the model gives up what it was to repair.
        """
        began = time.monotonic()
        tool = self.tools.get(name)
        intent = shortened(name, _NAME_SHOWN)
        try:
            if tool is None:
                raise ToolError(f"there is no tool {intent!r}; there are {', '.join(self.tools)}")
            try:
                given = tool.arguments.model_validate_json(arguments or "{}")
            except ValidationError as error:
                raise ToolError(wrong_arguments(tool, error)) from None
            values = {key: getattr(given, key) for key in tool.arguments.model_fields}
            intent = shortened(_intent(name, values), _NAME_SHOWN)
            answer = await tool.call(**values)
        except ToolError as error:
            self.sink.tool(intent, f"refused: {_short(str(error))}", time.monotonic() - began)
            return f"error: {error}"
        if name not in _SHOWN_ANYWAY:
            result = _lines(answer) if name in _READS else _short(answer)
            self.sink.tool(intent, result, time.monotonic() - began)
        return answer if len(answer) <= RESULT else answer[:RESULT] + "\n(truncated here; ask for less at a time)"

    # --- files -------------------------------------------------------------------------------------------------

    async def read_file(
        self,
        path: Path_,
        first: Annotated[int, "Line to begin at."] = 1,
        lines: Annotated[int, f"Lines to read, {LINES} at most."] = LINES,
    ) -> str:
        """Read a file of the checkout, with line numbers; an editable file as your edits have left it."""
        text = self.draft.get(path)
        if text is None and (text := await self.briefing.archive.read(path)) is None:
            raise ToolError(await self._no_such_file(path))
        every = text.split("\n")
        first = max(1, first)
        part = every[first - 1 : first - 1 + max(1, min(lines, LINES))]
        if not part:
            raise ToolError(f"{path} has {len(every)} lines")
        last = first + len(part) - 1
        shown = "\n".join(f"{number:5d}  {line[:2000]}" for number, line in enumerate(part, first))
        more = f"\n(lines {first} to {last} of {len(every)})" if len(part) < len(every) else ""
        return shown + more

    async def edit_file(
        self,
        path: Path_,
        search: Annotated[str, "Text to replace, exactly as it stands there, whole lines, without line numbers."],
        replace: Annotated[str, "Text to put there instead."],
    ) -> str:
        """Replace a piece of an editable file. The piece must stand there exactly once: take in a line more if not."""
        before = self._editable(path)
        found = patching.replace_once(before, search, replace)
        if isinstance(found, patching.Refused):
            raise ToolError(f"{path}: {found.why}")
        return self._changed(path, before, found)

    async def write_file(self, path: Path_, text: Annotated[str, "The whole new text."]) -> str:
        """Put a whole new text in place of an editable file. For a small change use edit_file."""
        before = self._editable(path)
        return self._changed(path, before, text if text.endswith("\n") or not text else text + "\n")

    def _editable(self, path: str) -> str:
        editable = self.briefing.contract.edit
        if path not in editable:
            raise ToolError(f"{shortened(path, _NAME_SHOWN)} may not be changed; only {', '.join(editable)} may")
        return self.draft.get(path, "")

    def _changed(self, path: str, before: str, after: str) -> str:
        if after == before:
            raise ToolError("that changes nothing")
        if len(after) > guards.LARGEST:
            raise ToolError(f"{path} would be larger than {guards.LARGEST // 1000} kB; keep data out of it")
        self.draft[path] = after
        diff = patching.diff(before, after, path)
        shown = diff[:_DIFF_SHOWN] + ([f"({len(diff) - _DIFF_SHOWN} more lines)"] if len(diff) > _DIFF_SHOWN else [])
        self.sink.think("\n```\n" + "\n".join(line.replace("```", "'''") for line in shown) + "\n```\n")
        added, removed = patching.counts(diff)
        problem = guards.syntax(path, after)
        return f"+{added} -{removed} lines" + (f"; but it does not parse now: {problem}" if problem else "")

    async def _no_such_file(self, path: str) -> str:
        paths = list(await self.briefing.archive.paths())
        near = difflib.get_close_matches(path, paths, 3, 0.5) or paths[:20]
        shown = shortened(path, _NAME_SHOWN)
        return f"there is no text file {shown!r} in the checkout; there is {', '.join(near) or 'none'}"

    # --- what was tried ----------------------------------------------------------------------------------------

    async def list_experiments(
        self,
        which: Annotated[Which, "Only those with this verdict."] = "all",
        before: Annotated[int | None, "Only those with a smaller number, to go further back."] = None,
    ) -> str:
        """List experiments, the newest first: what was changed, what was measured, what became of it."""
        every = [x for x in self.briefing.experiments if _is(x, which) and (before is None or x.id < before)]
        if not every:
            return "there is none"
        newest = every[::-1][:ROWS]
        left = len(every) - len(newest)
        more = f"\n({left} older ones: call again with before={newest[-1].id})" if left else ""
        return "\n".join(outcome(x, self.briefing) for x in newest) + more

    async def show_experiment(
        self,
        number: int,
        part: Annotated[Part, "summary: result and why; diff: its change; log: the end of its output; file: its text."],
    ) -> str:
        """Look at one experiment."""
        found = self._experiment(number)
        archive = self.briefing.archive
        match part:
            case "summary":
                return outcome(found, self.briefing)
            case "diff":
                return fenced(f"diff of experiment {number}", await archive.diff(number), RESULT - 500)
            case "log":
                return fenced(f"output of experiment {number}", await archive.log(number), RESULT // 2)
            case "file":
                edits = await archive.edits(number)
                if not edits:
                    raise ToolError(f"experiment {number} changed no file")
                return "\n\n".join(fenced(path, text, RESULT - 500) for path, text in edits.items())

    async def take_experiment(self, number: int) -> str:
        """Put the files of an earlier experiment into your draft, to go on from them instead of from the champion's."""
        found, champion = self._experiment(number), self.briefing.champion
        if found.parent != champion.id:
            raise ToolError(
                f"experiment {number} was made on #{found.parent}, not on today's champion, #{champion.id}, so its "
                "files lack what was kept since; look at its diff and put the change into the draft with edit_file"
            )
        edits = await self.briefing.archive.edits(number)
        editable = {path: text for path, text in edits.items() if path in self.briefing.contract.edit}
        if not editable:
            raise ToolError(f"experiment {number} changed no file that may be edited")
        self.draft.update(editable)
        return f"the draft is experiment {number} now ({', '.join(editable)}); change it further before you propose"

    def _experiment(self, number: int) -> Experiment:
        found = next((x for x in self.briefing.experiments if x.id == number), None)
        if found is None:
            raise ToolError(f"there is no experiment {number}; they go from 0 to {self.briefing.experiments[-1].id}")
        return found

    async def note(self, text: Annotated[str, "One or two sentences."]) -> str:
        """Write into the notebook, which later briefings carry: what was learnt, so that nobody tries it again."""
        line = one_line(text, 1000)
        if not line:
            raise ToolError("the note is empty")
        self.sink.note(line)
        return "noted"

    # --- the web, where the person allows it -------------------------------------------------------------------

    async def search_papers(self, query: Annotated[str, "Words, as for a search on arXiv."]) -> str:
        """Search arXiv: titles, authors and abstracts."""
        return fenced("answer of arXiv", await self._of_web(lambda web: web.papers(query)), RESULT - 500)

    async def read_page(self, url: str, page: Annotated[int, "Which part of a long one."] = 1) -> str:
        """Read the text of a public web page or a PDF."""
        return fenced(f"text of {url[:200]}", await self._of_web(lambda web: web.page(url, page)), RESULT - 500)

    async def _of_web(self, ask: Callable[[Web], Awaitable[str]]) -> str:
        from loop.researchers.web import WebError

        assert self._web is not None
        try:
            return await ask(self._web)
        except WebError as error:
            raise ToolError(str(error)) from None

    # --- handing over ------------------------------------------------------------------------------------------

    async def give_up(self, why: str) -> str:
        """Leave this idea: it cannot be repaired, or is not worth it. You are then asked for another one."""
        self.sink.note(f"Gave up repairing: {one_line(why, 500)}")
        raise GivenUp(why)

    async def propose(
        self,
        title: Annotated[str, "What changes, in at most 80 characters, with the numbers, such as DEPTH 4 → 6."],
        hypothesis: Annotated[str, "Why it should help, in one to three sentences."],
        expected_gain: Annotated[
            float, "By how much the metric should get better, in its own units; your honest guess, and never negative."
        ],
    ) -> str:
        """Hand over your edits as one experiment. It ends your turn: the loop runs and judges it."""
        title = one_line(title, 120)
        if not title:
            raise ToolError("say in the title what changes")
        if not math.isfinite(expected_gain):
            raise ToolError("the expected gain must be a number; 0 where you expect none")
        edits = self.edits()
        if not edits:
            raise ToolError("you have changed nothing yet; edit_file or write_file first")
        if (tried := self._tried(title)) is not None and f"{tried.id}" not in hypothesis:
            raise ToolError(
                f"experiment {tried.id} had this title already ({tried.verdict or tried.phase}); if something it "
                f"depended on has changed since, name it as #{tried.id} in the hypothesis and say what; else propose "
                "another idea"
            )
        if (reason := await self.briefing.archive.refusal(edits)) is not None:
            raise ToolError(f"it would be turned down: {reason}. Change the draft and propose again")
        self.proposal = Proposal(
            title=title,
            hypothesis=one_line(hypothesis, 2000),
            edits=edits,
            expected=f"better by {expected_gain:.4g}" if expected_gain > 0 else "no better, but simpler",
        )
        return "handed over"

    def _tried(self, title: str) -> Experiment | None:
        """The newest experiment with this title: the idea is the same, even if the champion has changed since."""
        same = (x for x in reversed(self.briefing.experiments) if x.id and _plain(x.title) == _plain(title))
        return next(same, None)


def _plain(title: str) -> str:
    """A title without case, spaces and punctuation."""
    return "".join(sign for sign in title.casefold() if sign.isalnum())


def _is(experiment: Experiment, which: Which) -> bool:
    match which:
        case "all":
            return True
        case "open":
            return experiment.verdict is None
        case "crashed":
            return experiment.verdict in NO_NUMBER
        case _:
            return experiment.verdict == which


def _intent(name: str, values: Mapping[str, Any]) -> str:
    """A call in a few words, for the stream."""
    match name:
        case "read_file":
            part = f" from line {values['first']}" if values["first"] > 1 else ""
            return f"read {values['path']}{part}"
        case "edit_file" | "write_file":
            return f"{name.partition('_')[0]} {values['path']}"
        case "show_experiment":
            return f"look at the {values['part']} of experiment {values['number']}"
        case "list_experiments":
            return "list experiments" + ("" if values["which"] == "all" else f" that are {values['which']}")
        case "take_experiment":
            return f"go on from experiment {values['number']}"
        case "search_papers":
            return f"search papers for “{values['query']}”"
        case "read_page":
            return f"read {values['url']}"
        case "note":
            return f"note: {_short(values['text'])}"
        case "propose":
            return f"propose “{values['title']}”"
        case _:
            return name.replace("_", " ")


def _lines(text: str) -> str:
    count = text.count("\n") + 1
    return _short(text) if count == 1 else f"{count} lines"


def _short(text: str) -> str:
    """An answer in a line."""
    line, _, rest = text.strip().partition("\n")
    count = rest.count("\n") + 1 if rest else 0
    line = one_line(line, 160)
    return f"{line}  (+{count} lines)" if count else line
