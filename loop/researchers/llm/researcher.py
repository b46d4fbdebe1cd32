"""The language model as a researcher: a new, bounded conversation for each experiment, from briefing to proposal.

The model reads, edits a draft and proposes, all through tools; its words are streamed into the sink. What the person
says joins the conversation before the next call; an interrupted conversation continues where it was. A crash goes
back to the conversation that proposed it, twice at most. A model that makes no proposal is told so, and its turns are
bounded.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from loop.config.settings import Settings
from loop.researchers.briefing.excerpt import fenced, tokens
from loop.researchers.briefing.page import for_model, notebook_share, repair
from loop.researchers.llm import faults, prompts, text_tools
from loop.researchers.llm.conversation import Conversation, Reply, Request, ToolResult
from loop.researchers.llm.endpoint import Endpoint
from loop.researchers.llm.stream import TextStream
from loop.researchers.llm.toolbox import GivenUp, Toolbox, Web
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, ProposalFailed, Sink, Unusable
from loop.sanitize import one_line
from loop.study.events import Spent
from loop.study.experiment import Experiment

TURNS = 32
"""Calls of the model for one proposal. To read two files, look at three experiments and edit takes about ten."""

IDLE = 5
"""Answers in a row that use no tool, after which a conversation is over."""

REPAIRS = 2
"""Times that a crash goes back to the conversation that proposed it."""

GIVE_UP_AFTER = 4
"""Conversations in a row without a proposal, after which a person has to look."""

SMALLEST = 3000
"""Tokens below which a briefing says nothing useful."""

GROWN = 2
"""Length of a conversation, in briefings, above which the results of older calls are dropped from it."""


@dataclass
class _Talk:
    """One conversation about one proposal."""

    number: int
    champion: int
    conversation: Conversation
    toolbox: Toolbox
    turns: int = 0
    idle: int = 0
    refusals: int = 0
    repaired: list[int] = field(default_factory=list)
    """Experiments of this conversation that crashed or ran out of memory, in order."""


class LanguageModel:
    """Proposes what a language model comes up with.

    Args:
        settings: the endpoint, the model and the bounds.
        web: reads the web for the model, where the person allows that.
    """

    name = "llm"
    ahead = 0

    def __init__(self, settings: Settings, web: Web | None = None) -> None:
        self._endpoint = Endpoint(settings)
        self._settings, self._web = settings, web
        self.about = f"{settings.model or 'the model'} at {self._endpoint.where}"
        self._model = settings.model or ""
        self._most = settings.briefing
        self._in_text: bool | None = None
        """The model calls no tools, so it writes them as blocks of text; None until earlier experiments have shown."""
        self._interrupted: _Talk | None = None
        self._awaiting: dict[int, _Talk] = {}
        """Conversations whose proposal has no result yet, by its number."""
        self._failures = 0
        self._reading_checked = False
        """The first answer has shown how much of the briefing the endpoint reads."""

    async def prepare(self, sink: Sink) -> None:
        self._model = await self._endpoint.model(sink)

    async def close(self) -> None:
        await self._endpoint.close()

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        if self._in_text is None:
            self._in_text = self._remembers_text(briefing.experiments)
        try:
            proposal, talk = await self._proposed(briefing, sink)
        except (ProposalFailed, faults.RequestRefused) as failure:
            self._failures += 1
            if self._failures >= GIVE_UP_AFTER:
                raise Unusable(
                    f"{self._model} made no proposal in {GIVE_UP_AFTER} conversations in a row ({failure}); read its "
                    "thoughts, change program.md or name another model, and start `looptop` again"
                ) from None
            raise
        self._failures = 0
        self._awaiting[talk.number] = talk
        return self._signed(proposal, talk)

    async def _proposed(self, briefing: Briefing, sink: Sink) -> tuple[Proposal, _Talk]:
        talk = await self._resumed(briefing, sink)
        while True:
            if talk is None:
                talk = await self._fresh(briefing, sink)
            try:
                return await self._converse(talk, sink), talk
            except GivenUp:
                talk = None
            except faults.ContextTooLong as error:
                talk = await self._shorter(talk, briefing, sink, str(error))
            except asyncio.CancelledError:  # the next call for this number continues here
                self._interrupted = talk
                raise

    def _remembers_text(self, experiments: Sequence[Experiment]) -> bool:
        """Whether this model has called no tools in this study, as found before a restart."""
        own = (x for x in reversed(experiments) if x.researcher == self.name and x.notes.get("model") == self._model)
        newest = next(own, None)
        return newest is not None and newest.notes.get("tools") == "text"

    def _signed(self, proposal: Proposal, talk: _Talk) -> Proposal:
        """The proposal with our bookkeeping: which model, how it was asked, and what it repairs."""
        notes: dict[str, object] = {"model": self._model, "turns": talk.turns}
        notes["tools"] = "text" if self._in_text else "calls"
        if not talk.repaired:
            return replace(proposal, notes=notes)
        crashed = talk.repaired[-1]
        title = f"{proposal.title[:100]} (repair of {crashed})"
        return replace(proposal, title=title, notes={**notes, "repairs": crashed})

    # --- which conversation ------------------------------------------------------------------------------------

    async def _resumed(self, briefing: Briefing, sink: Sink) -> _Talk | None:
        """A conversation to continue: one that was interrupted, or one whose experiment has crashed."""
        talk, self._interrupted = self._interrupted, None
        if talk is not None and (talk.number, talk.champion) == (briefing.next_id, briefing.champion.id):
            talk.conversation.complete()
            for words in briefing.words:
                talk.conversation.say(prompts.WORDS.format(words=words))
            return talk
        ended = {x.id: x for x in briefing.experiments if x.verdict is not None}
        known = [(ended[number], self._awaiting.pop(number)) for number in sorted(self._awaiting.keys() & ended.keys())]
        mendable = [
            (experiment, talk)
            for experiment, talk in known
            if experiment.verdict
            and experiment.verdict.is_broken
            and len(talk.repaired) < REPAIRS
            and talk.champion == briefing.champion.id
        ]
        return await self._repairing(*mendable[-1], briefing, sink) if mendable else None

    async def _repairing(self, crashed: Experiment, talk: _Talk, briefing: Briefing, sink: Sink) -> _Talk:
        """The conversation that proposed a crashed experiment, told of the crash."""
        talk.repaired.append(crashed.id)
        talk.toolbox = self._toolbox(briefing, sink, talk.toolbox, repairs=True)
        talk.number, talk.turns, talk.idle = briefing.next_id, 0, 0
        log = await briefing.archive.log(crashed.id)
        talk.conversation.say(repair(crashed, log, REPAIRS - len(talk.repaired) + 1))
        for words in briefing.words:
            talk.conversation.say(prompts.WORDS.format(words=words))
        sink.think(f"Experiment {crashed.id} failed ({crashed.reason}). Back to its conversation.\n")
        return talk

    async def _fresh(self, briefing: Briefing, sink: Sink, draft: Toolbox | None = None) -> _Talk:
        """A new conversation, with the present briefing."""
        if tokens("\n".join(briefing.notebook)) > notebook_share(self._most):
            briefing = replace(briefing, notebook=await self._rewritten(briefing, sink))
        parts = for_model(briefing, self._most, self.name)
        conversation = Conversation(parts.stable)
        conversation.say(parts.page)
        return _Talk(
            briefing.next_id, briefing.champion.id, conversation, self._toolbox(briefing, sink, draft, repairs=False)
        )

    def _toolbox(self, briefing: Briefing, sink: Sink, before: Toolbox | None, *, repairs: bool) -> Toolbox:
        draft = before.edits() if before is not None else None
        return Toolbox(briefing, sink, self._web, draft, repairs=repairs)

    async def _shorter(self, talk: _Talk, briefing: Briefing, sink: Sink, said: str) -> _Talk:
        """A conversation that fits: without old results, else a new one with half the briefing and the same draft."""
        if talk.conversation.shrink():
            return talk
        if self._most // 2 < SMALLEST:
            raise Unusable(
                f"the context of {self._model} is too small for a briefing of {self._most} tokens ({said}); serve it "
                "with a larger context, or name another model, and start `looptop` again"
            )
        self._most //= 2
        sink.trouble(f"the model's context is too small ({said}); briefings have {self._most} tokens from now on")
        return await self._fresh(briefing, sink, talk.toolbox)

    async def _rewritten(self, briefing: Briefing, sink: Sink) -> Sequence[str]:
        """The notebook in fewer words, by the model itself; unchanged where that fails."""
        words = notebook_share(self._most) // 3
        conversation = Conversation("You keep the notebook of a study that improves a training script by experiments.")
        conversation.say(
            prompts.REWRITE.format(words=words) + "\n\n" + fenced("notebook", "\n".join(briefing.notebook), 60_000)
        )
        try:
            reply = await self._call(conversation, (), sink)
        except (faults.RequestRefused, faults.ContextTooLong):
            return briefing.notebook
        text = reply.text.strip()
        if not text or tokens(text) > notebook_share(self._most):
            return briefing.notebook
        sink.rewrite(text)
        return (text,)

    # --- conversing --------------------------------------------------------------------------------------------

    async def _converse(self, talk: _Talk, sink: Sink) -> Proposal:
        """Call the model until it has proposed.

        Raises:
            ProposalFailed: it makes none.
            NothingLeft: a limit allows no more calls.
            GivenUp, faults.ContextTooLong, faults.RequestRefused, Unusable.
        """
        while talk.turns < TURNS:
            if (reason := sink.last_call()) is not None:
                if not talk.toolbox.edits():
                    raise NothingLeft(reason)
                talk.conversation.say(prompts.LAST.format(reason=reason))
            elif TURNS - talk.turns == 4:
                talk.conversation.say(prompts.NEARLY.format(left=4))
            reply = await self._call(talk.conversation, talk.toolbox.schemas(), sink)
            talk.turns += 1
            await self._act(talk, reply)
            if (proposal := talk.toolbox.proposal) is not None:
                return proposal
            if reason is not None:
                raise NothingLeft(reason)
            if talk.idle > IDLE:
                raise ProposalFailed(f"{IDLE} answers in a row used no tool")
            if sum(tokens(message.text) for message in talk.conversation.messages) > GROWN * self._most:
                talk.conversation.shrink(keep=4)
        raise ProposalFailed(f"no proposal in {TURNS} answers")

    async def _act(self, talk: _Talk, reply: Reply) -> None:
        """Carry out the calls of an answer, and add their results to the conversation."""
        conversation, toolbox = talk.conversation, talk.toolbox
        calls, in_text = reply.calls, False
        if not calls:
            calls = text_tools.calls(reply.text, list(toolbox.tools), len(conversation.messages))
            in_text = bool(calls)
            if in_text and not conversation.has_calls():
                self._in_text = True
        conversation.messages.append(reply)
        results: list[str] = []
        for call in calls:
            if toolbox.proposal is None:
                answer = await toolbox.use(call.name, call.arguments)
            else:
                answer = "not carried out: the proposal before it ended your turn"
            if in_text:
                results.append(f"Result of {call.name}:\n{answer}")
            else:
                conversation.messages.append(ToolResult(call, answer))
        talk.idle = 0 if calls else talk.idle + 1
        for text in [*results, *self._remarks(talk, reply, bool(calls))]:
            conversation.say(text)

    def _remarks(self, talk: _Talk, reply: Reply, acted: bool) -> list[str]:
        """What to reply to an answer that was not as it should be."""
        if reply.finish == "length":
            return [prompts.CUT]
        if acted:
            return []
        if reply.finish == "refused":
            talk.refusals += 1
            if talk.refusals > 1:
                reason = one_line(reply.refusal or reply.text) or "no reason given"
                raise ProposalFailed(f"the model declined: {reason}")
            return [prompts.REFUSED]
        return [prompts.NO_TOOL if reply.text.strip() else prompts.EMPTY]

    # --- calling -----------------------------------------------------------------------------------------------

    async def _call(self, conversation: Conversation, tools: Sequence[dict[str, object]], sink: Sink) -> Reply:
        """One answer, however long the endpoint makes us wait. What the person says meanwhile goes along."""

        async def attempt() -> Reply:
            for words in sink.messages():
                conversation.say(prompts.WORDS.format(words=words))
            while True:
                request = self._request(conversation, tools)
                stream = TextStream(sink)
                try:
                    reply = await self._endpoint.ask(request, stream.add)
                except faults.UnsupportedParameter as error:
                    self._do_without(error)
                    continue
                except faults.TransientError:
                    if stream.said:  # it has cost something, and nobody says how much
                        sink.spend(self._estimated(request, stream.said))
                        stream.end("\n(the answer broke off; asked again)")
                    raise
                except asyncio.CancelledError:
                    if stream.said:
                        sink.spend(self._estimated(request, stream.said))
                        conversation.say(prompts.INTERRUPTED.format(end=stream.said[-1500:]))
                    raise
                stream.end()
                usage = reply.usage
                if usage is not None:
                    self._check_reading(request, usage.read, sink)
                said = reply.reasoning + reply.text + "".join(call.arguments for call in reply.calls)
                sink.spend(
                    self._estimated(request, said) if usage is None else self._endpoint.spent(usage, self._model)
                )
                return reply

        return await self._endpoint.patiently(attempt, sink)

    def _request(self, conversation: Conversation, tools: Sequence[dict[str, object]]) -> Request:
        if self._in_text and tools:
            spoken = Conversation(f"{conversation.system}\n\n{text_tools.manual(tools)}", conversation.messages)
            return Request(self._model, spoken, (), self._settings.effort, frozenset(self._endpoint.without))
        return Request(self._model, conversation, tools, self._settings.effort, frozenset(self._endpoint.without))

    def _do_without(self, error: faults.UnsupportedParameter) -> None:
        """Leave out what this endpoint does not support, from now on."""
        if error.parameter == "tools" and not self._in_text:
            self._in_text = True
        elif error.parameter not in self._endpoint.without:
            self._endpoint.without.add(error.parameter)
        else:
            raise faults.RequestRefused(str(error))

    def _check_reading(self, request: Request, read: int, sink: Sink) -> None:
        """Warn, once, if the endpoint has read far less than it was sent: some truncate what is too long silently.

        Only the first call tells: later on, some servers do not count what comes from a cache.
        """
        sent = _length(request)
        if not self._reading_checked and read * 3 < sent:
            sink.trouble(
                f"{self._endpoint.where} says that it read {read:,} tokens of about {sent:,}: its context seems too "
                "small and its input truncated. Give it a larger context (docs/models.md says how), or set briefing = "
                f"{max(SMALLEST, read // 2)} in looptop's settings"
            )
        self._reading_checked = True

    def _estimated(self, request: Request, said: str) -> Spent:
        """The cost of a call that nobody counted: the tokens are an estimate, the price is unknown."""
        read, written = _length(request), tokens(said)
        return Spent(researcher="", tokens=read + written, usd=None, model=self._model, read=read, written=written)


def _length(request: Request) -> int:
    """Estimated tokens of a conversation as it is sent, without its tools."""
    return tokens(request.conversation.system + "".join(message.text for message in request.conversation.messages))
