"""What a study found, as commits for a person's review: one for each kept change, with its worth in the message."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from loop.errors import UserError
from loop.lineage import Lineage
from loop.lineage.clean_branch import Step, make, same_files
from loop.lineage.message import one_line
from loop.reporting import cost, page
from loop.reporting.page.facts import Change, Report
from loop.study.experiment import Experiment
from loop.study.queries import built_on
from loop.study.state import Study

SUBJECT, WIDTH = 72, 76
"""Characters of a commit's first line, and of the others."""


class NothingToFinish(UserError):
    """The study has kept nothing."""


@dataclass(frozen=True)
class Finished:
    """A branch that was made, or would be."""

    branch: str
    base: str
    commits: Sequence[tuple[str, str, int | None]]
    """Of each its sha, its first line, and its experiment; None for the person's own edits before the study."""


def finish(study: Study, found: cost.Books, lineage: Lineage, branch: str, dry: bool = False) -> Finished:
    """Make the branch.

    Raises:
        NothingToFinish: nothing was kept.
        LineageError: there is another branch of that name, or git does not do its part.
    """
    report = page.gather(study, found, lambda experiment: "")
    on_branch = [study.experiments[number] for number in reversed(built_on(study))]
    kept = [x for x in on_branch if x.id and x.commit]
    if not kept:
        raise NothingToFinish("the study has kept no change, so there is nothing to make a branch of")
    told = {change.id: change for change in report.kept}
    steps: list[Step] = []
    numbers: list[int | None] = []
    base = study.baseline
    if base is not None and base.commit and not same_files(lineage.git, study.base, base.commit):
        steps.append(Step(base.commit, _begin(study), base.judged_at or base.proposed_at))
        numbers.append(None)
    for x in kept:
        message = message_of(report, told.get(x.id), x)
        steps.append(Step(x.commit or "", message, x.judged_at or x.proposed_at))
        numbers.append(x.id)
    made = make(lineage.git, branch, study.base, steps, dry)
    subjects = [step.message.splitlines()[0] for step in steps]
    return Finished(branch, study.base, list(zip(made, subjects, numbers, strict=True)))


def _begin(study: Study) -> str:
    return f"The files that study {study.tag} began with\n\nUncommitted edits of the person at that time.\n"


def message_of(report: Report, change: Change | None, x: Experiment) -> str:
    """The message of a kept change's commit: what it is, why, what it is worth, and who proposed it."""
    blocks = [one_line(x.title, SUBJECT) or f"experiment {x.id}"]
    if x.hypothesis:
        blocks.append(_wrapped(x.hypothesis))
    if change is not None and change.metric is not None:
        blocks.append(_wrapped(_worth(report, change)))
    blocks.append(_wrapped(f"The judge: {x.reason}" if x.judged_by == "judge" else f"{x.judged_by}: {x.reason}"))
    trailers = [
        f"Proposed-by: {one_line(x.researcher, 200)}",
        f"Looptop-study: {report.tag}",
        f"Looptop-experiment: {x.id}",
    ]
    return "\n\n".join([*blocks, "\n".join(trailers)]) + "\n"


def _worth(report: Report, change: Change) -> str:
    assert change.metric is not None
    error = "" if change.error is None else f" ± {change.error.text}"
    runs = "" if change.runs is None else f" over {change.runs.text} run{'' if change.runs.value == 1 else 's'}"
    said = f"{report.metric} {change.metric.text}{error}{runs}"
    if change.worth is not None:
        size = change.worth.text.lstrip("+\u2212")
        said += f", {'better' if change.worth.value >= 0 else 'worse'} by {size}"
        if change.interval is not None:
            low, high = change.interval.low.text, change.interval.high.text
            said += f" ({report.sure.text} interval {low} to {high})".replace("\u2212", "-")
        said += " than before it"
    return said + "."


def _wrapped(text: str) -> str:
    """A text as paragraphs of a commit message; no line of it passes for a trailer or a comment."""
    paragraphs = [one_line(part, 2000) for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    lines = [textwrap.fill(part, WIDTH, break_long_words=False, break_on_hyphens=False) for part in paragraphs]
    return "\n\n".join(lines).replace("\n#", "\n #")
