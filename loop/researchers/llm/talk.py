"""One conversation about one proposal: answers are carried out until one of them proposes, or nothing new comes.

Calls count in whatever form they come: through the endpoint's interface, in the text, or, where an answer is nothing
but reasoning, in that. A draft that a model has finished without handing it over is proposed as it stands. Answers that
bring nothing new and errors that come back are bounded.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from loop.researchers.briefing.excerpt import tokens
from loop.researchers.llm import prompts, text_tools
from loop.researchers.llm.arguments import UNMADE, is_edit, tool_called
from loop.researchers.llm.caller import Caller
from loop.researchers.llm.conversation import Conversation, Reply, ToolCall, ToolResult, cut_short
from loop.researchers.llm.toolbox import Toolbox
from loop.researchers.protocol import NothingLeft, Proposal, ProposalFailed, Sink
from loop.sanitize import one_line

TURNS = 32
"""Calls of the model for one proposal. To read two files, look at three experiments and edit takes about ten."""

IDLE = 5
"""Answers in a row that bring nothing new, after which a conversation is over."""

DONE = 2
"""The same, after which a draft that can be run counts as finished, and a model without one is taught to use text."""

SAME = 3
"""Times that the same error comes back before the conversation is over."""


@dataclass
class Talk:
    """One conversation about one proposal."""

    number: int
    champion: int
    conversation: Conversation
    toolbox: Toolbox
    turns: int = 0
    idle: int = 0
    """Answers in a row that brought nothing new."""
    refusals: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """Answers since anything new came that ended in each error."""
    repaired: list[int] = field(default_factory=list)
    """Experiments of this conversation that came to nothing and were handed back, in order."""
    paid: int = 0
    """How many of them had run."""

    async def to_proposal(self, caller: Caller, sink: Sink, most: int) -> Proposal:
        """Call the model until it has proposed.

        Args:
            most: tokens of the conversation above which the results of older calls are dropped from it.

        Raises:
            ProposalFailed: it makes none.
            NothingLeft: a limit allows no more calls.
            GivenUp, faults.ContextTooLong, faults.RequestRefused, Unusable.
        """
        while self.turns < TURNS:
            if (reason := sink.last_call()) is not None:
                if not self.toolbox.draft.edits():
                    raise NothingLeft(reason)
                self.conversation.say(prompts.LAST.format(reason=reason))
            elif TURNS - self.turns == 4:
                self.conversation.say(prompts.NEARLY.format(left=4))
            for moved in await self._follow():
                self.conversation.say(moved)
            reply = await caller.call(self.conversation, self.toolbox.schemas(), sink)
            self.turns += 1
            await self._act(reply, caller)
            done = reason or self.turns == TURNS or self.idle >= DONE
            if self.toolbox.proposal is None and done and await self.toolbox.finish():
                self.conversation.correct(prompts.UNPROPOSED, prompts.HANDED_OVER)  # the experiment may come back here
            if (proposal := self.toolbox.proposal) is not None:
                return proposal
            if reason is not None:
                raise NothingLeft(reason)
            self._bound()
            if sum(tokens(message.text) for message in self.conversation.messages) > most:
                self._shrink(4)
        raise ProposalFailed(f"no proposal in {TURNS} answers")

    async def _follow(self) -> list[str]:
        """Move the draft onto a champion that has changed meanwhile; what the model has to know of it, if it has."""
        champion, files = await self.toolbox.briefing.archive.champion()
        if champion.id == self.champion:
            return []
        self.champion = champion.id
        moved = self.toolbox.follow(champion, files)
        self.toolbox.sink.think(f"\nExperiment {champion.id} is the champion now; the draft is on top of it.\n")
        return [moved]

    def _shrink(self, keep: int) -> None:
        if self.conversation.shrink(keep):
            self.toolbox.forget()

    def _bound(self) -> None:
        """End a conversation that goes round in circles.

        Raises:
            ProposalFailed: it does.
        """
        if self.idle > IDLE:
            raise ProposalFailed(f"{IDLE} answers in a row brought nothing new")
        if (worst := self.errors.most_common(1)) and worst[0][1] >= SAME:
            raise ProposalFailed(f"the same call was refused {SAME} times: {one_line(worst[0][0], 300)}")

    async def _act(self, reply: Reply, caller: Caller) -> None:
        """Carry out the calls of an answer, and add their results to the conversation."""
        conversation, toolbox = self.conversation, self.toolbox
        spoken = self._spoken(reply)
        written = any(call.name not in UNMADE for call in spoken)
        if written and not reply.calls and not conversation.has_calls():
            caller.in_text = True
        endless = reply.finish in ("length", "stuck") and not (spoken or reply.calls)
        conversation.messages.append(cut_short(reply) if endless else reply)
        toolbox.begin(reply.text if reply.text.strip() else reply.reasoning[-_REASONING:])
        results: list[str] = []
        errors: set[str] = set()
        for call in [*spoken, *reply.calls]:
            if tool_called(call.name, toolbox.takes) in _OF_TODAY:  # the answer may have taken minutes
                results += await self._follow()
            if toolbox.proposal is None or tool_called(call.name, toolbox.takes) in _REMEMBERED:
                answer = await toolbox.use(call.name, call.arguments)
            else:
                answer = "not carried out: the proposal before it ended your turn"
            if answer.startswith("error: "):
                errors.add(f"{call.name}: {answer.removeprefix('error: ')}")
            if call in spoken:
                results.append(f"Result of {call.name}:\n{answer}")
            else:
                conversation.messages.append(ToolResult(call, answer))
        if toolbox.progress:
            self.idle, self.errors = 0, Counter()
        elif not errors:
            self.idle += 1
        self.errors.update(errors)
        for text in [*results, *self._remarks(reply, bool(spoken or reply.calls), caller)]:
            conversation.say(text)

    def _spoken(self, reply: Reply) -> Sequence[ToolCall]:
        """The calls and edits in the text of an answer; in its reasoning where it is nothing else.

        Beside calls through the interface, text counts only where they propose and do not edit: the edit is in it then.
        """
        takes, files, number = self.toolbox.takes, self.toolbox.draft.files(), len(self.conversation.messages)
        if not reply.calls:
            said = reply.text if reply.text.strip() or reply.finish == "refused" else reply.reasoning
            return text_tools.calls(said, takes, files, number)
        names = [tool_called(call.name, takes) for call in reply.calls]
        if "propose" in names and not any(is_edit(call.name, takes) for call in reply.calls):
            return [call for call in text_tools.calls(reply.text, takes, files, number) if is_edit(call.name, takes)]
        return []

    def _remarks(self, reply: Reply, acted: bool, caller: Caller) -> list[str]:
        """What to reply to an answer that was not as it should be."""
        if reply.finish in ("length", "stuck"):
            return [prompts.CUT if reply.finish == "length" else prompts.STUCK]
        if not acted and reply.finish == "refused":
            self.refusals += 1
            if self.refusals > 1:
                reason = one_line(reply.refusal or reply.text) or "no reason given"
                raise ProposalFailed(f"the model declined: {reason}")
            return [prompts.REFUSED]
        if self.idle and self.toolbox.draft.edits() and not self.toolbox.draft.unmended:
            return [prompts.UNPROPOSED]
        if acted:
            return []
        if self.idle == DONE and not caller.in_text:
            return [text_tools.manual(self.toolbox.schemas(), self.conversation.path, prompts.TEXT)]
        if not reply.text.strip() and reply.reasoning.strip():
            return [prompts.ONLY_THOUGHT.format(end=reply.reasoning[-600:].strip())]
        return [prompts.NO_TOOL if reply.text.strip() else prompts.EMPTY]


_OF_TODAY = ("read_file", "take_experiment")
"""Tools that are to see today's champion. Edits before them were meant for the text that the model knew, and move on
with the draft."""

_REMEMBERED = ("note", "learn", "idea")
"""Tools for what is to outlast a proposal, carried out behind it, too: calls beside each other have no order."""

_REASONING = 4000
"""Characters at the end of reasoning that say what an answer is, where it has no text."""
