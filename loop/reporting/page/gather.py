"""What the report says of a study, gathered from the folded study, its books and git's diffs; no layout.

Nothing here is computed that the rest of looptop computes differently: means come from `study/figures`, expected false
keeps from `policy/false_discovery`, costs from `reporting/cost`.
"""

import math
from collections.abc import Callable, Sequence

from loop.policy import error_account, false_discovery, honesty, pairs, placebos, standing
from loop.policy.noise import student_quantile
from loop.policy.sealed import all_opened
from loop.reporting import cost, validation
from loop.reporting.page import rungs
from loop.reporting.page import values as v
from loop.reporting.page.attribution import attribution
from loop.reporting.page.facts import (
    Change,
    Kind,
    Placebos,
    Point,
    Report,
    Rerun,
    RunRow,
    SealedPart,
    Validated,
)
from loop.reporting.page.promises import promises
from loop.reporting.page.values import Interval, Value
from loop.reporting.table import elsewhere, flagged, values_of
from loop.study.experiment import Experiment, Run
from loop.study.figures import Figure, Figures
from loop.study.outcomes import VERDICTS, Outcome
from loop.study.queries import built_on
from loop.study.state import Study

LONGEST_DIFF = 12_000
"""Characters of a diff on the page; `looptop show N --diff` has the rest."""

SURE = 0.95
"""Confidence of the intervals, two-sided."""

MOST_OTHERS = 12
"""Discarded experiments that are named of each kind; the others are counted."""

Diff = Callable[[Experiment], str]
"""Gives an experiment's change as a unified diff; empty where git has it no more."""


def gather(study: Study, found: cost.Books, diff: Diff) -> Report:
    """The report of a study.

    Args:
        found: its books.
        diff: asked for the kept changes only.
    """
    figures = Figures(study)
    make = _Maker(study, figures, found)
    branch = [study.experiments[number] for number in reversed(built_on(study))]
    on_it = {x.id for x in branch}
    own = [x for x in study.experiments.values() if x.id and not x.imported and x.id not in study.placebos]
    kept = [x for x in branch if x.id and not x.imported]
    left = [x for x in own if x.verdict == Outcome.KEPT and x.id not in on_it]
    best, base = study.best, study.baseline
    title, question = _question(study)
    known = make.noise
    false = false_discovery.of(study)
    verdicts = study.verdicts()
    supervisor, contract = study.supervisor, study.contract
    account = error_account.of(study)
    report = Report(
        tag=study.tag,
        title=title or study.tag,
        question=question,
        metric=contract.metric,
        lower_is_better=contract.goal == "min",
        at=study.at,
        seq=Value("study.seq", study.seq, f"{study.seq:,}"),
        open=make.count("study.open", verdicts["open"]),
        baseline=None if base is None else make.change(base),
        best=None if best is None else make.change(best),
        gained=v.change("study.gained", _relative(figures, best, base)),
        gain=v.signed("study.gain", figures.gain(best) if best is not None and best.id else None),
        gain_interval=make.gain_interval(best),
        placebos=_placebos(study),
        account="" if account.budget is None else f"Error account: {error_account.told(account)}.",
        opened=_opened(study),
        sealed=contract.sealed.run if contract.sealed is not None else "",
        validated=_validated(study),
        validating="" if study.validated is not None else validation.sentence(study),
        judged=make.count("study.judged", study.judged()),
        kept_count=make.count("study.kept", verdicts[Outcome.KEPT]),
        expected_false=v.few("study.expected_false", false),
        noise=v.plain("study.noise", None if known is None else known.sd, 3),
        noise_dof=v.count("study.noise_dof", None if known is None else known.dof),
        hours=v.time("cost.supervised_seconds", found.supervised),
        self_reported=contract.verify is None,
        kept=[make.change(x, diff(x), whole=True) for x in kept],
        left=[make.change(x) for x in left],
        kinds=make.kinds(own),
        counts=[
            (outcome.sign, outcome.word, make.count(f"verdict.{outcome}", verdicts[outcome]))
            for outcome in VERDICTS
            if verdicts[outcome]
        ],
    )
    report.sure = Value("interval.confidence", SURE, f"{SURE:.0%}")
    report.notices = honesty.notices(study)
    report.sandbox = supervisor.sandbox if supervisor is not None else ""
    report.verify, report.review = contract.verify or "", contract.reviewed
    decided = [x for x in own if x.verdict is not None]
    people = [x for x in decided if x.judged_by not in ("judge", "clash", "") and x.verdict != Outcome.REJECTED]
    report.overruled = [make.change(x) for x in people]
    report.flagged = [make.change(x) for x in kept if flagged(x)]
    report.rejected = make.count("verdict.rejected", verdicts[Outcome.REJECTED])
    counted = [run for x in study.experiments.values() for run in x.counted() if run.metric is not None]
    report.verified_runs = make.count("study.verified_runs", sum(run.verified for run in counted))
    report.base, report.branch = study.base, study.branch
    report.run, report.clock = contract.run, contract.budget_clock
    report.budget, report.deadline = (
        v.time("study.budget", contract.budget),
        v.time("study.deadline", contract.deadline),
    )
    report.confidence = v.percent("study.confidence", contract.keep.confidence)
    report.env = [name if value is None else f"{name}={value}" for name, value in contract.env.items()]
    if supervisor is not None:
        report.host, report.version, report.slots = supervisor.host, supervisor.version, supervisor.slots
        report.kinds_of_slots = [kind for kind in supervisor.kinds if kind]
    ends = [] if base is None else [("the baseline", base)]
    ends += [("the champion", best)] if best is not None and best.id else []
    report.reruns = [Rerun(what, make.change(x), [_run_row(x, run) for run in study.tried(x)]) for what, x in ends]
    report.names = list(dict.fromkeys(x.researcher for x in own))
    report.points = [_point(figures, x) for x in study.experiments.values() if x.verdict is not None and not x.imported]
    report.steps = [
        (number, figure.mean)
        for number in dict.fromkeys(study.lineage)
        if (figure := figures.of(study.experiments[number])) is not None
    ]
    report.sd = None if known is None else known.sd
    report.attribution = attribution(study)
    report.rungs, report.promises = rungs.told(study), promises(study)
    return report


