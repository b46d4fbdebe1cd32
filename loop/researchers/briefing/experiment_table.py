"""All experiments of a study in a given number of tokens: the table that a model reads before it proposes.

Pure. The table grows at its end, one result after another, so that an endpoint's cache of the text before it stays
good. Where it gets too long, its older rows are folded into groups, many at once: every fold rewrites the table, so it
leaves room for the next dozens of results. It shrinks in the order of `LADDER`; the titles of failed ideas go last,
because an idea whose title is missing is tried again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from loop.researchers.briefing.excerpt import tokens, weight
from loop.researchers.briefing.row import LESSON, REASON, STOPPED, WHY, Detail, Row, row
from loop.study.contract import Contract
from loop.study.experiment import Experiment


@dataclass(frozen=True)
class Step:
    """How the table is shown: the old rows, in groups; the new ones, in order."""

    called: Detail
    """Old rows that were kept, or nearly."""
    old: Detail
    """All other old rows."""
    new: Detail
    leave: int
    """Rows that a fold leaves in order."""
    full: float = 0.75
    """Share of its room that the table may fill after a fold."""

    @property
    def persons(self) -> Detail:
        """Old rows that a person rejected: the reason guides what comes next, so it stays while titles are whole."""
        return _PERSONS if self.old.title == Detail().title else self.old


_NEW = Detail(why=300, reason=REASON, lesson=200)
_BARE = Detail(reason=80)
_PERSONS = Detail(numbers=False, reason=80)

LADDER = (
    Step(Detail(), Detail(), Detail(why=WHY, reason=REASON, lesson=LESSON), 40),
    Step(Detail(why=300, lesson=200), Detail(reason=120, lesson=120), _NEW, 40),
    Step(Detail(why=200, lesson=120), Detail(numbers=False, reason=80), _NEW, 40),
    Step(Detail(why=120), Detail(numbers=False, reason=60), _NEW, 30),
    Step(Detail(), Detail(numbers=False), replace(_NEW, why=160, lesson=120), 20, 0.85),
    Step(Detail(), Detail(numbers=False), _BARE, 10, 0.9),
    *(
        Step(Detail(title, numbers=False), Detail(title, numbers=False), _BARE, 5, 0.985)
        for title in (120, 100, 88, 80, 72, 64, 56, 48, 40, 32, 24)
    ),
)
"""From most to least: first the hypotheses and lessons go, then the numbers of old discarded experiments, then titles
get shorter. After the last step whole experiments go, the oldest discarded ones first; see `_SHED`."""

NEAR_SHOWN = 12
"""Old near misses that are listed as such, the largest first; the others are listed with the discarded."""

KINDS_SHOWN = 12
"""Kinds of failure that have their own heading."""

_SAID = {
    "clearly worse": "Worse by more than 4 times the noise of one run",
    "worse": "Worse by 1 to 4 times the noise",
    "no difference": "No difference that could be told (within 1 times the noise)",
    "looked better": "Looked better by more than the noise, and not surely enough",
    STOPPED: "Stopped early, far behind the champion at the same time",
    "no number": "Discarded without a number that still counts",
}
_KEPT = "## Kept: each became the champion in its turn, the newest last"
_NEAR_MISSES = "## Near misses: better, and not surely enough. Two that go together, or a bolder form of one, may pass"
TITLE = "# All experiments so far"
FOLDED = "## The newest, in the order of their results"
"""The line between the old rows, in groups, and the new ones; a table without it is whole."""
_SHED = ("discarded", "failed", "rejected", "near", "kept")
_HEADINGS, _GROUP = 150, 10
"""Tokens of the headings at most, and of the line above a group."""
_BY_A_PERSON = "by a person"


@dataclass(frozen=True)
class Fold:
    """How many of the rows are in groups, at which step of the ladder, and how many of those are left out."""

    old: int = 0
    step: int = 0
    gone: int = 0


def table(experiments: Iterable[Experiment], contract: Contract, most: int, kind: str = "") -> str:
    """All judged experiments in at most `most` tokens; see `LADDER` for what goes first.

    Args:
        kind: of most slots; of what ran on another one that is said.
    """
    judged = sorted((x for x in experiments if x.verdict is not None), key=lambda x: (x.judged_seq or 0, x.id))
    rows = [row(x, contract, contract.beside, kind) for x in judged]
    head = _head(judged, contract)
    fold = _Folding(rows, most - tokens(head) - _HEADINGS).last()
    if fold is None:
        said = f"{TITLE}\n{len(rows)} experiments are left out for lack of space.\n{FOLDED}"
        return said if tokens(said) <= most else ""
    step = LADDER[fold.step]
    old = _kept_of(rows[: fold.old], fold.gone)
    sections = (
        _called(old, step),
        _discarded(old, step),
        _grouped(old, "failed", step, "## Failed, by kind"),
        _grouped(old, "rejected", step, "## Rejected"),
        _newest(rows[fold.old :], step, bool(old)),
    )
    if fold.gone:
        head += f"\n{fold.gone} experiments are left out for lack of space, the oldest discarded ones first."
    return "\n".join((head, *(line for section in sections for line in section)))


class _Folding:
    """Which rows are folded, as it came about result by result: a longer history goes on from the same folds.

    Sizes are in hundredths of a token.
    """

    def __init__(self, rows: Sequence[Row], room: int) -> None:
        self._rows, self._room = rows, 100 * room
        self._old: dict[int, list[int]] = {}
        """Size of the first 0, 1, 2 ... rows as old ones, by step; as far as it was asked for."""

    def last(self) -> Fold | None:
        """The present fold; None where there is no room for a single row."""
        fold, size = Fold(), 0
        for count, one in enumerate(self._rows, 1):
            size += _size(one.whole(LADDER[fold.step].new))
            if size > self._room:
                found = self._next(fold, count)
                if found is None:
                    return None
                fold, size = found, self._folded(found) + self._whole(found, count)
        return fold if self._room > 0 else None

    def _next(self, before: Fold, count: int) -> Fold | None:
        """The fold of the first `count` rows that leaves room for more."""
        for step in range(max(1, before.step), len(LADDER)):
            fold = Fold(max(before.old, count - LADDER[step].leave, 0), step)
            if self._folded(fold) + self._whole(fold, count) <= LADDER[step].full * self._room:
                return fold
        fold = Fold(count, len(LADDER) - 1)
        over = self._folded(fold) - LADDER[-1].full * self._room
        sums = self._old[fold.step]
        saved = accumulate(sums[place + 1] - sums[place] for place in _shed_order(self._rows[:count]))
        return next((replace(fold, gone=gone) for gone, size in enumerate(saved, 1) if size >= over), None)

    def _whole(self, fold: Fold, count: int) -> int:
        """Size of the rows up to `count` that are not folded."""
        return sum(_size(one.whole(LADDER[fold.step].new)) for one in self._rows[fold.old : count])

    def _folded(self, fold: Fold) -> int:
        """Size of the folded rows, with the lines above their groups."""
        rows, sums = self._rows[: fold.old], self._old.setdefault(fold.step, [0])
        for one in rows[len(sums) - 1 :]:
            sums.append(sums[-1] + _size(_old_line(one, LADDER[fold.step])))
        gone = sum(sums[place + 1] - sums[place] for place in _shed_order(rows)[: fold.gone]) if fold.gone else 0
        return sums[fold.old] - gone + 100 * _GROUP * len({(one.part, one.group) for one in rows})


def _size(line: str) -> int:
    return weight(line) + 50


def _shed_order(rows: Sequence[Row]) -> list[int]:
    """Places of rows in the order in which they are left out."""
    return sorted(range(len(rows)), key=lambda place: (_SHED.index(rows[place].part), place))


def _kept_of(rows: Sequence[Row], gone: int) -> list[Row]:
    """The rows without those that are left out; only the largest near misses are still called such."""
    out = set(_shed_order(rows)[:gone])
    rows = [one for place, one in enumerate(rows) if place not in out]
    near = sorted((one for one in rows if one.part == "near"), key=lambda one: (-one.size, -one.id))
    rest = {one.id for one in near[NEAR_SHOWN:]}
    return [replace(one, part="discarded", group="looked better") if one.id in rest else one for one in rows]


def _head(judged: Sequence[Experiment], contract: Contract) -> str:
    imported = [x.id for x in judged if x.imported]
    theirs = ""
    if imported:
        theirs = (
            f" Experiments {min(imported)} to {max(imported)} were imported from a loop that was here before: their "
            "numbers are what its agent reported, and are not compared with those measured here."
        )
    return (
        f"{TITLE}\nEach with a verdict is given as number, title | verdict, {contract.metric}, effect "
        "against the champion of its time (1 sigma: the noise of one run), lines."
        f"{theirs}"
    )


def _old_line(one: Row, step: Step) -> str:
    if one.part in ("kept", "near"):
        return one.grouped(step.called)
    return one.grouped(step.persons if one.group == _BY_A_PERSON else step.old)


def _called(rows: Sequence[Row], step: Step) -> Iterator[str]:
    for part, title in (("kept", _KEPT), ("near", _NEAR_MISSES)):
        if some := [one for one in rows if one.part == part]:
            yield from (title, *(_old_line(one, step) for one in some))


def _discarded(rows: Sequence[Row], step: Step) -> Iterator[str]:
    groups = _by_group(rows, "discarded")
    if groups:
        yield "## Discarded, by size of effect"
    for group, said in _SAID.items():
        if group in groups:
            yield from (f"{said}:", *(_old_line(one, step) for one in groups[group]))


def _grouped(rows: Sequence[Row], part: str, step: Step, title: str) -> Iterator[str]:
    groups = _by_group(rows, part)
    if not groups:
        return
    yield title
    ranked = sorted(groups, key=lambda name: (-len(groups[name]), name))
    rest = [one for name in ranked[KINDS_SHOWN:] for one in groups[name]]
    named = [(name, groups[name]) for name in ranked[:KINDS_SHOWN]] + ([("other reasons", rest)] if rest else [])
    for name, some in named:
        yield from (f"{name} ({len(some)}):", *(_old_line(one, step) for one in some))


def _by_group(rows: Sequence[Row], part: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for one in rows:
        if one.part == part:
            groups[one.group].append(one)
    return groups


def _newest(rows: Sequence[Row], step: Step, after_old: bool) -> Iterator[str]:
    if after_old:
        yield FOLDED
    for one in rows:
        yield one.whole(step.new)
