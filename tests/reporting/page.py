"""Reads a report's HTML the way a stranger's program would: its numbers, and whatever else a person reads on it."""

from html.parser import HTMLParser

from loop.policy import ablation, calibration, false_discovery, ladder, placebos, standing
from loop.policy.sealed import all_opened
from loop.reporting.cost import Books, Spend, ahead, per_improvement
from loop.reporting.page.gather import SURE
from loop.study.ablation import AblationEnded
from loop.study.figures import Figures
from loop.study.state import Study

_NOT_READ = {"style", "title", "head", "svg", "pre", "code", "time"}
_VOID = {"meta", "line", "circle", "rect", "path", "br", "img", "input", "link"}


class Page(HTMLParser):
    """A page taken apart.

    Attributes:
        numbers: of every number, what it is of and its value.
        prose: what is read beside numbers and strangers' words.
        links: experiments that are linked to; `places`: those that have a place on the page.
        tags: every element.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.numbers: list[tuple[str, float]] = []
        self.prose = ""
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        if (of := found.get("data-of")) is not None:
            self.numbers.append((of, float(found.get("value") or found["data-value"] or "nan")))
        if (place := found.get("id")) is not None:
            self.places.add(place)
        if found.get("class") == "id":
            self.links.add((found["href"] or "").removeprefix("#"))
        if tag not in _VOID:
            hidden = tag in _NOT_READ or tag == "data" or found.get("class") in ("said", "id")
            self._open.append((tag, hidden))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            opened, _ = self._open.pop()
            assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        if not any(hidden for _, hidden in self._open):
            self.prose += data


def _of_rung(study: Study, what: str) -> float | None:
    """What the newest climb of an experiment came to on a rung: `large.12.gain`; or of the rung: `large.rank`."""
    rung, _, rest = what.partition(".")
    number, _, name = rest.partition(".")
    if not name:
        found = ladder.predicts(study, rung)
        assert found is not None
        kept = {"rank": found.rank, "rank_low": found.low, "rank_high": found.high, "experiments": found.of}
        return kept[rest]
    ends = [one.ended for one in study.climbs if one.began.rung == rung and one.began.experiment == int(number)]
    assert ends[-1] is not None
    return float(getattr(ends[-1], name.removesuffix("_there")))


def ask(study: Study, books: Books, of: str) -> float | None:
    """What the record says of a number, by its name; written apart from the report."""
    whose, _, what = of.partition(".")
    figures = Figures(study)
    if whose == "experiment":
        number, _, rest = what.partition(".")
        return _of_experiment(study, figures, books, int(number), rest)
    if whose == "verdict":
        return study.verdicts()[what]
    if whose == "cost":
        return _of_cost(books, what)
    if whose == "sealed":
        found = all_opened(study)
        return float(len(found)) if what == "times" else float(getattr(found[-1], what))
    if whose == "rung":
        return _of_rung(study, what)
    if whose == "promises":
        name, _, field = what.rpartition(".")
        return float(getattr(calibration.held(study, name), field))
    if whose == "placebos":
        return float(getattr(placebos.rate(study), what))
    if whose == "validation":
        newest = study.validated
        assert newest is not None and newest.ended is not None
        return float(getattr(newest.ended, what))
    if whose == "ablation":
        ended = ablation.newest(study)
        assert ended is not None
        return _of_ablation(study, ended, what)
    if of == "interval.confidence":
        return SURE
    best, base = figures.best, figures.of(study.baseline)
    assert best is not None and base is not None
    known = standing.noise(study)
    told = {
        "noise": None if known is None else known.sd,
        "noise_dof": None if known is None else known.dof,
        "expected_false": false_discovery.of(study),
        "seq": study.seq,
        "open": study.verdicts()["open"],
        "kept": study.verdicts()["kept"],
        "judged": study.judged(),
        "gain": figures.gain(study.best),
        "gained": (best.mean - base.mean) / abs(base.mean),
        "budget": study.contract.budget,
        "deadline": study.contract.deadline,
        "confidence": study.contract.keep.confidence,
        "verified_runs": sum(
            run.verified and run.metric is not None for x in study.experiments.values() for run in x.counted()
        ),
    }
    return told.get(what)


def _of_experiment(study: Study, figures: Figures, books: Books, number: int, what: str) -> float | None:
    x = study.experiments[number]
    figure = figures.of(x)
    if what.startswith("run."):
        _, run, field = what.split(".")
        return {"seed": x.runs[int(run)].seed, "metric": x.runs[int(run)].metric, "seconds": x.runs[int(run)].seconds}[
            field
        ]
    if what.startswith("value."):
        value = x.values()[what.removeprefix("value.")]
        assert isinstance(value, float)
        return value
    spend = books.experiments.get(number, Spend())
    told: dict[str, float | None] = {
        "mean": None if figure is None else figure.mean,
        "error": None if figure is None else figure.error,
        "runs": None if figure is None else figure.runs,
        "worth": figures.effect(x),
        "confidence": x.confidence,
        "seconds": spend.seconds,
        "tokens": spend.tokens,
        "usd": spend.usd,
        "joules": spend.joules,
        "lines_added": x.lines_added,
        "lines_removed": x.lines_removed,
    }
    return told.get(what)


def _of_ablation(study: Study, ended: AblationEnded, what: str) -> float | None:
    of, _, field = what.rpartition(".")
    if not of:
        return float(getattr(ended, field))
    one = ended.worths[int(of.partition(".")[2])] if of.startswith("worths") else getattr(ended, of)
    if field == "before":
        return sum(Figures(study).effect(study.experiments[number]) or 0.0 for number in one.changes)
    return float(getattr(one, field))


def _of_cost(books: Books, what: str) -> float | None:
    if what == "supervised_seconds":
        return books.supervised
    if what == "true_improvements":
        return books.true_improvements
    table, _, rest = what.partition(".")
    if table == "next_eight_hours":
        assert books.pace is not None
        return ahead(books.pace)[rest]
    if table in ("total", "per_true_improvement"):
        spend = books.total if table == "total" else per_improvement(books)
        assert spend is not None
        return float(getattr(spend, rest))
    name, _, field = rest.rpartition(".")
    return float(getattr(getattr(books, table)[name], field))
