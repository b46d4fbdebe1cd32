"""The tools of a language model: look at the files and at what was tried, edit, note, propose.

One small method each; its schema is derived from its types and its docstring. They work on a draft in memory, the
champion's files with the model's edits; the proposal is what differs in the draft. There is no tool to run anything but
that draft for a moment, to read outside the champion's commit, or to reach git, the judge or the person; the web only
where the person allows it. A mistake returns a sentence that says how to do it right.
"""

import difflib
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Protocol

from pydantic import BeforeValidator, ValidationError

from loop.policy import guards
from loop.researchers import patching
from loop.researchers.briefing.excerpt import fenced, shortened
from loop.researchers.closing import closing, title_of
from loop.researchers.llm import arguments, prompts, shown, text_edits
from loop.researchers.llm.claiming import Claims
from loop.researchers.llm.draft import Draft, tidy, within
from loop.researchers.llm.memory import Memory
from loop.researchers.llm.prose import amount, prose
from loop.researchers.llm.record import RESULT, Record
from loop.researchers.llm.tool import NothingNew, Tool, ToolError, tool_of, wrong_arguments
from loop.researchers.llm.trying import Trying
from loop.researchers.protocol import Briefing, Proposal, Sink
from loop.sanitize import one_line
from loop.study.experiment import Experiment

LINES = 600
"""Lines of a file in one answer; train.py has some 300."""

_READS = ("read_file", "list_experiments", "show_experiment", "search_papers", "read_page")
"""Tools with long answers, of which the stream shows the length only."""

_SHOWN_ANYWAY = ("note", "learn", "idea", "claim", "propose")
"""Tools whose effect is an event of its own, so that the stream needs no line about them."""

_NAME_SHOWN = 200
"""Characters of a path, an address or a name by the model that are shown."""

_DIFF_SHOWN = 40
"""Lines of an edit's diff that the stream shows."""

_MAY_LACK = {"title": "", "hypothesis": "", "expected_gain": None}
"""Arguments of `propose` that are asked for and can be told from the draft and the answer."""


class Web(Protocol):
    """Reads the web; see `researchers/web`."""

    async def papers(self, query: str) -> str: ...

    async def page(self, url: str, page: int = 1) -> str: ...


class GivenUp(Exception):
    """The model gives up the idea that it was to repair; the message is its reason."""


Path_ = Annotated[str, "Path from the root of the checkout."]


