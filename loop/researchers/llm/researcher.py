"""The language model as a researcher: a new, bounded conversation for each experiment, from briefing to proposal.

The model reads, edits a draft and proposes, all through tools; its words are streamed into the sink. What the person
says joins the conversation before the next call; an interrupted conversation continues where it was. A crash goes
back to the conversation that proposed it, twice at most. A model that makes no proposal is told so, and its turns are
bounded.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from loop.config.settings import Settings
from loop.researchers.briefing.excerpt import fenced, tokens
from loop.researchers.briefing.page import for_model, notebook_share
from loop.researchers.briefing.result import repair
from loop.researchers.llm import faults, prompts
from loop.researchers.llm.caller import SMALLEST, Caller
from loop.researchers.llm.conversation import Conversation
from loop.researchers.llm.endpoint import Endpoint
from loop.researchers.llm.talk import Talk
from loop.researchers.llm.toolbox import GivenUp, Toolbox, Web
from loop.researchers.protocol import Briefing, Fruitless, Proposal, ProposalFailed, Sink, Unusable
from loop.study.experiment import CLASH, Experiment
from loop.study.outcomes import Outcome

REPAIRS = 2
"""Times that what has run and failed goes back to the conversation that proposed it; what has not is not counted."""

STAND_IN_AFTER = 2
"""Conversations in a row without a proposal, after which another researcher may stand in."""

GIVE_UP_AFTER = 4
"""The same, after which a person has to look where nobody can stand in."""

GROWN = 2
"""Length of a conversation, in briefings, above which the results of older calls are dropped from it."""


class LanguageModel:
    """Proposes what a language model comes up with.

    Args:
        settings: the endpoint, the model and the bounds.
        web: reads the web for the model, where the person allows that.
        name: what it is called.
        temperature: of the model's answers; None leaves it to the endpoint.

    It holds as many conversations at once as it is asked for; what it learns of the endpoint holds for all of them.
    """

    ahead = True

    def __init__(
        self, settings: Settings, web: Web | None = None, name: str = "llm", temperature: float | None = None
    ) -> None:
        self.name = name
        self._endpoint = Endpoint(settings)
        self._settings, self._web = settings, web
        self.about = f"{settings.model or 'the model'} at {self._endpoint.where}"
        self._caller = Caller(self._endpoint, settings, temperature)
        self._most = settings.briefing
        self._under_way: set[int] = set()
        """Numbers of the proposals that are being thought about."""
        self._interrupted: dict[int, Talk] = {}
        """Conversations that a person cut short, by the number of their proposal."""
        self._awaiting: dict[int, Talk] = {}
        """Conversations whose proposal has no result yet, by its number."""
        self._failures = 0
        """Conversations in a row that ended without a proposal."""

    async def prepare(self, sink: Sink) -> None:
        self._caller.model = await self._endpoint.model(sink)

    async def close(self) -> None:
        await self._endpoint.close()

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        if self._caller.in_text is None:
            self._caller.in_text = self._remembers_text(briefing.experiments)
        self._under_way.add(briefing.next_id)
        together = len(self._under_way)  # as many may fail by one and the same cause
        try:
            proposal, talk = await self._proposed(briefing, sink)
        except (ProposalFailed, faults.RequestRefused) as failure:
            self._failures += 1
            if self._failures < STAND_IN_AFTER * together:
                raise
            raise Fruitless(
                f"{self._caller.model} made no proposal in {self._failures} conversations in a row ({failure}); read "
                "its thoughts, change program.md or name another model, and start `looptop` again",
                hopeless=self._failures >= GIVE_UP_AFTER * together,
            ) from None
        finally:
            self._under_way.discard(briefing.next_id)
        self._failures = 0
        self._awaiting[talk.number] = talk
        return self._signed(proposal, talk)

    async def _proposed(self, briefing: Briefing, sink: Sink) -> tuple[Proposal, Talk]:
        talk = await self._resumed(briefing, sink)
        while True:
            if talk is None:
                talk = await self._fresh(briefing, sink)
            try:
                return await talk.to_proposal(self._caller, sink, GROWN * self._most), talk
            except GivenUp:
                talk = None
            except faults.ContextTooLong as error:
                talk = await self._shorter(talk, briefing, sink, str(error))
            except asyncio.CancelledError:  # the next call for this number continues here
                if talk is not None:
                    self._interrupted[talk.number] = talk
                raise

    def _remembers_text(self, experiments: Sequence[Experiment]) -> bool:
        """Whether this model has called no tools in this study, as found before a restart."""
        own = (
            x for x in reversed(experiments) if x.researcher == self.name and x.notes.get("model") == self._caller.model
        )
        newest = next(own, None)
        return newest is not None and newest.notes.get("tools") == "text"

    def _signed(self, proposal: Proposal, talk: Talk) -> Proposal:
        """The proposal with our bookkeeping: which model, how it was asked, and what it repairs."""
        notes: dict[str, object] = {**proposal.notes, "model": self._caller.model, "turns": talk.turns}
        notes["tools"] = "text" if self._caller.in_text else "calls"
        if not talk.repaired:
            return replace(proposal, notes=notes)
        crashed = talk.repaired[-1]
        title = f"{proposal.title[:100]} (repair of {crashed})"
        return replace(proposal, title=title, notes={**notes, "repairs": crashed})

    # --- which conversation ------------------------------------------------------------------------------------

    async def _resumed(self, briefing: Briefing, sink: Sink) -> Talk | None:
        """A conversation to continue: one that was interrupted, or one whose experiment came to nothing."""
        if (talk := self._interrupted.pop(briefing.next_id, None)) is not None:
            talk.conversation.complete()
            for words in briefing.words:
                talk.conversation.say(prompts.WORDS.format(words=words))
            return talk
        ended = {x.id: x for x in briefing.experiments if x.verdict is not None}
        known = sorted(self._awaiting.keys() & ended.keys())
        mendable = [number for number in known if _mendable(ended[number]) and self._awaiting[number].paid < REPAIRS]
        for number in set(known) - set(mendable):
            del self._awaiting[number]
        if not mendable:
            return None
        number = mendable[-1]  # the others have their turn after it
        return await self._repairing(ended[number], self._awaiting.pop(number), briefing, sink)

    async def _repairing(self, crashed: Experiment, talk: Talk, briefing: Briefing, sink: Sink) -> Talk:
        """The conversation that proposed an experiment which came to nothing, told why."""
        talk.repaired.append(crashed.id)
        free = crashed.judged_by == CLASH or (crashed.verdict == Outcome.REJECTED and crashed.judged_by != "judge")
        talk.paid += not free
        before, talk.toolbox = talk.toolbox, self._toolbox(briefing, sink, None, repairs=True)
        talk.toolbox.draft, talk.toolbox.mends = before.draft, talk.repaired
        talk.number, talk.turns, talk.idle, talk.errors = briefing.next_id, 0, 0, Counter()
        log = await briefing.archive.log(crashed.id)
        talk.conversation.say(repair(crashed, log, max(1, REPAIRS - talk.paid + 1)))
        if talk.champion != briefing.champion.id:
            talk.champion = briefing.champion.id
            talk.conversation.say(talk.toolbox.follow(briefing.champion, briefing.files))
        for words in briefing.words:
            talk.conversation.say(prompts.WORDS.format(words=words))
        sink.think(f"Experiment {crashed.id} came to nothing ({crashed.reason}). Back to its conversation.\n")
        return talk

    async def _fresh(self, briefing: Briefing, sink: Sink, draft: Toolbox | None = None) -> Talk:
        """A new conversation, with the present briefing."""
        if tokens("\n".join(briefing.notebook)) > notebook_share(self._most):
            briefing = replace(briefing, notebook=await self._rewritten(briefing, sink))
        parts = for_model(briefing, self._most, self.name)
        conversation = Conversation(parts.stable, path=briefing.contract.edit[0])
        conversation.say(parts.page)
        toolbox = self._toolbox(briefing, sink, draft, repairs=False)
        toolbox.record.told = parts.complete
        return Talk(briefing.next_id, briefing.champion.id, conversation, toolbox)

    def _toolbox(self, briefing: Briefing, sink: Sink, before: Toolbox | None, *, repairs: bool) -> Toolbox:
        draft = before.draft.edits() if before is not None else None
        return Toolbox(briefing, sink, self._web, draft, repairs=repairs)

    async def _shorter(self, talk: Talk, briefing: Briefing, sink: Sink, said: str) -> Talk:
        """A conversation that fits: without old results, else a new one with half the briefing and the same draft."""
        if talk.conversation.shrink():
            talk.toolbox.forget()
            return talk
        first = talk.conversation.messages[0]
        self._most = min(self._most, tokens(talk.conversation.system) + tokens(first.text))  # it may have been shorter
        if self._most // 2 < SMALLEST:
            raise Unusable(
                f"the context of {self._caller.model} is too small for a briefing of {self._most} tokens ({said}); "
                "serve it with a larger context, or name another model, and start `looptop` again"
            )
        self._most //= 2
        sink.trouble(f"the model's context is too small ({said}); briefings have {self._most} tokens from now on")
        return await self._fresh(briefing, sink, talk.toolbox)

    async def _rewritten(self, briefing: Briefing, sink: Sink) -> Sequence[str]:
        """The notebook in fewer words, by the model itself; unchanged where that fails."""
        words = notebook_share(self._most) // 3
        conversation = Conversation("You keep the notebook of a study that improves a program by experiments.")
        conversation.say(
            prompts.REWRITE.format(words=words) + "\n\n" + fenced("notebook", "\n".join(briefing.notebook), 60_000)
        )
        try:
            reply = await self._caller.call(conversation, (), sink)
        except (faults.RequestRefused, faults.ContextTooLong):
            return briefing.notebook
        text = reply.text.strip()
        if not text or tokens(text) > notebook_share(self._most):
            return briefing.notebook
        sink.rewrite(text)
        return (text,)


def _mendable(experiment: Experiment) -> bool:
    """Whether its conversation may mend it: it has no number that counts, or one of lines that a champion has changed;
    and it was no person who ended it."""
    verdict = experiment.verdict
    if experiment.judged_by == CLASH:
        return True
    if verdict is None or verdict.has_number:
        return False
    return verdict.is_failure or (verdict == Outcome.REJECTED and experiment.judged_by in ("guard", "judge"))
