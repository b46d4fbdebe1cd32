"""What the report says of a study, as plain data; `gather` fills it in, the templates lay it out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from loop.reporting.page.attribution import Attribution
from loop.reporting.page.promises import Promises
from loop.reporting.page.rungs import RungTold
from loop.reporting.page.values import Interval, Value


@dataclass(frozen=True, slots=True)
class Change:
    """One experiment as the page shows it."""

    id: int
    title: str
    hypothesis: str
    expected: str
    who: str
    reason: str
    verdict: str
    sign: str
    metric: Value | None
    error: Value | None
    runs: Value | None
    worth: Value | None
    """How much better than what it was measured against; negative is worse."""
    interval: Interval | None
    confidence: Value | None
    time: Value | None
    tokens: Value | None
    usd: Value | None
    energy: Value | None
    added: Value | None
    removed: Value | None
    commit: str
    parent: int | None
    judged_by: str
    flags: Sequence[str]
    lesson: str
    note: str
    """What a person has noted on it; empty where nobody has."""
    noted_by: str
    where: str
    """The kind of slot that its number is from, where most are of another one."""
    beside: Sequence[tuple[str, str, Value | None]]
    """What the program reports beside the metric: name, text, number."""
    diff: Sequence[tuple[str, str]] = ()
    """Lines of its diff, each with what it is: add, del, hunk, file or nothing."""
    cut: bool = False
    """The diff is longer than what is shown."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Ideas that touched the same place."""

    name: str
    tried: Value
    kept: Value
    failed: Value
    best: Change | None
    """The best of those that were not kept."""
    others: Sequence[Change]
    more: Value | None
    """How many others there are; None where there are none."""


@dataclass(frozen=True, slots=True)
class Account:
    """A row of the costs."""

    name: str
    runs: Value | None
    time: Value | None
    gpu: Value | None
    energy: Value | None
    tokens: Value | None
    usd: Value | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run, for whoever does it again."""

    name: str
    seed: Value
    metric: Value | None
    time: Value | None
    slot: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Rerun:
    """A number that matters and how to come to it again."""

    what: str
    change: Change
    runs: Sequence[RunRow]


@dataclass(frozen=True, slots=True)
class Point:
    """An experiment on the chart."""

    x: int
    value: Value | None
    """None where it has no number."""
    verdict: str
    who: str
    title: str


@dataclass(frozen=True, slots=True)
class Validated:
    """What champion and baseline have come to side by side, under seeds that chose nothing."""

    gain: Value
    interval: Interval
    pairs: Value
    champion: Value | None
    baseline: Value | None
    claimed: Value | None
    """The gain by the runs that made the champion what it is."""
    perhaps_none: bool
    """The interval holds zero."""
    reason: str


@dataclass(frozen=True, slots=True)
class Placebos:
    """How many champions in disguise were kept."""

    kept: Value
    judged: Value
    interval: Interval
    promised: Value
    holds: bool


@dataclass(frozen=True, slots=True)
class SealedPart:
    """What the newest milestone has come to."""

    sealed: Value
    search: Value
    gap: Value
    interval: Interval | None
    champion: Value
    baseline: Value
    times: Value
    eaten: bool
    """The interval lies above zero: selection has eaten some of the gain."""


@dataclass(slots=True)
class Report:
    """All of it."""

    tag: str
    title: str
    question: Sequence[str]
    """The first paragraphs of the program."""
    metric: str
    lower_is_better: bool
    at: float
    """Unix seconds of the newest event."""
    seq: Value
    open: Value
    """Experiments without a verdict yet."""
    baseline: Change | None
    best: Change | None
    gained: Value | None
    """Relative to the baseline."""
    gain: Value | None
    gain_interval: Interval | None
    placebos: Sequence[Placebos]
    """One, where there are any."""
    account: str
    """What is left of the false keeps that the program allows, in a sentence; empty where it says nothing of them."""
    opened: SealedPart | None
    sealed: str
    """The command that opens the sealed part of the data; empty where there is none."""
    validated: Validated | None
    validating: str
    """How far the validation under way is, or how to have one; empty where nothing is to be said."""
    judged: Value
    kept_count: Value
    expected_false: Value | None
    noise: Value | None
    noise_dof: Value | None
    hours: Value | None
    self_reported: bool
    kept: Sequence[Change]
    """On the branch, oldest first."""
    left: Sequence[Change]
    """Kept, and on the branch no longer."""
    kinds: Sequence[Kind]
    counts: Sequence[tuple[str, str, Value]]
    """Sign, word and number of each verdict that there is."""
    notices: Sequence[str] = ()
    sandbox: str = ""
    verify: str = ""
    review: str = ""
    overruled: Sequence[Change] = ()
    flagged: Sequence[Change] = ()
    rejected: Value | None = None
    verified_runs: Value | None = None
    base: str = ""
    branch: str = ""
    run: str = ""
    budget: Value | None = None
    deadline: Value | None = None
    clock: str = ""
    confidence: Value | None = None
    env: Sequence[str] = ()
    host: str = ""
    version: str = ""
    slots: Sequence[str] = ()
    kinds_of_slots: Sequence[str] = ()
    reruns: Sequence[Rerun] = ()
    points: Sequence[Point] = ()
    steps: Sequence[tuple[int, float]] = ()
    """The champion's mean from each experiment on that became one."""
    sure: Value = field(default_factory=lambda: Value("interval.confidence", 0.0, ""))
    """Confidence of the intervals."""
    sd: float | None = None
    attribution: Attribution | None = None
    """What each kept change is worth today; None where nobody has measured that."""
    rungs: Sequence[RungTold] = ()
    """What was measured on larger rungs of the ladder."""
    promises: Sequence[Promises] = ()
    """What researchers promised, held against what was measured."""
    names: Sequence[str] = field(default_factory=tuple)
    """Researchers, in the order of the legend."""