def _placebos(study: Study) -> list[Placebos]:
    if (rate := placebos.rate(study)) is None:
        return []
    of = "placebos"
    low, high = v.percent(f"{of}.low", rate.low, 1), v.percent(f"{of}.high", rate.high, 1)
    promised = v.percent(f"{of}.promised", rate.promised, 2)
    assert low is not None and high is not None and promised is not None
    kept, judged = (Value(f"{of}.{name}", getattr(rate, name), str(getattr(rate, name))) for name in ("kept", "judged"))
    return [Placebos(kept, judged, Interval(low, high), promised, rate.holds)]


def _opened(study: Study) -> SealedPart | None:
    found = all_opened(study)
    if not found:
        return None
    one, of = found[-1], "sealed"
    low, high = v.signed(f"{of}.low", one.low), v.signed(f"{of}.high", one.high)
    return SealedPart(
        sealed=Value(f"{of}.sealed_gain", one.sealed_gain, v.signs(one.sealed_gain)),
        search=Value(f"{of}.search_gain", one.search_gain, v.signs(one.search_gain)),
        gap=Value(f"{of}.gap", one.gap, v.signs(one.gap)),
        interval=None if low is None or high is None else Interval(low, high),
        champion=Value(f"{of}.champion_sealed", one.champion_sealed, f"{one.champion_sealed:.6g}"),
        baseline=Value(f"{of}.baseline_sealed", one.baseline_sealed, f"{one.baseline_sealed:.6g}"),
        times=Value(f"{of}.times", len(found), str(len(found))),
        eaten=low is not None and low.value > 0,
    )


def _validated(study: Study) -> Validated | None:
    if (newest := study.validated) is None or (told := newest.ended) is None:
        return None
    of = "validation"
    gain, low, high = (v.signed(f"{of}.{name}", getattr(told, name)) for name in ("gain", "low", "high"))
    if gain is None or low is None or high is None:
        return None
    return Validated(
        gain=gain,
        interval=Interval(low, high),
        pairs=Value(f"{of}.pairs", told.pairs, str(told.pairs)),
        champion=v.plain(f"{of}.champion_metric", told.champion_metric),
        baseline=v.plain(f"{of}.baseline_metric", told.baseline_metric),
        claimed=v.signed(f"{of}.claimed", told.claimed),
        perhaps_none=low.value <= 0 < high.value,
        reason=told.reason,
    )


