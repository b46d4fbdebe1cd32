"""Which experiments the table of experiments shows each in a row, and which it folds into one row with a count. Pure.

A person looks for what was kept and for what happened just now; of four hundred ideas that came to nothing they want
the number. So consecutive experiments on the same champion that nothing builds on fold into one row, except the newest.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from loop.study.experiment import Experiment
from loop.study.figures import Figures
from loop.study.outcomes import VERDICTS, Outcome
from tui.render.text import sigmas

_FRUITLESS = frozenset(VERDICTS) - {Outcome.KEPT}

LEAST = 4
"""Consecutive experiments from which they fold; fewer are not worth pressing a key for."""

RECENT = 8
"""The newest experiments never fold: they are what happened just now."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Consecutive experiments, newest first, shown as one row."""

    ids: tuple[int, ...]

    @property
    def key(self) -> int:
        """A key among those of experiments: below zero, where no experiment is."""
        return -self.ids[0]

    def words(self, found: Mapping[int, Experiment], figures: Figures) -> str:
        """`13 (40-52), best +1.4σ (#44): 11 discarded, 2 crashed`."""
        verdicts = (found[number].verdict for number in self.ids)
        counts = Counter(sorted(verdict.word if verdict else "" for verdict in verdicts))
        parts = ", ".join(f"{count} {word}" for word, count in counts.most_common())
        effects = [(effect, number) for number in self.ids if (effect := figures.effect(found[number])) is not None]
        best, at = max(effects, default=(None, 0))
        least = f", best {sigmas(best, figures.noise)} (#{at})" if best is not None else ""
        return f"{len(self.ids)} ({min(self.ids)}-{max(self.ids)}){least}: {parts}"


def folded(
    ids: Sequence[int], found: Mapping[int, Experiment], opened: Collection[int] = (), *, recent: int = RECENT
) -> list[int | Fold]:
    """`ids` (newest first), with consecutive experiments that came to nothing folded.

    Args:
        opened: keys of folds that a person has opened.
        recent: so many of the newest stay as they are.
    """
    parents = {found[number].parent for number in ids}
    rows: list[int | Fold] = list(ids[:recent])
    run: list[int] = []

    def close() -> None:
        if len(run) >= LEAST and -run[0] not in opened:
            rows.append(Fold(tuple(run)))
        else:
            rows.extend(run)
        run.clear()

    for number in ids[recent:]:
        experiment = found[number]
        leaf = experiment.verdict in _FRUITLESS and number not in parents
        if run and (not leaf or experiment.parent != found[run[0]].parent):
            close()
        if leaf:
            run.append(number)
        else:
            rows.append(number)
    close()
    return rows
