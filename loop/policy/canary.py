"""The canary: a short start with the editable files broken on purpose, and what its end proves. Pure.

A run that never executes an experiment's own edit, because an installed copy, another file or something built before is
used in its place, measures the same code for ever, and nothing in its numbers shows it. With the files broken such a
run comes to its metric all the same; any other one cannot. That holds for every language, since what is asked is not
how the run works but whether the edit reaches it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from loop.words import listed

BROKEN = b"}]) looptop broke this file on purpose, to see whether a run uses it \xff\n"
"""What a broken file holds: no program, configuration or data in any language that has brackets, and no text in UTF-8.
It has no `:` and no `=`, which would make it a rule or an assignment somewhere."""

MOST_ALONE = 8
"""So many editable files are also broken one at a time; of more, as a pattern gives them, only all together."""

NEAR = 0.05
"""Share of the untouched program's metric within which that of a broken one is the same."""

ANY_TEXT = (".txt", ".md", ".rst", ".csv", ".tsv", ".j2", ".jinja", ".jinja2", ".tmpl", ".template", ".prompt", ".html")
"""Ends of files in which any text is valid."""

Proof = Literal["proven", "unused", "unproven"]


@dataclass(frozen=True)
class Seen:
    """How a start with broken files went."""

    broken: Sequence[str]
    """The files that were broken."""
    came_to: str
    """What it came to of what a run is for, such as "val_loss 2.31"; empty where it did not."""
    ended: bool
    """It ended by itself, and not for lack of time."""
    seconds: float
    reason: str = ""
    """Why it ended, where that was no success."""
    opened: Collection[str] | None = None
    """The editable files that it opened; None where nobody can tell."""
    metric: float | None = None
    """Its metric, where it printed one."""
    whole: float | None = None
    """The metric of the untouched program, where that was asked for."""

    @property
    def doubtful(self) -> bool:
        """Whether it came to its metric although it opened a file in which not any text is valid."""
        return bool(self.came_to and self.read) and not self.any_text

    @property
    def any_text(self) -> bool:
        return any(path.endswith(ANY_TEXT) for path in self.broken)

    @property
    def unused(self) -> bool:
        """Whether it came to its metric as if nothing were broken."""
        if not self.came_to or not self.read:
            return bool(self.came_to)
        if not self.doubtful or self.metric is None or self.whole is None:
            return False
        return abs(self.metric - self.whole) <= NEAR * abs(self.whole)

    @property
    def read(self) -> bool | None:
        """Whether it opened any of the broken files; None where nobody can tell."""
        return None if self.opened is None else any(path in self.opened for path in self.broken)


@dataclass(frozen=True)
class Verdict:
    """What one or several starts prove."""

    proof: Proof
    said: str
    """A sentence for a person, with the way out where there is something to do."""
    files: tuple[str, ...] = ()
    """Those that are not used, or of which that is not known."""


def judge(seen: Seen, run: str, metric: str) -> Verdict:
    """What a start proves of the files that were broken for it: of several, that one of them at least is used.

    Args:
        run: the command of a run.
        metric: its metric's name.
    """
    names, files = listed(seen.broken), tuple(seen.broken)
    it, its, is_ = ("it", "its", "is") if len(files) == 1 else ("them", "their", "are")
    if seen.unused:
        said = (
            f"{names} {is_} not what a run uses: with {it} broken on purpose, `{run}` still came to {seen.came_to}, "
            f"so no edit would be measured; have `run:` use {its} copy in the folder that it starts "
            f"in (not an installed one, another file or an old build), or take {it} from `edit:`"
        )
        return Verdict("unused", said, files)
    if seen.came_to and seen.any_text:
        said = f"not proven that a run uses {names}: it opens {it}, and any text is valid in {it}"
        return Verdict("unproven", said, files)
    if seen.came_to:
        said = (
            f"with {names} broken on purpose `{run}` still comes to {seen.came_to}, although it opens {it}: an "
            "experiment that fails would be measured as that; let `run:` fail when its program fails"
        )
        return Verdict("unproven", said, files)
    unproven = f"not proven that a run uses {names}: with {it} broken on purpose `{run}`"
    if not seen.ended:
        said = f"{unproven} had not ended after {seen.seconds:.0f} s"
        return Verdict("unproven", f"{said}, nor opened {it}" if seen.read is False else said, files)
    if seen.read is False:
        said = f"{unproven} ended before it opened {it}"
        return Verdict("unproven", f"{said} ({seen.reason})" if seen.reason else said, files)
    return Verdict(
        "proven", f"a run uses the experiment's own {names}: with {it} broken on purpose it gave no {metric}"
    )


def never_opened(unopened: Sequence[str], editable: Sequence[str], run: str, metric: str) -> Verdict:
    """What a run of the untouched program proves that came to its metric and did not open some of the editable files.

    Of a start that goes on for too long nothing is known but for this.
    """
    names = listed(unopened)
    it, is_ = ("it", "is") if len(unopened) == 1 else ("them", "are")
    said = f"`{run}` came to its {metric} without opening {names}, so no edit of {it} would be measured"
    if len(editable) <= MOST_ALONE:
        way_out = f"have `run:` use what {is_} in the folder that it starts in, or take {it} from `edit:`"
        return Verdict("unused", f"{said}; {way_out}", tuple(unopened))
    return Verdict("unproven", said, tuple(unopened))


def judge_all(together: Seen, alone: Sequence[Seen], run: str, metric: str) -> Verdict:
    """What a start with all files broken and one with each of them broken alone prove.

    Args:
        alone: where there are several files: those that there was time for.
    """
    first = judge(together, run, metric)
    if first.proof != "proven" or len(together.broken) == 1:
        return first
    verdicts = [judge(seen, run, metric) for seen in alone]
    unused = [seen for seen, one in zip(alone, verdicts, strict=True) if one.proof == "unused"]
    if unused:
        paths = [path for seen in unused for path in seen.broken]
        return judge(Seen(paths, unused[0].came_to, True, 0.0, opened=()), run, metric)
    for one in verdicts:
        if one.proof == "unproven":
            return one
    tried = {path for seen in alone for path in seen.broken}
    untried = tuple(path for path in together.broken if path not in tried)
    if untried:
        which = "each of them" if not tried else listed(untried)
        said = f"{first.said}; whether {which} is used was not tried"
        return Verdict("proven", said, untried)
    names = listed(together.broken)
    return Verdict("proven", f"a run uses the experiment's own {names}: without any one of them there is no {metric}")
