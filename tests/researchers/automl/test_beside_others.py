"""AutoML beside a researcher with other ideas: what each learns of the other's results, and what neither should."""

from dataclasses import replace as altered

import pytest

from loop.policy.changes import CONSTANTS
from loop.researchers.automl.automl import AutoML
from loop.researchers.automl.ranges import around
from loop.researchers.automl.sites import find
from loop.researchers.automl.tpe import Tpe
from loop.researchers.automl.trials import Trial, read
from loop.researchers.briefing.page import for_model
from loop.researchers.briefing.tuned import findings
from loop.researchers.protocol import Proposal
from loop.study.outcomes import Outcome
from loop.study.run_events import RunCondemned
from tests.researchers.automl.landscape import SOURCE, Desk, Landscape


def desk() -> Desk:
    return Desk(Landscape(3, 0.02), 3)


def idea(table: Desk, old: str, new: str, change: str, metric: float | None, effect: float | None = None) -> int:
    """A model's experiment with one run of that metric, that was discarded, kept if it has an effect above zero, or
    crashed without a metric."""
    text = table.files[table.champion]
    assert old in text
    x = table.add("llm", Proposal(new, "", {"train.py": text.replace(old, new)}), table.champion)
    x.change, x.effect = change, effect
    table.run(x)
    x.runs[1].metric = metric
    x.verdict = Outcome.CRASHED if metric is None else Outcome.KEPT if (effect or 0) > 0 else Outcome.DISCARDED
    if x.verdict == Outcome.KEPT:
        table.champion = x.id
    return x.id


def trials(table: Desk, others: dict[int, dict[str, float]]) -> dict[int, Trial]:
    present = {constant.name: constant.value for constant in find(table.files[table.champion])}
    return {trial.id: trial for trial in read(table.experiments, table.champion, present, table.contract, others)}


class Edited:
    """An archive that knows the files of a desk."""

    def __init__(self, table: Desk) -> None:
        self.table, self.asked = table, list[int]()

    async def edits(self, experiment: int) -> dict[str, str]:
        self.asked.append(experiment)
        return {"train.py": self.table.files[experiment]}


async def test_what_others_measured_of_constants_trains_it_and_what_they_broke_does_not() -> None:
    table = desk()
    measured = idea(table, "CLIP = 1.0", "CLIP = 2.5", CONSTANTS, 3.9, -0.1)
    broken = idea(table, "CLIP = 1.0", "CLIP = 3.5", CONSTANTS, None)
    other = idea(table, "DEPTH = 5", "DEPTH = 5\nEXTRA = 1.5", "", 3.8, -0.1)
    researcher, archive = AutoML(), Edited(table)
    briefing = altered(table.briefing(), archive=archive)  # type: ignore[arg-type]
    await researcher.propose(briefing, table.sink)
    await researcher.propose(briefing, table.sink)
    await researcher.close()
    assert archive.asked == [measured], "once, and nothing that failed or changed more"
    known = trials(table, {measured: {"CLIP": 2.5, "DEPTH": 5}})
    assert known.keys() == {0, measured} and not {broken, other} & known.keys()
    assert known[measured].before == {"CLIP": 1.0} and known[measured].alone == "CLIP"


def test_what_a_change_of_structure_gained_is_taken_off_the_numbers_before_it() -> None:
    table = desk()
    before = idea(table, "CLIP = 1.0", "CLIP = 2.5", CONSTANTS, 3.9, -0.1)
    base = trials(table, {before: {"CLIP": 2.5}})[before].metric
    idea(table, "DEPTH = 5", "DEPTH = 5\nEXTRA = 1.5", "", 3.2, 0.6)
    after = idea(table, "CLIP = 1.0", "CLIP = 0.7", CONSTANTS, 3.3, -0.1)
    found = trials(table, {before: {"CLIP": 2.5}, after: {"CLIP": 0.7}})
    assert base is not None and found[before].metric == pytest.approx(base - 0.6)
    assert found[after].metric == pytest.approx(3.3), "it has today's structure"


def test_a_run_that_was_stopped_early_ranks_by_what_it_had_shown() -> None:
    table = desk()
    number = idea(table, "CLIP = 1.0", "CLIP = 2.5", CONSTANTS, None)
    x = table.experiments[number]
    x.runs[1].outcome, x.verdict = Outcome.STOPPED_EARLY, Outcome.DISCARDED
    x.runs[1].condemned = RunCondemned(
        then="stopped", curve="loss", share=0.35, value=3.4, beside=3.2, limit=0.1, champion=0
    )
    x.notes = {"params": {"CLIP": 2.5}, "was": {"CLIP": 1.0}, "parent": 0}
    (trial,) = (trial for trial in read(table.experiments, 0, {"CLIP": 1.0}, table.contract) if trial.id == number)
    assert trial.state == "failed" and trial.behind == (35, pytest.approx(0.2))
    ranges = {"CLIP": around(next(constant for constant in find(SOURCE) if constant.name == "CLIP"))}
    for goal, sign in (("min", 1), ("max", -1)):
        tpe = Tpe(goal, ranges, 0)  # type: ignore[arg-type]
        tpe.tell([altered(trial, state="open", behind=None)])
        tpe.tell([trial])
        (told,) = tpe._study.get_trials()
        assert told.state.name == "PRUNED" and told.intermediate_values == {35: pytest.approx(sign * 0.2)}
        assert 0 <= tpe.ask(["CLIP"], 1)["CLIP"] <= 1


async def test_the_model_reads_what_tuning_has_found_at_the_end_of_its_briefing() -> None:
    table = desk()
    assert findings(table.briefing()) == ""
    await table.study(AutoML(), 24)
    said = findings(table.briefing())
    now = {constant.name: constant for constant in find(table.files[table.champion])}
    assert said.startswith("# What tuning has found\nAutoML tunes the named numbers by itself")
    lines = [line for line in said.splitlines() if line.startswith("- ")]
    assert lines and all(line[2:].split(" = ")[0] in now for line in lines)
    assert " on average; the best quarter of " in said
    assert all(name in said for name in now), "each constant is told of, measured or not"
    page = for_model(table.briefing(), 32_000, "llm").page
    at = [page.index(head) for head in ("# All experiments so far", "# What tuning has found", "# Where it stands")]
    assert at == sorted(at), "what changes every time stands at the end"
    small = for_model(table.briefing(), 4_000, "llm")
    assert len(small.page) < 4 * 4_000


async def test_exhausted_is_what_was_worse_both_ways() -> None:
    table = desk()
    for new, metric in (("CLIP = 2.5", 4.4), ("CLIP = 0.4", 4.5)):
        idea(table, "CLIP = 1.0", new, CONSTANTS, metric, -0.4)
        x = table.experiments[-1]
        x.notes = {"params": {"CLIP": float(new[7:])}, "was": {"CLIP": 1.0}, "parent": 0}
        told = findings(table.briefing())
        assert ("CLIP = 1: " in told) and told.count("both ways from here were worse") == (new == "CLIP = 0.4")
