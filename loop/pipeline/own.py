"""Proposals that no researcher was asked for, the loop's own and a person's: taken in as any other."""

from collections.abc import Sequence

from loop.journal.recorder import Recorder
from loop.pipeline.judging import Judging
from loop.pipeline.proposals import Proposals
from loop.researchers.protocol import Proposal
from loop.study import events as e


async def propose(
    recorder: Recorder,
    proposals: Proposals,
    judging: Judging,
    number: int,
    parent: int,
    proposal: Proposal,
    who: str,
    fulfilled: e.RequestFulfilled | None = None,
    parts: Sequence[int] = (),
    placebo: bool = False,
) -> None:
    """Take in a proposal that no researcher was asked for; the arguments are those of `Proposals.record`.

    Args:
        number: of the experiment that it becomes.
    """
    proposals.record(number, parent, proposal, who, fulfilled, parts, placebo)
    experiment = recorder.study.experiments[number]
    await judging.settle(experiment, await proposals.commit(experiment))