def _question(study: Study) -> tuple[str, Sequence[str]]:
    """The program's heading, and its first paragraph of prose."""
    title = ""
    prose: list[str] = []
    for block in study.program.split("\n\n"):
        text = block.strip()
        if text.startswith("#"):
            if prose:
                break
            title = title or text.splitlines()[0].lstrip("# ").strip()
            text = "\n".join(text.splitlines()[1:]).strip()
        if text and not text.startswith(("|", "```", "-", "*")):
            prose.append(" ".join(text.split()))
            break
    return title, prose


def _relative(figures: Figures, best: Experiment | None, base: Experiment | None) -> float | None:
    one, other = figures.of(best), figures.of(base)
    if one is None or other is None or best is None or not best.id or not other.mean:
        return None
    return (one.mean - other.mean) / abs(other.mean)


def _point(figures: Figures, x: Experiment) -> Point:
    figure = figures.of(x) if x.verdict is not None and x.verdict.has_number else None
    value = v.plain(f"experiment.{x.id}.mean", figure.mean if figure is not None else None)
    return Point(x.id, value, x.verdict or "", x.researcher, x.title)


def _run_row(x: Experiment, run: Run) -> RunRow:
    of = f"experiment.{x.id}.run.{run.number}"
    return RunRow(
        name=f"{x.id}.{run.number}",
        seed=Value(f"{of}.seed", run.seed, str(run.seed)),
        metric=v.plain(f"{of}.metric", run.metric, 8),
        time=v.time(f"{of}.seconds", run.seconds),
        slot=run.slot_name or run.device,
        verified=run.verified,
    )


