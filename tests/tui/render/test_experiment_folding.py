"""Runs of fruitless experiments fold to a count, and nothing that a person looks for is ever in one."""

from hypothesis import given
from hypothesis import strategies as st

from loop.study.experiment import Experiment
from loop.study.figures import Figures
from loop.study.outcomes import VERDICTS, Outcome
from loop.study.state import Study
from tui.render.experiment_folding import LEAST, Fold, folded


def experiment(number: int, verdict: Outcome | None, parent: int | None) -> Experiment:
    found = Experiment(number, "llm", f"idea {number}", "", "", parent, {}, 0.0)
    found.verdict = verdict
    return found


def studied(*verdicts: str | None) -> dict[int, Experiment]:
    """Experiments from the baseline on; each was built on the newest kept one."""
    found: dict[int, Experiment] = {}
    champion: int | None = None
    for number, verdict in enumerate(("kept", *verdicts)):
        found[number] = experiment(number, Outcome(verdict) if verdict else None, champion)
        champion = number if verdict == "kept" else champion
    return found


def test_a_run_folds_to_one_row_with_its_counts() -> None:
    found = studied("discarded", "crashed", "discarded", "timed_out", "kept", "discarded")
    rows = folded(sorted(found, reverse=True), found, recent=0)
    assert rows == [6, 5, Fold((4, 3, 2, 1)), 0]
    assert Fold((4, 3, 2, 1)).words(found, Figures(Study())) == "4 (1-4): 2 discarded, 1 crashed, 1 timed out"


def test_an_opened_fold_stays_open_and_short_runs_never_fold() -> None:
    found = studied(*["discarded"] * 6)
    ids = sorted(found, reverse=True)
    assert folded(ids, found, opened={-6}, recent=0) == ids
    few = studied(*["discarded"] * (LEAST - 1))
    assert folded(sorted(few, reverse=True), few, recent=0) == sorted(few, reverse=True)


@given(st.lists(st.sampled_from((*VERDICTS, None)), max_size=60), st.integers(0, 12))
def test_folding_loses_nothing_and_hides_only_what_came_to_nothing(verdicts: list[str | None], recent: int) -> None:
    found = studied(*verdicts)
    ids = sorted(found, reverse=True)
    rows = folded(ids, found, recent=recent)
    assert [key for row in rows for key in (row.ids if isinstance(row, Fold) else (row,))] == ids
    assert list(rows[: min(recent, len(ids))]) == ids[:recent], "what happened just now is always there"
    for row in rows:
        if isinstance(row, Fold):
            assert len(row.ids) >= LEAST and len({found[key].parent for key in row.ids}) == 1
            assert not any(found[key].verdict in ("kept", None) for key in row.ids)
