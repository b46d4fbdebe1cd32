"""The size of a briefing and its cost: tokens, the time to build it, and how much of it an endpoint may have cached.

    python -m bench.briefing

The study has titles, hypotheses and reasons as models and runs write them, this repository's `program.md` and
`train.py`, and a notebook that fills its share. Tokens are counted by the product's own estimate, which is on the high
side; the budget is 32,000 tokens and 50 ms of a processor at 700 experiments, all of them named.

The prefix is what two requests, with their tools, have in common from their first byte on. It is taken of the first
request of each proposal and that of the one before, over twenty proposals in a row, and of the first request of a
repair and the last one of the conversation that it goes back to; the budget is 80% in the median at 200 experiments.
"""

import json
import statistics
import time
from itertools import pairwise

from loop.researchers.briefing.excerpt import tokens
from loop.researchers.briefing.page import for_command, for_model, notebook_share
from loop.researchers.briefing.result import repair
from loop.researchers.llm import chat
from loop.researchers.llm.conversation import Conversation, Reply, Request, ToolCall, ToolResult
from loop.researchers.llm.toolbox import Toolbox
from loop.study.experiment import Experiment
from tests.researchers.history import briefing, history
from tests.researchers.spoken import Spoken

BUDGET_TOKENS = 32_000
BUDGET_MS = 50
COUNTS = (10, 100, 700, 2000)
REPEATS = 15
BUDGET_PREFIX = 0.8
IN_A_ROW = 20


def notebook() -> tuple[str, ...]:
    """Notes that fill the notebook's share."""
    notes: list[str] = []
    while tokens("\n".join(notes)) < 0.95 * notebook_share(BUDGET_TOKENS):
        notes.append(f"Lesson {len(notes)}: a step that costs a tenth less was worth {len(notes) / 2000:.4f} and more.")
    return tuple(notes)


def request(conversation: Conversation, toolbox: Toolbox) -> bytes:
    """A request in the order in which endpoints read it: tools, system message, messages."""
    body = chat.body(Request("model", conversation, toolbox.schemas()))
    return json.dumps([body["tools"], body["messages"]]).encode()[:-2]  # without the brackets that close it


def first(experiments: list[Experiment], notes: tuple[str, ...]) -> tuple[Conversation, Toolbox]:
    told = briefing(experiments, notebook=notes)
    parts = for_model(told, BUDGET_TOKENS, "llm")
    conversation = Conversation(parts.stable)
    conversation.say(parts.page)
    return conversation, Toolbox(told, Spoken())


def shared(before: bytes, after: bytes) -> float:
    """Share of `after` that is its common beginning with `before`."""
    same = next(
        (place for place, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), len(before)
    )
    return same / len(after)


def prefixes(count: int, notes: tuple[str, ...]) -> list[float]:
    """For proposals in a row, up to `count` experiments: what each first request has in common with the one before."""
    requests = [request(*first(history(n, seed=4), notes)) for n in range(count - IN_A_ROW, count + 1)]
    return [shared(before, after) for before, after in pairwise(requests)]


def repaired(count: int, notes: tuple[str, ...]) -> float:
    """What the first request of a repair has in common with the last one of its conversation."""
    experiments = history(count, seed=4)
    conversation, toolbox = first(experiments, notes)
    call = ToolCall("call_1", "read_file", '{"path": "train.py"}')
    conversation.messages += [Reply(calls=[call]), ToolResult(call, "text " * 2000)]
    before = request(conversation, toolbox)
    propose = ToolCall("call_2", "propose", '{"title": "WIDTH 256 -> 320", "hypothesis": "", "expected_gain": 0.01}')
    conversation.messages += [Reply(calls=[propose]), ToolResult(propose, "handed over")]
    crashed = next(x for x in reversed(experiments) if x.verdict == "crashed")
    conversation.say(repair(crashed, "Traceback (most recent call last)\n" + "  line of it\n" * 100, 2))
    return shared(before, request(conversation, Toolbox(toolbox.briefing, Spoken(), repairs=True)))


def main() -> None:
    notes = notebook()
    for count in COUNTS:
        experiments = history(count, seed=4)
        told = briefing(experiments, notebook=notes)
        parts = for_model(told, BUDGET_TOKENS, "llm")
        times = []
        for _ in range(REPEATS):
            began = time.process_time()
            for_model(told, BUDGET_TOKENS, "llm")
            times.append(1000 * (time.process_time() - began))
        judged = [x for x in experiments if x.verdict is not None]
        whole = sum(f"{x.id} {x.title}" in parts.page for x in judged)
        print(
            f"{count} experiments: {tokens(parts.stable) + tokens(parts.page):,} tokens, budget {BUDGET_TOKENS:,}; "
            f"built in median {statistics.median(times):.1f} ms of a processor (worst {max(times):.1f}), budget "
            f"{BUDGET_MS} at 700; "
            f"{whole} of {len(judged)} titles whole; for a command {tokens(for_command(told)):,} tokens"
        )
    for count in (20, 200, 700):
        found = prefixes(count, notes)
        print(
            f"prefix of first requests up to {count} experiments: median {statistics.median(found):.0%}, mean "
            f"{statistics.fmean(found):.0%}, least {min(found):.0%}; of a repair {repaired(count, notes):.0%}; budget "
            f"{BUDGET_PREFIX:.0%} at 200"
        )


if __name__ == "__main__":
    main()