class _Maker:
    """Makes changes of experiments."""

    def __init__(self, study: Study, figures: Figures, found: cost.Books) -> None:
        self._study, self._figures, self._books = study, figures, found
        self.noise = standing.noise(study)

    def count(self, of: str, number: int) -> Value:
        return Value(of, number, f"{number:,}")

    def change(self, x: Experiment, diff: str = "", whole: bool = False) -> Change:
        """An experiment.

        Args:
            whole: with its interval, which is not shown of all of them and takes the judge's reckoning.
        """
        of = f"experiment.{x.id}"
        numbered = x.verdict is None or x.verdict.has_number
        figure = self._figures.of(x) if numbered else None
        spend = self._books.experiments.get(x.id, cost.Spend())
        lines, cut = _diff_lines(diff)
        said = values_of(x)
        return Change(
            id=x.id,
            title=x.title or "(no title)",
            hypothesis=x.hypothesis,
            expected=x.expected,
            who=x.researcher,
            reason=x.reason,
            verdict="open" if x.verdict is None else x.verdict.word,
            sign="" if x.verdict is None else x.verdict.sign,
            metric=v.plain(f"{of}.mean", None if figure is None else figure.mean),
            error=v.plain(f"{of}.error", None if figure is None else figure.error, 2),
            runs=v.count(f"{of}.runs", None if figure is None else figure.runs),
            worth=v.signed(f"{of}.worth", self._figures.effect(x) if numbered and x.id else None),
            interval=self._interval(x) if numbered and whole else None,
            confidence=v.percent(f"{of}.confidence", x.confidence if x.id and numbered else None),
            time=v.time(f"{of}.seconds", spend.seconds),
            tokens=v.count(f"{of}.tokens", spend.tokens or None),
            usd=v.money(f"{of}.usd", spend.usd or None),
            energy=v.energy(f"{of}.joules", spend.joules if spend.metered else None),
            added=v.count(f"{of}.lines_added", x.lines_added),
            removed=v.count(f"{of}.lines_removed", x.lines_removed),
            commit=x.commit or "",
            parent=x.champion if x.champion is not None else x.parent,
            judged_by=x.judged_by,
            flags=flagged(x),
            lesson=x.lesson,
            note=x.note,
            noted_by=x.noted_by,
            where=elsewhere(self._study, x),
            beside=[
                (name, "" if isinstance(value, float) else str(value), v.plain(f"{of}.value.{name}", _float(value)))
                for name in self._study.contract.beside
                if (value := said.get(name)) is not None
            ],
            diff=lines,
            cut=cut,
        )

    def kinds(self, experiments: Sequence[Experiment]) -> Sequence[Kind]:
        """Ideas by the place that they touched, the most frequent first; those of no known place last."""
        places: dict[str, list[Experiment]] = {}
        for x in experiments:
            if x.verdict is not None:
                for place in x.places or ("",):
                    places.setdefault(place, []).append(x)
        order = sorted(places, key=lambda place: (not place, -len(places[place]), place))
        return [self._kind(place, places[place], number) for number, place in enumerate(order)]

    def _kind(self, place: str, some: Sequence[Experiment], number: int) -> Kind:
        of = f"kind.{number}"
        failed = [x for x in some if x.verdict is not None and x.verdict.is_failure]
        rest = [x for x in some if x.verdict != Outcome.KEPT]
        rest.sort(key=lambda x: -(self._worth(x)))
        shown = [self.change(x) for x in rest[:MOST_OTHERS]]
        best = next((one for one in shown if one.worth is not None), None)
        kept = sum(x.verdict == Outcome.KEPT for x in some)
        return Kind(
            name=place or "elsewhere",
            tried=self.count(f"{of}.tried", len(some)),
            kept=self.count(f"{of}.kept", kept),
            failed=self.count(f"{of}.failed", len(failed)),
            best=best,
            others=shown,
            more=v.count(f"{of}.more", max(0, len(rest) - MOST_OTHERS) or None),
        )

    def _worth(self, x: Experiment) -> float:
        worth = self._figures.effect(x) if x.verdict is not None and x.verdict.has_number else None
        return -math.inf if worth is None else worth

    def _interval(self, x: Experiment) -> Interval | None:
        """Where its worth lies, by today's noise and the runs that both sides have."""
        worth = self._figures.effect(x)
        other = self._study.experiments.get(-1 if x.champion is None else x.champion)
        if not x.id or worth is None or other is None:
            return None
        of = f"experiment.{x.id}"
        if (half := self._judged(x)) is not None:
            low, high = v.signed(f"{of}.low", worth - half), v.signed(f"{of}.high", worth + half)
            return None if low is None or high is None else Interval(low, high)
        alike = self._alike(x, worth)
        return self._around(of, worth, self._figures.of(x), self._figures.of(other), alike)

    def _judged(self, x: Experiment) -> float | None:
        """Half of the interval by the judge's own error, which its confidence tells: it knew which seeds were equal.
        So no interval holds zero beside a confidence that says otherwise. None where its verdict tells no error."""
        known, effect, sure = self.noise, x.effect, x.confidence
        if known is None or x.judged_by != "judge" or not effect or sure is None or not 0 < sure < 1 or sure == 0.5:
            return None
        error = effect / student_quantile(known.dof, sure)
        if not (math.isfinite(error) and error > 0):
            return None
        return student_quantile(known.dof, 0.5 + SURE / 2) * error

    def _alike(self, x: Experiment, worth: float) -> float:
        """How alike its runs and the champion's are at equal seeds, where its worth is that of its verdict, which knew
        the pairs; 0 where either has run again since, and the means alone are compared."""
        if worth != x.effect or x.parent != x.champion or x.parent is None:
            return 0.0
        study, kind = self._study, self._study.kind_of(x)
        sides = study.measured(x, kind), study.measured(study.experiments[x.parent], kind)
        return standing.decision(study, x).alike if all(sides) else 0.0

    def gain_interval(self, best: Experiment | None) -> Interval | None:
        gain = self._figures.gain(best)
        if best is None or not best.id or gain is None:
            return None
        return self._around("study.gain", gain, self._figures.of(best), self._figures.of(self._study.baseline), 0.0)

    def _around(
        self, of: str, middle: float, one: Figure | None, other: Figure | None, alike: float
    ) -> Interval | None:
        known = self.noise
        if known is None or not known.sd or one is None or other is None or not (one.runs and other.runs):
            return None
        half = student_quantile(known.dof, 0.5 + SURE / 2) * pairs.error(known, one.runs, other.runs, alike)
        low, high = v.signed(f"{of}.low", middle - half), v.signed(f"{of}.high", middle + half)
        return None if low is None or high is None else Interval(low, high)


def _float(value: float | str | None) -> float | None:
    return value if isinstance(value, float) else None


def _diff_lines(diff: str) -> tuple[Sequence[tuple[str, str]], bool]:
    cut = len(diff) > LONGEST_DIFF
    if cut:
        diff = diff[:LONGEST_DIFF].rpartition("\n")[0]
    found = []
    for line in diff.splitlines():
        if line.startswith(
            ("diff --git", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode")
        ):
            if line.startswith("+++ "):
                found.append(("file", line[4:].removeprefix("b/")))
            continue
        what = {"+": "add", "-": "del", "@": "hunk"}.get(line[:1], "")
        found.append((what, line))
    return found, cut
