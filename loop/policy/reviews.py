"""Which proposals a person looks at before they run: what the program's `review:` says of them. Pure."""

from collections.abc import Sequence

from loop.study.contract import Contract
from loop.study.experiment import Experiment
from loop.study.state import Study


def why(contract: Contract, flags: Sequence[str]) -> str:
    """Why a proposal waits for a person; empty where it need not.

    Args:
        flags: what is unusual about it, see `review_flags`.
    """
    if contract.reviewed == "all":
        return "the program says `review: all`"
    if contract.reviewed != "flagged" or not flags:
        return ""
    more = f" (and {len(flags) - 1} more)" if len(flags) > 1 else ""
    said = "" if contract.review else "; nobody verifies the number, so a person looks first (`review:`)"
    return f"{flags[0]}{more}{said}"


def released(study: Study) -> list[Experiment]:
    """Proposals that wait for a person although the program no longer asks for one.

    A person's own edit waits for another reason, and so does a number that looks like none.
    """
    unseen = [x for x in study.open_experiments() if x.phase == "waiting" and x.commit and not x.counted()]
    return [x for x in unseen if not x.submitted and not why(study.contract, x.flags)]