class Toolbox:
    """The tools of one conversation, and its draft.

    Args:
        draft: edits to begin with, new full text by path.
        repairs: a crash is being repaired, so to give up ends the conversation.
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
        self.draft = Draft(briefing.files, briefing.contract.edit, draft or {})
        self.proposal: Proposal | None = None
        self.mends: Sequence[int] = ()
        """Experiments that the proposal is to mend, so it may be called as they were."""
        self.said = ""
        """Text of the present answer."""
        self.progress = False
        """A call of the present answer has told or changed something."""
        self._answers = 0
        self._seen: dict[str, tuple[str, int]] = {}
        """What each call has told, and in which answer it was made."""
        self.record, self._claims, memory = Record(briefing), Claims(sink), Memory(briefing, sink)
        methods: list[Callable[..., Awaitable[str]]] = [
            self.read_file,
            self.edit_file,
            self.write_file,
            self.record.list_experiments,
            self.record.show_experiment,
            self.take_experiment,
            self._claims.claim,
            memory.note,
            memory.learn,
            memory.idea,
        ]
        if briefing.scratch is not None:
            trying = Trying(briefing.scratch, lambda: self.draft.edits())
            methods += [trying.try_draft, trying.time_code]
        if web is not None:
            methods += [self.search_papers, self.read_page]
        # The tools are always the same: they stand before everything else in a request, and in the endpoint's cache.
        self._repairs = repairs
        self.tools = {tool.name: tool for tool in map(tool_of, [*methods, self.give_up, self.propose])}

    def schemas(self) -> list[dict[str, Any]]:
        """Every tool, as a request lists them."""
        return [tool.schema() for tool in self.tools.values()]

    @property
    def takes(self) -> dict[str, list[str]]:
        """Names of each tool's arguments."""
        return {name: tool.takes for name, tool in self.tools.items()}

    def follow(self, champion: Experiment, files: Mapping[str, str]) -> str:
        """Move the draft onto another champion; returns what the model has to know of it."""
        before = self.draft.before
        self.briefing = replace(self.briefing, champion=champion, files=files)
        clashes = self.draft.move(files)
        became = prompts.FITS if self.draft.edits() else prompts.UNTOUCHED
        if clashes:
            pieces = fenced("pieces of your draft", "\n\n".join(clashes), RESULT // 2)
            became = prompts.CLASHES.format(pieces=pieces)
        changed = [path for path in files if files[path] != before.get(path, "")]
        diffs = ["\n".join((path, *patching.diff(before.get(path, ""), files[path], path))) for path in changed]
        return prompts.MOVED.format(
            number=champion.id,
            title=one_line(champion.title, 120),
            measured=f" with {self.briefing.contract.metric} {champion.metric:.6g}"
            if champion.metric is not None
            else "",
            diff=fenced(
                f"from the files that you knew to those of experiment {champion.id}", "\n\n".join(diffs), RESULT // 2
            ),
            became=became,
        )

    def begin(self, said: str) -> None:
        """An answer with the text `said` begins."""
        self.said, self.progress, self.draft.refused = said, False, ""
        self._answers += 1

    def forget(self) -> None:
        """What calls have told is no longer in the conversation, so it is told again."""
        self._seen.clear()

    async def use(self, name: str, written: str) -> str:
        """Carry out one call as it was meant; if something is wrong with it, the answer says what.

        Args:
            written: the arguments as the model wrote them.

        Raises:
            GivenUp: the model gives up what it was to repair.
        """
        try:
            calls = arguments.meant(name, arguments.read(written) if written.strip() else {}, self.takes)
        except arguments.Unreadable as error:
            known = self.tools.get(arguments.tool_called(name, self.takes) or "")
            takes = f"{known.name} takes a JSON object with {', '.join(known.takes)}" if known else "use JSON"
            why = f"the arguments of {shortened(name, _NAME_SHOWN)} are not right: {error}; {takes}"
            if arguments.is_edit(name, self.takes):
                self.draft.refuse(why)
            self.sink.tool(shortened(name, _NAME_SHOWN), f"refused: {shown.short(why)}", 0.0)
            return f"error: {why}"
        answers = [await self._use(call) for meant in calls for call in self._patches(meant)]
        answer = "\n".join(answers)
        return answer if len(answer) <= RESULT else answer[:RESULT] + "\n(truncated here; ask for less at a time)"

    def _patches(self, call: arguments.Meant) -> list[arguments.Meant]:
        """A call that holds a patch as one call for each of its edits."""
        if call.tool != "apply_patch":
            return [call]
        text, path = str(call.values.get("patch", "")), tidy(str(call.values.get("path", "")))
        found = text_edits.patch(text, path, self.draft.files())
        return [arguments.Meant(edit.tool, edit.values) for edit in found] or [arguments.Meant("edit_file", {})]

    async def _use(self, call: arguments.Meant) -> str:
        began = time.monotonic()
        tool, intent = self.tools.get(call.tool), shortened(call.tool, _NAME_SHOWN).replace("_", " ")
        try:
            if call.tool == "quoted_edit" and self.draft.has(call.values):
                raise NothingNew("the draft has this edit already")
            if tool is None:
                others = f"there is no tool {call.tool[:_NAME_SHOWN]!r}; there are {', '.join(self.tools)}"
                raise ToolError(arguments.UNMADE.get(call.tool, others))
            values = _validated(tool, call.values)
            intent = shortened(shown.intent(call.tool, values), _NAME_SHOWN)
            answer = await tool.call(**values)
            if call.tool in _READS:
                self._tell_once(tool, values, answer)
        except NothingNew as nothing:
            self.sink.tool(intent, str(nothing), time.monotonic() - began)
            return str(nothing)
        except ToolError as error:
            if arguments.is_edit(call.tool, self.takes):
                self.draft.refuse(shown.short(str(error)))
            self.sink.tool(intent, f"refused: {shown.short(str(error))}", time.monotonic() - began)
            return f"error: {error}"
        self.progress = True
        if call.tool not in _SHOWN_ANYWAY:
            result = shown.length(answer) if call.tool in _READS else shown.short(answer)
            self.sink.tool(intent, result, time.monotonic() - began)
        ignored = ", ".join(shortened(one, 40) for one in call.ignored[:5])
        return answer + (f"\n({call.tool} has no argument {ignored})" if ignored else "")

    def _tell_once(self, tool: Tool[str], values: Mapping[str, Any], answer: str) -> None:
        """Remember what a call told.

        Raises:
            NothingNew: it has told the same before.
        """
        key = f"{tool.name} {json.dumps(values, default=str, sort_keys=True)}"
        told, when = self._seen.get(key, ("", 0))
        if told == answer:
            raise NothingNew(f"unchanged since your answer {when} of this conversation, where it stands")
        self._seen[key] = answer, self._answers

    # --- files -------------------------------------------------------------------------------------------------

    async def read_file(
        self,
        path: Path_,
        first: Annotated[int, "Line to begin at."] = 1,
        lines: Annotated[int, f"Lines to read, {LINES} at most."] = LINES,
    ) -> str:
        """Read a file of the checkout, with line numbers; an editable file as your edits have left it."""
        path = await self._path(path)
        text = self.draft.texts.get(path)
        if text is None and (text := await self.briefing.archive.read(path)) is None:
            raise ToolError(await self._no_such_file(path))
        every = text.split("\n")
        first = max(1, first)
        part = every[first - 1 : first - 1 + max(1, min(lines, LINES))]
        if not part:
            raise ToolError(f"{path} has {len(every)} lines")
        last = first + len(part) - 1
        text = "\n".join(f"{number:5d}  {line[:2000]}" for number, line in enumerate(part, first))
        more = f"\n(lines {first} to {last} of {len(every)})" if len(part) < len(every) else ""
        return text + more

    async def edit_file(
        self,
        path: Path_,
        search: Annotated[str, "Text to replace, exactly as it stands there, whole lines, without line numbers."],
        replace: Annotated[str, "Text to put there instead."],
    ) -> str:
        """Replace a piece of an editable file. The piece must stand there exactly once: take in a line more if not."""
        path = await self._path(path)
        return self._changed(path, *self.draft.edit(path, search, replace))

    async def write_file(self, path: Path_, text: Annotated[str, "The whole new text."]) -> str:
        """Put a whole new text in place of an editable file. For a small change use edit_file."""
        path = await self._path(path)
        return self._changed(path, *self.draft.write(path, text))

    async def _path(self, path: str) -> str:
        path = tidy(path)
        if not path.startswith(("/", "~")):
            return path
        return within(path, [*self.briefing.contract.edit, *await self.briefing.archive.paths()])

    def _changed(self, path: str, before: str, after: str) -> str:
        diff = patching.diff(before, after, path)
        told = diff[:_DIFF_SHOWN] + ([f"({len(diff) - _DIFF_SHOWN} more lines)"] if len(diff) > _DIFF_SHOWN else [])
        self.sink.think("\n```\n" + "\n".join(line.replace("```", "'''") for line in told) + "\n```\n")
        self._claims.by_edit(title_of(self.briefing.files, self.draft.edits()))
        added, removed = patching.counts(diff)
        problem = guards.syntax(path, after)
        return f"+{added} -{removed} lines" + (f"; but it does not parse now: {problem}" if problem else "")

    async def _no_such_file(self, path: str) -> str:
        paths = list(await self.briefing.archive.paths())
        near = difflib.get_close_matches(path, paths, 3, 0.5) or paths[:20]
        name = shortened(path, _NAME_SHOWN)
        return f"there is no text file {name!r} in the checkout; there is {', '.join(near) or 'none'}"

    # --- what was tried ----------------------------------------------------------------------------------------

    async def take_experiment(self, number: int) -> str:
        """Put the files of an earlier experiment into your draft, to go on from them instead of from the champion's."""
        found, champion = self.record.experiment(number), self.briefing.champion
        if found.parent != champion.id:
            raise ToolError(
                f"experiment {number} was made on #{found.parent}, not on today's champion, #{champion.id}, so its "
                "files lack what was kept since; look at its diff and put the change into the draft with edit_file"
            )
        edits = await self.briefing.archive.edits(number)
        editable = {path: text for path, text in edits.items() if path in self.briefing.contract.edit}
        if not editable:
            raise ToolError(f"experiment {number} changed no file that may be edited")
        self.draft.texts.update(editable)
        return f"the draft is experiment {number} now ({', '.join(editable)}); change it further before you propose"

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
        """Leave the idea you are at: it cannot be repaired, or is not worth it. You go on with another one."""
        if self._repairs:
            self.sink.note(f"Gave up repairing: {one_line(why, 500)}")
            raise GivenUp(why)
        self.draft = Draft(self.briefing.files, self.briefing.contract.edit, {})
        return "your draft is the champion's files again; propose another idea"

    async def propose(
        self,
        title: Annotated[str, "What changes, in at most 80 characters, with the numbers, such as DEPTH 4 → 6."],
        hypothesis: Annotated[str, "Why it should help, in one to three sentences."],
        expected_gain: Annotated[
            float,
            "By how much the metric should get better, in its own units; your honest guess, and never negative.",
            BeforeValidator(amount),
        ],
        idea: Annotated[int | None, "Number of the untried idea that this takes up, if it does."] = None,
    ) -> str:
        """Hand over your edits as one experiment. It ends your turn: the loop runs and judges it."""
        edits = self.draft.edits()
        if self.draft.refused:
            raise ToolError(
                f"not handed over, since an edit of the same answer was refused ({self.draft.refused}); mend it, or "
                "leave it out, and propose again"
            )
        if not edits:
            raise ToolError("you have changed nothing yet; edit_file or write_file first")
        said = closing(self.said)
        title = one_line(title or said.title or title_of(self.briefing.files, edits), 120)
        hypothesis = hypothesis or said.hypothesis or prose(self.said)
        if (tried := self.record.titled(title, self.mends)) is not None and f"{tried.id}" not in hypothesis:
            raise ToolError(
                f"experiment {tried.id} had this title already ({tried.verdict or tried.phase}); if something it "
                f"depended on has changed since, name it as #{tried.id} in the hypothesis and say what; else propose "
                "another idea"
            )
        self._claims.look_again(title)
        if (reason := await self.briefing.archive.refusal(edits)) is not None:
            raise ToolError(f"it would be turned down: {reason}. Change the draft and propose again")
        gain = abs(expected_gain) if self.briefing.contract.goal == "min" else expected_gain
        expected = f"better by {gain:.4g}" if gain > 0 else "no better, but simpler"
        self.proposal = Proposal(
            title=title,
            hypothesis=one_line(hypothesis, 2000),
            edits=edits,
            expected=expected if math.isfinite(gain) else one_line(said.expected, 200),
            parent=self.briefing.champion.id,
            notes={} if idea is None else {"idea": idea},
        )
        return "handed over"

    async def finish(self) -> bool:
        """Propose the draft as it is, with the words of the present answer, if it can be run; whether it was."""
        edits = self.draft.edits()
        if not edits or self.draft.unmended or any(guards.syntax(path, text) for path, text in edits.items()):
            return False
        try:
            await self.propose("", "", math.nan)
        except ToolError:
            return False
        return True


def _validated(tool: Tool[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, of the types that the tool declares."""
    values = {**(_MAY_LACK if tool.name == "propose" else {}), **{k: v for k, v in given.items() if v is not None}}
    try:
        made = tool.arguments.model_validate(values)
    except ValidationError as error:
        raise ToolError(wrong_arguments(tool, error)) from None
    return {key: getattr(made, key) for key in tool.arguments.model_fields}
