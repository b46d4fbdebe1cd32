"""How many of a study's kept experiments are expected to be false. Pure arithmetic on the judge's verdicts.

A confidence says how rarely a change without effect would look this good, not how many such changes were tried. In a
study that kept one change of a hundred at 99%, luck alone was to be expected to bring about one.
"""

from collections.abc import Sequence

from loop.policy.judge import FUTILE
from loop.study.outcomes import Outcome
from loop.study.state import Study


def expected_false(confidences: Sequence[float], better: int) -> float:
    """The number of false ones among the kept.

    Half of all changes without effect measure better than the champion, and nearly all of those are discarded; so about
    twice as many changes without effect were tried as discarded ones measured better. Each kept one was the best of its
    share of them, so what its confidence leaves open counts that many times. `bench/judge.py` prints this number beside
    the truth.

    Args:
        confidences: of the kept experiments, at the look that kept them.
        better: discarded experiments whose mean was better than the champion's.
    """
    if not confidences:
        return 0.0
    tried = max(1.0, 2 * better / len(confidences))
    return sum(min(1.0, tried * (1 - confidence)) for confidence in confidences)


def of(study: Study) -> float | None:
    """The number of false ones among what the judge has kept as better; None where it has kept nothing.

    A person's decisions, and changes kept for being simpler and no worse, claim no gain and are left out.
    """
    ideas = (x for x in study.experiments.values() if x.id not in study.placebos)
    judged = [x for x in ideas if x.judged_by == "judge" and x.confidence is not None]
    kept = [x.confidence for x in judged if x.verdict == Outcome.KEPT and x.confidence and x.confidence >= FUTILE]
    better = sum(x.verdict == Outcome.DISCARDED and (x.effect or 0.0) > 0 for x in judged)
    return expected_false(kept, better) if kept else None
